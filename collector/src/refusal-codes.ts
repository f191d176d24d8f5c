// SPDX-License-Identifier: Apache-2.0
//
// What a receiver makes of a refusal, so that push, /ingest and OTLP agree on what a client is told and may retry.

import type { ErrorCode } from '@hearthscope/profile/errors';

/** Refusals that end by themselves: the same profile may be accepted later. */
const EXHAUSTED: ReadonlySet<string> = new Set(['rate_limited', 'ingest_limit_reached', 'series_limit']);

/** Refusals that the operator wants: the client did nothing wrong and gets no error. */
const WANTED: ReadonlySet<string> = new Set(['dropped_by_relabel_rules', 'dropped_by_sampling_rules']);

/** @param reason of a `Rejection` */
export function codeOfReason(reason: string): ErrorCode {
  return EXHAUSTED.has(reason) ? 'resource_exhausted' : 'invalid_argument';
}

/** Whether a client gets an error for a refusal; all of them are counted.
 * @param reason of a `Rejection` */
export function isToldToClient(reason: string): boolean {
  return !WANTED.has(reason);
}

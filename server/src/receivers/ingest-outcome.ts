// SPDX-License-Identifier: Apache-2.0
//
// What became of the profiles of one request, and how a sender is told. A protocol that has no partial success answers
// with an error although good profiles were stored.

import { codeOfReason, isToldToClient } from '@hearthscope/collector/refusal-codes';
import type { Rejection } from '@hearthscope/profile/codecs/decode-report';
import { HearthscopeError } from '@hearthscope/profile/errors';

/** Plain data: it comes from a worker. */
export interface IngestOutcome {
  readonly accepted: readonly AcceptedProfiles[];
  /** By reason: whole profiles, and samples of profiles that were stored. */
  readonly rejected: readonly Rejection[];
}

/** What was stored of one kind. */
export interface AcceptedProfiles {
  /** The label `__name__`, such as `process_cpu`. */
  readonly name: string;
  readonly profiles: number;
  readonly samples: number;
}

export const NOTHING_ACCEPTED: IngestOutcome = { accepted: [], rejected: [] };

export function acceptedProfiles({ accepted }: IngestOutcome): number {
  return accepted.reduce((sum, { profiles }) => sum + profiles, 0);
}

export function rejectedProfiles({ rejected }: IngestOutcome): number {
  return rejected.reduce((sum, { what, count }) => (what === 'profile' ? sum + count : sum), 0);
}

/** Undefined unless profiles were refused for a reason that is the sender's. A request of which a part was stored must not be sent again, so its error is
 * never one of those that clients try again after. */
export function errorOfOutcome(outcome: IngestOutcome): HearthscopeError | undefined {
  const refused = outcome.rejected.filter(({ what, reason }) => what === 'profile' && isToldToClient(reason));
  if (refused.length === 0) return undefined;
  const isExhausted = refused.every(({ reason }) => codeOfReason(reason) === 'resource_exhausted');
  const code = isExhausted && acceptedProfiles(outcome) === 0 ? 'resource_exhausted' : 'invalid_argument';
  return new HearthscopeError(code, multipleErrors(refused));
}

/** As Pyroscope writes several errors: `2 errors: first; second`. */
function multipleErrors(refused: readonly Rejection[]): string {
  const messages = refused.map(({ message, count }) =>
    count === 1 ? message : `${message} (and ${count - 1} more like it)`,
  );
  const count = refused.reduce((sum, { count }) => sum + count, 0);
  return count === 1 ? messages[0]! : `${count} errors: ${messages.join('; ')}`;
}

/** What was refused, profiles and samples, in one line; '' when nothing was. */
export function describeRejections({ rejected }: IngestOutcome): string {
  return rejected.map(({ what, count, message }) => `${count} ${what}(s): ${message}`).join('; ');
}

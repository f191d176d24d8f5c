// SPDX-License-Identifier: Apache-2.0
//
// What the URL of an /ingest request says about the profile in its body. Only a bad name is an error; clients know no
// answer to bad times or rates, so these fall back to their defaults. `units` and `aggregationType`, which old clients
// send, follow from the profile itself and are not read.

import { parseAttime } from '@hearthscope/profile/attime';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { type ApplicationName, parseApplicationName } from './application-name.ts';

export const DEFAULT_SAMPLE_RATE_HZ = 100;
const DEFAULT_SPY_NAME = 'unknown';
const MAX_SAMPLE_RATE_HZ = 1_000_000_000;

export interface IngestMetadata {
  readonly application: ApplicationName;
  /** Not negative, as all times here. */
  readonly fromNanos: bigint;
  readonly untilNanos: bigint;
  /** 0 when the client says that values are no samples of a rate. */
  readonly sampleRateHz: number;
  readonly spyName: string;
}

/** The URL is wrong, so the client cannot mean it, whatever the body is. */
export class IngestMetadataError extends HearthscopeError {
  constructor(message: string) {
    super('invalid_argument', message);
    this.name = 'IngestMetadataError';
  }
}

/** @param nowMillis what absent times mean @throws IngestMetadataError for a bad name */
export function parseIngestMetadata(parameters: URLSearchParams, nowMillis: number): IngestMetadata {
  return {
    application: applicationOf(parameters.get('name') ?? ''),
    fromNanos: timeOf(parameters.get('from'), nowMillis),
    untilNanos: timeOf(parameters.get('until'), nowMillis),
    sampleRateHz: sampleRateOf(parameters.get('sampleRate')),
    spyName: parameters.get('spyName') || DEFAULT_SPY_NAME,
  };
}

/** How long was measured; 0n when the times do not say. */
export function durationNanos({ fromNanos, untilNanos }: IngestMetadata): bigint {
  return untilNanos > fromNanos ? untilNanos - fromNanos : 0n;
}

function applicationOf(name: string): ApplicationName {
  try {
    return parseApplicationName(name);
  } catch (error) {
    if (error instanceof HearthscopeError) throw new IngestMetadataError(`name: ${error.message}`);
    throw error;
  }
}

function timeOf(text: string | null, nowMillis: number): bigint {
  const nanos = parseAttime(text || 'now', nowMillis);
  return nanos < 0n ? 0n : nanos;
}

function sampleRateOf(text: string | null): number {
  const rate = text !== null && /^\d+$/.test(text) ? Number(text) : DEFAULT_SAMPLE_RATE_HZ;
  return rate <= MAX_SAMPLE_RATE_HZ ? rate : DEFAULT_SAMPLE_RATE_HZ;
}

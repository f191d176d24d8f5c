// SPDX-License-Identifier: Apache-2.0
//
// `original_payload`: the profile in its producer's own format, carried whole inside an OTLP profile. Only pprof is read.

import { HearthscopeError, messageOf } from '../errors.ts';
import type { Profile } from '../profile.ts';
import type { DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';
import { isGzip } from './gzip-magic.ts';
import { PPROF_PAYLOAD_FORMAT } from './otlp-semantics.ts';
import { decodePprof } from './pprof-decode.ts';

/** Must throw a HearthscopeError instead of returning more than `maxBytes`. */
export type Gunzip = (bytes: Uint8Array, maxBytes: number) => Uint8Array;

/** @returns the payload's profile, or null when it was refused and counted */
export function readOriginalPayload(
  format: string,
  payload: Uint8Array | null,
  limits: DecodeLimits,
  report: DecodeReport,
  gunzip: Gunzip | undefined,
): Profile | null {
  const reject = (reason: string, message: string): null => {
    report.reject('profile', reason, message);
    return null;
  };
  if (payload === null || format === '') {
    return reject('payload_incomplete', 'original_payload and original_payload_format must come together');
  }
  if (format !== PPROF_PAYLOAD_FORMAT) {
    const named = JSON.stringify(format.slice(0, 40));
    return reject(
      'payload_format_unsupported',
      `a profile without samples has a payload of format ${named}, not pprof`,
    );
  }
  try {
    const { profile, repaired } = decodePprof(plainPayload(payload, limits, gunzip), limits);
    for (const { reason, count } of repaired) report.repair(reason, count);
    return profile;
  } catch (error) {
    if (!(error instanceof HearthscopeError)) throw error;
    return reject('payload_malformed', messageOf(error));
  }
}

function plainPayload(
  payload: Uint8Array,
  { maxPayloadBytes }: DecodeLimits,
  gunzip: Gunzip | undefined,
): Uint8Array {
  if (isGzip(payload) && gunzip === undefined) {
    throw new HearthscopeError('unimplemented', 'a gzipped original_payload cannot be read here');
  }
  const plain = isGzip(payload) ? gunzip!(payload, maxPayloadBytes) : payload;
  if (plain.length > maxPayloadBytes) {
    throw new HearthscopeError(
      'invalid_argument',
      `original_payload is larger than ${maxPayloadBytes} bytes`,
    );
  }
  return plain;
}

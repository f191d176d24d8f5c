// SPDX-License-Identifier: Apache-2.0
//
// One pprof as it comes with a push or in a part of /ingest: maybe gzipped, maybe not a pprof at all. What is wrong with
// it is counted as a refusal of that profile, in the words that clients know, and is nobody else's error.

import { gunzipSync } from 'node:zlib';
import { DecodeLimitError } from '@hearthscope/profile/codecs/decode-limit-error';
import type { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { isGzip } from '@hearthscope/profile/codecs/gzip-magic';
import { decodePprof, type PprofDecodeOptions } from '@hearthscope/profile/codecs/pprof-decode';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Label } from '@hearthscope/profile/labels';
import { siBytes } from '../limits/byte-text.ts';
import type { TenantLimits } from '../limits/tenant-limits.ts';
import type { Refusal } from '../refusal.ts';
import { formatLabels } from '../series-labels.ts';
import type { PushedProfile } from './pushed-profile.ts';

/** Where the operator sets no limit to the size of a profile, this bounds what a few bytes of gzip can become. */
const MAX_UNLIMITED_BYTES = 1 << 30;
/** The decoder leaves out labels of samples whose name is longer than so many times the limit, and cuts values to one more
 * than theirs: what is left is still too long and refused, but a few bytes of a profile cannot become gigabytes of labels. */
const READ_NAME_LENGTHS = 4;
const UUID = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

export interface PushedPprof {
  /** Plain or gzipped. */
  readonly bytes: Uint8Array;
  readonly labels: readonly Label[];
  /** What the client calls the profile; anything but a UUID is not kept. */
  readonly id?: string;
}

/** @param report gets the refusal or the repairs
 * @returns undefined when the profile was refused */
export function decodePushedPprof(
  { bytes, labels, id = '' }: PushedPprof,
  limits: TenantLimits,
  report: DecodeReport,
  options: PprofDecodeOptions = {},
): PushedProfile | undefined {
  try {
    const plain = gunzipped(bytes, limits.maxProfileSizeBytes);
    const decode = {
      ...limits.decode,
      maxAttributeKeyLength: limits.maxLabelNameLength * READ_NAME_LENGTHS,
      maxAttributeValueLength: limits.maxLabelValueLength + 1,
    };
    const { profile, rejected, repaired } = decodePprof(plain, decode, {
      invalidUtf8: 'refuse',
      unknownIds: 'dropSamples',
      ...options,
    });
    for (const { what, reason, message, count } of rejected) report.reject(what, reason, message, count);
    for (const { reason, count } of repaired) report.repair(reason, count);
    return {
      labels,
      profile: { ...profile, id: UUID.test(id) ? id.replaceAll('-', '').toLowerCase() : '' },
      sizeBytes: plain.length,
    };
  } catch (error) {
    const { reason, message } = refusalOf(error, labels);
    report.reject('profile', reason, message);
    return undefined;
  }
}

class ProfileSizeError extends HearthscopeError {
  constructor(maxBytes: number) {
    super('invalid_argument', `uncompressed profile payload size exceeds limit of ${siBytes(maxBytes)}`);
  }
}

/** The bytes, unpacked when they begin like gzip.
 * @param maxSizeBytes of the result, whichever it is; 0 means no limit but what memory allows
 * @throws HearthscopeError invalid_argument when they are more, or broken gzip */
export function gunzipped(bytes: Uint8Array, maxSizeBytes: number): Uint8Array {
  const maxBytes = maxSizeBytes || MAX_UNLIMITED_BYTES;
  const plain = isGzip(bytes) ? inflate(bytes, maxBytes) : bytes;
  if (plain.length > maxBytes) throw new ProfileSizeError(maxBytes);
  return plain;
}

function inflate(bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new ProfileSizeError(maxBytes);
    }
    throw new HearthscopeError('invalid_argument', `gzip: ${messageOf(error)}`, { cause: error });
  }
}

/** What an error of decoding one profile says to its sender.
 * @throws the error itself when it is not about the profile */
export function refusalOf(error: unknown, labels: readonly Label[]): Refusal {
  if (error instanceof ProfileSizeError) return { reason: 'profile_size_limit', message: error.message };
  if (error instanceof DecodeLimitError) {
    return {
      reason: error.reason,
      message: `the profile with labels '${formatLabels(labels)}' ${error.predicate}`,
    };
  }
  if (error instanceof HearthscopeError) return { reason: 'malformed_profile', message: error.message };
  throw error;
}

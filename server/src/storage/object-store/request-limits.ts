// SPDX-License-Identifier: Apache-2.0
//
// How long is waited for a remote storage, and how often it is asked again.

export interface RequestLimits {
  /** Tries of one request, the first included. */
  readonly attempts: number;
  /** For one try, besides the time that its bytes take. */
  readonly attemptMillis: number;
  /** A try with a body gets more time by this rate; what is slower has failed. */
  readonly minBytesPerSecond: number;
  /** Before the second try, at most; it doubles with each further one, and a random share of it is waited. */
  readonly backoffMillis: number;
  readonly maxBackoffMillis: number;
  /** Files beyond it are uploaded in parts of this size; a multiple of 256 KiB, of at least 5 MiB. */
  readonly partBytes: number;
  /** Entries of one page of a listing. */
  readonly pageEntries: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const DEFAULT_REQUEST_LIMITS: RequestLimits = {
  attempts: 6,
  attemptMillis: 20_000,
  minBytesPerSecond: 128 * KIB,
  backoffMillis: 200,
  maxBackoffMillis: 5_000,
  partBytes: 8 * MIB,
  pageEntries: 1000,
};

/** How long a request that moves so many bytes may take. */
export function requestMillis({ attemptMillis, minBytesPerSecond }: RequestLimits, bytes: number): number {
  return attemptMillis + Math.ceil((bytes / minBytesPerSecond) * 1000);
}

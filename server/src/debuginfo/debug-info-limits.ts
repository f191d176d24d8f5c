// SPDX-License-Identifier: Apache-2.0
//
// How much debug information is taken and kept.

const MEBIBYTE = 1024 * 1024;
const GIBIBYTE = 1024 * MEBIBYTE;

export interface DebugInfoLimits {
  /** Of one file, after decompression. */
  readonly maxFileBytes: number;
  /** Of all files of all tenants; beyond it those are removed whose names were asked for least recently. */
  readonly maxTotalBytes: number;
  readonly maxFiles: number;
  /** What uploads leave free on the disk, which profiles are written to as well. */
  readonly minFreeBytes: number;
  /** Uploads that are received at a time; further ones are asked to come back. */
  readonly maxConcurrentUploads: number;
  /** Uploads that a tenant may begin in a minute. */
  readonly maxUploadsPerMinute: number;
  /** From the headers of an upload to its last byte. */
  readonly uploadTimeoutMillis: number;
  /** How long the client that was told to upload a build id is waited for before another one is told to. */
  readonly ticketLifetimeMillis: number;
  /** Clients that were told to upload and have not yet. */
  readonly maxTickets: number;
}

export const DEFAULT_DEBUG_INFO_LIMITS: DebugInfoLimits = {
  maxFileBytes: 256 * MEBIBYTE,
  maxTotalBytes: 8 * GIBIBYTE,
  maxFiles: 10_000,
  minFreeBytes: GIBIBYTE,
  maxConcurrentUploads: 4,
  maxUploadsPerMinute: 120,
  uploadTimeoutMillis: 120_000,
  ticketLifetimeMillis: 420_000,
  maxTickets: 10_000,
};

// SPDX-License-Identifier: Apache-2.0
//
// The limits of blocks and of what cuts the head into them, with their defaults. Plain data: they cross to workers.

import type { BlocksConfig, RetentionConfig } from './blocks-protocol.ts';
import { DEFAULT_BLOCK_CACHE_LIMITS } from './cached-block-files.ts';
import type { BlockRetention } from './retention.ts';

export interface BlockLimits {
  /** The head is cut when its oldest profile arrived so long ago. */
  readonly maxHeadMillis: number;
  /** The head is cut when this share of its memory is used. */
  readonly headShare: number;
  /** How often it is looked at whether a cut is due. */
  readonly checkMillis: number;
  /** On disk, for files of blocks that lie in a bucket. */
  readonly cacheMaxBytes: number;
  /** Memory for symbols of blocks; beyond it they are read again. */
  readonly symbolCacheBytes: number;
  /** Memory of SQL; beyond it is spilled to disk. */
  readonly sqlMemoryBytes: number;
  readonly sqlThreads: number;
  /** SQL sessions at a time; each may hold a thread of libuv's pool, which has four. */
  readonly maxSessions: number;
  /** Between two looks for blocks to merge or to remove. */
  readonly maintenanceMillis: number;
  /** How long after an hour or a day its late profiles are waited for. */
  readonly graceMillis: number;
  /** How long files of removed blocks stay for queries that began before. */
  readonly tombstoneMillis: number;
  /** When the disk has less free space than this, profiles are refused: what there is must still become blocks. */
  readonly minFreeBytes: number;
  readonly retention: RetentionConfig;
}

const MINUTE_MILLIS = 60_000;
const DAY_MILLIS = 24 * 60 * MINUTE_MILLIS;
const MIB = 1024 * 1024;

const KEEP_A_MONTH: BlockRetention = {
  samplesMillis: 31 * DAY_MILLIS,
  fiveMinutesMillis: 31 * DAY_MILLIS,
  hoursMillis: 31 * DAY_MILLIS,
  maxBytes: 0,
};

/** Nothing is ever removed. */
export const KEEP_FOR_EVER: BlockRetention = {
  samplesMillis: 0,
  fiveMinutesMillis: 0,
  hoursMillis: 0,
  maxBytes: 0,
};

export const DEFAULT_BLOCK_LIMITS: BlockLimits = {
  maxHeadMillis: 15 * MINUTE_MILLIS,
  headShare: 0.7,
  checkMillis: 1000,
  cacheMaxBytes: DEFAULT_BLOCK_CACHE_LIMITS.maxBytes,
  symbolCacheBytes: 256 * MIB,
  sqlMemoryBytes: 512 * MIB,
  sqlThreads: 2,
  maxSessions: 2,
  maintenanceMillis: MINUTE_MILLIS,
  graceMillis: 10 * MINUTE_MILLIS,
  tombstoneMillis: 15 * MINUTE_MILLIS,
  minFreeBytes: 128 * MIB,
  retention: { defaults: KEEP_A_MONTH, overrides: {} },
};

export function blocksConfig(
  limits: BlockLimits,
  places: Pick<BlocksConfig, 'objectStore' | 'cacheDirectory' | 'temporaryDirectory' | 'writerId'>,
): BlocksConfig {
  const {
    cacheMaxBytes,
    symbolCacheBytes,
    sqlMemoryBytes,
    sqlThreads,
    maxSessions,
    maintenanceMillis,
    graceMillis,
    tombstoneMillis,
    retention,
  } = limits;
  return {
    ...places,
    cacheMaxBytes,
    symbolCacheBytes,
    sqlMemoryBytes,
    sqlThreads,
    maxSessions,
    maintenanceMillis,
    graceMillis,
    tombstoneMillis,
    retention,
  };
}

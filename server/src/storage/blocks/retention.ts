// SPDX-License-Identifier: Apache-2.0
//
// How long a tenant's data is kept: the samples first go, their sums later, and what exceeds a number of bytes goes at once.
//
// Ages are measured by a clock that follows the machine's, but not blindly: while the server runs it goes forward at most
// CATCH_UP times as fast as time passes. A machine's clock that jumps a year ahead thus removes one more day of data an
// hour, which is logged and counted, in place of everything at once; and a server that was off for a month has caught up a
// day later.

import { type LimitsConfig, limitsOf, type TenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import type { RetentionConfig } from './blocks-protocol.ts';
import { BLOCK_FILE_NAMES, type BlockFileName, type BlockMeta, bytesOf, type Manifest } from './manifest.ts';
import { ulidMillis } from './ulid.ts';

/** How long a tenant's data is kept. 0 means for ever. */
export interface BlockRetention {
  /** Single samples; younger than the rest, or the same. */
  readonly samplesMillis: number;
  readonly fiveMinutesMillis: number;
  /** Sums by the hour, and everything that is known of the profiles. */
  readonly hoursMillis: number;
  /** Of all files of a tenant; the oldest blocks go first. */
  readonly maxBytes: number;
}

/** How many times as fast as time passes the clock of retention may go. */
export const CATCH_UP = 24;

export function retentionConfig(limits: LimitsConfig): RetentionConfig {
  const tenants = Object.keys(limits.overrides);
  return {
    defaults: blockRetention(limits.defaults),
    overrides: Object.fromEntries(
      tenants.map((tenant) => [tenant, blockRetention(limitsOf(limits, tenant))]),
    ),
  };
}

export function blockRetention({
  retentionPeriodMillis,
  rawRetentionMillis,
  fiveMinuteRetentionMillis,
  maxStoredBytes,
}: TenantLimits): BlockRetention {
  const samplesMillis = shorter(rawRetentionMillis, retentionPeriodMillis);
  return {
    samplesMillis,
    fiveMinutesMillis: shorter(fiveMinuteRetentionMillis, retentionPeriodMillis),
    hoursMillis: retentionPeriodMillis,
    maxBytes: maxStoredBytes,
  };
}

/** The shorter of two times of which 0 means for ever. */
function shorter(a: number, b: number): number {
  return a === 0 ? b : b === 0 ? a : Math.min(a, b);
}

/** The clock by which one tenant's data ages. */
export class RetentionClock {
  #millis: number;
  #atMonotonicMillis: number;

  /** @param monotonicMillis of a clock that nobody sets */
  constructor(manifest: Manifest, nowMillis: number, monotonicMillis: number) {
    const known = manifest.retentionClockMillis ?? lastWriting(manifest) ?? nowMillis;
    this.#millis = Math.min(nowMillis, known);
    this.#atMonotonicMillis = monotonicMillis;
  }

  /** @returns the time that ages are measured from, never after `nowMillis` */
  read(nowMillis: number, monotonicMillis: number): number {
    const passedMillis = Math.max(0, monotonicMillis - this.#atMonotonicMillis);
    this.#millis = Math.min(nowMillis, this.#millis + passedMillis * CATCH_UP);
    this.#atMonotonicMillis = monotonicMillis;
    return this.#millis;
  }
}

/** When a block was written last, by the machine's clock of that time. */
function lastWriting({ blocks, tombstones }: Manifest): number | undefined {
  const times = [...blocks, ...tombstones].map(({ id }) => ulidMillis(id));
  return times.length === 0 ? undefined : times.reduce((a, b) => Math.max(a, b));
}

/** What is to be removed, by block.
 * @param nowMillis as a {@link RetentionClock} tells it */
export function expiry(
  { blocks }: Pick<Manifest, 'blocks'>,
  retention: BlockRetention,
  nowMillis: number,
): { readonly block: BlockMeta; readonly files: readonly BlockFileName[] }[] {
  const plan = new Map<string, { block: BlockMeta; files: Set<BlockFileName> }>();
  const remove = (block: BlockMeta, names: readonly BlockFileName[]) => {
    const present = names.filter((name) => block.files[name] !== undefined);
    if (present.length === 0) return;
    const known = plan.get(block.id);
    if (known === undefined) plan.set(block.id, { block, files: new Set(present) });
    else for (const name of present) known.files.add(name);
  };
  const isOlder = (block: BlockMeta, millis: number) => millis > 0 && block.endMillis + millis < nowMillis;
  for (const block of blocks) {
    if (isOlder(block, retention.hoursMillis)) remove(block, BLOCK_FILE_NAMES);
    // Blocks that were never merged have no sums: their samples stay until they were.
    if (block.files['samples-1h.parquet'] === undefined) continue;
    if (isOlder(block, retention.samplesMillis)) remove(block, ['samples.parquet', 'links.parquet']);
    if (isOlder(block, retention.fiveMinutesMillis)) remove(block, ['samples-5m.parquet']);
  }
  if (retention.maxBytes > 0) {
    const byAge = [...blocks].sort((a, b) => b.endMillis - a.endMillis);
    let bytes = 0;
    for (const block of byAge) {
      bytes += bytesOf(block);
      if (bytes > retention.maxBytes) remove(block, BLOCK_FILE_NAMES);
    }
  }
  return [...plan.values()].map(({ block, files }) => ({ block, files: [...files] }));
}

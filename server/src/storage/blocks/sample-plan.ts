// SPDX-License-Identifier: Apache-2.0
//
// Which tables of a block answer for which stretches of time: hours that lie in the range as a whole come from sums by the
// hour, what is left of them from sums by 5 minutes, and the edges from the samples themselves. Nothing is counted twice or
// left out, so the answer is exact.
//
//   range         |·····················································|
//   samples      ▐█▌                                                    ▐█▌
//   5 minutes       █████                                          ████
//   hours                ██████████████████████████████████████████

import type { BlockMeta } from './manifest.ts';

/** Nanoseconds since the Unix epoch, `start .. limit`. */
export interface Stretch {
  readonly start: bigint;
  readonly limit: bigint;
}

export interface SamplePlan {
  /** Buckets `first .. limit` of each table of sums. */
  readonly hours: { readonly first: bigint; readonly limit: bigint } | undefined;
  readonly fiveMinutes: readonly { readonly first: bigint; readonly limit: bigint }[];
  /** Answered by the samples. */
  readonly samples: readonly Stretch[];
}

const NANOS_PER_MILLI = 1_000_000n;
export const FIVE_MINUTES_NANOS = 300_000_000_000n;
export const ONE_HOUR_NANOS = 3_600_000_000_000n;

const NOTHING: SamplePlan = { hours: undefined, fiveMinutes: [], samples: [] };

/** @param allowSums false when the question needs single samples */
export function samplePlan(
  block: BlockMeta,
  startMillis: number,
  endMillis: number,
  allowSums: boolean,
): SamplePlan {
  // Of the block's own times nothing is outside, so a range that covers them covers whole hours.
  const covered = {
    start:
      startMillis <= block.startMillis
        ? floorTo(nanosOf(block.startMillis), ONE_HOUR_NANOS)
        : nanosOf(Math.ceil(Math.min(startMillis, block.endMillis + 1))),
    limit:
      endMillis >= block.endMillis
        ? ceilTo(nanosOf(block.endMillis + 1), ONE_HOUR_NANOS)
        : nanosOf(Math.floor(Math.max(endMillis, block.startMillis - 1)) + 1),
  };
  const hasHours = allowSums && block.files['samples-1h.parquet'] !== undefined;
  const hasFiveMinutes = allowSums && block.files['samples-5m.parquet'] !== undefined;
  if (block.files['samples.parquet'] === undefined) {
    // Retention has left sums only: a bucket belongs to the range that it begins in.
    if (!hasHours && !hasFiveMinutes) return NOTHING;
    const unit = hasFiveMinutes ? FIVE_MINUTES_NANOS : ONE_HOUR_NANOS;
    covered.start = ceilTo(covered.start, unit);
    covered.limit = ceilTo(covered.limit, unit);
  }
  if (covered.limit <= covered.start) return NOTHING;
  const hours = hasHours ? wholeBuckets(covered, ONE_HOUR_NANOS) : undefined;
  const afterHours =
    hours === undefined
      ? [covered]
      : [
          { start: covered.start, limit: hours.first * ONE_HOUR_NANOS },
          { start: hours.limit * ONE_HOUR_NANOS, limit: covered.limit },
        ];
  const fiveMinutes: { first: bigint; limit: bigint }[] = [];
  const samples: Stretch[] = [];
  for (const stretch of afterHours) {
    const buckets = hasFiveMinutes ? wholeBuckets(stretch, FIVE_MINUTES_NANOS) : undefined;
    if (buckets === undefined) {
      samples.push(stretch);
      continue;
    }
    fiveMinutes.push(buckets);
    samples.push(
      { start: stretch.start, limit: buckets.first * FIVE_MINUTES_NANOS },
      { start: buckets.limit * FIVE_MINUTES_NANOS, limit: stretch.limit },
    );
  }
  return { hours, fiveMinutes, samples: samples.filter((stretch) => stretch.limit > stretch.start) };
}

/** The buckets that lie in the stretch as a whole; undefined when there are none. */
function wholeBuckets(
  { start, limit }: Stretch,
  nanos: bigint,
): { first: bigint; limit: bigint } | undefined {
  const first = ceilTo(start, nanos) / nanos;
  const last = floorTo(limit, nanos) / nanos;
  return last > first ? { first, limit: last } : undefined;
}

function nanosOf(millis: number): bigint {
  return BigInt(millis) * NANOS_PER_MILLI;
}

function floorTo(nanos: bigint, unit: bigint): bigint {
  const rest = ((nanos % unit) + unit) % unit;
  return nanos - rest;
}

function ceilTo(nanos: bigint, unit: bigint): bigint {
  const floor = floorTo(nanos, unit);
  return floor === nanos ? floor : floor + unit;
}

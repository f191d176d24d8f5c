// SPDX-License-Identifier: Apache-2.0
//
// One answer of several: what the head, its cuts and the blocks each know of a selection.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { type LabelSet, labelSetKey } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import { ProfileMerger } from '@hearthscope/profile/profile-merger';
import type { BlockSpans, BlockTotals } from './blocks/block-queries.ts';
import type { BlockSteps } from './blocks/block-steps.ts';
import { hexOfNumber } from './head/binary-id.ts';
import type { Pace, SeriesSpans, SeriesSteps, SeriesTotals, TenantStats } from './store.ts';
import { stepOf, type TimeSteps } from './time-steps.ts';

const MAX_INT64 = 2n ** 63n - 1n;

/** Profiles of {@link Store.mergeStacks} as one. @throws HearthscopeError failed_precondition when a sum may leave int64 */
export async function mergedProfiles(profiles: readonly Profile[], pace: Pace): Promise<Profile | undefined> {
  const [first] = profiles;
  if (first === undefined || profiles.length === 1) return first;
  let sum = 0n;
  for (const { samples } of profiles)
    for (const value of samples.values[0]!) sum += value < 0n ? -value : value;
  if (sum > MAX_INT64) {
    throw new HearthscopeError('failed_precondition', 'the values of all stacks do not fit in 64 bits');
  }
  const merger = new ProfileMerger(first);
  for (const profile of profiles) await pace.run(merger.addInSteps(profile));
  return merger.build();
}

/** Each label set once. */
export function distinctSets(sets: Iterable<LabelSet>): LabelSet[] {
  const byKey = new Map<string, LabelSet>();
  for (const labels of sets) byKey.set(labelSetKey(labels), labels);
  return [...byKey.values()];
}

export function mergedStats(all: readonly TenantStats[]): TenantStats {
  const ranges = all.flatMap(({ range }) => range ?? []);
  return {
    profiles: all.reduce((sum, { profiles }) => sum + profiles, 0),
    range:
      ranges.length === 0
        ? undefined
        : {
            startMillis: Math.min(...ranges.map(({ startMillis }) => startMillis)),
            endMillis: Math.max(...ranges.map(({ endMillis }) => endMillis)),
          },
  };
}

/** Totals summed by step. */
export function stepsOfTotals(
  { labels, timeUnixMillis, total }: SeriesTotals,
  steps: TimeSteps,
): SeriesSteps {
  const sums = new Map<number, { sum: bigint; profiles: number }>();
  for (let i = 0; i < total.length; i++) {
    const step = stepOf(timeUnixMillis[i]!, steps);
    const known = sums.get(step);
    if (known === undefined) {
      sums.set(step, { sum: total[i]!, profiles: 1 });
    } else {
      known.sum += total[i]!;
      known.profiles++;
    }
  }
  return {
    labels,
    step: Float64Array.from(sums.keys()),
    sum: Array.from(sums.values(), ({ sum }) => sum),
    profiles: Float64Array.from(sums.values(), ({ profiles }) => profiles),
  };
}

/** The rows of blocks by series. They lie together for each. */
export function stepsBySeries({
  labels,
  series,
  step,
  sumHigh,
  sumLow,
  profiles,
}: BlockSteps): SeriesSteps[] {
  const answers: SeriesSteps[] = [];
  for (let from = 0; from < series.length; ) {
    let to = from;
    while (to < series.length && series[to] === series[from]) to++;
    const sum: bigint[] = [];
    for (let row = from; row < to; row++) sum.push((sumHigh[row]! << 32n) + sumLow[row]!);
    answers.push({
      labels: labels[series[from]!]!,
      step: step.subarray(from, to),
      sum,
      profiles: profiles.subarray(from, to),
    });
    from = to;
  }
  return answers;
}

/** The rows of a block by series; series without any are left out. */
export function totalsBySeries(totals: BlockTotals): SeriesTotals[] {
  return [...rowsBySeries(totals)].map(([series, rows]) => ({
    labels: totals.labels[series]!,
    timeUnixMillis: Float64Array.from(rows, (row) => totals.timeUnixMillis[row]!),
    total: BigInt64Array.from(rows, (row) => totals.total[row]!),
    profileId: (index) => idOf(totals.idHigh, totals.idLow, rows[index]!),
  }));
}

export function spansBySeries(spans: BlockSpans): SeriesSpans[] {
  const bySeries = totalsBySeries(spans);
  const rows = [...rowsBySeries(spans).values()];
  return bySeries.map((series, i) => ({
    ...series,
    spanId: (index) => hexOfNumber(spans.span[rows[i]![index]!]!),
    traceId: (index) => idOf(spans.traceHigh, spans.traceLow, rows[i]![index]!),
  }));
}

function rowsBySeries({ series }: BlockTotals): Map<number, number[]> {
  const bySeries = new Map<number, number[]>();
  for (let row = 0; row < series.length; row++) {
    const rows = bySeries.get(series[row]!);
    if (rows === undefined) bySeries.set(series[row]!, [row]);
    else rows.push(row);
  }
  return bySeries;
}

function idOf(high: BigUint64Array, low: BigUint64Array, row: number): string {
  if (high[row] === 0n && low[row] === 0n) return '';
  return hexOfNumber(high[row]!) + hexOfNumber(low[row]!);
}

// SPDX-License-Identifier: Apache-2.0
//
// Counts each profile once, although profiles arrive late and in any order. Time is cut into windows; for each series of
// a rule and each window it is remembered what was counted. An evaluation sums all windows of the late window anew, and
// what they have more than was counted is new, whenever it was measured:
//
//   window          10:01   10:02   10:03   10:04
//   counted           5       7       3       -
//   sums now          5       9       3       4        new: 2 + 4 = 6, the sample of 10:04

import { type LabelSet, labelSetKey } from '@hearthscope/profile/labels';
import type { CountedSeries } from './rule-state.ts';

/** The sums of one series as they are now. */
export interface SummedSeries {
  readonly labels: LabelSet;
  /** By time; a point is at the end of its window. */
  readonly points: readonly { readonly timestampMillis: number; readonly value: number }[];
}

export interface Counted {
  readonly series: CountedSeries[];
  /** What is new, of the series that have something new. */
  readonly added: { readonly labels: LabelSet; readonly value: number }[];
  /** Series that were left out because there were too many. */
  readonly leftOut: number;
}

/** @param sums of windows, of which those before `keptSinceMillis` are counted now and need not be remembered
 * @param maxSeries that are remembered. Those that are known stay; of the others the largest are taken */
export function countWindows(
  counted: readonly CountedSeries[],
  sums: readonly SummedSeries[],
  keptSinceMillis: number,
  maxSeries: number,
): Counted {
  const known = new Map(counted.map((series) => [labelSetKey(series.labels), series]));
  const { taken, leftOut } = takenSeries(known, sums, maxSeries);
  const series: CountedSeries[] = [];
  const added: Counted['added'] = [];
  for (const { labels, points } of taken) {
    const before = new Map(
      known.get(labelSetKey(labels))?.windows.map(({ endMillis, value }) => [endMillis, value]),
    );
    let value = 0;
    const windows = points.map((point) => {
      const already = before.get(point.timestampMillis) ?? 0;
      // Sums only shrink when profiles are removed, which does not make them uncounted.
      const sum = Math.max(point.value, already);
      value += sum - already;
      return { endMillis: point.timestampMillis, value: sum };
    });
    series.push({ labels, windows: windows.filter(({ endMillis }) => endMillis >= keptSinceMillis) });
    if (value > 0) added.push({ labels, value });
  }
  return { series: series.filter(({ windows }) => windows.length > 0), added, leftOut };
}

function takenSeries(
  known: ReadonlyMap<string, CountedSeries>,
  sums: readonly SummedSeries[],
  maxSeries: number,
): { taken: SummedSeries[]; leftOut: number } {
  const taken = sums.filter(({ labels }) => known.has(labelSetKey(labels)));
  const others = sums
    .filter(({ labels }) => !known.has(labelSetKey(labels)))
    .map((series) => ({ series, total: series.points.reduce((sum, { value }) => sum + value, 0) }))
    .sort((a, b) => b.total - a.total);
  const room = Math.max(0, maxSeries - taken.length);
  taken.push(...others.slice(0, room).map(({ series }) => series));
  return { taken, leftOut: Math.max(0, others.length - room) };
}

// SPDX-License-Identifier: Apache-2.0
//
// Totals of profiles summed by step, of all blocks in one question to SQL: a month of a hundred series is millions of
// profiles and some thousand steps.

import type { LabelSet } from '@hearthscope/profile/labels';
import { quoted } from '../sql/sql-engine.ts';
import type { SeriesSelection } from '../store.ts';
import type { TimeSteps } from '../time-steps.ts';
import {
  type BlockSource,
  HeldFiles,
  inRange,
  rangesOf,
  selectBlocks,
  wantedSeries,
} from './block-queries.ts';
import { inRanges } from './block-series.ts';

/** One row for each step of each series; the rows of a series lie together. The sum is `sumHigh * 2^32 + sumLow`, exactly. */
export interface BlockSteps {
  readonly labels: readonly LabelSet[];
  /** Row of `labels`. */
  readonly series: Uint32Array;
  readonly step: Float64Array;
  readonly sumHigh: BigInt64Array;
  readonly sumLow: BigInt64Array;
  readonly profiles: Float64Array;
}

const SCHEMA = {
  source: 'uinteger',
  series: 'uinteger',
  step: 'double',
  sum_high: 'bigint',
  sum_low: 'bigint',
  profiles: 'double',
} as const;

/** The halves of a total: their sums fit into an int64 where the sum of totals may not. */
const HALVES = 'sum(total >> 32)::BIGINT AS sum_high, sum(total & 4294967295)::BIGINT AS sum_low';

export async function blockStepTotals(
  source: BlockSource,
  selection: SeriesSelection,
  { startMillis, stepMillis }: TimeSteps,
  signal?: AbortSignal,
): Promise<BlockSteps> {
  const selected = await selectBlocks(source, selection);
  const labels: LabelSet[] = [];
  /** Where the labels of each selected block's series begin. */
  const firstLabels: Map<number, number>[] = [];
  for (const { index, series } of selected) {
    firstLabels.push(new Map(series.map((row) => [row, labels.push(index.labels(row)) - 1])));
  }
  using held = new HeldFiles(source);
  const parts: string[] = [];
  for (const [number, { block, series, range }] of selected.entries()) {
    const path = await held.path(block, 'profiles.parquet', wantedSeries(series));
    // Division of integers rounds towards zero, so what is before the start is in step 0 or below.
    parts.push(
      `SELECT ${number} AS source, series, greatest(0, (time_nanos // 1000000 - ${startMillis} + ${stepMillis - 1}) // ${stepMillis}) AS step, total
       FROM read_parquet(${quoted(path)}) WHERE ${inRanges('series', rangesOf(series))} AND ${inRange(block, range)}`,
    );
  }
  if (parts.length === 0) {
    return {
      labels,
      series: new Uint32Array(0),
      step: new Float64Array(0),
      sumHigh: new BigInt64Array(0),
      sumLow: new BigInt64Array(0),
      profiles: new Float64Array(0),
    };
  }
  const { columns } = await source.engine.session(
    (session) =>
      session.select(
        `SELECT source::UINTEGER AS source, series, step::DOUBLE AS step, ${HALVES}, count(*)::DOUBLE AS profiles
         FROM (${parts.join(' UNION ALL ')}) GROUP BY ALL ORDER BY source, series`,
        SCHEMA,
      ),
    signal,
  );
  return {
    labels,
    series: columns.series.map((row, i) => firstLabels[columns.source[i]!]!.get(row)!),
    step: columns.step,
    sumHigh: columns.sum_high,
    sumLow: columns.sum_low,
    profiles: columns.profiles,
  };
}

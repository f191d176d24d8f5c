// SPDX-License-Identifier: Apache-2.0
//
// Heatmaps: how many profiles, or spans of profiles, there are by time and by value. A column is a step of time that
// belongs to its end; rows are twenty equal parts of the values from the smallest to the largest of the whole answer.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Label, LabelSet } from '@hearthscope/profile/labels';
import type { Steps } from '@hearthscope/profile/steps';
import type { SeriesSpans, SeriesTotals } from '../storage/store.ts';
import { profileSelection } from './profile-selection.ts';
import type { QueryContext, TenantSelection } from './query-context.ts';
import type { ExemplarAnswer, HeatmapAnswer, HeatmapRequest } from './requests.ts';
import { groupedSeries, topSeries } from './series-groups.ts';
import { checkLimit, checkStep, StepGrid } from './step-grid.ts';

const BUCKETS = 20;
/** Points handled in one step. */
const POINTS_PER_STEP = 4096;

/** Profiles, or spans, of one stored series. */
type Points = SeriesTotals | SeriesSpans;

interface Cell {
  count: number;
  /** The point with the largest value: where it is. */
  best: { readonly points: Points; readonly index: number; readonly labels: readonly Label[] } | undefined;
  bestValue: bigint;
}

/** The cells of a step by bucket. */
type Column = Map<number, Cell>;

interface Group {
  readonly labels: LabelSet;
  /** By the number of the step. */
  readonly columns: Map<number, Column>;
  points: bigint;
}

/** @throws HearthscopeError invalid_argument */
export async function selectHeatmap(
  context: QueryContext,
  request: HeatmapRequest,
): Promise<HeatmapAnswer[]> {
  const stepMillis = checkStep(request.stepSeconds);
  checkLimit(request.limit);
  const { startMillis, endMillis } = request;
  if (startMillis >= endMillis) {
    throw invalid(`start time must be before end time, got start=${startMillis} end=${endMillis}`);
  }
  if (request.exemplars !== 'none' && request.exemplars !== request.of) {
    throw invalid(`${request.exemplars} exemplars only available for ${request.exemplars} query type`);
  }
  const selection = await profileSelection(context, request, { extraMillis: stepMillis - 1 });
  if (selection === undefined) return [];
  const grid = new StepGrid(selection.range, stepMillis);
  const series = await groupedSeries(context, selection.byTenant, request.groupBy, (tenantSelection) =>
    pointsOf(context, tenantSelection, request),
  );
  const buckets = bucketsOf(series.flatMap(({ members }) => members.map((member) => member.series)));
  const groups: Group[] = [];
  for (const { labels, members } of series) {
    const group: Group = { labels, columns: new Map(), points: 0n };
    for (const { series: points, otherLabels } of members) {
      await context.pace.run(addPoints(group, points, otherLabels, grid, buckets));
    }
    if (group.points > 0n) groups.push(group);
  }
  checkCells(groups, context);
  return topSeries(groups, request.limit, ({ points }) => points).map((group) =>
    answerOf(group, grid, buckets, request.exemplars !== 'none'),
  );
}

function pointsOf(
  { store, limits, pace }: QueryContext,
  { tenant, selection }: TenantSelection,
  request: HeatmapRequest,
): Promise<Points[]> {
  return request.of === 'span'
    ? store.spanTotals(tenant, selection, limits.maxSpans, pace)
    : store.totals(tenant, selection);
}

/** Where each bucket begins. */
function bucketsOf(all: readonly Points[]): bigint[] {
  let min: bigint | undefined;
  let max = 0n;
  for (const { total } of all) {
    for (const value of total) {
      if (min === undefined || value < min) min = value;
      if (value > max) max = value;
    }
  }
  if (min === undefined) return [];
  const size = max === min ? 1 / BUCKETS : Number(max - min) / BUCKETS;
  const first = min;
  return Array.from({ length: BUCKETS }, (_, bucket) => first + BigInt(Math.floor(bucket * size)));
}

function* addPoints(
  group: Group,
  points: Points,
  labels: readonly Label[],
  grid: StepGrid,
  buckets: readonly bigint[],
): Steps<void> {
  for (let index = 0; index < points.total.length; index++) {
    if (index % POINTS_PER_STEP === 0) yield;
    const value = points.total[index]!;
    const step = grid.stepOf(points.timeUnixMillis[index]!);
    let column = group.columns.get(step);
    if (column === undefined) {
      column = new Map();
      group.columns.set(step, column);
    }
    const bucket = buckets.findLastIndex((begin) => value >= begin);
    let cell = column.get(bucket);
    if (cell === undefined) {
      cell = { count: 0, best: undefined, bestValue: 0n };
      column.set(bucket, cell);
    }
    cell.count++;
    group.points++;
    if (cell.best !== undefined && cell.bestValue >= value) continue;
    cell.best = { points, index, labels };
    cell.bestValue = value;
  }
}

function checkCells(groups: readonly Group[], { limits }: QueryContext): void {
  const slots = groups.reduce((sum, { columns }) => sum + columns.size, 0);
  if (slots * BUCKETS > limits.maxPoints) {
    throw invalid(
      `the answer has ${slots * BUCKETS} cells, the limit is ${limits.maxPoints}; use a longer step or fewer labels to group by`,
    );
  }
}

function answerOf(
  { labels, columns }: Group,
  grid: StepGrid,
  buckets: readonly bigint[],
  withExemplars: boolean,
): HeatmapAnswer {
  const yMin = buckets.map(Number);
  const slots = [...columns]
    .sort(([a], [b]) => a - b)
    .map(([step, column]) => ({
      timestampMillis: grid.endOf(step),
      yMin,
      counts: buckets.map((_, bucket) => column.get(bucket)?.count ?? 0),
      exemplars: withExemplars ? exemplarsOf(column) : [],
    }));
  return { labels, slots };
}

/** By bucket. */
function exemplarsOf(column: Column): ExemplarAnswer[] {
  return [...column]
    .sort(([a], [b]) => a - b)
    .map(([, { best, bestValue }]) => {
      const { points, index, labels } = best!;
      return {
        timestampMillis: points.timeUnixMillis[index]!,
        value: bestValue,
        labels,
        // A span stands for itself, whichever profiles it is in.
        ...('spanId' in points
          ? { profileId: '', spanId: points.spanId(index), traceId: points.traceId(index) }
          : { profileId: points.profileId(index), spanId: '', traceId: '' }),
      };
    });
}

function invalid(message: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', message);
}

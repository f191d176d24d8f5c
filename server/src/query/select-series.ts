// SPDX-License-Identifier: Apache-2.0
//
// Time series: the values of profiles summed by step and by label. A point at t stands for the profiles of (t - step, t];
// points are at start, start + step, … up to end. The values are sums, not rates: clients divide by the step themselves.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { type Label, type LabelSet, labelSet, labelSetKey } from '@hearthscope/profile/labels';
import type { SeriesTotals, Store } from '../storage/store.ts';
import { compareLabelSets } from './label-queries.ts';
import { profileSelection } from './profile-selection.ts';
import type { QueryLimits } from './query-limits.ts';
import type { ExemplarAnswer, SelectSeriesRequest, TimeSeriesAnswer } from './requests.ts';

interface Step {
  sum: bigint;
  profiles: number;
  exemplar: ExemplarAnswer | undefined;
}

interface Group {
  readonly labels: LabelSet;
  /** By the number of the step. */
  readonly steps: Map<number, Step>;
}

/** One series for each distinct combination of the labels grouped by, sorted by labels.
 * @throws HearthscopeError invalid_argument; unimplemented for exemplars of spans */
export async function selectSeries(
  store: Store,
  limits: QueryLimits,
  tenant: string,
  request: SelectSeriesRequest,
): Promise<TimeSeriesAnswer[]> {
  const selection = profileSelection(request, limits);
  const stepMillis = checkStep(request, limits);
  const totals = await store.totals(tenant, {
    ...selection,
    // The interval before the first point is open at its beginning.
    startMillis: selection.startMillis - stepMillis + 1,
  });
  const groups = new Map<string, Group>();
  for (const series of totals) {
    const labels = labelSet(series.labels.filter(({ name }) => request.groupBy.includes(name)));
    const key = labelSetKey(labels);
    let group = groups.get(key);
    if (group === undefined) {
      group = { labels, steps: new Map() };
      groups.set(key, group);
    }
    addSeries(group, series, request, stepMillis);
  }
  checkPoints(groups, limits);
  return limited([...groups.values()], request).map((group) => answerOf(group, request, stepMillis));
}

function checkStep(
  { stepSeconds, limit, exemplars }: SelectSeriesRequest,
  { maxPoints }: QueryLimits,
): number {
  if (!(stepSeconds >= 0.001) || stepSeconds > Number.MAX_SAFE_INTEGER / 1000) {
    throw new HearthscopeError('invalid_argument', 'step must be >= 1ms');
  }
  if (!(limit >= 0))
    throw new HearthscopeError('invalid_argument', `limit must be positive, at most ${maxPoints}`);
  if (exemplars === 'span') {
    throw new HearthscopeError('unimplemented', 'exemplars of spans are not available for time series');
  }
  return Math.floor(stepSeconds * 1000);
}

function addSeries(
  group: Group,
  series: SeriesTotals,
  { startMillis, endMillis, exemplars, groupBy }: SelectSeriesRequest,
  stepMillis: number,
): void {
  let exemplarLabels: readonly Label[] | undefined;
  for (let i = 0; i < series.total.length; i++) {
    const time = series.timeUnixMillis[i]!;
    const number = Math.max(0, Math.ceil((time - startMillis) / stepMillis));
    // Past the last point there is no step that the profile could belong to.
    if (startMillis + number * stepMillis > endMillis) continue;
    const total = series.total[i]!;
    let step = group.steps.get(number);
    if (step === undefined) {
      step = { sum: 0n, profiles: 0, exemplar: undefined };
      group.steps.set(number, step);
    }
    step.sum += total;
    step.profiles++;
    if (exemplars !== 'individual' || (step.exemplar !== undefined && step.exemplar.value >= total)) continue;
    exemplarLabels ??= series.labels.filter(({ name }) => !groupBy.includes(name));
    step.exemplar = {
      timestampMillis: time,
      profileId: series.profileId(i),
      value: total,
      labels: exemplarLabels,
    };
  }
}

function checkPoints(groups: ReadonlyMap<string, Group>, { maxPoints }: QueryLimits): void {
  let points = 0;
  for (const { steps } of groups.values()) points += steps.size;
  if (points > maxPoints) {
    throw new HearthscopeError(
      'invalid_argument',
      `the answer has ${points} points, the limit is ${maxPoints}; use a longer step or fewer labels to group by`,
    );
  }
}

function limited(groups: Group[], { limit }: SelectSeriesRequest): Group[] {
  const filled = groups.filter(({ steps }) => steps.size > 0);
  if (limit > 0 && filled.length > limit) {
    const byTotal = filled.map((group) => ({ group, total: totalOf(group) }));
    byTotal.sort((a, b) =>
      a.total === b.total ? compareLabelSets(a.group.labels, b.group.labels) : a.total > b.total ? -1 : 1,
    );
    return byTotal.slice(0, limit).map(({ group }) => group);
  }
  return filled.sort((a, b) => compareLabelSets(a.labels, b.labels));
}

function totalOf({ steps }: Group): bigint {
  let total = 0n;
  for (const { sum } of steps.values()) total += sum;
  return total;
}

function answerOf(
  { labels, steps }: Group,
  { startMillis, aggregation }: SelectSeriesRequest,
  stepMillis: number,
): TimeSeriesAnswer {
  const points = [...steps]
    .sort(([a], [b]) => a - b)
    .map(([number, { sum, profiles, exemplar }]) => ({
      timestampMillis: startMillis + number * stepMillis,
      value: aggregation === 'average' ? Number(sum) / profiles : Number(sum),
      exemplar,
    }));
  return { labels, points };
}

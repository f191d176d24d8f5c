// SPDX-License-Identifier: Apache-2.0
//
// Time series: the values of profiles summed by step and by label. A point at t stands for the profiles of (t - step, t];
// points are at start, start + step, … up to end. The values are sums, not rates: clients divide by the step themselves.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Label, LabelSet } from '@hearthscope/profile/labels';
import { stackSumsInSteps } from '@hearthscope/profile/stack-tree';
import type { Steps } from '@hearthscope/profile/steps';
import type { SeriesSteps, SeriesTotals } from '../storage/store.ts';
import { profileSelection } from './profile-selection.ts';
import type { QueryContext, TenantSelection } from './query-context.ts';
import type { QueryLimits } from './query-limits.ts';
import type { ExemplarAnswer, SelectSeriesRequest, TimeSeriesAnswer } from './requests.ts';
import { groupedSeries, topSeries } from './series-groups.ts';
import { passingStacks, type StackFilter, stackFilter } from './stack-filter.ts';
import { checkLimit, checkStep, StepGrid } from './step-grid.ts';

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

/** Profiles handled in one step. */
const PROFILES_PER_STEP = 4096;

/** One series for each distinct combination of the labels grouped by, sorted by labels, or by total when limited.
 * @throws HearthscopeError invalid_argument; unimplemented for exemplars of spans */
export async function selectSeries(
  context: QueryContext,
  request: SelectSeriesRequest,
): Promise<TimeSeriesAnswer[]> {
  const stepMillis = checkStep(request.stepSeconds);
  checkLimit(request.limit);
  if (request.exemplars === 'span') {
    throw new HearthscopeError('unimplemented', 'exemplars of spans are not available for time series');
  }
  const stacks = stackFilter(request.callSite ?? [], request.frameFilter);
  const selection = await profileSelection(context, request, {
    // The step before the first point is open at its beginning.
    extraMillis: stepMillis - 1,
    withSampledOut: context.tenantLimits.includeStrippedProfiles,
  });
  if (selection === undefined) return [];
  const { range, byTenant } = selection;
  const grid = new StepGrid(range, stepMillis);
  // Single profiles are needed for exemplars and for totals of some of their stacks, which are few or selected.
  const groups =
    stacks === undefined && request.exemplars !== 'individual'
      ? await summedGroups(context, byTenant, request, grid, range.endMillis)
      : await profileGroups(context, byTenant, request, grid, range.endMillis, stacks);
  checkPoints(groups, context.limits);
  return topSeries(groups, request.limit, sumOf).map((group) => answerOf(group, request, grid));
}

async function summedGroups(
  context: QueryContext,
  byTenant: readonly TenantSelection[],
  { groupBy }: SelectSeriesRequest,
  grid: StepGrid,
  endMillis: number,
): Promise<Group[]> {
  const series = await groupedSeries(context, byTenant, groupBy, ({ tenant, selection }) =>
    context.store.stepTotals(tenant, selection, grid),
  );
  const groups: Group[] = [];
  for (const { labels, members } of series) {
    const steps = new Map<number, Step>();
    for (const { series: sums } of members) await context.pace.run(addSteps(steps, sums, grid, endMillis));
    if (steps.size > 0) groups.push({ labels, steps });
  }
  return groups;
}

async function profileGroups(
  context: QueryContext,
  byTenant: readonly TenantSelection[],
  request: SelectSeriesRequest,
  grid: StepGrid,
  endMillis: number,
  stacks: StackFilter | undefined,
): Promise<Group[]> {
  const series = await groupedSeries(context, byTenant, request.groupBy, (tenantSelection) =>
    totalsOf(context, tenantSelection, stacks),
  );
  const groups: Group[] = [];
  for (const { labels, members } of series) {
    const steps = new Map<number, Step>();
    for (const { series: totals, otherLabels } of members) {
      await context.pace.run(addSeries(steps, totals, otherLabels, grid, endMillis, request));
    }
    if (steps.size > 0) groups.push({ labels, steps });
  }
  return groups;
}

async function totalsOf(
  { store, naming, pace }: QueryContext,
  { tenant, selection }: TenantSelection,
  filter: StackFilter | undefined,
): Promise<SeriesTotals[]> {
  if (filter === undefined) return store.totals(tenant, selection);
  return store.stackTotals(
    tenant,
    selection,
    async (stacks) => {
      const named = await naming.name(tenant, stacks, pace);
      return pace.run(
        (function* (): Steps<Uint8Array> {
          return yield* passingStacks(yield* stackSumsInSteps(named), filter);
        })(),
      );
    },
    pace,
  );
}

function* addSteps(
  steps: Map<number, Step>,
  { step: numbers, sum, profiles }: SeriesSteps,
  grid: StepGrid,
  endMillis: number,
): Steps<void> {
  for (let i = 0; i < numbers.length; i++) {
    if (i % PROFILES_PER_STEP === 0) yield;
    const number = numbers[i]!;
    // Past the last point there is no step that a profile could belong to.
    if (grid.endOf(number) > endMillis) continue;
    const step = stepAt(steps, number);
    step.sum += sum[i]!;
    step.profiles += profiles[i]!;
  }
}

function stepAt(steps: Map<number, Step>, number: number): Step {
  let step = steps.get(number);
  if (step === undefined) {
    step = { sum: 0n, profiles: 0, exemplar: undefined };
    steps.set(number, step);
  }
  return step;
}

function* addSeries(
  steps: Map<number, Step>,
  series: SeriesTotals,
  labels: readonly Label[],
  grid: StepGrid,
  endMillis: number,
  { exemplars, callSite, frameFilter }: SelectSeriesRequest,
): Steps<void> {
  const isFiltered = (callSite?.length ?? 0) > 0 || frameFilter !== undefined;
  for (let i = 0; i < series.total.length; i++) {
    if (i % PROFILES_PER_STEP === 0) yield;
    const time = series.timeUnixMillis[i]!;
    const number = grid.stepOf(time);
    // Past the last point there is no step that the profile could belong to.
    if (grid.endOf(number) > endMillis) continue;
    const total = series.total[i]!;
    if (isFiltered && total === 0n) continue;
    const step = stepAt(steps, number);
    step.sum += total;
    step.profiles++;
    if (exemplars !== 'individual' || (step.exemplar !== undefined && step.exemplar.value >= total)) continue;
    step.exemplar = {
      timestampMillis: time,
      profileId: series.profileId(i),
      spanId: '',
      traceId: '',
      value: total,
      labels,
    };
  }
}

function checkPoints(groups: readonly Group[], { maxPoints }: QueryLimits): void {
  const points = groups.reduce((sum, { steps }) => sum + steps.size, 0);
  if (points > maxPoints) {
    throw new HearthscopeError(
      'invalid_argument',
      `the answer has ${points} points, the limit is ${maxPoints}; use a longer step or fewer labels to group by`,
    );
  }
}

function sumOf({ steps }: Group): bigint {
  let total = 0n;
  for (const { sum } of steps.values()) total += sum;
  return total;
}

function answerOf(
  { labels, steps }: Group,
  { aggregation }: SelectSeriesRequest,
  grid: StepGrid,
): TimeSeriesAnswer {
  const points = [...steps]
    .sort(([a], [b]) => a - b)
    .map(([number, { sum, profiles, exemplar }]) => ({
      timestampMillis: grid.endOf(number),
      value: aggregation === 'average' ? Number(sum) / profiles : Number(sum),
      exemplar,
    }));
  return { labels, points };
}

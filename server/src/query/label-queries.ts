// SPDX-License-Identifier: Apache-2.0
//
// What there is to select: profile types, label names, label values, series.

import { HearthscopeError } from '@hearthscope/profile/errors';
import {
  type LabelSet,
  labelSet,
  labelSetKey,
  labelValue,
  ProfileTypeLabels,
} from '@hearthscope/profile/labels';
import { compareNames } from '@hearthscope/profile/name-order';
import { formatProfileType, parseProfileType } from '@hearthscope/profile/profile-type';
import { parseSelector } from '@hearthscope/profile/selector/selector';
import type { TimeRange } from '../storage/store.ts';
import { checkedRange, type QueryContext, spokenLabels, tenantSelections } from './query-context.ts';
import type { LabelNamesRequest, LabelValuesRequest, ProfileTypeAnswer, SeriesRequest } from './requests.ts';

const HOUR_MILLIS = 3_600_000;

/** Sorted by id. A range of (0, 0) is the last hour, which some clients rely on. */
export async function profileTypes(
  context: QueryContext,
  { startMillis, endMillis }: TimeRange,
): Promise<ProfileTypeAnswer[]> {
  const range =
    startMillis === 0 && endMillis === 0
      ? { startMillis: context.nowMillis - HOUR_MILLIS, endMillis: context.nowMillis }
      : { startMillis, endMillis };
  const byTenant = await seriesByTenant(context, checkedRange(context, range), []);
  const types = byTenant.flatMap((of) =>
    of.series.map((labels) => labelValue(labels, ProfileTypeLabels.profileType)),
  );
  return distinct(types)
    .filter((id) => id !== '')
    .map((id) => {
      const type = parseProfileType(id);
      return { id: formatProfileType(type), ...type };
    });
}

/** Sorted; includes the names that begin with `__`. */
export async function labelNames(context: QueryContext, request: LabelNamesRequest): Promise<string[]> {
  const byTenant = await seriesByTenant(context, labelRange(context, request), request.matchers);
  const names = new Set<string>();
  for (const { series } of byTenant) {
    for (const labels of series) for (const { name } of labels) names.add(name);
  }
  return distinct([...names]);
}

/** Sorted. */
export async function labelValues(context: QueryContext, request: LabelValuesRequest): Promise<string[]> {
  if (request.name === '') throw new HearthscopeError('invalid_argument', 'name is required');
  const range = labelRange(context, request);
  const byTenant = await seriesByTenant(context, range, request.matchers);
  const values = await Promise.all(
    byTenant.map(async ({ tenant, series }) => {
      const spoken = await spokenLabels(context, tenant, range ?? request, [request.name]);
      return series.map((labels) => labelValue(labels, spoken.name(request.name)));
    }),
  );
  return distinct(values.flat()).filter((value) => value !== '');
}

/** Distinct label sets, reduced to the names asked for; a set keeps what it has of them. */
export async function series(context: QueryContext, request: SeriesRequest): Promise<LabelSet[]> {
  const byTenant = await seriesByTenant(context, checkedRange(context, request), request.matchers);
  return distinctLabelSets(
    byTenant.flatMap((of) => of.series),
    request.labelNames,
  );
}

/** @param names what the sets are reduced to; none means everything */
export function distinctLabelSets(sets: readonly LabelSet[], names: readonly string[]): LabelSet[] {
  const wanted = new Set(names);
  const reduced = new Map<string, LabelSet>();
  for (const labels of sets) {
    const kept = labelSet(wanted.size === 0 ? labels : labels.filter(({ name }) => wanted.has(name)));
    if (kept.length > 0) reduced.set(labelSetKey(kept), kept);
  }
  return [...reduced.values()].sort(compareLabelSets);
}

/** By the first name or value that differs; a set that is the beginning of another comes first. */
export function compareLabelSets(a: LabelSet, b: LabelSet): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compareNames(a[i]!.name, b[i]!.name) || compareNames(a[i]!.value, b[i]!.value);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** The range of a question about labels, which some clients ask without one: then it is all there is. */
function labelRange(context: QueryContext, request: TimeRange): TimeRange | undefined {
  if (request.startMillis !== 0 || request.endMillis !== 0) return checkedRange(context, request);
  const { maxQueryLookbackMillis } = context.tenantLimits;
  return {
    startMillis: maxQueryLookbackMillis > 0 ? context.nowMillis - maxQueryLookbackMillis : 1,
    endMillis: Number.MAX_SAFE_INTEGER,
  };
}

interface TenantSeries {
  readonly tenant: string;
  readonly series: readonly LabelSet[];
}

/** The series of each tenant in the range; none when that is undefined. */
async function seriesByTenant(
  context: QueryContext,
  range: TimeRange | undefined,
  matchers: readonly string[],
): Promise<TenantSeries[]> {
  const alternatives = matchers.map(parseSelector);
  if (range === undefined) return [];
  const selections = await tenantSelections(context, range, alternatives);
  return Promise.all(
    selections.map(async ({ tenant, selection }) => ({
      tenant,
      series: await context.store.series(tenant, selection),
    })),
  );
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].sort(compareNames);
}

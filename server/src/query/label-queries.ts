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
import type { SeriesSelection, Store, TimeRange } from '../storage/store.ts';
import { checkRange, type QueryLimits } from './query-limits.ts';
import type { LabelNamesRequest, LabelValuesRequest, ProfileTypeAnswer, SeriesRequest } from './requests.ts';
import { parseSelector } from './selector.ts';

const HOUR_MILLIS = 3_600_000;

/** Sorted by id. A range of (0, 0) is the last hour, which some clients rely on. */
export async function profileTypes(
  store: Store,
  limits: QueryLimits,
  tenant: string,
  { startMillis, endMillis }: TimeRange,
  nowMillis: number,
): Promise<ProfileTypeAnswer[]> {
  const range =
    startMillis === 0 && endMillis === 0
      ? { startMillis: nowMillis - HOUR_MILLIS, endMillis: nowMillis }
      : { startMillis, endMillis };
  checkRange(range, limits);
  const series = await store.series(tenant, { ...range, alternatives: [] });
  return distinct(series.map((labels) => labelValue(labels, ProfileTypeLabels.profileType)))
    .filter((id) => id !== '')
    .map((id) => {
      const type = parseProfileType(id);
      return { id: formatProfileType(type), ...type };
    });
}

/** Sorted; includes the names that begin with `__`. */
export async function labelNames(
  store: Store,
  limits: QueryLimits,
  tenant: string,
  request: LabelNamesRequest,
): Promise<string[]> {
  const series = await store.series(tenant, selectionOf(request, limits));
  return distinct(series.flatMap((labels) => labels.map(({ name }) => name)));
}

/** Sorted. */
export async function labelValues(
  store: Store,
  limits: QueryLimits,
  tenant: string,
  request: LabelValuesRequest,
): Promise<string[]> {
  if (request.name === '') throw new HearthscopeError('invalid_argument', 'name is required');
  const series = await store.series(tenant, selectionOf(request, limits));
  return distinct(series.map((labels) => labelValue(labels, request.name))).filter((value) => value !== '');
}

/** Distinct label sets, reduced to the names asked for; a set keeps what it has of them. */
export async function series(
  store: Store,
  limits: QueryLimits,
  tenant: string,
  request: SeriesRequest,
): Promise<LabelSet[]> {
  const all = await store.series(tenant, selectionOf(request, limits));
  return distinctLabelSets(all, request.labelNames);
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

function selectionOf(request: LabelNamesRequest, limits: QueryLimits): SeriesSelection {
  checkRange(request, limits);
  const { startMillis, endMillis } = request;
  return { startMillis, endMillis, alternatives: request.matchers.map(parseSelector) };
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].sort(compareNames);
}

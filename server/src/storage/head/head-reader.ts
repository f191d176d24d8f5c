// SPDX-License-Identifier: Apache-2.0
//
// Answers a store's questions from the tables of one tenant's head.

import { type LabelSet, labelValue, SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import type { Steps } from '@hearthscope/profile/steps';
import { hiddenThrough } from '../blocks/manifest.ts';
import type {
  DeletedProfiles,
  SampleFilter,
  SelectionSize,
  SeriesSelection,
  SeriesTotals,
  TenantStats,
} from '../store.ts';
import { ID_WORDS, SPAN_ID_WORDS, wordsOfHex } from './binary-id.ts';
import { mergedProfile } from './merged-profile.ts';
import { PROFILE_BYTES } from './profile-table.ts';
import { ROW_BYTES } from './row-table.ts';
import { StackSums } from './stack-sums.ts';
import type { TenantHead } from './tenant-head.ts';

/** The label sets of the selected series that have a profile in the range. */
export function selectSeries(head: TenantHead, selection: SeriesSelection): LabelSet[] {
  const seen = new Uint8Array(head.series.length);
  for (const profile of selectProfiles(head, selection)) seen[head.profiles.series[profile]!] = 1;
  const labels: LabelSet[] = [];
  for (let series = 0; series < seen.length; series++) {
    if (seen[series] === 1) labels.push(head.series.labels(series));
  }
  return labels;
}

/** The profiles of each selected series. */
export function selectTotals(head: TenantHead, selection: SeriesSelection): SeriesTotals[] {
  const { total } = head.profiles;
  return [...profilesBySeries(head, selection)].map(([series, list]) =>
    seriesTotals(
      head,
      series,
      list,
      BigInt64Array.from(list, (profile) => total[profile]!),
    ),
  );
}

/** The profiles of each selected series with the totals of some stacks alone.
 * @param stackRows rows of the stack table @param chosen a flag for each of them */
export function* stackTotals(
  head: TenantHead,
  selection: SeriesSelection,
  stackRows: Uint32Array,
  chosen: Uint8Array,
): Steps<SeriesTotals[]> {
  const isChosen = new Uint8Array(head.stacks.length);
  for (let i = 0; i < stackRows.length; i++) isChosen[stackRows[i]!] = chosen[i]!;
  const answer: SeriesTotals[] = [];
  const { firstRow, rowCount } = head.profiles;
  for (const [series, list] of profilesBySeries(head, selection)) {
    const totals = new BigInt64Array(list.length);
    for (let i = 0; i < list.length; i++) {
      const from = firstRow[list[i]!]!;
      for (const { from: first, to, stack, value } of head.rows.slices(from, from + rowCount[list[i]!]!)) {
        for (let row = first; row < to; row++) {
          if (isChosen[stack[row]!] === 1) totals[i]! += value[row]!;
        }
        yield;
      }
    }
    answer.push(seriesTotals(head, series, list, totals));
  }
  return answer;
}

/** The selected profiles of each selected series. */
export function profilesBySeries(head: TenantHead, selection: SeriesSelection): Map<number, number[]> {
  const bySeries = new Map<number, number[]>();
  for (const profile of selectProfiles(head, selection)) {
    const series = head.profiles.series[profile]!;
    const list = bySeries.get(series);
    if (list === undefined) bySeries.set(series, [profile]);
    else list.push(profile);
  }
  return bySeries;
}

function seriesTotals(
  head: TenantHead,
  series: number,
  profiles: readonly number[],
  total: BigInt64Array,
): SeriesTotals {
  const { timeUnixMillis } = head.profiles;
  return {
    labels: head.series.labels(series),
    timeUnixMillis: Float64Array.from(profiles, (profile) => timeUnixMillis[profile]!),
    total,
    profileId: (index) => head.profiles.id(profiles[index]!),
  };
}

/** All samples of the selection summed by stack; undefined when there are none. Profiles that are stored between two
 * steps are left out: tables only grow, and the columns in hand keep the rows they had.
 * @throws HearthscopeError failed_precondition when a sum leaves int64 */
export function* mergeStacks(
  head: TenantHead,
  selection: SeriesSelection,
  filter: SampleFilter,
): Steps<Profile | undefined> {
  return (yield* mergedStackRows(head, selection, filter))?.profile;
}

/** The same, and the row of the stack table of each sample.
 * @throws HearthscopeError failed_precondition when a sum leaves int64 */
export function* mergedStackRows(
  head: TenantHead,
  selection: SeriesSelection,
  filter: SampleFilter,
): Steps<{ readonly profile: Profile; readonly stackRows: Uint32Array } | undefined> {
  const linkFlags = selectedLinks(head, filter);
  const profileIds = filter.profileIds === undefined ? undefined : new Set(filter.profileIds);
  const { firstRow, rowCount } = head.profiles;
  const sums = new StackSums(head.stacks.length);
  for (const profile of selectProfiles(head, selection)) {
    if (profileIds !== undefined && !profileIds.has(head.profiles.id(profile))) continue;
    const from = firstRow[profile]!;
    for (const slice of head.rows.slices(from, from + rowCount[profile]!)) {
      sums.add(slice, linkFlags);
      yield;
    }
  }
  const { stack, value } = sums.nonZero();
  if (stack.length === 0) return undefined;
  yield;
  const nodeOf = head.stacks.node;
  const profile = yield* mergedProfile(
    head.symbols,
    stack.map((row) => nodeOf[row]!),
    value,
  );
  return { profile, stackRows: stack };
}

/** What the selection covers. */
export function selectionSize(head: TenantHead, selection: SeriesSelection): SelectionSize {
  const seen = new Uint8Array(head.series.length);
  let series = 0;
  let profiles = 0;
  let samples = 0;
  for (const profile of selectProfiles(head, selection)) {
    const at = head.profiles.series[profile]!;
    if (seen[at] === 0) series++;
    seen[at] = 1;
    profiles++;
    samples += head.profiles.rowCount[profile]!;
  }
  return { series, profiles, samples, bytes: profiles * PROFILE_BYTES + samples * ROW_BYTES };
}

export function tenantStats(head: TenantHead): TenantStats {
  const { length, timeUnixMillis } = head.profiles;
  if (length === 0) return { profiles: 0, range: undefined };
  let startMillis = Number.POSITIVE_INFINITY;
  let endMillis = Number.NEGATIVE_INFINITY;
  for (let profile = 0; profile < length; profile++) {
    startMillis = Math.min(startMillis, timeUnixMillis[profile]!);
    endMillis = Math.max(endMillis, timeUnixMillis[profile]!);
  }
  return { profiles: length, range: { startMillis, endMillis } };
}

function* selectProfiles(head: TenantHead, selection: SeriesSelection): Generator<number> {
  const { startMillis, endMillis, alternatives, deleted = [] } = selection;
  const selected = head.series.matching(alternatives);
  const hidden = deleted.length === 0 ? undefined : hiddenThroughOf(head, deleted);
  const { length, series, timeUnixMillis } = head.profiles;
  for (let profile = 0; profile < length; profile++) {
    const time = timeUnixMillis[profile]!;
    const row = series[profile]!;
    if (time < startMillis || time > endMillis || selected[row] !== 1) continue;
    if (hidden === undefined || time > hidden[row]!) yield profile;
  }
}

/** By series: the last moment of which nothing must be seen any more. */
function hiddenThroughOf(head: TenantHead, deleted: readonly DeletedProfiles[]): Float64Array {
  return Float64Array.from({ length: head.series.length }, (_, series) =>
    hiddenThrough(deleted, labelValue(head.series.labels(series), SERVICE_NAME_LABEL)),
  );
}

/** A flag for each link that the filter lets through; undefined when it looks at no links. */
function selectedLinks(head: TenantHead, { traceIds, spanIds }: SampleFilter): Uint8Array | undefined {
  if (traceIds === undefined && spanIds === undefined) return undefined;
  const { links } = head.attributes;
  const flags = new Uint8Array(links.length);
  const traces = traceIds?.map((id) => wordsOfHex(id, ID_WORDS));
  const spans = spanIds?.map((id) => wordsOfHex(id, SPAN_ID_WORDS));
  const equals = (link: number, firstField: number, words: Uint32Array) =>
    words.every((word, i) => links.get(link, firstField + i) === word);
  for (let link = 1; link < links.length; link++) {
    const inTrace = traces?.some((words) => equals(link, 0, words)) ?? true;
    const inSpan = spans?.some((words) => equals(link, ID_WORDS, words)) ?? true;
    flags[link] = inTrace && inSpan ? 1 : 0;
  }
  return flags;
}

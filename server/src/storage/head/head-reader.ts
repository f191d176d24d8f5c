// SPDX-License-Identifier: Apache-2.0
//
// Answers a store's questions from the tables of one tenant's head.

import type { LabelSet } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import type { Steps } from '@hearthscope/profile/steps';
import type { SampleFilter, SelectionSize, SeriesSelection, SeriesTotals, TenantStats } from '../store.ts';
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
  const bySeries = new Map<number, number[]>();
  for (const profile of selectProfiles(head, selection)) {
    const series = head.profiles.series[profile]!;
    const list = bySeries.get(series);
    if (list === undefined) bySeries.set(series, [profile]);
    else list.push(profile);
  }
  const { timeUnixMillis, total } = head.profiles;
  return [...bySeries].map(([series, list]) => ({
    labels: head.series.labels(series),
    timeUnixMillis: Float64Array.from(list, (profile) => timeUnixMillis[profile]!),
    total: BigInt64Array.from(list, (profile) => total[profile]!),
    profileId: (index) => head.profiles.id(list[index]!),
  }));
}

/** All samples of the selection summed by stack; undefined when there are none. Profiles that are stored between two
 * steps are left out: tables only grow, and the columns in hand keep the rows they had.
 * @throws HearthscopeError failed_precondition when a sum leaves int64 */
export function* mergeStacks(
  head: TenantHead,
  selection: SeriesSelection,
  filter: SampleFilter,
): Steps<Profile | undefined> {
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
  return yield* mergedProfile(
    head.symbols,
    stack.map((row) => nodeOf[row]!),
    value,
  );
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
  const { startMillis, endMillis, alternatives } = selection;
  const selected = head.series.matching(alternatives);
  const { length, series, timeUnixMillis } = head.profiles;
  for (let profile = 0; profile < length; profile++) {
    const time = timeUnixMillis[profile]!;
    if (time >= startMillis && time <= endMillis && selected[series[profile]!] === 1) yield profile;
  }
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

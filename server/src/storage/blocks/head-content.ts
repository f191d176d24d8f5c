// SPDX-License-Identifier: Apache-2.0
//
// A tenant's head as the content of a block. The head is not written any more when this runs, but is still read by queries.

import {
  type LabelSet,
  labelSetKey,
  labelValue,
  ProfileTypeLabels,
  SERVICE_NAME_LABEL,
} from '@hearthscope/profile/labels';
import type { Attribute, AttributeValue } from '@hearthscope/profile/profile';
import type { Steps } from '@hearthscope/profile/steps';
import { ID_WORDS } from '../head/binary-id.ts';
import type { TenantHead } from '../head/tenant-head.ts';
import { UsedRows } from '../head/used-rows.ts';
import { type BlockContent, encodeLabels, type SamplesColumns, type SeriesColumns } from './block-tables.ts';
import { encodeSymbolSection } from './symbols-codec.ts';

const PROFILES_PER_STEP = 2048;

export function* headContent(head: TenantHead): Steps<BlockContent> {
  const order = profileOrder(head);
  yield;
  const attributes = new UsedRows(head.attributes.setCount);
  const links = new UsedRows(head.attributes.links.length);
  const samples = yield* samplesOf(head, order, attributes, links);
  const profiles = profilesOf(head, order, attributes);
  yield;
  const symbols: { service: string; section: Uint8Array }[] = [];
  for (const { service, firstProfile, limit } of servicesOf(order)) {
    const stackRows = yield* usedStacks(head, order.profile.subarray(firstProfile, limit));
    symbols.push({ service, section: yield* encodeSymbolSection(head, stackRows) });
  }
  return {
    series: seriesOf(order),
    profiles,
    samples,
    links: linksOf(head, links),
    attributes: attributesOf(head, attributes),
    symbols,
  };
}

interface OrderedSeries {
  readonly labels: LabelSet;
  readonly service: string;
  readonly profileType: string;
  readonly firstProfile: number;
  readonly profiles: number;
}

interface ProfileOrder {
  readonly series: readonly OrderedSeries[];
  /** The head's profile of each row. */
  readonly profile: Uint32Array;
  /** The row in `series` of each row. */
  readonly seriesOf: Uint32Array;
}

/** Series by service, type and labels; their profiles by time, and by arrival where times are equal. */
function profileOrder({ series, profiles }: TenantHead): ProfileOrder {
  const bySeries = new Map<number, number[]>();
  for (let profile = 0; profile < profiles.length; profile++) {
    const list = bySeries.get(profiles.series[profile]!);
    if (list === undefined) bySeries.set(profiles.series[profile]!, [profile]);
    else list.push(profile);
  }
  const sorted = [...bySeries]
    .map(([row, list]) => {
      const labels = series.labels(row);
      return {
        labels,
        key: labelSetKey(labels),
        service: labelValue(labels, SERVICE_NAME_LABEL),
        profileType: labelValue(labels, ProfileTypeLabels.profileType),
        list,
      };
    })
    .sort(
      (a, b) =>
        compare(a.service, b.service) || compare(a.profileType, b.profileType) || compare(a.key, b.key),
    );
  const profile = new Uint32Array(profiles.length);
  const seriesOf = new Uint32Array(profiles.length);
  const { timeUnixNanos } = profiles;
  let next = 0;
  const ordered = sorted.map(({ list, ...rest }, i): OrderedSeries => {
    const firstProfile = next;
    list.sort((a, b) =>
      timeUnixNanos[a]! < timeUnixNanos[b]! ? -1 : timeUnixNanos[a]! > timeUnixNanos[b]! ? 1 : a - b,
    );
    for (const row of list) {
      seriesOf[next] = i;
      profile[next++] = row;
    }
    const { labels, service, profileType } = rest;
    return { labels, service, profileType, firstProfile, profiles: list.length };
  });
  return { series: ordered, profile, seriesOf };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function seriesOf({ series }: ProfileOrder): SeriesColumns {
  return {
    series: Uint32Array.from(series, (_, i) => i),
    service: series.map(({ service }) => service),
    profile_type: series.map(({ profileType }) => profileType),
    labels: series.map(({ labels }) => encodeLabels(labels)),
    first_profile: Uint32Array.from(series, ({ firstProfile }) => firstProfile),
    profiles: Uint32Array.from(series, ({ profiles }) => profiles),
  };
}

function servicesOf({ series }: ProfileOrder): { service: string; firstProfile: number; limit: number }[] {
  const services: { service: string; firstProfile: number; limit: number }[] = [];
  for (const { service, firstProfile, profiles } of series) {
    const last = services.at(-1);
    if (last?.service === service) last.limit += profiles;
    else services.push({ service, firstProfile, limit: firstProfile + profiles });
  }
  return services;
}

function profilesOf(
  { profiles }: TenantHead,
  order: ProfileOrder,
  attributes: UsedRows,
): BlockContent['profiles'] {
  const { length } = order.profile;
  const columns = {
    profile: new Uint32Array(length),
    series: order.seriesOf,
    time_nanos: new BigInt64Array(length),
    duration_nanos: new BigInt64Array(length),
    total: new BigInt64Array(length),
    samples: new Uint32Array(length),
    id_high: new BigUint64Array(length),
    id_low: new BigUint64Array(length),
    attributes: new Uint32Array(length),
  };
  for (let i = 0; i < length; i++) {
    const row = order.profile[i]!;
    columns.profile[i] = i;
    columns.time_nanos[i] = BigInt.asIntN(64, profiles.timeUnixNanos[row]!);
    columns.duration_nanos[i] = BigInt.asIntN(64, profiles.durationNanos[row]!);
    columns.total[i] = profiles.total[row]!;
    columns.samples[i] = profiles.rowCount[row]!;
    const id = profiles.id(row);
    if (id !== '') {
      columns.id_high[i] = BigInt(`0x${id.slice(0, 16)}`);
      columns.id_low[i] = BigInt(`0x${id.slice(16)}`);
    }
    columns.attributes[i] = attributes.renumber(profiles.attributeSet[row]!);
  }
  return columns;
}

function* samplesOf(
  { profiles, rows, stacks }: TenantHead,
  order: ProfileOrder,
  attributes: UsedRows,
  links: UsedRows,
): Steps<SamplesColumns> {
  const { length } = rows;
  const columns = {
    profile: new Uint32Array(length),
    stack: new BigUint64Array(length),
    value: new BigInt64Array(length),
    link: new Uint32Array(length),
    attributes: new Uint32Array(length),
  };
  const stackWords = new Uint32Array(columns.stack.buffer);
  const valueWords = new Uint32Array(columns.value.buffer);
  const ids = stacks.idWords;
  let at = 0;
  for (let i = 0; i < order.profile.length; i++) {
    if (i % PROFILES_PER_STEP === 0) yield;
    const profile = order.profile[i]!;
    const from = profiles.firstRow[profile]!;
    for (const slice of rows.slices(from, from + profiles.rowCount[profile]!)) {
      for (let row = slice.from; row < slice.to; row++, at++) {
        const stack = slice.stack[row]!;
        columns.profile[at] = i;
        stackWords[at * 2] = ids[stack * 2]!;
        stackWords[at * 2 + 1] = ids[stack * 2 + 1]!;
        valueWords[at * 2] = slice.valueWords[row * 2]!;
        valueWords[at * 2 + 1] = slice.valueWords[row * 2 + 1]!;
        columns.link[at] = links.renumber(slice.link[row]!);
        columns.attributes[at] = attributes.renumber(slice.attributeSet[row]!);
      }
    }
  }
  return columns;
}

/** Each stack of the profiles once. */
function* usedStacks({ profiles, rows, stacks }: TenantHead, list: Uint32Array): Steps<Uint32Array> {
  const isUsed = new Uint8Array(stacks.length);
  const used: number[] = [];
  for (let i = 0; i < list.length; i++) {
    if (i % PROFILES_PER_STEP === 0) yield;
    const from = profiles.firstRow[list[i]!]!;
    for (const slice of rows.slices(from, from + profiles.rowCount[list[i]!]!)) {
      for (let row = slice.from; row < slice.to; row++) {
        const stack = slice.stack[row]!;
        if (isUsed[stack] === 1) continue;
        isUsed[stack] = 1;
        used.push(stack);
      }
    }
  }
  return Uint32Array.from(used).sort();
}

function linksOf({ attributes }: TenantHead, { used }: UsedRows): BlockContent['links'] {
  const { links } = attributes;
  const pair = (row: number, field: number) =>
    (BigInt(links.get(row, field)) << 32n) | BigInt(links.get(row, field + 1));
  return {
    link: Uint32Array.from(used, (_, i) => i + 1),
    trace_high: BigUint64Array.from(used, (row) => pair(row, 0)),
    trace_low: BigUint64Array.from(used, (row) => pair(row, 2)),
    span: BigUint64Array.from(used, (row) => pair(row, ID_WORDS)),
  };
}

function attributesOf({ attributes }: TenantHead, sets: UsedRows): BlockContent['attributes'] {
  return {
    attributes: Uint32Array.from(sets.used, (_, i) => i + 1),
    content: sets.used.map((set) => JSON.stringify(attributes.attributes(set).map(plainAttribute))),
  };
}

function plainAttribute({ key, value, unit }: Attribute): object {
  return { key, ...plainValue(value), ...(unit !== '' && { unit }) };
}

/** As in ProtoJSON: int64 are strings, and so are doubles that JSON has no number for. */
function plainValue(value: AttributeValue): object {
  switch (typeof value) {
    case 'string':
      return { string: value };
    case 'bigint':
      return { int: String(value) };
    case 'number':
      return { double: Number.isFinite(value) ? value : String(value) };
    case 'boolean':
      return { bool: value };
  }
}

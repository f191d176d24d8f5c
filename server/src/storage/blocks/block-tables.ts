// SPDX-License-Identifier: Apache-2.0
//
// The tables of a block as columns (docs/formats/blocks.md). A block that is written has them as temporary tables of the
// same names first, whether they come from the head or from other blocks.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { LabelSet } from '@hearthscope/profile/labels';
import type { Columns } from '../sql/sql-engine.ts';

/** Ordered by service, profile type and labels; the number of a series is its row. */
export const SERIES_SCHEMA = {
  series: 'uinteger',
  service: 'varchar',
  profile_type: 'varchar',
  /** JSON: pairs of name and value, sorted by name. */
  labels: 'varchar',
  /** The profiles of a series are neighbours. */
  first_profile: 'uinteger',
  profiles: 'uinteger',
} as const;

/** Ordered by series and time; the number of a profile is its row. */
export const PROFILES_SCHEMA = {
  profile: 'uinteger',
  series: 'uinteger',
  time_nanos: 'bigint',
  duration_nanos: 'bigint',
  /** The sum of its samples. */
  total: 'bigint',
  samples: 'uinteger',
  /** The two halves of the 128-bit id; both 0 when there is none. */
  id_high: 'ubigint',
  id_low: 'ubigint',
  /** Row of `attributes`, 0 for none. */
  attributes: 'uinteger',
} as const;

/** Ordered by series, hour, stack and profile. */
export const SAMPLES_SCHEMA = {
  profile: 'uinteger',
  /** Stack id: docs/formats/stack-id.md. */
  stack: 'ubigint',
  value: 'bigint',
  /** Row of `links`, 0 for none. */
  link: 'uinteger',
  /** Row of `attributes`, 0 for none. */
  attributes: 'uinteger',
} as const;

/** The spans that samples ran in, from row 1 on. */
export const LINKS_SCHEMA = {
  link: 'uinteger',
  trace_high: 'ubigint',
  trace_low: 'ubigint',
  span: 'ubigint',
} as const;

/** Sets of attributes, from row 1 on. */
export const ATTRIBUTES_SCHEMA = {
  attributes: 'uinteger',
  /** JSON: a list of {key, string|int|double|bool, unit?}, sorted by key; int64 are strings. */
  content: 'varchar',
} as const;

/** Sums by 5 minutes and by the hour: ordered by series, bucket and stack. */
export const SUMS_SCHEMA = {
  series: 'uinteger',
  /** The number of the 5 minutes, or of the hour, since the Unix epoch. */
  bucket: 'uinteger',
  stack: 'ubigint',
  value: 'bigint',
} as const;

export type SeriesColumns = Columns<typeof SERIES_SCHEMA>;
export type ProfilesColumns = Columns<typeof PROFILES_SCHEMA>;
export type SamplesColumns = Columns<typeof SAMPLES_SCHEMA>;
export type LinksColumns = Columns<typeof LINKS_SCHEMA>;
export type AttributesColumns = Columns<typeof ATTRIBUTES_SCHEMA>;

/** A block that is in memory as a whole: what is cut from the head. Plain data, so that it crosses to a worker. */
export interface BlockContent {
  readonly series: SeriesColumns;
  readonly profiles: ProfilesColumns;
  readonly samples: SamplesColumns;
  readonly links: LinksColumns;
  readonly attributes: AttributesColumns;
  /** One for each service, as encodeSymbolSection made it. */
  readonly symbols: readonly { readonly service: string; readonly section: Uint8Array }[];
}

export const HOUR_NANOS = 3_600_000_000_000n;

export function encodeLabels(labels: LabelSet): string {
  return JSON.stringify(labels.map(({ name, value }) => [name, value]));
}

/** @throws HearthscopeError data_loss */
export function decodeLabels(text: string): LabelSet {
  const pairs: unknown = JSON.parse(text);
  const isPair = (pair: unknown): pair is [string, string] =>
    Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === 'string');
  if (!Array.isArray(pairs) || !pairs.every(isPair)) {
    throw new HearthscopeError(
      'data_loss',
      `the labels of a stored series cannot be read: ${text.slice(0, 200)}`,
    );
  }
  return pairs.map(([name, value]) => ({ name, value }));
}

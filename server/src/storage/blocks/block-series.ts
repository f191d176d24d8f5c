// SPDX-License-Identifier: Apache-2.0
//
// The series of one block in memory, with the inverted index over their labels. Series are few, so they are kept.

import type { LabelSet } from '@hearthscope/profile/labels';
import type { LabelMatcher } from '@hearthscope/profile/selector/label-matcher';
import { MemoryBudget } from '../head/memory-budget.ts';
import { SeriesIndex } from '../head/series-index.ts';
import { quoted, type SqlSession } from '../sql/sql-engine.ts';
import { decodeLabels, SERIES_SCHEMA } from './block-tables.ts';
import { checkParquetFormat } from './parquet-format.ts';

/** Rows `first .. limit` of a table. */
export interface RowRange {
  readonly first: number;
  readonly limit: number;
}

export class BlockSeries {
  readonly #index: SeriesIndex;
  readonly #budget: MemoryBudget;
  readonly #service: readonly string[];
  readonly #firstProfile: Uint32Array;
  readonly #profiles: Uint32Array;

  private constructor(
    index: SeriesIndex,
    budget: MemoryBudget,
    columns: { service: readonly string[]; first_profile: Uint32Array; profiles: Uint32Array },
  ) {
    this.#index = index;
    this.#budget = budget;
    this.#service = columns.service;
    this.#firstProfile = columns.first_profile;
    this.#profiles = columns.profiles;
  }

  /** @param path of `series.parquet`
   * @throws HearthscopeError failed_precondition when the tables of the block are of an unknown version */
  static async read(session: SqlSession, path: string): Promise<BlockSeries> {
    await checkParquetFormat(session, path, path);
    const { columns } = await session.select(
      `SELECT * FROM read_parquet(${quoted(path)}) ORDER BY series`,
      SERIES_SCHEMA,
    );
    const budget = new MemoryBudget(Number.POSITIVE_INFINITY);
    const index = new SeriesIndex(budget);
    for (const labels of columns.labels) index.intern(decodeLabels(labels));
    return new BlockSeries(index, budget, columns);
  }

  get length(): number {
    return this.#service.length;
  }

  /** Memory it takes, nearly. */
  get bytes(): number {
    return this.#budget.usedBytes + this.#firstProfile.byteLength * 2;
  }

  labels(series: number): LabelSet {
    return this.#index.labels(series);
  }

  service(series: number): string {
    return this.#service[series]!;
  }

  profilesOf(series: number): RowRange {
    const first = this.#firstProfile[series]!;
    return { first, limit: first + this.#profiles[series]! };
  }

  /** The series that match all matchers of one of the alternatives, ascending. */
  matching(alternatives: readonly (readonly LabelMatcher[])[]): number[] {
    const flags = this.#index.matching(alternatives);
    const series: number[] = [];
    for (let i = 0; i < flags.length; i++) if (flags[i] === 1) series.push(i);
    return series;
  }
}

/** Ranges that touch become one. @param ranges ascending */
export function joinedRanges(ranges: Iterable<RowRange>): RowRange[] {
  const joined: { first: number; limit: number }[] = [];
  for (const { first, limit } of ranges) {
    const last = joined.at(-1);
    if (last?.limit === first) last.limit = limit;
    else if (limit > first) joined.push({ first, limit });
  }
  return joined;
}

/** The condition that a column's value is in one of the ranges. */
export function inRanges(column: string, ranges: readonly RowRange[]): string {
  if (ranges.length === 0) return 'false';
  return `(${ranges.map(({ first, limit }) => `${column} BETWEEN ${first} AND ${limit - 1}`).join(' OR ')})`;
}

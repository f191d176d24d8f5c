// SPDX-License-Identifier: Apache-2.0
//
// Answers a store's questions from a list of blocks. SQL sums by stack id over all of them at once; names come from the
// symbols afterwards, once for each stack.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { LabelSet } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import { mergedProfile } from '../head/merged-profile.ts';
import { quoted, type SqlEngine, type SqlSession } from '../sql/sql-engine.ts';
import type { Pace, SampleFilter, SelectionSize, SeriesSelection, TimeRange } from '../store.ts';
import type { BlockFiles, HeldFile, WantedRows } from './block-files.ts';
import { type BlockSeries, inRanges, joinedRanges, type RowRange } from './block-series.ts';
import { type BlockFileName, type BlockMeta, hiddenThrough, type ServiceDeletion } from './manifest.ts';
import { type Stretch, samplePlan } from './sample-plan.ts';
import type { SymbolCache } from './symbol-cache.ts';

/** The blocks of one tenant that a question is about, and what it needs of them. */
export interface BlockSource {
  readonly tenant: string;
  /** Those that overlap the range. */
  readonly blocks: readonly BlockMeta[];
  readonly engine: SqlEngine;
  readonly files: BlockFiles;
  readonly symbols: SymbolCache;
  /** What was asked to be deleted and may still be in blocks. */
  readonly deletions: readonly ServiceDeletion[];
  series(block: BlockMeta): Promise<BlockSeries>;
}

/** Profiles as columns; `series` is a row of `labels`. */
export interface BlockTotals {
  readonly labels: readonly LabelSet[];
  /** Row of the block's profiles. */
  readonly profile: Uint32Array;
  readonly series: Uint32Array;
  readonly timeUnixMillis: Float64Array;
  readonly total: BigInt64Array;
  readonly idHigh: BigUint64Array;
  readonly idLow: BigUint64Array;
}

/** What a question is about in one block. */
export interface SelectedBlock {
  readonly block: BlockMeta;
  readonly index: BlockSeries;
  /** Ascending. */
  readonly series: readonly number[];
  /** What is asked of these series: less than the selection's where something was deleted. */
  readonly range: TimeRange;
}

/** Stacks with their sums, and their ids beside them: `ids[i]` is the stack of sample i of the profile. */
export interface MergedStacks {
  readonly profile: Profile;
  readonly ids: BigUint64Array;
}

/** Undefined when nothing matches. */
export async function mergeBlockStacks(
  source: BlockSource,
  selection: SeriesSelection,
  filter: SampleFilter,
  pace: Pace,
  signal?: AbortSignal,
): Promise<MergedStacks | undefined> {
  const selected = await selectBlocks(source, selection);
  if (selected.length === 0) return undefined;
  using held = new HeldFiles(source);
  const sums = await source.engine.session(async (session) => {
    const parts = await sumParts(session, held, selected, filter);
    if (parts.length === 0) return undefined;
    return session.select(
      `SELECT stack, sum(value)::BIGINT AS value FROM (${parts.join(' UNION ALL ')}) GROUP BY stack HAVING sum(value) <> 0`,
      { stack: 'ubigint', value: 'bigint' },
    );
  }, signal);
  if (sums === undefined || sums.rows === 0) return undefined;
  const tables = await source.symbols.load(
    source.tenant,
    selected.map(({ block, index, series }) => ({
      block,
      services: new Set(series.map((row) => index.service(row))),
    })),
    pace,
  );
  const words = new Uint32Array(sums.columns.stack.buffer);
  const nodeOf = tables.stacks.node;
  const node = new Uint32Array(sums.rows);
  for (let i = 0; i < sums.rows; i++) {
    const row = tables.stacks.find(words[i * 2]!, words[i * 2 + 1]!);
    // Node 0 is the empty stack: the value counts, under no name.
    node[i] = row < 0 ? 0 : nodeOf[row]!;
  }
  // Neighbours in the symbol tree share most of their callers, and who walks stacks in that order meets each caller once.
  const order = Uint32Array.from(node, (_, row) => row).sort((a, b) => node[a]! - node[b]!);
  const { stack, value } = sums.columns;
  const profile = await pace.run(
    mergedProfile(
      tables.symbols,
      order.map((row) => node[row]!),
      BigInt64Array.from(order, (row) => value[row]!),
    ),
  );
  return { profile, ids: BigUint64Array.from(order, (row) => stack[row]!) };
}

export async function blockTotals(
  source: BlockSource,
  selection: SeriesSelection,
  signal?: AbortSignal,
): Promise<BlockTotals[]> {
  const selected = await selectBlocks(source, selection);
  using held = new HeldFiles(source);
  return await source.engine.session(async (session) => {
    const answers: BlockTotals[] = [];
    for (const { block, index, series, range } of selected) {
      const path = await held.path(block, 'profiles.parquet', wantedSeries(series));
      const { columns } = await session.select(
        `SELECT profile, series, (time_nanos // 1000000)::DOUBLE AS time, total, id_high, id_low FROM read_parquet(${quoted(path)})
         WHERE ${inRanges('series', rangesOf(series))} AND ${inRange(block, range)} ORDER BY profile`,
        {
          profile: 'uinteger',
          series: 'uinteger',
          time: 'double',
          total: 'bigint',
          id_high: 'ubigint',
          id_low: 'ubigint',
        },
      );
      const place = new Map(series.map((row, i) => [row, i]));
      answers.push({
        labels: series.map((row) => index.labels(row)),
        profile: columns.profile,
        series: columns.series.map((row) => place.get(row)!),
        timeUnixMillis: columns.time,
        total: columns.total,
        idHigh: columns.id_high,
        idLow: columns.id_low,
      });
    }
    return answers;
  }, signal);
}

/** As {@link blockTotals}, but the totals are those of some stacks alone; profiles without any of them have none.
 * @param stackIds as {@link mergeBlockStacks} gave them */
export async function blockStackTotals(
  source: BlockSource,
  selection: SeriesSelection,
  stackIds: BigUint64Array,
  signal?: AbortSignal,
): Promise<BlockTotals[]> {
  const totals = await blockTotals(source, selection, signal);
  const selected = await selectBlocks(source, selection);
  using held = new HeldFiles(source);
  await source.engine.session(async (session) => {
    await session.run('CREATE TEMP TABLE chosen (stack ubigint)');
    await session.append('chosen', { stack: 'ubigint' }, { stack: stackIds });
    for (const [i, one] of selected.entries()) {
      const { total, profile } = totals[i]!;
      total.fill(0n);
      if (one.block.files['samples.parquet'] === undefined) continue;
      const path = await held.path(one.block, 'samples.parquet');
      const { columns, rows } = await session.select(
        `SELECT profile, sum(value)::BIGINT AS value FROM read_parquet(${quoted(path)}) SEMI JOIN chosen USING (stack)
         WHERE ${inRanges('profile', joinedRanges([...profile].map((row) => ({ first: row, limit: row + 1 }))))} GROUP BY profile`,
        { profile: 'uinteger', value: 'bigint' },
      );
      const place = new Map([...profile].map((row, at) => [row, at]));
      for (let row = 0; row < rows; row++) total[place.get(columns.profile[row]!)!] = columns.value[row]!;
    }
  }, signal);
  return totals;
}

/** The spans of profiles as columns; `series` is a row of `labels`. */
export interface BlockSpans extends BlockTotals {
  readonly traceHigh: BigUint64Array;
  readonly traceLow: BigUint64Array;
  readonly span: BigUint64Array;
}

/** @param maxSpans more are an error @throws HearthscopeError resource_exhausted */
export async function blockSpans(
  source: BlockSource,
  selection: SeriesSelection,
  maxSpans: number,
  signal?: AbortSignal,
): Promise<BlockSpans[]> {
  const selected = await selectBlocks(source, selection);
  using held = new HeldFiles(source);
  return await source.engine.session(async (session) => {
    const answers: BlockSpans[] = [];
    let spans = 0;
    for (const { block, index, series, range } of selected) {
      if (block.files['links.parquet'] === undefined || block.files['samples.parquet'] === undefined)
        continue;
      const path = async (name: BlockFileName) => `read_parquet(${quoted(await held.path(block, name))})`;
      const { columns, rows } = await session.select(
        `SELECT p.series, (any_value(p.time_nanos) // 1000000)::DOUBLE AS time, sum(s.value)::BIGINT AS total,
           any_value(p.id_high) AS id_high, any_value(p.id_low) AS id_low,
           any_value(l.trace_high) AS trace_high, any_value(l.trace_low) AS trace_low, any_value(l.span) AS span
         FROM ${await path('samples.parquet')} s
         JOIN ${await path('profiles.parquet')} p USING (profile)
         JOIN ${await path('links.parquet')} l USING (link)
         WHERE l.span <> 0 AND ${inRanges('p.series', rangesOf(series))} AND ${inRange(block, range)}
         GROUP BY p.series, s.profile, s.link LIMIT ${maxSpans - spans + 1}`,
        {
          series: 'uinteger',
          time: 'double',
          total: 'bigint',
          id_high: 'ubigint',
          id_low: 'ubigint',
          trace_high: 'ubigint',
          trace_low: 'ubigint',
          span: 'ubigint',
        },
      );
      spans += rows;
      if (spans > maxSpans) {
        throw new HearthscopeError(
          'resource_exhausted',
          `the selection has more than ${maxSpans} spans; ask for less time or fewer series`,
        );
      }
      const place = new Map(series.map((row, i) => [row, i]));
      answers.push({
        labels: series.map((row) => index.labels(row)),
        profile: new Uint32Array(rows),
        series: columns.series.map((row) => place.get(row)!),
        timeUnixMillis: columns.time,
        total: columns.total,
        idHigh: columns.id_high,
        idLow: columns.id_low,
        traceHigh: columns.trace_high,
        traceLow: columns.trace_low,
        span: columns.span,
      });
    }
    return answers;
  }, signal);
}

/** The label sets of the selected series that have a profile in the range; of several blocks they may repeat. */
export async function blockSeriesLabels(
  source: BlockSource,
  selection: SeriesSelection,
  signal?: AbortSignal,
): Promise<LabelSet[]> {
  const selected = await selectBlocks(source, selection);
  const labels: LabelSet[] = [];
  using held = new HeldFiles(source);
  await source.engine.session(async (session) => {
    for (const { block, index, series, range } of selected) {
      const present = covers(range, block)
        ? series
        : await seriesInRange(
            session,
            await held.path(block, 'profiles.parquet', wantedSeries(series)),
            series,
            block,
            range,
          );
      for (const row of present) labels.push(index.labels(row));
    }
  }, signal);
  return labels;
}

export async function blockSelectionSize(
  source: BlockSource,
  selection: SeriesSelection,
  signal?: AbortSignal,
): Promise<SelectionSize> {
  const selected = await selectBlocks(source, selection);
  using held = new HeldFiles(source);
  const size = { series: 0, profiles: 0, samples: 0, bytes: 0 };
  await source.engine.session(async (session) => {
    for (const { block, series, range } of selected) {
      const path = await held.path(block, 'profiles.parquet', wantedSeries(series));
      const { columns } = await session.select(
        `SELECT count(DISTINCT series)::DOUBLE AS series, count(*)::DOUBLE AS profiles, coalesce(sum(samples), 0)::DOUBLE AS samples
         FROM read_parquet(${quoted(path)}) WHERE ${inRanges('series', rangesOf(series))} AND ${inRange(block, range)}`,
        { series: 'double', profiles: 'double', samples: 'double' },
      );
      const samples = columns.samples[0]!;
      size.series += columns.series[0]!;
      size.profiles += columns.profiles[0]!;
      size.samples += samples;
      const bytesPerSample = (block.files['samples.parquet']?.bytes ?? 0) / Math.max(1, block.samples);
      size.bytes += Math.round(samples * bytesPerSample);
    }
  }, signal);
  return size;
}

/** The series of each block that the question is about; a block may come several times, with other series. */
export async function selectBlocks(
  source: BlockSource,
  { alternatives, startMillis, endMillis }: SeriesSelection,
): Promise<SelectedBlock[]> {
  const selected: SelectedBlock[] = [];
  for (const block of source.blocks) {
    const index = await source.series(block);
    // Series of which everything up to some moment was deleted are asked for what comes after it.
    const byStart = new Map<number, number[]>();
    for (const row of index.matching(alternatives)) {
      const hidden = hiddenThrough(source.deletions, index.service(row));
      if (hidden >= Math.min(endMillis, block.endMillis)) continue;
      const start = Math.max(startMillis, hidden + 1);
      const rows = byStart.get(start);
      if (rows === undefined) byStart.set(start, [row]);
      else rows.push(row);
    }
    for (const [start, series] of byStart) {
      selected.push({ block, index, series, range: { startMillis: start, endMillis } });
    }
  }
  return selected;
}

/** One SELECT of (stack, value) for each part of the plan. */
async function sumParts(
  session: SqlSession,
  held: HeldFiles,
  selected: readonly SelectedBlock[],
  filter: SampleFilter,
): Promise<string[]> {
  const isFiltered =
    filter.profileIds !== undefined || filter.traceIds !== undefined || filter.spanIds !== undefined;
  const parts: string[] = [];
  for (const one of selected) {
    const { block, series, range } = one;
    const plan = samplePlan(block, range.startMillis, range.endMillis, !isFiltered);
    const inSeries = inRanges('series', rangesOf(series));
    const sums = async (name: BlockFileName, { first, limit }: { first: bigint; limit: bigint }) => {
      const buckets = [{ first: Number(first), limit: Number(limit) }];
      const path = await held.path(block, name, [
        { column: 'series', ranges: rangesOf(series) },
        { column: 'bucket', ranges: buckets },
      ]);
      parts.push(
        `SELECT stack, value FROM read_parquet(${quoted(path)}) WHERE ${inSeries} AND bucket BETWEEN ${first} AND ${limit - 1n}`,
      );
    };
    if (plan.hours !== undefined) await sums('samples-1h.parquet', plan.hours);
    for (const buckets of plan.fiveMinutes) await sums('samples-5m.parquet', buckets);
    for (const stretch of plan.samples) {
      const profiles = await profilesIn(session, held, one, stretch, filter.profileIds);
      if (profiles.length === 0) continue;
      const links = await linkCondition(session, held, block, filter);
      if (links === undefined) continue;
      const path = await held.path(block, 'samples.parquet', [{ column: 'profile', ranges: profiles }]);
      parts.push(
        `SELECT stack, value FROM read_parquet(${quoted(path)}) WHERE ${inRanges('profile', profiles)}${links}`,
      );
    }
  }
  return parts;
}

/** The profiles of the selected series that start in the stretch. */
async function profilesIn(
  session: SqlSession,
  held: HeldFiles,
  { block, index, series }: SelectedBlock,
  { start, limit }: Stretch,
  profileIds: readonly string[] | undefined,
): Promise<RowRange[]> {
  const first = BigInt(block.startMillis) * 1_000_000n;
  const last = (BigInt(block.endMillis) + 1n) * 1_000_000n;
  if (profileIds === undefined && start <= first && limit >= last) {
    return joinedRanges(series.map((row) => index.profilesOf(row)));
  }
  const path = await held.path(block, 'profiles.parquet', wantedSeries(series));
  const conditions = [
    inRanges('series', rangesOf(series)),
    `time_nanos >= ${start}`,
    `time_nanos < ${limit}`,
    ...(profileIds === undefined ? [] : [idCondition(profileIds)]),
  ];
  const { columns } = await session.select(
    `SELECT profile FROM read_parquet(${quoted(path)}) WHERE ${conditions.join(' AND ')} ORDER BY profile`,
    { profile: 'uinteger' },
  );
  return joinedRanges([...columns.profile].map((row) => ({ first: row, limit: row + 1 })));
}

/** Ids are hex digits that were checked. */
function idCondition(ids: readonly string[]): string {
  const pairs = ids.map((id) => `(${unsigned(id.slice(0, 16))}, ${unsigned(id.slice(16))})`);
  return pairs.length === 0 ? 'false' : `(id_high, id_low) IN (${pairs.join(', ')})`;
}

function unsigned(hex: string): string {
  return `${BigInt(`0x${hex}`)}::UBIGINT`;
}

/** The condition on a sample's span as SQL; undefined when no sample of the block can fulfil it. */
async function linkCondition(
  session: SqlSession,
  held: HeldFiles,
  block: BlockMeta,
  { traceIds, spanIds }: SampleFilter,
): Promise<string | undefined> {
  if (traceIds === undefined && spanIds === undefined) return '';
  if (block.files['links.parquet'] === undefined) return undefined;
  const conditions: string[] = [];
  if (spanIds !== undefined) {
    conditions.push(spanIds.length === 0 ? 'false' : `span IN (${spanIds.map(unsigned).join(', ')})`);
  }
  if (traceIds !== undefined) {
    const pairs = traceIds.map((id) => `(${unsigned(id.slice(0, 16))}, ${unsigned(id.slice(16))})`);
    conditions.push(pairs.length === 0 ? 'false' : `(trace_high, trace_low) IN (${pairs.join(', ')})`);
  }
  const { columns, rows } = await session.select(
    `SELECT link FROM read_parquet(${quoted(await held.path(block, 'links.parquet'))}) WHERE ${conditions.join(' AND ')}`,
    { link: 'uinteger' },
  );
  return rows === 0 ? undefined : ` AND link IN (${columns.link.join(', ')})`;
}

async function seriesInRange(
  session: SqlSession,
  path: string,
  series: readonly number[],
  block: BlockMeta,
  range: TimeRange,
): Promise<number[]> {
  const { columns } = await session.select(
    `SELECT DISTINCT series FROM read_parquet(${quoted(path)})
     WHERE ${inRanges('series', rangesOf(series))} AND ${inRange(block, range)}`,
    { series: 'uinteger' },
  );
  return [...columns.series];
}

/** Rows as ranges. @param rows ascending */
export function rangesOf(rows: readonly number[]): RowRange[] {
  return joinedRanges(rows.map((row) => ({ first: row, limit: row + 1 })));
}

function covers({ startMillis, endMillis }: TimeRange, block: BlockMeta): boolean {
  return startMillis <= block.startMillis && endMillis >= block.endMillis;
}

/** The condition that a profile starts in the range; times beyond those of the block are cut to them. */
export function inRange(block: BlockMeta, { startMillis, endMillis }: TimeRange): string {
  const start = BigInt(Math.ceil(Math.max(startMillis, block.startMillis))) * 1_000_000n;
  const limit = (BigInt(Math.floor(Math.min(endMillis, block.endMillis))) + 1n) * 1_000_000n;
  return `time_nanos >= ${start} AND time_nanos < ${limit}`;
}

/** The rows of a table that belong to the series. */
export function wantedSeries(series: readonly number[]): readonly WantedRows[] {
  return [{ column: 'series', ranges: rangesOf(series) }];
}

/** Files that are held until the question is answered, each once. */
export class HeldFiles implements Disposable {
  readonly #source: BlockSource;
  readonly #files = new Map<string, HeldFile>();

  constructor(source: BlockSource) {
    this.#source = source;
  }

  /** @param rows what is needed of a table, so that not all of it is fetched; absent for everything */
  async path(block: BlockMeta, name: BlockFileName, rows: readonly WantedRows[] = []): Promise<string> {
    const key = `${block.id}/${name}/${JSON.stringify(rows)}`;
    let file = this.#files.get(key);
    if (file === undefined) {
      file = await this.#source.files.hold(this.#source.tenant, block, name, { rows });
      this.#files.set(key, file);
    }
    return file.path;
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.values()) file[Symbol.dispose]();
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Makes one block of several: the profiles of all of them that start in a window of time. Numbers of series, profiles,
// spans and attribute sets are those of one block, so each gets a new one; stacks keep their ids, which are the same
// everywhere.

import { HearthscopeError } from '@hearthscope/profile/errors';
import {
  type LabelSet,
  labelSetKey,
  labelValue,
  ProfileTypeLabels,
  SERVICE_NAME_LABEL,
} from '@hearthscope/profile/labels';
import { MemoryBudget } from '../head/memory-budget.ts';
import { StackTable } from '../head/stack-table.ts';
import { SymbolTable } from '../head/symbol-table.ts';
import { quoted, type SqlEngine, type SqlSession } from '../sql/sql-engine.ts';
import type { Pace } from '../store.ts';
import type { BlockFiles, HeldFile } from './block-files.ts';
import { BlockSeries } from './block-series.ts';
import {
  ATTRIBUTES_SCHEMA,
  encodeLabels,
  LINKS_SCHEMA,
  PROFILES_SCHEMA,
  SERIES_SCHEMA,
} from './block-tables.ts';
import { type BlockTarget, hourSums, storeBlock } from './block-writer.ts';
import { type BlockMeta, hiddenThrough, type ServiceDeletion } from './manifest.ts';
import { decodeSymbolSection, encodeSymbolSection, type SymbolTables } from './symbols-codec.ts';
import { readSymbolSection, readSymbolsDirectory, SymbolsFileWriter } from './symbols-file.ts';

const NANOS_PER_MILLI = 1_000_000n;

/** Profiles that start in `start .. limit`, in milliseconds since the Unix epoch. */
export interface CompactionWindow {
  readonly startMillis: number;
  readonly limitMillis: number;
}

export interface CompactionSources {
  readonly engine: SqlEngine;
  readonly files: BlockFiles;
  readonly pace: Pace;
}

/** @param inputs blocks that still have their samples
 * @returns undefined when no profile of the inputs is in the window
 * @throws HearthscopeError failed_precondition for a block without samples */
export async function compactBlocks(
  { engine, files, pace }: CompactionSources,
  inputs: readonly BlockMeta[],
  window: CompactionWindow,
  deletions: readonly ServiceDeletion[],
  target: BlockTarget,
): Promise<BlockMeta | undefined> {
  using held = new DisposableStack();
  const hold = async (block: BlockMeta, name: Parameters<BlockFiles['hold']>[2]): Promise<string> =>
    held.use<HeldFile>(await files.hold(target.tenant, block, name)).path;
  return await engine.session(async (session) => {
    const series = await mergedSeries(session, inputs, hold);
    if (!(await numberProfiles(session, inputs, series, window, deletions, hold))) return undefined;
    await gatherSamples(session, inputs, hold);
    const kept = await writeSeries(session, series.labels);
    const symbols = await gatherSymbols(session, inputs, kept, { files, pace }, target.tenant);
    return storeBlock(session, symbols, target, { sums: 'of_samples' });
  });
}

/** The same for one block of which retention has left sums only: all of it that is not deleted. Of a sum by 5 minutes nothing
 * stays when what was deleted reaches into it, and of one by the hour neither unless there are sums by 5 minutes.
 * @returns undefined when nothing is left */
export async function compactSums(
  { engine, files, pace }: CompactionSources,
  input: BlockMeta,
  deletions: readonly ServiceDeletion[],
  target: BlockTarget,
): Promise<BlockMeta | undefined> {
  using held = new DisposableStack();
  const hold: Hold = async (block, name) =>
    held.use<HeldFile>(await files.hold(target.tenant, block, name)).path;
  return await engine.session(async (session) => {
    const series = await mergedSeries(session, [input], hold);
    const window = { startMillis: input.startMillis, limitMillis: input.endMillis + 1 };
    if (!(await numberProfiles(session, [input], series, window, deletions, hold))) return undefined;
    await gatherSums(session, input, series, deletions, hold);
    const kept = await writeSeries(session, series.labels);
    const symbols = await gatherSymbols(session, [input], kept, { files, pace }, target.tenant);
    return storeBlock(session, symbols, target, { sums: 'as_given' });
  });
}

type Hold = (block: BlockMeta, name: Parameters<BlockFiles['hold']>[2]) => Promise<string>;

interface MergedSeries {
  /** By service, type and labels. */
  readonly labels: readonly LabelSet[];
}

/** Leaves the table `series_map` (block, old, merged). */
async function mergedSeries(
  session: SqlSession,
  inputs: readonly BlockMeta[],
  hold: Hold,
): Promise<MergedSeries> {
  const byKey = new Map<string, { labels: LabelSet; places: { block: number; old: number }[] }>();
  for (const [block, input] of inputs.entries()) {
    const series = await BlockSeries.read(session, await hold(input, 'series.parquet'));
    for (let old = 0; old < series.length; old++) {
      const labels = series.labels(old);
      const key = labelSetKey(labels);
      const known = byKey.get(key);
      if (known === undefined) byKey.set(key, { labels, places: [{ block, old }] });
      else known.places.push({ block, old });
    }
  }
  const merged = [...byKey]
    .map(([key, { labels, places }]) => ({ key, labels, places, ...seriesOrder(labels) }))
    .sort((a, b) => compare(a.service, b.service) || compare(a.type, b.type) || compare(a.key, b.key));
  const rows = merged.flatMap(({ places }, i) => places.map((place) => ({ ...place, merged: i })));
  const schema = { block: 'uinteger', old: 'uinteger', merged: 'uinteger' } as const;
  await session.run('CREATE TEMP TABLE series_map (block uinteger, old uinteger, merged uinteger)');
  await session.append('series_map', schema, {
    block: Uint32Array.from(rows, (row) => row.block),
    old: Uint32Array.from(rows, (row) => row.old),
    merged: Uint32Array.from(rows, (row) => row.merged),
  });
  return { labels: merged.map(({ labels }) => labels) };
}

function seriesOrder(labels: LabelSet): { service: string; type: string } {
  return {
    service: labelValue(labels, SERVICE_NAME_LABEL),
    type: labelValue(labels, ProfileTypeLabels.profileType),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Leaves the tables `numbered`, one row for each profile that stays, and `profiles`.
 * @returns whether there are any */
async function numberProfiles(
  session: SqlSession,
  inputs: readonly BlockMeta[],
  { labels }: MergedSeries,
  { startMillis, limitMillis }: CompactionWindow,
  deletions: readonly ServiceDeletion[],
  hold: Hold,
): Promise<boolean> {
  const deleted = deletions.map(({ service, throughMillis }) => {
    const rows = labels.flatMap((set, i) => (labelValue(set, SERVICE_NAME_LABEL) === service ? [i] : []));
    const limit = (BigInt(throughMillis) + 1n) * NANOS_PER_MILLI;
    return rows.length === 0 ? 'true' : `NOT (m.merged IN (${rows.join(', ')}) AND p.time_nanos < ${limit})`;
  });
  const parts: string[] = [];
  for (const [block, input] of inputs.entries()) {
    const path = quoted(await hold(input, 'profiles.parquet'));
    const conditions = [
      `p.time_nanos >= ${BigInt(startMillis) * NANOS_PER_MILLI}`,
      `p.time_nanos < ${BigInt(limitMillis) * NANOS_PER_MILLI}`,
      ...deleted,
    ];
    parts.push(
      `SELECT ${block}::UINTEGER AS block, p.profile AS old, m.merged, p.time_nanos, p.duration_nanos, p.total, p.samples, p.id_high, p.id_low, p.attributes
       FROM read_parquet(${path}) p JOIN series_map m ON m.block = ${block} AND m.old = p.series
       WHERE ${conditions.join(' AND ')}`,
    );
  }
  await session.run(
    `CREATE TEMP TABLE numbered AS SELECT
       (row_number() OVER (ORDER BY merged, time_nanos, block, old) - 1)::UINTEGER AS profile,
       (dense_rank() OVER (ORDER BY merged) - 1)::UINTEGER AS series, *
     FROM (${parts.join(' UNION ALL ')})`,
  );
  const { columns } = await session.select('SELECT count(*)::DOUBLE AS rows FROM numbered', {
    rows: 'double',
  });
  return columns.rows[0]! > 0;
}

/** Leaves the tables of sums `samples_5m` and `samples_1h`, as far as the block has them, and `gathered`, `links`,
 * `attributes` and `profiles`. */
async function gatherSums(
  session: SqlSession,
  input: BlockMeta,
  { labels }: MergedSeries,
  deletions: readonly ServiceDeletion[],
  hold: Hold,
): Promise<void> {
  const gathered = [
    `SELECT 0::UINTEGER AS block, 0::UINTEGER AS profile, 0::UBIGINT AS stack, 0::UINTEGER AS link, 0::UINTEGER AS attributes WHERE false`,
  ];
  for (const [table, name, seconds] of SUM_TABLES) {
    if (input.files[name] === undefined) continue;
    if (table === 'samples_1h' && input.files['samples-5m.parquet'] !== undefined) {
      await session.run(`CREATE TEMP TABLE samples_1h AS ${hourSums('samples_5m')}`);
      continue;
    }
    const deleted = labels.flatMap((set, series) => {
      const through = hiddenThrough(deletions, labelValue(set, SERVICE_NAME_LABEL));
      return through < 0
        ? []
        : [`NOT (m.merged = ${series} AND bucket::BIGINT * ${seconds * 1000} <= ${through})`];
    });
    await session.run(
      `CREATE TEMP TABLE ${table} AS SELECT n.series, s.bucket, s.stack, s.value
       FROM read_parquet(${quoted(await hold(input, name))}) s
       JOIN series_map m ON m.old = s.series
       JOIN (SELECT DISTINCT merged, series FROM numbered) n ON n.merged = m.merged
       WHERE ${['true', ...deleted].join(' AND ')}`,
    );
    gathered.push(
      `SELECT 0::UINTEGER AS block, n.first_profile AS profile, t.stack, 0::UINTEGER AS link, 0::UINTEGER AS attributes
       FROM ${table} t JOIN (SELECT series, min(profile) AS first_profile FROM numbered GROUP BY series) n USING (series)`,
    );
  }
  await session.run(`CREATE TEMP VIEW gathered AS ${gathered.join(' UNION ALL ')}`);
  await renumber(session, [input], hold);
}

const SUM_TABLES = [
  ['samples_5m', 'samples-5m.parquet', 300],
  ['samples_1h', 'samples-1h.parquet', 3600],
] as const;

/** Leaves the views and tables `gathered`, `samples`, `links`, `attributes` and `profiles`. */
async function gatherSamples(session: SqlSession, inputs: readonly BlockMeta[], hold: Hold): Promise<void> {
  const parts: string[] = [];
  for (const [block, input] of inputs.entries()) {
    if (input.files['samples.parquet'] === undefined) {
      throw new HearthscopeError('failed_precondition', `block ${input.id} has no samples any more`);
    }
    const path = quoted(await hold(input, 'samples.parquet'));
    parts.push(
      `SELECT ${block}::UINTEGER AS block, n.profile, s.stack, s.value, s.link, s.attributes
       FROM read_parquet(${path}) s JOIN numbered n ON n.block = ${block} AND n.old = s.profile`,
    );
  }
  await session.run(`CREATE TEMP VIEW gathered AS ${parts.join(' UNION ALL ')}`);
  await renumber(session, inputs, hold);
  await session.run(
    `CREATE TEMP VIEW samples AS
     SELECT g.profile, g.stack, g.value, coalesce(l.link, 0)::UINTEGER AS link, coalesce(a.attributes, 0)::UINTEGER AS attributes
     FROM gathered g
     LEFT JOIN link_map l ON l.block = g.block AND l.old = g.link
     LEFT JOIN attribute_map a ON a.block = g.block AND a.old = g.attributes`,
  );
}

/** New numbers for spans and sets of attributes: the tables `link_map`, `attribute_map`, `links`, `attributes` and
 * `profiles`. */
async function renumber(session: SqlSession, inputs: readonly BlockMeta[], hold: Hold): Promise<void> {
  const links: string[] = [];
  const attributes: string[] = [];
  for (const [block, input] of inputs.entries()) {
    if (input.files['links.parquet'] !== undefined) {
      links.push(
        `SELECT ${block}::UINTEGER AS block, * FROM read_parquet(${quoted(await hold(input, 'links.parquet'))})`,
      );
    }
    if (input.files['attributes.parquet'] !== undefined) {
      attributes.push(
        `SELECT ${block}::UINTEGER AS block, * FROM read_parquet(${quoted(await hold(input, 'attributes.parquet'))})`,
      );
    }
  }
  await session.run(linkMap(links));
  await session.run(attributeMap(attributes));
  await session.run(
    `CREATE TEMP TABLE links AS SELECT DISTINCT ${Object.keys(LINKS_SCHEMA).join(', ')} FROM link_map`,
  );
  await session.run(
    `CREATE TEMP TABLE attributes AS SELECT DISTINCT ${Object.keys(ATTRIBUTES_SCHEMA).join(', ')} FROM attribute_map`,
  );
  const profileColumns = Object.keys(PROFILES_SCHEMA).map((name) =>
    name === 'attributes' ? 'coalesce(a.attributes, 0)::UINTEGER AS attributes' : `n.${name}`,
  );
  await session.run(
    `CREATE TEMP TABLE profiles AS SELECT ${profileColumns.join(', ')}
     FROM numbered n LEFT JOIN attribute_map a ON a.block = n.block AND a.old = n.attributes`,
  );
}

/** New numbers for the spans that samples which stay ran in. */
function linkMap(links: readonly string[]): string {
  const all =
    links.length === 0
      ? 'SELECT 0::UINTEGER AS block, 0::UINTEGER AS link, 0::UBIGINT AS trace_high, 0::UBIGINT AS trace_low, 0::UBIGINT AS span WHERE false'
      : links.join(' UNION ALL ');
  return `CREATE TEMP TABLE link_map AS
    SELECT block, link AS old, trace_high, trace_low, span,
      dense_rank() OVER (ORDER BY trace_high, trace_low, span)::UINTEGER AS link
    FROM (${all}) SEMI JOIN (SELECT DISTINCT block, link FROM gathered WHERE link <> 0) USING (block, link)`;
}

/** New numbers for the sets that samples and profiles which stay have. */
function attributeMap(attributes: readonly string[]): string {
  const all =
    attributes.length === 0
      ? "SELECT 0::UINTEGER AS block, 0::UINTEGER AS attributes, '' AS content WHERE false"
      : attributes.join(' UNION ALL ');
  return `CREATE TEMP TABLE attribute_map AS
    SELECT block, attributes AS old, content, dense_rank() OVER (ORDER BY content)::UINTEGER AS attributes
    FROM (${all}) SEMI JOIN (
      SELECT DISTINCT block, attributes FROM gathered WHERE attributes <> 0
      UNION SELECT block, attributes FROM numbered WHERE attributes <> 0
    ) USING (block, attributes)`;
}

interface KeptSeries {
  readonly service: string;
  readonly firstProfile: number;
  readonly limit: number;
}

/** Fills the table `series`. @returns the profiles of each service */
async function writeSeries(session: SqlSession, labels: readonly LabelSet[]): Promise<KeptSeries[]> {
  const { columns } = await session.select(
    `SELECT series, any_value(merged) AS merged, min(profile) AS first_profile, count(*)::UINTEGER AS profiles
     FROM numbered GROUP BY series ORDER BY series`,
    { series: 'uinteger', merged: 'uinteger', first_profile: 'uinteger', profiles: 'uinteger' },
  );
  const sets = [...columns.merged].map((row) => labels[row]!);
  await session.run(
    `CREATE TEMP TABLE series (${Object.entries(SERIES_SCHEMA)
      .map(([name, type]) => `${name} ${type}`)
      .join(', ')})`,
  );
  await session.append('series', SERIES_SCHEMA, {
    series: columns.series,
    service: sets.map((set) => seriesOrder(set).service),
    profile_type: sets.map((set) => seriesOrder(set).type),
    labels: sets.map(encodeLabels),
    first_profile: columns.first_profile,
    profiles: columns.profiles,
  });
  const services: { service: string; firstProfile: number; limit: number }[] = [];
  sets.forEach((set, i) => {
    const { service } = seriesOrder(set);
    const limit = columns.first_profile[i]! + columns.profiles[i]!;
    const last = services.at(-1);
    if (last?.service === service) last.limit = limit;
    else services.push({ service, firstProfile: columns.first_profile[i]!, limit });
  });
  return services;
}

/** The symbols of the stacks that stay, service by service, so that only one service's are in memory. */
async function gatherSymbols(
  session: SqlSession,
  inputs: readonly BlockMeta[],
  services: readonly KeptSeries[],
  { files, pace }: Pick<CompactionSources, 'files' | 'pace'>,
  tenant: string,
): Promise<SymbolsFileWriter> {
  const directories = await Promise.all(
    inputs.map(async (block) => {
      const read = (start: number, length: number) => files.read(tenant, block, 'symbols.bin', start, length);
      return { read, places: await readSymbolsDirectory(read, block.files['symbols.bin']?.bytes ?? 0) };
    }),
  );
  const writer = new SymbolsFileWriter();
  for (const { service, firstProfile, limit } of services) {
    const budget = new MemoryBudget(Number.POSITIVE_INFINITY);
    const symbols = new SymbolTable(budget);
    const tables: SymbolTables = { symbols, stacks: new StackTable(symbols, budget) };
    for (const { read, places } of directories) {
      const place = places.get(service);
      if (place === undefined) continue;
      await pace.run(decodeSymbolSection(await readSymbolSection(read, place), tables));
    }
    const { columns } = await session.select(
      `SELECT DISTINCT stack FROM gathered WHERE profile BETWEEN ${firstProfile} AND ${limit - 1}`,
      { stack: 'ubigint' },
    );
    const words = new Uint32Array(columns.stack.buffer);
    const rows: number[] = [];
    for (let i = 0; i < columns.stack.length; i++) {
      const row = tables.stacks.find(words[i * 2]!, words[i * 2 + 1]!);
      if (row >= 0) rows.push(row);
    }
    writer.add(service, await pace.run(encodeSymbolSection(tables, Uint32Array.from(rows).sort())));
  }
  return writer;
}

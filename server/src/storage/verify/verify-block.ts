// SPDX-License-Identifier: Apache-2.0
//
// Everything that can be wrong with one block: its files against the manifest, its tables against each other, and its
// symbols against the stacks that its tables name.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { labelValue, ProfileTypeLabels, SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';
import { finish } from '@hearthscope/profile/steps';
import { blockProblems } from '../blocks/block-checksums.ts';
import { decodeLabels, SERIES_SCHEMA } from '../blocks/block-tables.ts';
import { blockKey } from '../blocks/block-writer.ts';
import type { BlockFileName, BlockMeta } from '../blocks/manifest.ts';
import { checkParquetFormat } from '../blocks/parquet-format.ts';
import { decodeSymbolSection, type SymbolTables } from '../blocks/symbols-codec.ts';
import { readSymbolSection, readSymbolsDirectory } from '../blocks/symbols-file.ts';
import { MemoryBudget } from '../head/memory-budget.ts';
import { StackTable } from '../head/stack-table.ts';
import { NodeField, SymbolTable } from '../head/symbol-table.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { quoted, type SqlEngine, type SqlSession } from '../sql/sql-engine.ts';
import { TABLE_CHECKS, TABLES, type TableFile } from './table-checks.ts';

/** @param key names the object that is wrong */
export type OnProblem = (key: string, problem: string) => void;

export interface BlockToVerify {
  readonly store: ObjectStore;
  readonly engine: SqlEngine;
  readonly tenant: string;
  readonly block: BlockMeta;
}

/** @throws HearthscopeError when the store cannot be read */
export async function verifyBlock(target: BlockToVerify, onProblem: OnProblem): Promise<void> {
  const { store, engine, tenant, block } = target;
  const damaged = await blockProblems(store, tenant, block);
  for (const { name, problem } of damaged) onProblem(blockKey(tenant, block.id, name), problem);
  // Nothing that is read from a damaged block says more about it.
  if (damaged.length > 0) return;
  for (const name of ['series.parquet', 'profiles.parquet', 'symbols.bin'] as const) {
    if (block.files[name] === undefined)
      onProblem(blockKey(tenant, block.id, name), 'the manifest names no such file');
  }
  await engine.session(async (session) => {
    const isReadable = await openTables(session, target, onProblem);
    if (!isReadable) return;
    const report = (name: BlockFileName, problem: string) =>
      onProblem(blockKey(tenant, block.id, name), problem);
    await checkTimes(session, block, report);
    for (const { file, needs, what, sql } of TABLE_CHECKS) {
      if (needs.some((name) => block.files[name] === undefined)) continue;
      const rows = await count(session, sql);
      if (rows > 0) report(file, `${rows} rows ${what}`);
    }
    const services = await checkSeries(session, report);
    await checkSymbols(session, target, services, report);
  });
}

type Report = (name: BlockFileName, problem: string) => void;

/** Leaves a view for each table, an empty one where there is no file.
 * @returns whether all of them can be read */
async function openTables(
  session: SqlSession,
  { store, tenant, block }: BlockToVerify,
  onProblem: OnProblem,
): Promise<boolean> {
  let isReadable = true;
  for (const [name, { view, schema }] of Object.entries(TABLES) as [
    TableFile,
    (typeof TABLES)[TableFile],
  ][]) {
    const file = block.files[name];
    const key = blockKey(tenant, block.id, name);
    await session.run(`DROP VIEW IF EXISTS ${view}`);
    if (file === undefined) {
      const columns = Object.entries(schema).map(([column, type]) => `NULL::${type} AS ${column}`);
      await session.run(
        `CREATE TEMP VIEW ${view} AS SELECT ${columns.join(', ')}, 0 AS file_row_number WHERE false`,
      );
      continue;
    }
    try {
      const path = store.localPath(key)!;
      await checkParquetFormat(session, path, key);
      await session.run(
        `CREATE TEMP VIEW ${view} AS SELECT * FROM read_parquet(${quoted(path)}, file_row_number = true)`,
      );
      const { columns } = await session.select(
        `SELECT column_name AS name, lower(column_type) AS type FROM (DESCRIBE FROM read_parquet(${quoted(path)}))`,
        { name: 'varchar', type: 'varchar' },
      );
      const found = columns.name.map((column, i) => `${column} ${columns.type[i]}`).join(', ');
      const expected = Object.entries(schema)
        .map(([column, type]) => `${column} ${type}`)
        .join(', ');
      if (found !== expected)
        throw new HearthscopeError('data_loss', `its columns are ${found} in place of ${expected}`);
      const rows = await count(session, `SELECT 1 FROM ${view}`);
      if (rows !== file.rows) onProblem(key, `it has ${rows} rows, the manifest says ${file.rows}`);
    } catch (error) {
      onProblem(key, messageOf(error));
      isReadable = false;
    }
  }
  return isReadable;
}

async function checkTimes(session: SqlSession, block: BlockMeta, report: Report): Promise<void> {
  const { columns } = await session.select(
    `SELECT coalesce(min(time_nanos // 1000000), 0)::DOUBLE AS start_millis, coalesce(max(time_nanos // 1000000), 0)::DOUBLE AS end_millis FROM profiles`,
    { start_millis: 'double', end_millis: 'double' },
  );
  const start = columns.start_millis[0]!;
  const end = columns.end_millis[0]!;
  if (start !== block.startMillis || end !== block.endMillis) {
    report(
      'profiles.parquet',
      `its profiles start from ${start} to ${end}, the manifest says ${block.startMillis} to ${block.endMillis}`,
    );
  }
}

/** @returns the services */
async function checkSeries(session: SqlSession, report: Report): Promise<ReadonlySet<string>> {
  const { columns } = await session.select(
    `SELECT ${Object.keys(SERIES_SCHEMA).join(', ')} FROM series ORDER BY series`,
    SERIES_SCHEMA,
  );
  columns.labels.forEach((text, i) => {
    try {
      const labels = decodeLabels(text);
      const service = labelValue(labels, SERVICE_NAME_LABEL);
      const type = labelValue(labels, ProfileTypeLabels.profileType);
      if (service !== columns.service[i] || type !== columns.profile_type[i]) {
        report('series.parquet', `series ${i} is of another service or type than its labels say`);
      }
    } catch (error) {
      report('series.parquet', `series ${i}: ${messageOf(error)}`);
    }
  });
  return new Set(columns.service);
}

/** Whether all stacks of the tables have names, and their ids are those of their content. */
async function checkSymbols(
  session: SqlSession,
  { store, tenant, block }: BlockToVerify,
  services: ReadonlySet<string>,
  report: Report,
): Promise<void> {
  const file = block.files['symbols.bin'];
  if (file === undefined) return;
  const key = blockKey(tenant, block.id, 'symbols.bin');
  const read = (start: number, length: number) => store.getRange(key, start, length);
  try {
    const places = await readSymbolsDirectory(read, file.bytes);
    for (const service of services) {
      const place = places.get(service);
      if (place === undefined) {
        report('symbols.bin', `it has no symbols of service ${JSON.stringify(service)}`);
        continue;
      }
      const tables = newTables();
      const rows = finish(decodeSymbolSection(await readSymbolSection(read, place), tables));
      const wrong = wrongIds(tables, rows);
      if (wrong > 0)
        report('symbols.bin', `${wrong} stacks of ${JSON.stringify(service)} have ids of other stacks`);
      const nameless = await namelessStacks(session, block, service, tables);
      if (nameless > 0)
        report('symbols.bin', `${nameless} stacks of ${JSON.stringify(service)} are not in it`);
    }
  } catch (error) {
    if (!(error instanceof HearthscopeError) || error.code === 'unavailable') throw error;
    report('symbols.bin', error.message);
  }
}

function newTables(): SymbolTables {
  const budget = new MemoryBudget(Number.POSITIVE_INFINITY);
  const symbols = new SymbolTable(budget);
  return { symbols, stacks: new StackTable(symbols, budget) };
}

function wrongIds({ symbols, stacks }: SymbolTables, rows: Uint32Array): number {
  const again = new StackTable(symbols, new MemoryBudget(Number.POSITIVE_INFINITY));
  const nodes = stacks.node;
  let wrong = 0;
  for (const row of rows) {
    const locations: number[] = [];
    for (let node = nodes[row]!; node !== 0; node = symbols.nodes.get(node, NodeField.parent)) {
      locations.push(symbols.nodes.get(node, NodeField.location));
    }
    if (again.id(again.intern(Uint32Array.from(locations))) !== stacks.id(row)) wrong++;
  }
  return wrong;
}

/** How many stacks of the service's samples, or of their sums, the symbols lack. */
async function namelessStacks(
  session: SqlSession,
  block: BlockMeta,
  service: string,
  { stacks }: SymbolTables,
): Promise<number> {
  const parts = [
    block.files['samples.parquet'] &&
      'SELECT p.series, s.stack FROM samples s JOIN profiles p USING (profile)',
    block.files['samples-5m.parquet'] && 'SELECT series, stack FROM samples_5m',
    block.files['samples-1h.parquet'] && 'SELECT series, stack FROM samples_1h',
  ].filter((part) => part !== undefined);
  if (parts.length === 0) return 0;
  const { columns } = await session.select(
    `SELECT DISTINCT stack FROM (${parts.join(' UNION ALL ')}) SEMI JOIN (SELECT series FROM series WHERE service = ?) USING (series)`,
    { stack: 'ubigint' },
    [service],
  );
  const words = new Uint32Array(columns.stack.buffer);
  let nameless = 0;
  for (let i = 0; i < columns.stack.length; i++) {
    if (stacks.find(words[i * 2]!, words[i * 2 + 1]!) < 0) nameless++;
  }
  return nameless;
}

async function count(session: SqlSession, sql: string): Promise<number> {
  const { columns } = await session.select(`SELECT count(*)::DOUBLE AS rows FROM (${sql})`, {
    rows: 'double',
  });
  return columns.rows[0]!;
}

// SPDX-License-Identifier: Apache-2.0
//
// Writes the files of one block from temporary tables, and stores them. A block exists once a manifest names it; files of
// a block that never got that far are swept later.

import { createReadStream } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { objectKey } from '../object-store/object-key.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { quoted, type SqlSession } from '../sql/sql-engine.ts';
import {
  ATTRIBUTES_SCHEMA,
  type BlockContent,
  LINKS_SCHEMA,
  PROFILES_SCHEMA,
  SAMPLES_SCHEMA,
  SERIES_SCHEMA,
} from './block-tables.ts';
import type { BlockFile, BlockFileName, BlockMeta } from './manifest.ts';
import { STORE_PREFIX } from './manifest-store.ts';
import { FORMAT_METADATA } from './parquet-format.ts';
import type { SymbolsFileWriter } from './symbols-file.ts';
import { newUlid } from './ulid.ts';

const BLOCKS_FOLDER = 'blocks';
const NANOS_PER_HOUR = 3_600_000_000_000;
/** Small enough that a query of one pod reads little, large enough that columns compress. */
const ROW_GROUP_ROWS = 61_440;

export interface BlockTarget {
  readonly store: ObjectStore;
  readonly tenant: string;
  readonly level: number;
  /** Milliseconds since the Unix epoch; becomes a part of the block's id. */
  readonly nowMillis: number;
  /** Where files are made before they are stored; on the same file system as a local store. */
  readonly temporaryDirectory: string;
}

export function blockKey(tenant: string, block: string, file: BlockFileName): string {
  return objectKey(STORE_PREFIX, tenant, BLOCKS_FOLDER, block, file);
}

/** Everything below it are files of blocks. */
export function blocksPrefix(tenant: string): string {
  return `${objectKey(STORE_PREFIX, tenant, BLOCKS_FOLDER)}/`;
}

/** The tables that {@link storeBlock} expects, empty. */
export async function createBlockTables(session: SqlSession): Promise<void> {
  const create = (name: string, schema: Readonly<Record<string, string>>) =>
    session.run(
      `CREATE TEMP TABLE ${name} (${Object.entries(schema)
        .map(([column, type]) => `${column} ${type}`)
        .join(', ')})`,
    );
  await create('series', SERIES_SCHEMA);
  await create('profiles', PROFILES_SCHEMA);
  await create('samples', SAMPLES_SCHEMA);
  await create('links', LINKS_SCHEMA);
  await create('attributes', ATTRIBUTES_SCHEMA);
}

export async function fillBlockTables(session: SqlSession, content: BlockContent): Promise<void> {
  await session.append('series', SERIES_SCHEMA, content.series);
  await session.append('profiles', PROFILES_SCHEMA, content.profiles);
  await session.append('samples', SAMPLES_SCHEMA, content.samples);
  await session.append('links', LINKS_SCHEMA, content.links);
  await session.append('attributes', ATTRIBUTES_SCHEMA, content.attributes);
}

export interface StoreBlockOptions {
  /** Whether the samples are also summed by 5 minutes and by the hour. `as_given`: there are no samples any more, and the sums
   * are in the tables `samples_5m` and `samples_1h`, or in one of them. */
  readonly sums: 'none' | 'of_samples' | 'as_given';
}

/** Stores what the temporary tables hold as a block.
 * @returns what the manifest is to say of it
 * @throws HearthscopeError; what was stored is removed then, as far as possible */
export async function storeBlock(
  session: SqlSession,
  symbols: SymbolsFileWriter,
  target: BlockTarget,
  { sums }: StoreBlockOptions,
): Promise<BlockMeta> {
  const id = newUlid(target.nowMillis);
  const folder = join(target.temporaryDirectory, id);
  await mkdir(folder);
  const stored: BlockFileName[] = [];
  try {
    const files: Partial<Record<BlockFileName, BlockFile>> = {};
    const keep = async (name: BlockFileName, rows: number): Promise<void> => {
      const path = join(folder, name);
      files[name] = { bytes: (await stat(path)).size, crc32: await checksumOf(path), rows };
      stored.push(name);
      await target.store.putFile(blockKey(target.tenant, id, name), path);
    };
    const table = async (name: BlockFileName, select: string, mayBeEmpty = false): Promise<void> => {
      const path = join(folder, name);
      await session.run(`COPY (${select}) TO ${quoted(path)} (${PARQUET_OPTIONS})`);
      const rows = await countRows(session, path);
      if (rows > 0 || !mayBeEmpty) await keep(name, rows);
    };
    await table('series.parquet', 'FROM series ORDER BY series');
    await table('profiles.parquet', 'FROM profiles ORDER BY profile');
    if (sums !== 'as_given') await table('samples.parquet', ORDERED_SAMPLES);
    await table('links.parquet', 'FROM links ORDER BY link', true);
    await table('attributes.parquet', 'FROM attributes ORDER BY attributes', true);
    if (sums === 'of_samples') {
      await table('samples-5m.parquet', fiveMinuteSums(join(folder, 'samples.parquet')));
      await table(
        'samples-1h.parquet',
        hourSums(`read_parquet(${quoted(join(folder, 'samples-5m.parquet'))})`),
      );
    }
    if (sums === 'as_given') {
      for (const [name, given] of GIVEN_SUMS) {
        if (await hasTable(session, given)) await table(name, `FROM ${given} ORDER BY series, bucket, stack`);
      }
    }
    await writeFile(join(folder, 'symbols.bin'), symbols.finish());
    await keep('symbols.bin', 0);
    return {
      id,
      level: target.level,
      ...(await timesOf(session)),
      series: files['series.parquet']!.rows,
      profiles: files['profiles.parquet']!.rows,
      samples: files['samples.parquet']?.rows ?? (await countSamples(session)),
      files,
    };
  } catch (error) {
    for (const name of stored) {
      await target.store.delete(blockKey(target.tenant, id, name)).catch(() => undefined);
    }
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

// Bloom filters would be read by DuckDB from parts of a file that a range read did not fetch.
const PARQUET_OPTIONS = `FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE ${ROW_GROUP_ROWS}, WRITE_BLOOM_FILTER false, ${FORMAT_METADATA}`;

const ORDERED_SAMPLES = `
  SELECT s.* FROM samples s JOIN profiles p USING (profile)
  ORDER BY p.series, p.time_nanos // ${NANOS_PER_HOUR}, s.stack, s.profile`;

/** Sums of a series and stack by stretches of time; `bucket` is the number of the stretch since the Unix epoch. They are
 * made from the file just written, as the table may be a view that is costly to read again. */
function fiveMinuteSums(samples: string): string {
  return `
    SELECT p.series, (p.time_nanos // ${NANOS_PER_HOUR / 12})::UINTEGER AS bucket, s.stack, sum(s.value)::BIGINT AS value
    FROM read_parquet(${quoted(samples)}) s JOIN profiles p USING (profile)
    GROUP BY ALL ORDER BY p.series, bucket, s.stack`;
}

/** @param fiveMinutes a table, or a call of a table function */
export function hourSums(fiveMinutes: string): string {
  return `
    SELECT series, (bucket // 12)::UINTEGER AS bucket, stack, sum(value)::BIGINT AS value
    FROM ${fiveMinutes}
    GROUP BY ALL ORDER BY series, bucket, stack`;
}

async function timesOf(session: SqlSession): Promise<Pick<BlockMeta, 'startMillis' | 'endMillis'>> {
  const { columns } = await session.select(
    `SELECT coalesce(min(time_nanos // 1000000), 0)::DOUBLE AS start_millis,
       coalesce(max(time_nanos // 1000000), 0)::DOUBLE AS end_millis FROM profiles`,
    { start_millis: 'double', end_millis: 'double' },
  );
  return { startMillis: columns.start_millis[0]!, endMillis: columns.end_millis[0]! };
}

const GIVEN_SUMS = [
  ['samples-5m.parquet', 'samples_5m'],
  ['samples-1h.parquet', 'samples_1h'],
] as const;

async function hasTable(session: SqlSession, name: string): Promise<boolean> {
  const sql = 'SELECT 1::UINTEGER AS found FROM duckdb_tables() WHERE temporary AND table_name = ?';
  return (await session.select(sql, { found: 'uinteger' }, [name])).rows > 0;
}

/** The samples that profiles had, whether they are still there or not. */
async function countSamples(session: SqlSession): Promise<number> {
  const { columns } = await session.select(
    'SELECT coalesce(sum(samples), 0)::DOUBLE AS samples FROM profiles',
    { samples: 'double' },
  );
  return columns.samples[0]!;
}

async function countRows(session: SqlSession, path: string): Promise<number> {
  const { columns } = await session.select(
    `SELECT num_rows::DOUBLE AS rows FROM parquet_file_metadata(${quoted(path)})`,
    { rows: 'double' },
  );
  return columns.rows[0]!;
}

async function checksumOf(path: string): Promise<number> {
  let checksum = 0;
  for await (const bytes of createReadStream(path)) checksum = crc32(bytes as Buffer, checksum);
  return checksum;
}

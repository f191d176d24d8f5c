// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FormatError } from '@hearthscope/profile/errors';
import fc from 'fast-check';
import { quoted, SqlEngine } from '../sql/sql-engine.ts';
import { testDirectory } from '../testing/test-directory.ts';
import { footerBytes, type ParquetFooter, parseFooter, TRAILER_BYTES } from './parquet-footer.ts';

const GROUP_ROWS = 2048;
const GROUPS = 20;

async function table(context: TestContext, hasBloomFilters = false) {
  const directory = testDirectory(context);
  const temporaryDirectory = join(directory, 'tmp');
  mkdirSync(temporaryDirectory);
  const engine = await SqlEngine.open({
    memoryLimitBytes: 256_000_000,
    threads: 2,
    temporaryDirectory,
    directories: [directory],
    maxSessions: 2,
  });
  context.after(() => engine.close());
  const path = join(directory, 'whole.parquet');
  await engine.session((session) =>
    session.run(`COPY (
      SELECT (range // 100)::UINTEGER AS series, (range % 7 + 4000000000)::UINTEGER AS bucket, hash(range)::UBIGINT AS stack,
        (range * 13 % 1000 - 500)::BIGINT AS value, 'text ' || range AS name
      FROM range(${GROUP_ROWS * GROUPS - 17}) ORDER BY series, stack
    ) TO ${quoted(path)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE ${GROUP_ROWS}, WRITE_BLOOM_FILTER ${hasBloomFilters})`),
  );
  const file = readFileSync(path);
  return { engine, directory, path, file };
}

function footerOf(file: Buffer): { readonly bytes: Buffer; readonly start: number } {
  const length = footerBytes(file.subarray(file.length - TRAILER_BYTES), file.length);
  const start = file.length - TRAILER_BYTES - length;
  return { bytes: file.subarray(start, start + length), start };
}

/** The row groups at their places, zeros between them, and the footer that names them alone. */
function partOf(file: Buffer, footer: ParquetFooter, groups: readonly number[]): Buffer {
  const bytes = Buffer.alloc(footer.start);
  bytes.write('PAR1', 0, 'latin1');
  for (const i of groups) {
    const { start, bytes: length } = footer.groups[i]!;
    file.copy(bytes, start, start, start + length);
  }
  return Buffer.concat([bytes, footer.encode(groups)]);
}

test('a table of some row groups has their rows, and no others', async (context) => {
  const { engine, directory, path, file } = await table(context);
  const { bytes, start } = footerOf(file);
  const footer = parseFooter(bytes, start)!;
  assert.equal(footer.groups.length, GROUPS);
  const all = footer.groups.map((_, i) => i);
  assert.ok(footer.encode(all).equals(file.subarray(start)), 'all groups are the file itself');
  const query = (from: string, where: string) =>
    engine.session(async (session) => {
      const { columns } = await session.select(
        `SELECT count(*)::BIGINT AS rows, coalesce(sum(value), 0)::BIGINT AS value, coalesce(sum(stack // 7), 0)::DOUBLE AS stacks,
           count(DISTINCT name)::BIGINT AS names FROM read_parquet(${quoted(from)}) WHERE ${where}`,
        { rows: 'bigint', value: 'bigint', stacks: 'double', names: 'bigint' },
      );
      return Object.values(columns).map(([value]) => value);
    });
  let name = 0;
  for (const groups of [
    [],
    [0],
    [19],
    [3, 4, 5],
    [0, 7, 19],
    [1, 2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18],
  ]) {
    const part = join(directory, `part-${name++}.parquet`);
    writeFileSync(part, partOf(file, footer, groups));
    const rows = groups.reduce((sum, i) => sum + footer.groups[i]!.rows, 0);
    assert.equal((await query(part, 'true'))[0], BigInt(rows));
    // Groups are neighbours in the order of rows, so those of a whole group are a range of file_row_number.
    const ranges = groups.map((i) => {
      const first = footer.groups.slice(0, i).reduce((sum, group) => sum + group.rows, 0);
      return `file_row_number BETWEEN ${first} AND ${first + footer.groups[i]!.rows - 1}`;
    });
    const expected = await engine.session(async (session) => {
      const { columns } = await session.select(
        `SELECT count(*)::BIGINT AS rows, coalesce(sum(value), 0)::BIGINT AS value FROM read_parquet(${quoted(path)}, file_row_number = true)
         WHERE ${ranges.length === 0 ? 'false' : ranges.join(' OR ')}`,
        { rows: 'bigint', value: 'bigint' },
      );
      return [columns.rows[0], columns.value[0]];
    });
    assert.deepEqual((await query(part, 'true')).slice(0, 2), expected);
  }
  // What a question needs by the bounds of a column is enough to answer it.
  for (const series of [0, 57, 200, 409]) {
    const needed = all.filter((i) => {
      const { min, max } = footer.groups[i]!.bounds.get('series')!;
      return min <= series && series <= max;
    });
    assert.ok(needed.length > 0 && needed.length < 3);
    const part = join(directory, `series-${series}.parquet`);
    writeFileSync(part, partOf(file, footer, needed));
    assert.deepEqual(await query(part, `series = ${series}`), await query(path, `series = ${series}`));
  }
});

test('bounds are those that DuckDB sees, of unsigned numbers beyond 2^31 as well', async (context) => {
  const { engine, path, file } = await table(context);
  const { bytes, start } = footerOf(file);
  const footer = parseFooter(bytes, start)!;
  const { columns } = await engine.session((session) =>
    session.select(
      `SELECT row_group_id::BIGINT AS i, path_in_schema AS name, stats_min_value::DOUBLE AS low, stats_max_value::DOUBLE AS high
       FROM parquet_metadata(${quoted(path)}) WHERE path_in_schema IN ('series', 'bucket')`,
      { i: 'bigint', name: 'varchar', low: 'double', high: 'double' },
    ),
  );
  assert.equal(columns.i.length, 2 * GROUPS);
  columns.i.forEach((i, row) => {
    const bounds = footer.groups[Number(i)]!.bounds.get(columns.name[row]!);
    assert.deepEqual(bounds, { min: columns.low[row], max: columns.high[row] });
  });
  assert.equal(footer.groups[0]!.bounds.get('bucket')!.min, 4_000_000_000);
  assert.equal(footer.groups[0]!.bounds.has('stack'), false);
});

test('a table with Bloom filters, which lie outside of its row groups, is not taken apart', async (context) => {
  const { file } = await table(context, true);
  const { bytes, start } = footerOf(file);
  assert.equal(parseFooter(bytes, start), undefined);
});

test('a damaged footer is an error with its place, and never more', async (context) => {
  const { file } = await table(context);
  const { bytes, start } = footerOf(file);
  const parse = (damaged: Uint8Array) => {
    try {
      parseFooter(damaged, start);
    } catch (error) {
      assert.ok(error instanceof FormatError, String(error));
    }
  };
  for (let length = 0; length < bytes.length; length += 7) parse(bytes.subarray(0, length));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
      const damaged = Buffer.from(bytes);
      damaged[at] = value;
      parse(damaged);
    }),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), parse), { numRuns: 1000 });
  const trailer = Buffer.from(file.subarray(file.length - TRAILER_BYTES));
  assert.throws(() => footerBytes(trailer, 100), /do not fit/);
  trailer.write('PARX', 4, 'latin1');
  assert.throws(() => footerBytes(trailer, file.length), /does not end as Parquet/);
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MappingSet } from '../discovery/mapping-set.ts';
import { type FileTable, MAX_MAPPINGS, mappingColumns, tableState } from './mapping-columns.ts';

const region = (start: number, pages: number, fileOffset: number, inode: number, path: string) => ({
  start,
  limit: start + pages * 4096,
  fileOffset,
  device: 'fe:00',
  inode,
  path,
});

/** An executable whose code lies at 0x401000 in memory and at 0x1000 in the file, and a table from 0x400000 on. */
const loaded: FileTable = {
  table: 7,
  firstPage: 0x400,
  segments: [{ fileOffset: 0x1080, fileSize: 0x2000, address: 0x401080 }],
};

test('a mapping begins at its page of the table, wherever it lies in memory', () => {
  const mappings = MappingSet.of([region(0x7f0000000000, 3, 0x1000, 1, '/bin/x')]);
  const { columns, dropped } = mappingColumns(mappings, () => loaded);
  assert.equal(dropped, 0);
  assert.deepEqual([...columns.starts], [0x7f0000000000n]);
  assert.deepEqual([...columns.pageCounts], [3]);
  assert.deepEqual([...columns.tables], [7]);
  assert.deepEqual([...columns.firstPages], [1]);
});

test('code before the table has a negative page', () => {
  const mappings = MappingSet.of([region(0x10000, 1, 0x1000, 1, '/bin/x')]);
  const { columns } = mappingColumns(mappings, () => ({ ...loaded, firstPage: 0x402 }));
  assert.deepEqual([...columns.firstPages], [-1]);
});

test('neighbours without a file become one, those with a file do not', () => {
  const mappings = MappingSet.of([
    region(0x10000, 1, 0, 0, ''),
    region(0x11000, 2, 0, 0, '[anon:v8]'),
    region(0x14000, 1, 0, 0, ''),
    region(0x15000, 1, 0x1000, 1, '/bin/x'),
    region(0x16000, 1, 0x2000, 1, '/bin/x'),
  ]);
  const { columns } = mappingColumns(mappings, () => loaded);
  assert.deepEqual([...columns.starts], [0x10000n, 0x14000n, 0x15000n, 0x16000n]);
  assert.deepEqual([...columns.pageCounts], [3, 1, 1, 1]);
  assert.deepEqual([...columns.tables], [tableState.none, tableState.none, 7, 7]);
  assert.deepEqual([...columns.firstPages], [0, 0, 1, 2]);
});

test('the vdso has a table although it has no file', () => {
  const mappings = MappingSet.of([region(0x10000, 2, 0, 0, '[vdso]')]);
  const vdso = { table: 3, firstPage: 0, segments: [{ fileOffset: 0, fileSize: 0x1500, address: 0 }] };
  assert.deepEqual([...mappingColumns(mappings, () => vdso).columns.tables], [3]);
});

test('what the file does not call code has no table', () => {
  const mappings = MappingSet.of([region(0x10000, 1, 0x9000, 1, '/bin/x')]);
  const { columns } = mappingColumns(mappings, () => loaded);
  assert.deepEqual([...columns.tables], [tableState.withoutInformation]);
});

test('a table that is not built yet is passed on as such', () => {
  const mappings = MappingSet.of([region(0x10000, 1, 0x1000, 1, '/bin/x')]);
  const pending: FileTable = { table: tableState.notBuilt, firstPage: 0, segments: [] };
  assert.deepEqual([...mappingColumns(mappings, () => pending).columns.tables], [tableState.notBuilt]);
});

test('mappings beyond the limit are left out and counted', () => {
  const regions = Array.from({ length: MAX_MAPPINGS + 2 }, (_, i) => region(0x10000 * (i + 1), 1, 0, 0, ''));
  const { columns, dropped } = mappingColumns(MappingSet.of(regions), () => loaded);
  assert.equal(columns.starts.length, MAX_MAPPINGS);
  assert.equal(dropped, 2);
});

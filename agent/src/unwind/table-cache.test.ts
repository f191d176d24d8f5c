// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ElfFile } from '@hearthscope/profile/symbols/elf';
import { memoryAccess } from '@hearthscope/profile/symbols/random-access';
import { buildUnwindTable } from '@hearthscope/profile/unwind/build-unwind-table';
import type { UnwindTable } from '@hearthscope/profile/unwind/unwind-table';
import { TableCache } from './table-cache.ts';

function directory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'hearthscope-tables-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function tableOf(path: string): UnwindTable {
  return buildUnwindTable(new ElfFile(memoryAccess(readFileSync(path))))!.table;
}

function open(path: string, maxBytes = 1 << 30): { cache: TableCache; events: string[] } {
  const events: string[] = [];
  return { cache: TableCache.open(path, maxBytes, (event) => events.push(event))!, events };
}

test('a table comes back as it was, also for the next run', (context) => {
  const path = directory(context);
  const table = tableOf(process.execPath);
  const first = open(path);
  assert.equal(first.cache.get('node'), undefined);
  first.cache.set('node', table);
  const second = open(path);
  assert.deepEqual(second.cache.get('node'), table);
  assert.deepEqual([first.events, second.events], [['miss', 'written'], ['hit']]);
});

test('only the owner can read it', (context) => {
  const path = directory(context);
  chmodSync(path, 0o755);
  open(path).cache.set('sh', tableOf('/bin/sh'));
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(join(path, readdirSync(path)[0]!)).mode & 0o777, 0o600);
});

test('a flipped bit costs the entry and nothing else', (context) => {
  const path = directory(context);
  const { cache, events } = open(path);
  cache.set('sh', tableOf('/bin/sh'));
  const file = join(path, readdirSync(path)[0]!);
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 4;
  writeFileSync(file, bytes);
  assert.equal(cache.get('sh'), undefined);
  assert.deepEqual(events, ['written', 'damaged']);
  assert.deepEqual(readdirSync(path), []);
});

test('the least recently used goes first, and so does what an interrupted write left', (context) => {
  const path = directory(context);
  const table = tableOf('/bin/sh');
  open(path).cache.set('one', table);
  const oldest = join(path, readdirSync(path)[0]!);
  const bytes = statSync(oldest).size;
  utimesSync(oldest, 1, 1);
  writeFileSync(join(path, 'half-written'), 'x');
  const { cache, events } = open(path, 3 * bytes);
  assert.equal(readdirSync(path).length, 1);
  for (const name of ['two', 'three', 'four']) cache.set(name, table);
  assert.equal(cache.get('one'), undefined);
  assert.equal(events.includes('evicted'), true);
  assert.equal(readdirSync(path).length, 2);
});

test('an unusable directory is no cache', () => {
  assert.equal(
    TableCache.open('/dev/null/cache', 1 << 20, () => {}),
    undefined,
  );
});

test('a disk that takes nothing is counted', (context) => {
  const path = directory(context);
  const { cache, events } = open(path);
  rmSync(path, { recursive: true });
  cache.set('sh', tableOf('/bin/sh'));
  assert.deepEqual(events, ['write_failed']);
});

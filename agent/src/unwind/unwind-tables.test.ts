// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { NativeError, type ProcessMappings } from '@hearthscope/native';
import type { UnwindTable } from '@hearthscope/profile/unwind/unwind-table';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { MappingSet } from '../discovery/mapping-set.ts';
import { type Process, ProcessImage } from '../discovery/process-table.ts';
import { AgentMetrics } from '../metrics.ts';
import { tableState } from './mapping-columns.ts';
import type { UnwindAnswer } from './unwind-answer.ts';
import { UnwindTables } from './unwind-tables.ts';

const emptyTable: UnwindTable = {
  machine: 'x86-64',
  firstPage: 0,
  pageFirstRow: new Uint32Array(2),
  pageRule: new Uint16Array(1),
  rowOffset: new Uint16Array(0),
  rowRule: new Uint16Array(0),
  rules: new Uint8Array(0),
};

/** Stands for the kernel's side and for the worker: what they were told, and answers to be given. */
class World {
  readonly told: { pid: number; generation: number; tables: number[] }[] = [];
  readonly forgotten: number[] = [];
  readonly loaded = new Set<number>();
  readonly asked: string[] = [];
  /** By path. */
  readonly answers = new Map<string, UnwindAnswer>();
  maxTables = Number.POSITIVE_INFINITY;
  nowMillis = 0;
  #nextId = 1;
  readonly unwind = new UnwindTables(
    this,
    this,
    new AgentMetrics(new Registry(), pino({ level: 'silent' })),
    () => this.nowMillis,
  );

  addUnwindTable(): number {
    if (this.loaded.size >= this.maxTables) throw new NativeError('no room', 'ENOSPC');
    this.loaded.add(this.#nextId);
    return this.#nextId++;
  }

  removeUnwindTable(id: number): void {
    assert.equal(this.loaded.delete(id), true);
  }

  hasRoomForMappings = true;

  setProcessMappings(pid: number, _start: bigint, generation: number, mappings: ProcessMappings): void {
    if (!this.hasRoomForMappings) throw new NativeError('no room', 'ENOSPC');
    this.told.push({ pid, generation, tables: [...mappings.tables] });
  }

  forgetProcess(pid: number): void {
    this.forgotten.push(pid);
  }

  async unwindTable({ path }: { path: string }): Promise<UnwindAnswer> {
    this.asked.push(path);
    return this.answers.get(path) ?? file(path);
  }

  tablesOf(pid: number): number[] | undefined {
    return this.told.findLast((each) => each.pid === pid)?.tables;
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 4; i++) await turn();
  }
}

function file(content: string, identity = content): UnwindAnswer {
  const segments = [{ fileOffset: 0, fileSize: 0x10000, address: 0 }];
  return { identity, content, segments, table: emptyTable, failure: '', source: 'built' };
}

function processOf(pid: number): Process {
  return {
    pid,
    startTimeNanos: BigInt(pid),
    kernelThread: false,
    images: [],
    exitedInBatch: undefined,
    refreshedInBatch: -1,
    sampledInBatch: -1,
    former: undefined,
  };
}

function imageOf(generation: number, ...paths: string[]): ProcessImage {
  const regions = paths.map((path, i) => ({
    start: 0x10000 * (i + 1),
    limit: 0x10000 * (i + 1) + 0x1000,
    fileOffset: 0,
    device: 'fe:00',
    inode: path.length,
    path,
  }));
  const identity = { serviceName: 'x', source: 'executable' as const, attributes: [] };
  return new ProcessImage(
    { comm: 'x', exe: '/x', containerId: '', identity },
    generation,
    MappingSet.of(regions),
  );
}

test('a table is built when a stack leads there, once for all processes', async () => {
  const world = new World();
  const [one, two] = [processOf(1), processOf(2)];
  world.unwind.mappingsChanged(one, imageOf(0, '/bin/a', '/lib/c'));
  world.unwind.mappingsChanged(two, imageOf(5, '/lib/c'));
  assert.deepEqual(world.tablesOf(1), [tableState.notBuilt, tableState.notBuilt]);
  assert.deepEqual(world.asked, []);
  world.unwind.needed(one, 0x20010n);
  world.unwind.needed(one, 0x20020n);
  await world.settle();
  assert.deepEqual(world.asked, ['/lib/c']);
  assert.deepEqual(world.tablesOf(1), [tableState.notBuilt, 1]);
  assert.deepEqual(world.told.at(-1), { pid: 2, generation: 5, tables: [1] });
  const third = processOf(3);
  world.unwind.mappingsChanged(third, imageOf(0, '/lib/c'));
  assert.deepEqual(world.tablesOf(3), [1], 'known at first sight');
});

test('copies of a file share one table, which goes with the last of them', async () => {
  const world = new World();
  const [one, two] = [processOf(1), processOf(2)];
  world.answers.set('/a/libc', file('libc', 'inode 1'));
  world.answers.set('/bb/libc', file('libc', 'inode 2'));
  world.unwind.mappingsChanged(one, imageOf(0, '/a/libc'));
  world.unwind.mappingsChanged(two, imageOf(0, '/bb/libc'));
  world.unwind.needed(one, 0x10000n);
  await world.settle();
  world.unwind.needed(two, 0x10000n);
  await world.settle();
  assert.deepEqual([world.tablesOf(1), world.tablesOf(2)], [[1], [1]]);
  assert.equal(world.unwind.tables, 1);
});

test('a file without unwind information is told as such, and tried again later', async () => {
  const world = new World();
  const process = processOf(1);
  world.answers.set('/bin/a', { ...file('/bin/a'), table: undefined as never, failure: 'no_unwind_info' });
  world.unwind.mappingsChanged(process, imageOf(0, '/bin/a'));
  world.unwind.needed(process, 0x10000n);
  await world.settle();
  assert.deepEqual(world.tablesOf(1), [tableState.withoutInformation]);
  const next = processOf(2);
  world.unwind.mappingsChanged(next, imageOf(0, '/bin/a'));
  assert.deepEqual(world.tablesOf(2), [tableState.withoutInformation]);
  world.nowMillis += 61_000;
  world.answers.delete('/bin/a');
  const later = processOf(3);
  world.unwind.mappingsChanged(later, imageOf(0, '/bin/a'));
  assert.deepEqual(world.tablesOf(3), [tableState.notBuilt]);
  world.unwind.needed(later, 0x10000n);
  await world.settle();
  assert.deepEqual(world.tablesOf(1), [1]);
});

test('another file under the same name and inode is noticed for processes that start with it', async () => {
  const world = new World();
  const [before, after] = [processOf(1), processOf(2)];
  world.unwind.mappingsChanged(before, imageOf(0, '/lib/c'));
  world.unwind.needed(before, 0x10000n);
  await world.settle();
  world.nowMillis += 6000;
  world.answers.set('/lib/c', file('new contents', 'new inode'));
  world.unwind.mappingsChanged(after, imageOf(0, '/lib/c'));
  await world.settle();
  assert.deepEqual([world.tablesOf(1), world.tablesOf(2)], [[1], [2]]);
  world.unwind.forgotten(before);
  assert.deepEqual(world.forgotten, [1]);
});

test('without room the table that was not used for longest is given up, and asked for again', async () => {
  const world = new World();
  world.maxTables = 5;
  const process = processOf(1);
  const paths = ['/1', '/22', '/333', '/4444', '/55555', '/666666'];
  const image = imageOf(0, ...paths);
  world.unwind.mappingsChanged(process, image);
  for (const { start, file } of image.mappings) {
    world.nowMillis += 10;
    if (file.path === '/666666') {
      const first = image.mappings.find(0x10000)!;
      world.unwind.noteUse(process, first.file);
      world.nowMillis += 10;
    }
    world.unwind.needed(process, BigInt(start));
    await world.settle();
  }
  // The newest found no room; four others made it, but not the first, which was used.
  assert.deepEqual(world.tablesOf(1), [1, -2, -2, -2, -2, -2]);
  world.nowMillis += 10;
  world.unwind.needed(process, 0x60000n);
  await world.settle();
  assert.equal(world.tablesOf(1)![5], 6);
});

test('exec replaces everything that is known of a process', async () => {
  const world = new World();
  const process = processOf(1);
  world.unwind.mappingsChanged(process, imageOf(0, '/bin/sh'));
  world.unwind.needed(process, 0x10000n);
  await world.settle();
  world.unwind.mappingsChanged(process, imageOf(1, '/usr/bin/cc'));
  assert.deepEqual(world.told.at(-1), { pid: 1, generation: 1, tables: [tableState.notBuilt] });
});

test('a process whose mappings find no room costs nothing but its own stacks', async () => {
  const world = new World();
  const [one, two] = [processOf(1), processOf(2)];
  world.unwind.mappingsChanged(one, imageOf(0, '/bin/a'));
  world.unwind.needed(one, 0x10000n);
  await world.settle();
  world.nowMillis += 2000;
  world.hasRoomForMappings = false;
  world.unwind.mappingsChanged(two, imageOf(0, '/bin/bb'));
  assert.equal(world.tablesOf(2), undefined);
  assert.equal(world.unwind.tables, 0, 'room is made');
  world.hasRoomForMappings = true;
  world.unwind.mappingsChanged(two, imageOf(1, '/bin/bb'));
  assert.deepEqual(world.tablesOf(2), [tableState.notBuilt]);
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { ProcessEvent } from '@hearthscope/native';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { AgentMetrics } from '../metrics.ts';
import { DiskContainerNames } from './container.ts';
import { type ProcessImage, ProcessTable, type ProcessTableLimits } from './process-table.ts';
import { NANOS_PER_TICK, Procfs } from './procfs.ts';
import { CompiledServiceRules } from './service-name.ts';
import { ServiceResolver } from './service-resolver.ts';

function makeTable(limits?: ProcessTableLimits): {
  table: ProcessTable;
  failures: () => Promise<Record<string, number>>;
} {
  const logger = pino({ level: 'silent' });
  const metrics = new AgentMetrics(new Registry(), logger);
  const procfs = new Procfs();
  const rules = new CompiledServiceRules([]);
  const resolver = new ServiceResolver(procfs, rules, new DiskContainerNames('/nonexistent'), metrics);
  const failures = async (): Promise<Record<string, number>> => {
    const { values } = await metrics.discoveryFailures.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels.reason, value]));
  };
  return { table: new ProcessTable(procfs, resolver, metrics, logger, limits), failures };
}

/** No process has this pid, so that nothing but the event is known of it. */
const PID = 2 ** 22;

function event(over: Partial<ProcessEvent> & { paths?: [start: bigint, path: string][] }): ProcessEvent {
  const { paths = [[0x1000n, '/bin/first']], ...rest } = over;
  return {
    kind: 'first-seen',
    pid: PID,
    startTimeNanos: 1n,
    comm: 'first',
    kernelThread: false,
    generation: 0,
    address: 0n,
    snapshot: {
      exe: paths[0]?.[1] ?? '',
      cgroup: '0::/\n',
      mapsTruncated: false,
      mappings: paths.map(([start, path], index) => ({
        start,
        limit: start + 0x1000n,
        fileOffset: 0n,
        device: 'fe:00',
        inode: BigInt(index + 1),
        path,
      })),
    },
    ...rest,
  };
}

/** @param generation by default one that was never announced */
function imageOf(table: ProcessTable, comm: string, addresses: bigint[], generation = 1000): ProcessImage {
  const process = table.lookup(PID, 1n)!;
  return table.imageOf(process, generation, comm, BigUint64Array.from(addresses), 0, addresses.length);
}

describe('ProcessTable', () => {
  it('never mixes two processes of one pid', () => {
    const { table } = makeTable();
    table.apply([
      event({ startTimeNanos: 1n, paths: [[0x1000n, '/bin/old']] }),
      event({ kind: 'exit', startTimeNanos: 1n, snapshot: null }),
      event({ startTimeNanos: 2n, paths: [[0x1000n, '/bin/new']] }),
    ]);
    assert.equal(table.lookup(PID, 1n)?.images[0]?.exe, '/bin/old');
    assert.equal(table.lookup(PID, 2n)?.images[0]?.exe, '/bin/new');
    assert.equal(table.lookup(PID, 3n), undefined);
    table.endBatch();
    assert.notEqual(table.lookup(PID, 1n), undefined, 'a late sample may still come');
    table.endBatch();
    assert.equal(table.lookup(PID, 1n), undefined);
    assert.notEqual(table.lookup(PID, 2n), undefined);
  });

  it('takes the former owner of a pid for dead, when its exit was lost', () => {
    const { table } = makeTable();
    table.apply([
      event({ startTimeNanos: 1n }),
      event({ startTimeNanos: 2n }),
      event({ startTimeNanos: 3n }),
    ]);
    table.endBatch();
    table.endBatch();
    assert.deepEqual(
      [1n, 2n, 3n].map((start) => table.lookup(PID, start) !== undefined),
      [false, false, true],
    );
  });

  it('gives each sample the image of its generation', () => {
    const { table } = makeTable();
    table.apply([
      event({ comm: 'sh', paths: [[0x1000n, '/bin/sh']] }),
      event({ kind: 'exec', comm: 'cc1', generation: 1, paths: [[0x1000n, '/bin/cc1']] }),
      event({ kind: 'exec', comm: 'as', generation: 0x1_0002, paths: [[0x1000n, '/bin/as']] }),
    ]);
    assert.equal(imageOf(table, 'cc1', [0x1000n], 0).exe, '/bin/sh', 'whatever the thread is called');
    assert.equal(imageOf(table, 'sh', [0x1000n], 1).exe, '/bin/cc1');
    assert.equal(imageOf(table, 'sh', [0x1000n], 2).exe, '/bin/as', 'by the low bits');
  });

  it('takes the image that fits best when the announcement was lost', () => {
    const { table } = makeTable();
    table.apply([
      event({ comm: 'sh', paths: [[0x1000n, '/bin/sh']] }),
      event({
        kind: 'exec',
        comm: 'cc1',
        generation: 1,
        paths: [
          [0x1000n, '/bin/cc1'],
          [0x9000n, '/lib/x'],
        ],
      }),
    ]);
    assert.equal(imageOf(table, 'cc1', [0x1000n]).exe, '/bin/cc1');
    assert.equal(imageOf(table, 'sh', [0x1000n]).exe, '/bin/sh', 'by comm');
    assert.equal(imageOf(table, 'sh', [0x1000n, 0x9000n]).exe, '/bin/cc1', 'more hits');
    assert.equal(imageOf(table, 'thread', [0x1000n]).exe, '/bin/cc1', 'the newest of equals');
  });

  it('bounds the images of an exec chain', async () => {
    const { table, failures } = makeTable();
    table.apply([event({})]);
    for (let i = 1; i <= 40; i++) {
      table.apply([event({ kind: 'exec', generation: i, paths: [[0x1000n, `/bin/${i}`]] })]);
    }
    const process = table.lookup(PID, 1n)!;
    assert.deepEqual([process.images.length, process.images[0]!.exe], [32, '/bin/9']);
    assert.equal((await failures()).too_many_images, 9);
  });

  it('forgets an image when no sample of it can come any more', () => {
    const { table } = makeTable();
    table.apply([event({}), event({ kind: 'exec', generation: 1 })]);
    for (const images of [2, 2, 1]) {
      assert.equal(table.lookup(PID, 1n)!.images.length, images);
      table.endBatch();
    }
  });

  it('tells a library from another that took its place', () => {
    const { table } = makeTable();
    const library = (path: string): [bigint, string][] => [
      [0x1000n, '/bin/a'],
      [0x5000n, path],
    ];
    table.apply([
      event({ paths: [[0x1000n, '/bin/a']] }),
      event({ kind: 'mapped', generation: 1, paths: library('/lib/one') }),
      event({ kind: 'mapped', generation: 2, paths: library('/lib/two') }),
    ]);
    const pathOf = (generation: number) =>
      imageOf(table, 'first', [0x5000n], generation).mappings.find(0x5000)?.file.path;
    assert.deepEqual([0, 1, 2].map(pathOf), [undefined, '/lib/one', '/lib/two']);
    const { images } = table.lookup(PID, 1n)!;
    assert.equal(new Set(images.map(({ program }) => program)).size, 1, 'one program');
  });

  it('keeps what was unmapped for samples of just before', () => {
    const { table } = makeTable();
    table.apply([
      event({
        paths: [
          [0x1000n, '/bin/a'],
          [0x5000n, '/lib/plugin'],
        ],
      }),
      event({ kind: 'mapped', generation: 1, paths: [[0x1000n, '/bin/a']] }),
    ]);
    assert.equal(imageOf(table, 'first', [0x5000n], 1).mappings.find(0x5000)?.file.path, '/lib/plugin');
  });

  it('says what changes in the mappings of a process', () => {
    const { table } = makeTable();
    const told: string[] = [];
    table.observe({
      mappingsChanged: ({ pid }, { generation }) => told.push(`${pid - PID} at ${generation}`),
      forgotten: ({ pid }) => told.push(`${pid - PID} forgotten`),
    });
    table.apply([
      event({}),
      event({ pid: PID + 1, kernelThread: true, snapshot: null }),
      event({ kind: 'mapped', generation: 1 }),
      event({ kind: 'exit', snapshot: null }),
    ]);
    table.endBatch();
    assert.deepEqual(told, ['0 at 0', '0 at 1']);
    table.endBatch();
    assert.deepEqual(told, ['0 at 0', '0 at 1', '0 forgotten']);
  });

  it('forgets the process that was not sampled for longest when full', async () => {
    const { table, failures } = makeTable({ maxProcesses: 2, maxRefreshesPerBatch: 1 });
    table.apply([event({ pid: PID }), event({ pid: PID + 1 })]);
    table.lookup(PID, 1n);
    table.apply([event({ pid: PID + 2 })]);
    assert.equal(table.size, 2);
    assert.notEqual(table.lookup(PID, 1n), undefined);
    assert.equal(table.lookup(PID + 1, 1n), undefined);
    assert.equal((await failures()).table_full, 1);
  });

  it('is bounded under a storm of short processes', () => {
    const { table } = makeTable();
    for (let batch = 0; batch < 20; batch++) {
      for (let i = 0; i < 500; i++) {
        const startTimeNanos = BigInt(batch * 500 + i + 1);
        const pid = PID + (Number(startTimeNanos) % 700);
        table.apply([
          event({ pid, startTimeNanos }),
          event({ kind: 'exit', pid, startTimeNanos, snapshot: null }),
        ]);
      }
      table.endBatch();
    }
    table.endBatch();
    assert.equal(table.size, 0);
  });

  it('counts a missing snapshot and still names the process', async () => {
    const { table, failures } = makeTable();
    table.apply([event({ comm: 'flash', snapshot: null })]);
    await table.settleIdentities(5000);
    assert.equal(table.lookup(PID, 1n)?.images[0]?.identity.serviceName, 'flash');
    assert.equal((await failures()).snapshot_missing, 1);
    assert.equal((await failures()).environment_unreadable, 1);
  });

  it('names kernel threads without reading anything', async () => {
    const { table, failures } = makeTable();
    table.apply([event({ comm: 'kworker/0:1', kernelThread: true, snapshot: null })]);
    assert.equal(table.lookup(PID, 1n)?.images[0]?.identity.serviceName, 'kernel');
    assert.deepEqual(await failures(), {});
  });

  it('adopts, refreshes and identifies a living process, unless the pid is another one’s', async () => {
    const { table, failures } = makeTable();
    const child = spawn('/bin/sleep', ['60'], { env: { OTEL_SERVICE_NAME: 'sleeper' } });
    try {
      await once(child, 'spawn');
      const pid = child.pid!;
      const start = (await new Procfs().startTicks(pid)) * NANOS_PER_TICK + 1234n;
      const process = await table.adopt(pid, start, 'sleep', false);
      await table.settleIdentities(5000);
      assert.equal(process.images[0]!.identity.serviceName, 'sleeper');
      assert.ok(process.images[0]!.mappings.length > 0);
      assert.equal((await failures()).unannounced, 1);
      assert.equal(await table.refresh(process), true);
      assert.equal(await table.refresh(process), false, 'once per batch');
      table.endBatch();

      table.apply([event({ pid, startTimeNanos: start + NANOS_PER_TICK })]);
      await table.settleIdentities(5000);
      const other = table.lookup(pid, start + NANOS_PER_TICK)!;
      assert.equal(
        other.images[0]!.identity.serviceName,
        'first',
        'not from the environment of the pid’s owner',
      );
      assert.equal(await table.refresh(other), false);
      assert.ok((await failures()).pid_reused! >= 2);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

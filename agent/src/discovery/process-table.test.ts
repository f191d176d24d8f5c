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
import { ProcessTable, type ProcessTableLimits } from './process-table.ts';
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

function imagePath(
  table: ProcessTable,
  startTimeNanos: bigint,
  comm: string,
  addresses: bigint[],
): string | undefined {
  const process = table.lookup(PID, startTimeNanos)!;
  return table.imageOf(process, comm, BigUint64Array.from(addresses), 0, addresses.length).exe;
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

  it('keeps the image before an exec for the samples of before', () => {
    const { table } = makeTable();
    table.apply([
      event({ comm: 'sh', paths: [[0x1000n, '/bin/sh']] }),
      event({
        kind: 'exec',
        comm: 'cc1',
        paths: [
          [0x1000n, '/bin/cc1'],
          [0x9000n, '/lib/x'],
        ],
      }),
    ]);
    assert.equal(imagePath(table, 1n, 'cc1', [0x1000n]), '/bin/cc1');
    assert.equal(imagePath(table, 1n, 'sh', [0x1000n]), '/bin/sh', 'by comm');
    assert.equal(imagePath(table, 1n, 'sh', [0x1000n, 0x9000n]), '/bin/cc1', 'more hits');
    assert.equal(imagePath(table, 1n, 'thread', [0x1000n]), '/bin/cc1', 'the newest of equals');
  });

  it('bounds the images of an exec chain', async () => {
    const { table, failures } = makeTable();
    table.apply([event({})]);
    for (let i = 0; i < 10; i++) table.apply([event({ kind: 'exec', paths: [[0x1000n, `/bin/${i}`]] })]);
    const process = table.lookup(PID, 1n)!;
    assert.deepEqual(
      process.images.map(({ exe }) => exe),
      ['/bin/6', '/bin/7', '/bin/8', '/bin/9'],
    );
    assert.equal((await failures()).exec_chain, 7);
  });

  it('adds mappings that appeared later to the same image', () => {
    const { table } = makeTable();
    table.apply([event({ paths: [[0x1000n, '/bin/a']] })]);
    table.apply([
      event({
        kind: 'mapped',
        paths: [
          [0x1000n, '/bin/a'],
          [0x5000n, '/lib/plugin'],
        ],
      }),
    ]);
    const { images } = table.lookup(PID, 1n)!;
    assert.equal(images.length, 1);
    assert.equal(images[0]!.mappings.find(0x5000)?.file.path, '/lib/plugin');
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

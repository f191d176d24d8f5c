// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { buildStackTree, stackSums } from '@hearthscope/profile/stack-tree';
import { Registry } from 'prom-client';
import { startServer } from '../server.ts';
import {
  exportOverHttp,
  exportRequest,
  query,
  serverOptions,
  TestDirectory,
} from '../testing/server-fixture.ts';
import { KEEP_FOR_EVER } from './blocks/block-limits.ts';
import { LocalStore } from './local-store.ts';
import { ballast, NO_SMALL_DISK, smallDisk } from './testing/small-disk.ts';
import { ALL_TIME, AT_ONCE, RecordingLog, SyntheticProfiles } from './testing/stored-profile.ts';

const options = { skip: NO_SMALL_DISK ?? false };
const EVERYTHING = { ...ALL_TIME, alternatives: [] };
const MIB = 1024 * 1024;

interface Opened {
  readonly store: LocalStore;
  readonly registry: Registry;
  readonly states: (string | undefined)[];
}

async function openStore(dataDir: string, minFreeBytes: number): Promise<Opened> {
  const registry = new Registry();
  const states: (string | undefined)[] = [];
  const store = await LocalStore.open({
    dataDir,
    headMaxBytes: 1 << 29,
    walLimits: { retryMillis: 20, minFreeBytes: MIB },
    blockLimits: {
      minFreeBytes,
      checkMillis: 20,
      maintenanceMillis: 50,
      tombstoneMillis: 0,
      retention: { defaults: KEEP_FOR_EVER, overrides: {} },
    },
    onStateChange: (state) => states.push(state),
    registry,
    log: new RecordingLog(),
  });
  return { store, registry, states };
}

async function metric(registry: Registry, name: string): Promise<number> {
  const values = (await registry.getSingleMetric(name)!.get()).values;
  return values.reduce((sum, { value }) => sum + value, 0);
}

async function eventually<Result>(what: string, ask: () => Promise<Result | undefined>): Promise<Result> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const result = await ask().catch(() => undefined);
    if (result !== undefined) return result;
    await sleep(20);
  }
  return assert.fail(what);
}

/** The times of all stored profiles, each of which the tests use once, and the sum of all samples. */
async function stored(store: LocalStore): Promise<{ times: number[]; sum: bigint }> {
  const totals = await store.totals('a', EVERYTHING);
  const merged = await store.mergeStacks('a', EVERYTHING, {}, AT_ONCE);
  return {
    times: totals.flatMap(({ timeUnixMillis }) => [...timeUnixMillis]).sort((a, b) => a - b),
    sum: merged === undefined ? 0n : buildStackTree(stackSums(merged)).total[0]!,
  };
}

test(
  'a full disk stops storing alone: questions are answered, and nothing acknowledged is lost',
  options,
  async (t: TestContext) => {
    const disk = smallDisk(t, 7);
    const heavy = ballast(disk, 4);
    const dataDir = join(disk, 'data');
    const supply = new SyntheticProfiles({ stacks: 20_000, depth: 8, samplesPerProfile: 400 }, 7);
    const opened = await openStore(dataDir, 0);
    const { store, registry, states } = opened;
    t.after(() => store.close().catch(() => undefined));
    const acknowledged: number[] = [];
    let sum = 0n;
    let refusal: unknown;
    for (let time = 1; refusal === undefined && time < 2000; time++) {
      const profile = supply.next(time);
      await store.append('a', [profile]).then(
        () => {
          acknowledged.push(time);
          for (const value of profile.profile.samples.values[0]!) sum += value;
        },
        (error: unknown) => {
          refusal = error;
        },
      );
      // Blocks are written to the same disk meanwhile.
      if (time % 10 === 0) await store.flush();
    }
    assert.ok(refusal instanceof HearthscopeError && refusal.code === 'unavailable', String(refusal));
    assert.match(refusal.message, /ENOSPC/);
    assert.equal(states.at(-1), refusal.message);
    assert.ok((await metric(registry, 'hearthscope_wal_failures_total')) > 0);
    assert.ok(acknowledged.length > 10);
    await store.flush();
    assert.deepEqual(await stored(store), { times: acknowledged, sum });

    // Once there is space, all goes on by itself.
    rmSync(heavy);
    const last = acknowledged.at(-1)! + 10_000;
    await eventually('profiles are stored again', async () => {
      await store.append('a', [supply.next(last)]);
      return true;
    });
    acknowledged.push(last);
    await eventually('the head is in blocks', async () => {
      await store.flush();
      const cuts = await metric(registry, 'hearthscope_head_cuts_total');
      return cuts > 0 && (await metric(registry, 'hearthscope_head_profiles')) === 0 ? true : undefined;
    });
    assert.deepEqual((await stored(store)).times, acknowledged);
    await store.maintain();
    assert.deepEqual((await stored(store)).times, acknowledged);
    await store.close();
    const again = await openStore(dataDir, 0);
    assert.deepEqual((await stored(again.store)).times, acknowledged);
    await again.store.close();
  },
);

test(
  'storing stops before the disk is full, so that the head still becomes blocks',
  options,
  async (t: TestContext) => {
    const disk = smallDisk(t, 32);
    const supply = new SyntheticProfiles({ stacks: 100, depth: 5, samplesPerProfile: 100 }, 7);
    const { store, registry, states } = await openStore(join(disk, 'data'), 16 * MIB);
    t.after(() => store.close().catch(() => undefined));
    await store.append('a', [supply.next(1)]);
    const heavy = ballast(disk, 20);
    const refusal = await eventually('profiles are refused', async () =>
      store.append('a', [supply.next(2)]).then(
        () => undefined,
        (error: HearthscopeError) => error,
      ),
    ).catch((error) => error);
    assert.equal(refusal.code, 'unavailable');
    assert.match(refusal.message, /nearly full/);
    assert.match(states.at(-1)!, /nearly full/);
    assert.equal(await metric(registry, 'hearthscope_disk_full'), 1);
    await store.flush();
    assert.equal(await metric(registry, 'hearthscope_head_profiles'), 0);
    assert.ok((await stored(store)).times.length >= 1);
    rmSync(heavy);
    await eventually('profiles are stored again', async () => {
      await store.append('a', [supply.next(3)]);
      return true;
    });
    assert.equal(states.at(-1), undefined);
    assert.equal(await metric(registry, 'hearthscope_disk_full'), 0);
    await store.close();
  },
);

test('senders are told 503, and questions are answered', options, async (t: TestContext) => {
  const disk = smallDisk(t, 32);
  using directory = new TestDirectory();
  // Less is free than the default wants.
  const server = await startServer(serverOptions(directory, { dataDir: join(disk, 'data') }));
  t.after(() => server.stop());
  const refused = await exportOverHttp(server.httpPort, exportRequest('api', 1));
  assert.equal(refused.status, 503);
  await refused.arrayBuffer();
  const ready = await fetch(`http://127.0.0.1:${server.httpPort}/ready`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /nearly full/);
  const answer = await query(server.httpPort, 'LabelNames', { start: 1, end: Date.now() });
  assert.ok(typeof answer === 'object' && answer !== null && !('code' in answer), JSON.stringify(answer));
  const metrics = await (await fetch(`http://127.0.0.1:${server.httpPort}/metrics`)).text();
  assert.match(metrics, /^hearthscope_disk_full 1$/m);
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { extname } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { buildStackTree, stackSums } from '@hearthscope/profile/stack-tree';
import { arbitraryProfile } from '@hearthscope/profile/testing/arbitrary-profile';
import { canonicalProfile } from '@hearthscope/profile/testing/canonical-profile';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { KEEP_FOR_EVER } from './blocks/block-limits.ts';
import { LocalStore } from './local-store.ts';
import { startChildProgram } from './testing/child-program.ts';
import {
  ALL_TIME,
  AT_ONCE,
  CPU_TYPE,
  RecordingLog,
  SyntheticProfiles,
  seriesLabels,
  storedProfile,
} from './testing/stored-profile.ts';
import { testDirectory } from './testing/test-directory.ts';

const EVERYTHING = { ...ALL_TIME, alternatives: [] };
const KILLS = process.env.HEARTHSCOPE_TEST_FULL === undefined ? 20 : 200;

function openStore(dataDir: string, headMaxBytes = 1 << 30, log = new RecordingLog()): Promise<LocalStore> {
  return LocalStore.open({
    dataDir,
    headMaxBytes,
    // Tests use times of long ago.
    blockLimits: { retention: { defaults: KEEP_FOR_EVER, overrides: {} } },
    onStateChange: () => undefined,
    registry: new Registry(),
    log,
  });
}

async function contents(store: LocalStore): Promise<unknown> {
  const merged = await store.mergeStacks('a', EVERYTHING, {}, AT_ONCE);
  const totals = await store.totals('a', EVERYTHING);
  return {
    samples: merged === undefined ? [] : canonicalProfile(merged).samples,
    series: await store.series('a', EVERYTHING),
    totals: totals.map(({ labels, timeUnixMillis, total, profileId }) => ({
      labels,
      timeUnixMillis,
      total,
      ids: Array.from(total, (_, i) => profileId(i)),
    })),
    size: await store.size('a', EVERYTHING),
    stats: await store.stats('a'),
  };
}

test('a store that is opened again holds what it held', async (t) => {
  const stored = fc.tuple(
    fc.constantFrom('web', 'db'),
    arbitraryProfile({ sampleTypes: { min: 1, max: 1 } }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(stored, { maxLength: 6 }), async (profiles) => {
      const dataDir = testDirectory(t);
      const first = await openStore(dataDir);
      for (const [service, profile] of profiles) {
        await first.append('a', [{ labels: seriesLabels(service, CPU_TYPE), profile }]);
      }
      const before = await contents(first);
      await first.close();
      const second = await openStore(dataDir);
      assert.deepEqual(await contents(second), before);
      await second.close();
    }),
    { numRuns: 30 },
  );
});

test('a full head refuses the request as a whole, before anything is written', async (t) => {
  const dataDir = testDirectory(t);
  const supply = new SyntheticProfiles({ stacks: 1000, depth: 10, samplesPerProfile: 300 }, 3);
  const store = await openStore(dataDir, 1_500_000);
  const isFull = (error: unknown) =>
    error instanceof HearthscopeError &&
    error.code === 'unavailable' &&
    /the head is full/.test(error.message);
  let stored = 0;
  for (let full = false; !full; ) {
    await store.append('a', [supply.next(1), supply.next(1)]).then(
      () => {
        stored += 2;
      },
      (error) => {
        assert.ok(isFull(error), String(error));
        full = true;
      },
    );
  }
  assert.ok(stored > 0);
  assert.equal((await store.stats('a')).profiles, stored);
  await store.close();

  // What was acknowledged comes back even when it is more than the limit is now.
  const log = new RecordingLog();
  const smaller = await openStore(dataDir, 100_000, log);
  assert.equal((await smaller.stats('a')).profiles, stored);
  assert.equal(log.messages('warn').length, 1);
  await assert.rejects(smaller.append('a', [supply.next(1)]), isFull);
  await smaller.close();
});

test('a profile that cannot be written takes its request with it, and no memory', async (t) => {
  const store = await openStore(testDirectory(t));
  const good = storedProfile('main 1');
  const bad = { ...good, profile: { ...good.profile, id: 'not hex' } };
  await assert.rejects(store.append('a', [good, bad]), /is not 32 hex digits/);
  assert.equal((await store.stats('a')).profiles, 0);
  await store.append('a', [good]);
  assert.equal((await store.stats('a')).profiles, 1);
  await store.close();
});

test('a data directory has one store', async (t) => {
  const dataDir = testDirectory(t);
  const store = await openStore(dataDir);
  await assert.rejects(openStore(dataDir), /in use by another process/);
  await store.close();
  await (await openStore(dataDir)).close();
});

const INGEST = new URL(`./testing/ingest-forever${extname(import.meta.url)}`, import.meta.url);

/** Lets a process store profiles, kills it at a random moment, and returns what it had acknowledged. */
async function killedIngest(t: TestContext, dataDir: string, first: number): Promise<number[]> {
  const child = startChildProgram(INGEST, [dataDir, String(first)]);
  t.after(() => child.process.kill('SIGKILL'));
  assert.equal((await child.lines.next()).value, 'started');
  const acknowledged: number[] = [];
  const reading = (async () => {
    for (let line = await child.lines.next(); !line.done; line = await child.lines.next()) {
      acknowledged.push(...line.value.split(' ').map(Number));
    }
  })();
  await sleep(20 + Math.random() * 500);
  child.process.kill('SIGKILL');
  const { code, signal, stderr } = await child.ended;
  assert.deepEqual({ code, signal, stderr }, { code: null, signal: 'SIGKILL', stderr: '' });
  await reading;
  return acknowledged;
}

test(`after SIGKILL at ${KILLS} random moments everything acknowledged is there, and nothing twice`, async (t) => {
  const dataDir = testDirectory(t);
  const acknowledged = new Set<number>();
  for (let kill = 0; kill < KILLS; kill++) {
    for (const number of await killedIngest(t, dataDir, kill * 1_000_000 + 1)) acknowledged.add(number);
  }
  const log = new RecordingLog();
  const store = await openStore(dataDir, 1 << 30, log);
  const recovered = (await store.totals('a', EVERYTHING)).flatMap(({ timeUnixMillis }) => [
    ...timeUnixMillis,
  ]);
  assert.equal(new Set(recovered).size, recovered.length, 'nothing twice');
  const lost = [...acknowledged].filter((number) => !recovered.includes(number));
  assert.deepEqual(lost, []);
  assert.ok(acknowledged.size > KILLS, `${acknowledged.size} profiles were acknowledged`);
  const tree = buildStackTree(stackSums((await store.mergeStacks('a', EVERYTHING, {}, AT_ONCE))!));
  assert.equal(
    tree.total[0],
    recovered.reduce((sum, number) => sum + BigInt(number), 0n),
  );
  assert.deepEqual(log.messages('error'), []);
  await store.close();
  t.diagnostic(`${acknowledged.size} acknowledged, ${recovered.length} recovered`);
});

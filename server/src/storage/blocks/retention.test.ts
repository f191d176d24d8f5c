// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { Registry } from 'prom-client';
import { LocalStore } from '../local-store.ts';
import { BlockFixture, TENANT } from '../testing/block-fixture.ts';
import { RecordingLog, storedProfile } from '../testing/stored-profile.ts';
import { testDirectory } from '../testing/test-directory.ts';
import { KEEP_FOR_EVER } from './block-limits.ts';
import { bytesOf } from './manifest.ts';
import { type BlockRetention, blockRetention, CATCH_UP, retentionConfig } from './retention.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A block of each of some days. */
async function days(t: Parameters<typeof BlockFixture.open>[0], retention: BlockRetention, count = 5) {
  const fixture = await BlockFixture.open(t, { maintenance: { retentionOf: () => retention } });
  for (let day = 0; day < count; day++) {
    fixture.clock.now = day * DAY + 2 * HOUR;
    await fixture.flush([
      storedProfile(`main;f${day} ${10 ** day}`, { timeMillis: day * DAY + HOUR + 1000 }),
    ]);
  }
  return fixture;
}

/** Lets time pass, as the clock of the machine and every other clock see it. */
function pass({ clock }: BlockFixture, millis: number): void {
  clock.now += millis;
  clock.monotonic += millis;
}

function filesOf({ blocks }: BlockFixture): string[] {
  return blocks.manifest(TENANT)!.blocks.map(({ files }) => Object.keys(files).sort().join(' '));
}

test('the keys of a tenant say how long what is kept', () => {
  assert.deepEqual(blockRetention(tenantLimits({})), {
    samplesMillis: 31 * DAY,
    fiveMinutesMillis: 31 * DAY,
    hoursMillis: 31 * DAY,
    maxBytes: 0,
  });
  const limits = tenantLimits({
    retentionPeriodMillis: 10 * DAY,
    rawRetentionMillis: DAY,
    maxStoredBytes: 5,
  });
  const expected = { samplesMillis: DAY, fiveMinutesMillis: 10 * DAY, hoursMillis: 10 * DAY, maxBytes: 5 };
  assert.deepEqual(blockRetention(limits), expected);
  // What is to be kept for ever still loses its samples, and no level outlives the whole.
  assert.equal(
    blockRetention(tenantLimits({ retentionPeriodMillis: 0, rawRetentionMillis: DAY })).samplesMillis,
    DAY,
  );
  assert.equal(
    blockRetention(tenantLimits({ retentionPeriodMillis: DAY, rawRetentionMillis: 5 * DAY })).samplesMillis,
    DAY,
  );
  assert.deepEqual(retentionConfig({ defaults: tenantLimits({}), overrides: { a: limits } }).overrides, {
    a: expected,
  });
});

test('samples go first, then their sums by 5 minutes, then everything', async (t) => {
  const fixture = await days(
    t,
    { samplesMillis: 2 * DAY, fiveMinutesMillis: 3 * DAY, hoursMillis: 4 * DAY, maxBytes: 0 },
    1,
  );
  pass(fixture, DAY);
  await fixture.maintenance.run();
  const all =
    'profiles.parquet samples-1h.parquet samples-5m.parquet samples.parquet series.parquet symbols.bin';
  const expected = ['main;f0 1'];
  assert.deepEqual(filesOf(fixture), [all]);
  assert.deepEqual(await fixture.folded(), expected);
  pass(fixture, DAY);
  await fixture.maintenance.run();
  assert.deepEqual(filesOf(fixture), [all.replace(' samples.parquet', '')]);
  assert.deepEqual(await fixture.folded(), expected);
  pass(fixture, DAY);
  await fixture.maintenance.run();
  assert.deepEqual(filesOf(fixture), [all.replace(' samples-5m.parquet samples.parquet', '')]);
  assert.deepEqual(await fixture.folded(), expected);
  pass(fixture, DAY);
  await fixture.maintenance.run();
  assert.deepEqual(filesOf(fixture), []);
  assert.deepEqual(await fixture.folded(), []);
  // The files themselves go with the tombstones.
  pass(fixture, DAY);
  await fixture.maintenance.run();
  const left: string[] = [];
  for await (const name of fixture.store.folders(`v1/${TENANT}/blocks/`)) left.push(name);
  assert.deepEqual(left, []);
});

test('beyond a number of bytes the oldest blocks go, at once', async (t) => {
  let maxBytes = 0;
  const retention = { ...KEEP_FOR_EVER };
  const fixture = await BlockFixture.open(t, {
    maintenance: { retentionOf: () => ({ ...retention, maxBytes }) },
  });
  for (let day = 0; day < 4; day++) {
    await fixture.flush([storedProfile('main 1', { timeMillis: day * DAY })]);
  }
  const { blocks } = fixture.blocks.manifest(TENANT)!;
  maxBytes = bytesOf(blocks[2]!) + bytesOf(blocks[3]!);
  assert.equal((await fixture.maintenance.run()).expired, 2);
  assert.deepEqual(await fixture.times(), [2 * DAY, 3 * DAY]);
});

test('a clock that jumps a year ahead does not take a month of data with it', async (t) => {
  const retention = { ...KEEP_FOR_EVER, hoursMillis: 30 * DAY };
  const fixture = await days(t, retention);
  await fixture.maintenance.run();
  const before = await fixture.folded();
  assert.equal(before.length, 5);
  const right = fixture.clock.now;
  fixture.clock.now += 365 * DAY;
  const { expired, clockLagMillis } = await fixture.maintenance.run();
  assert.equal(expired, 0);
  assert.equal(clockLagMillis, 365 * DAY);
  assert.equal(fixture.log.messages('warn').length, 1);
  // A restart does not believe the clock either.
  const again = await BlockFixture.open(t, {
    directory: fixture.directory,
    writerId: 'again',
    maintenance: { retentionOf: () => retention },
  });
  again.clock.now = fixture.clock.now;
  assert.equal((await again.maintenance.run()).expired, 0);
  assert.deepEqual(await again.folded(), before);
  // Somebody sets it right an hour later: nothing was lost, and nobody is warned any more.
  fixture.clock.now = right + HOUR;
  fixture.clock.monotonic += HOUR;
  assert.equal((await fixture.maintenance.run()).clockLagMillis, 0);
  assert.deepEqual(await fixture.folded(), before);
});

test('what is too old goes little by little after a long stop', async (t) => {
  const fixture = await days(t, { ...KEEP_FOR_EVER, hoursMillis: 10 * DAY });
  await fixture.maintenance.run();
  fixture.clock.now += 30 * DAY;
  let left = 5;
  let hours = 0;
  while (left > 0) {
    pass(fixture, HOUR);
    hours++;
    const { expired } = await fixture.maintenance.run();
    assert.ok(expired <= 2, 'at most what one day more makes too old');
    left -= expired;
  }
  assert.ok(hours * HOUR * CATCH_UP >= 10 * DAY);
  assert.deepEqual(await fixture.folded(), []);
});

test('a clock that goes back removes nothing and harms nothing', async (t) => {
  const fixture = await days(t, { ...KEEP_FOR_EVER, hoursMillis: 30 * DAY });
  await fixture.maintenance.run();
  const before = await fixture.folded();
  fixture.clock.now = 0;
  fixture.clock.monotonic += HOUR;
  assert.equal((await fixture.maintenance.run()).expired, 0);
  await fixture.flush([storedProfile('late 1', { timeMillis: 6 * DAY })]);
  assert.equal((await fixture.maintenance.run()).failures, 0);
  assert.deepEqual(await fixture.folded(), [...before, 'late 1'].sort());
});

test('a store keeps what its limits say, and other limits from the next upkeep on', async (t) => {
  const limits = (changes: Parameters<typeof tenantLimits>[0]) =>
    retentionConfig({
      defaults: tenantLimits({}),
      overrides: { kept: tenantLimits(changes) },
    });
  const store = await LocalStore.open({
    dataDir: testDirectory(t),
    headMaxBytes: 1 << 28,
    blockLimits: { retention: limits({ retentionPeriodMillis: 0 }) },
    onStateChange: () => undefined,
    registry: new Registry(),
    log: new RecordingLog(),
  });
  t.after(() => store.close());
  const old = { timeMillis: Date.now() - 40 * DAY };
  for (const tenant of ['kept', 'other']) await store.append(tenant, [storedProfile('main 1', old)]);
  await store.flush();
  const left = async () =>
    Promise.all(['kept', 'other'].map(async (tenant) => (await store.stats(tenant)).profiles));
  await store.maintain();
  assert.deepEqual(await left(), [1, 0]);
  await store.setRetention(limits({ retentionPeriodMillis: 41 * DAY }));
  await store.maintain();
  assert.deepEqual(await left(), [1, 0]);
  await store.setRetention(limits({ retentionPeriodMillis: 39 * DAY }));
  await store.maintain();
  assert.deepEqual(await left(), [0, 0]);
});

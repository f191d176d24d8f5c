// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Registry } from 'prom-client';
import { LocalStore } from '../local-store.ts';
import { BlockFixture, EVERYTHING, foldedLines, TENANT } from '../testing/block-fixture.ts';
import { AT_ONCE, RecordingLog, storedProfile } from '../testing/stored-profile.ts';
import { testDirectory } from '../testing/test-directory.ts';
import { verifyStore } from '../verify/verify-store.ts';
import { KEEP_FOR_EVER } from './block-limits.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const THROUGH = 2 * HOUR + 900_000;

function profilesOf(hour: number) {
  return [
    storedProfile(`main;secret${hour} ${hour + 1}`, { timeMillis: hour * HOUR, service: 'gone' }),
    storedProfile('main;shared 2', { timeMillis: hour * HOUR + 1000, service: 'gone' }),
    storedProfile('main;shared 4', { timeMillis: hour * HOUR + 2000 }),
  ];
}

async function problemsOf({ store, engine }: BlockFixture): Promise<string[]> {
  const problems: string[] = [];
  await verifyStore({ store, engine, onProblem: (key, problem) => problems.push(`${key}: ${problem}`) });
  return problems;
}

async function deleteGone(fixture: BlockFixture): Promise<void> {
  const { id } = await fixture.blocks.deleteService(TENANT, 'gone', THROUGH);
  await fixture.blocks.deletionsInBlocks(TENANT, [id]);
}

const LEFT = ['main;secret3 4', 'main;shared 18'];

test('what was deleted is hidden at once, taken out of all blocks, and the deletion is forgotten', async (t) => {
  for (const isMerged of [false, true]) {
    const fixture = await BlockFixture.open(t);
    for (let hour = 0; hour < 4; hour++) await fixture.flush(profilesOf(hour));
    fixture.clock.now = isMerged ? 2 * DAY : 0;
    if (isMerged) await fixture.maintenance.run();
    await deleteGone(fixture);
    assert.deepEqual(await fixture.folded(), LEFT);
    assert.equal((await fixture.times()).length, 6);
    const { rewritten } = await fixture.maintenance.run();
    assert.equal(rewritten, isMerged ? 1 : 3);
    assert.deepEqual(fixture.blocks.deletions(TENANT), []);
    assert.deepEqual(await fixture.folded(), LEFT);
    assert.equal((await fixture.times()).length, 6);
    assert.deepEqual(await problemsOf(fixture), []);
    // No byte of it is left once the tombstones are due.
    fixture.clock.now += HOUR;
    await fixture.maintenance.run();
    assert.deepEqual(await fixture.folded(), LEFT);
    assert.deepEqual(await problemsOf(fixture), []);
  }
});

test('of sums, what the deleted time reaches into goes', async (t) => {
  const fixture = await BlockFixture.open(t, {
    maintenance: {
      retentionOf: () => ({ samplesMillis: DAY, fiveMinutesMillis: 0, hoursMillis: 0, maxBytes: 0 }),
    },
  });
  for (let hour = 0; hour < 4; hour++) await fixture.flush(profilesOf(hour));
  fixture.clock.now = 3 * DAY;
  await fixture.maintenance.run();
  fixture.clock.now += 3 * DAY;
  fixture.clock.monotonic += 3 * DAY;
  await fixture.maintenance.run();
  assert.equal(fixture.blocks.manifest(TENANT)!.blocks[0]!.files['samples.parquet'], undefined);
  await deleteGone(fixture);
  assert.deepEqual(await fixture.folded(), LEFT);
  assert.equal((await fixture.maintenance.run()).rewritten, 1);
  assert.deepEqual(fixture.blocks.deletions(TENANT), []);
  assert.deepEqual(await fixture.folded(), LEFT);
  assert.deepEqual(await problemsOf(fixture), []);
});

test('a deletion waits for writers that may have more of it', async (t) => {
  const fixture = await BlockFixture.open(t);
  const other = await BlockFixture.open(t, { directory: fixture.directory, writerId: 'other' });
  await fixture.flush(profilesOf(0));
  await other.blocks.refresh();
  await other.flush(profilesOf(1));
  const { id, waitingFor } = await fixture.blocks.deleteService(TENANT, 'gone', THROUGH);
  assert.deepEqual([...waitingFor].sort(), ['other', 'w']);
  await fixture.blocks.deletionsInBlocks(TENANT, [id]);
  await fixture.maintenance.run();
  assert.equal(fixture.blocks.deletions(TENANT).length, 1);
  await other.blocks.refresh();
  assert.deepEqual(await other.folded(), ['main;shared 8']);
  await other.blocks.deletionsInBlocks(TENANT, [id]);
  await other.maintenance.run();
  assert.deepEqual(other.blocks.deletions(TENANT), []);
  await fixture.maintenance.run();
  assert.deepEqual(await fixture.folded(), ['main;shared 8']);
});

function openStore(dataDir: string): Promise<LocalStore> {
  return LocalStore.open({
    dataDir,
    headMaxBytes: 1 << 28,
    blockLimits: {
      retention: { defaults: KEEP_FOR_EVER, overrides: {} },
      checkMillis: 20,
      tombstoneMillis: 0,
    },
    onStateChange: () => undefined,
    registry: new Registry(),
    log: new RecordingLog(),
  });
}

/** Whether a text is in any file of the folder. Symbols are compressed, so only names in tables and the log are found. */
function holdsBlocksOf(dataDir: string): number {
  return readdirSync(join(dataDir, 'objects/v1/t/blocks')).length;
}

async function eventually(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (await isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(what);
}

async function linesOf(store: LocalStore): Promise<string[]> {
  return foldedLines(await store.mergeStacks(TENANT, EVERYTHING, {}, AT_ONCE));
}

test('what is only in memory is hidden and removed as well, also after a restart', async (t: TestContext) => {
  const dataDir = testDirectory(t);
  let store = await openStore(dataDir);
  for (let hour = 0; hour < 4; hour++) await store.append(TENANT, profilesOf(hour));
  await store.deleteService(TENANT, 'gone', THROUGH);
  assert.deepEqual(await linesOf(store), LEFT);
  assert.equal(
    (await store.totals(TENANT, EVERYTHING)).reduce((n, { total }) => n + total.length, 0),
    6,
  );
  await store.close();
  store = await openStore(dataDir);
  assert.deepEqual(await linesOf(store), LEFT);
  await eventually('the deletion is done', async () => {
    await store.maintain();
    return (await store.deletions(TENANT)).length === 0;
  });
  assert.deepEqual(await linesOf(store), LEFT);
  await eventually('one block is left', async () => {
    await store.maintain();
    return holdsBlocksOf(dataDir) === 1;
  });
  assert.deepEqual(await linesOf(store), LEFT);
  for (const name of readdirSync(join(dataDir, 'wal'))) {
    assert.ok(!readFileSync(join(dataDir, 'wal', name), 'latin1').includes('secret0'));
  }
  await store.close();
});

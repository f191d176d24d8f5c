// SPDX-License-Identifier: Apache-2.0
//
// Merging, retention, deletion and questions at the same time, and several servers on one folder.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockFixture, TENANT } from '../testing/block-fixture.ts';
import { storedProfile } from '../testing/stored-profile.ts';
import { verifyStore } from '../verify/verify-store.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

async function problemsOf({ store, engine }: BlockFixture): Promise<string[]> {
  const problems: string[] = [];
  await verifyStore({ store, engine, onProblem: (key, problem) => problems.push(`${key}: ${problem}`) });
  return problems;
}

test('answers are exact while blocks are merged, expire and are removed under them', async (t) => {
  const fixture = await BlockFixture.open(t, {
    maintenance: {
      retentionOf: () => ({ samplesMillis: 0, fiveMinutesMillis: 0, hoursMillis: 2 * DAY, maxBytes: 0 }),
      // Files go in the very moment that they are replaced.
      tombstoneMillis: 0,
    },
  });
  const { clock } = fixture;
  for (let i = 0; i < 10; i++) {
    await fixture.flush([storedProfile(`main;f${i} ${i + 1}`, { timeMillis: 2 * DAY + i * 2_000_000 })]);
  }
  const range = { startMillis: 2 * DAY, endMillis: 3 * DAY - 1 };
  const expected = await fixture.folded(range);
  assert.equal(expected.length, 10);
  let isDone = false;
  let asked = 0;
  const askForever = async () => {
    while (!isDone) {
      assert.deepEqual(await fixture.folded(range), expected);
      assert.equal((await fixture.times(range)).length, 10);
      asked++;
    }
  };
  const work = async () => {
    try {
      for (let day = 0; day < 4; day++) {
        // Old data comes, is merged, and is too old a moment later.
        clock.now = 2 * DAY + 7 * HOUR + day * 6 * HOUR;
        clock.monotonic += 6 * HOUR;
        await fixture.flush([storedProfile('old 1', { timeMillis: day * 1000 })]);
        const { failures } = await fixture.maintenance.run();
        assert.equal(failures, 0);
      }
      clock.now = 3 * DAY + HOUR;
      clock.monotonic += DAY;
      assert.equal((await fixture.maintenance.run()).failures, 0);
    } finally {
      isDone = true;
    }
  };
  await Promise.all([work(), askForever(), askForever()]);
  assert.ok(asked > 0);
  assert.deepEqual(
    fixture.blocks.manifest(TENANT)!.blocks.map(({ level }) => level),
    [2],
  );
  assert.equal(fixture.blocks.damaged.size, 0);
  assert.deepEqual(fixture.log.messages('error'), []);
  assert.deepEqual(await fixture.folded(range), expected);
});

test('two servers on one folder lose nothing, count nothing twice, and see what the other stores', async (t) => {
  const first = await BlockFixture.open(t, { writerId: 'first', maintenance: { tombstoneMillis: 0 } });
  const second = await BlockFixture.open(t, {
    directory: first.directory,
    writerId: 'second',
    maintenance: { tombstoneMillis: 0 },
  });
  let sum = 0;
  const store = async (fixture: BlockFixture, base: number) => {
    for (let i = 0; i < 8; i++) {
      const value = base + i;
      sum += value;
      await fixture.flush([storedProfile(`main;work ${value}`, { timeMillis: i * 1_000_000 })]);
      if (i % 2 === 1) {
        fixture.clock.now = 10 * HOUR + i * 5 * HOUR;
        await fixture.maintenance.run();
      }
    }
  };
  await Promise.all([store(first, 100), store(second, 10_000)]);
  for (const fixture of [first, second, first, second]) {
    fixture.clock.now = 4 * DAY;
    await fixture.maintenance.run();
  }
  for (const fixture of [first, second]) {
    await fixture.blocks.refresh();
    assert.deepEqual(await fixture.folded(), [`main;work ${sum}`]);
    assert.equal((await fixture.times()).length, 16);
    assert.equal(fixture.blocks.damaged.size, 0);
  }
  assert.deepEqual(first.blocks.manifest(TENANT)!.flushedSegments, { first: 8, second: 8 });
  assert.deepEqual(await problemsOf(first), []);
});

test('a block that another server still answers for from memory is not merged', async (t) => {
  const first = await BlockFixture.open(t, { writerId: 'first' });
  const second = await BlockFixture.open(t, { directory: first.directory, writerId: 'second' });
  await first.flush([storedProfile('main 1', { timeMillis: 1000 })]);
  second.clock.now = 3 * DAY;
  assert.equal((await second.maintenance.run()).compacted, 0);
  // A week later its writer is gone.
  second.clock.now = 30 * DAY;
  assert.ok((await second.maintenance.run()).compacted > 0);
  assert.deepEqual(await second.folded(), ['main 1']);
});

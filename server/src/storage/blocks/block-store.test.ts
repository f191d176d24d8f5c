// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import type { Profile } from '@hearthscope/profile/profile';
import { stackSums } from '@hearthscope/profile/stack-tree';
import { finish } from '@hearthscope/profile/steps';
import { Head } from '../head/head.ts';
import { mergeStacks } from '../head/head-reader.ts';
import { FileObjectStore } from '../object-store/file-object-store.ts';
import { SqlEngine } from '../sql/sql-engine.ts';
import { CPU_TYPE, RecordingLog, storedProfile } from '../testing/stored-profile.ts';
import { testDirectory } from '../testing/test-directory.ts';
import { LocalBlockFiles } from './block-files.ts';
import { BlockMaintenance } from './block-maintenance.ts';
import { BlockStore } from './block-store.ts';
import { headContent } from './head-content.ts';

async function openBlocks(context: TestContext, directory = testDirectory(context), now = () => 0) {
  const temporaryDirectory = join(directory, 'tmp');
  mkdirSync(temporaryDirectory, { recursive: true });
  const store = await FileObjectStore.open(join(directory, 'objects'));
  const engine = await SqlEngine.open({
    memoryLimitBytes: 256_000_000,
    threads: 2,
    temporaryDirectory,
    directories: [join(directory, 'objects')],
    maxSessions: 2,
  });
  context.after(() => engine.close());
  const files = new LocalBlockFiles(store);
  const blocks = await BlockStore.open({
    store,
    engine,
    files,
    temporaryDirectory,
    writerId: 'w',
    symbolCacheBytes: 64_000_000,
    now,
    log: new RecordingLog(),
  });
  return { blocks, directory, store };
}

function headOf(profiles: readonly NormalisedProfile[]): Head {
  const head = new Head(1_000_000_000);
  head.reserve('t', profiles).commit();
  return head;
}

const EVERYTHING = { startMillis: 0, endMillis: 1e15, alternatives: [] };
const question = (selection = EVERYTHING) => ({ tenant: 't', selection, withoutCuts: [] });

function folded(profile: Profile | undefined): string[] {
  if (profile === undefined) return [];
  const { names, start, frame, value } = stackSums(profile);
  return [...value]
    .map(
      (sum, i) =>
        `${[...frame.subarray(start[i], start[i + 1])]
          .map((f) => names[f])
          .reverse()
          .join(';')} ${sum}`,
    )
    .sort();
}

test('what was cut from the head is answered by its block as by the head', async (context) => {
  const { blocks } = await openBlocks(context);
  const head = headOf([
    storedProfile('main;a 3\nmain;b 4', { timeMillis: 1000, labels: { pod: 'x' } }),
    storedProfile('main;a 5', { timeMillis: 2000, labels: { pod: 'y' } }),
    storedProfile('other 7', { service: 'db', timeMillis: 3000 }),
  ]);
  const tenant = head.tenant('t')!;
  await blocks.flush('t', finish(headContent(tenant)), 1, 1);
  for (const selection of [
    EVERYTHING,
    { ...EVERYTHING, startMillis: 1500 },
    { ...EVERYTHING, endMillis: 2999 },
  ]) {
    const expected = folded(finish(mergeStacks(tenant, selection, {})));
    assert.deepEqual(folded((await blocks.mergeStacks(question(selection), {}))?.profile), expected);
    assert.ok(expected.length > 0);
  }
  assert.equal(
    (await blocks.totals(question())).reduce((n, { total }) => n + Number(total.reduce((a, b) => a + b)), 0),
    19,
  );
  assert.equal(await blocks.mergeStacks({ ...question(), withoutCuts: [1] }, {}), undefined);
});

test('merging blocks into hours and days changes no answer', async (context) => {
  const hour = 3_600_000;
  let now = 0;
  const { blocks, directory } = await openBlocks(context, testDirectory(context), () => now);
  const profiles: NormalisedProfile[] = [];
  for (let cut = 0; cut < 8; cut++) {
    const some = [0, 1, 2].map((i) =>
      storedProfile(`main;f${(cut * 3 + i) % 5} ${cut + i + 1}\nmain;g${cut};h 2`, {
        timeMillis: 10 * hour + cut * 1_500_000 + i * 400_000,
        labels: { pod: `p${i}` },
        id: `${cut}${i}`.padStart(32, 'a'),
      }),
    );
    profiles.push(...some);
    await blocks.flush('t', finish(headContent(headOf(some).tenant('t')!)), cut, cut + 1);
    blocks.release(cut);
  }
  const whole = headOf(profiles).tenant('t')!;
  const maintenance = new BlockMaintenance(blocks, {
    retentionOf: () => ({ samplesMillis: 0, fiveMinutesMillis: 0, hoursMillis: 0, maxBytes: 0 }),
    graceMillis: 0,
    tombstoneMillis: 1000,
    monotonicMillis: () => now,
    log: {
      info: () => undefined,
      warn: () => undefined,
      error: (fields) => assert.fail(String((fields as { err: Error }).err.stack)),
    },
  });
  const check = async () => {
    for (let start = 9.7 * hour; start < 15 * hour; start += 1_234_567) {
      for (const length of [300_000, hour, 2.5 * hour, 10 * hour]) {
        const selection = { ...EVERYTHING, startMillis: start, endMillis: start + length };
        const answer = await blocks.mergeStacks(question(selection), {});
        assert.deepEqual(folded(answer?.profile), folded(finish(mergeStacks(whole, selection, {}))));
      }
    }
  };
  await check();
  now = 30 * hour;
  assert.equal((await maintenance.run()).compacted, 8 + blocks.manifest('t')!.blocks.length * 0 + 4);
  assert.deepEqual(
    blocks.manifest('t')!.blocks.map(({ level }) => level),
    [2],
  );
  await check();
  now += 2000;
  assert.ok((await maintenance.run()).removedFiles > 0);
  const again = await openBlocks(context, directory, () => now);
  const answer = await again.blocks.mergeStacks(question(), {});
  assert.deepEqual(folded(answer?.profile), folded(finish(mergeStacks(whole, EVERYTHING, {}))));
  assert.deepEqual(again.blocks.flushedSegments(), { t: 8 });
  assert.ok(CPU_TYPE);
});

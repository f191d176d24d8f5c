// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Registry } from 'prom-client';
import { KEEP_FOR_EVER } from '../blocks/block-limits.ts';
import { blockKey } from '../blocks/block-writer.ts';
import { encodeManifest, type Manifest } from '../blocks/manifest.ts';
import { manifestPrefix } from '../blocks/manifest-store.ts';
import { LocalStore } from '../local-store.ts';
import { BlockFixture, TENANT } from '../testing/block-fixture.ts';
import { RecordingLog, storedProfile } from '../testing/stored-profile.ts';
import { testDirectory } from '../testing/test-directory.ts';
import { verifyStore } from './verify-store.ts';
import { verifyWal } from './verify-wal.ts';

const HOUR = 3_600_000;

async function problemsOf({ store, engine }: BlockFixture): Promise<string[]> {
  const problems: string[] = [];
  await verifyStore({ store, engine, onProblem: (key, problem) => problems.push(`${key}: ${problem}`) });
  return problems;
}

/** A block of each level, with spans, attributes and sums. */
async function storedBlocks(t: TestContext): Promise<BlockFixture> {
  const fixture = await BlockFixture.open(t);
  for (const hour of [1, 2, 30, 55]) {
    await fixture.flush([
      storedProfile('main;a 3\nmain;b 4', {
        timeMillis: hour * HOUR,
        attributes: [{ key: 'thread.id', value: 7n, unit: '' }],
      }),
      storedProfile('main;a 1', { timeMillis: hour * HOUR + 400_000, service: 'db' }),
    ]);
    fixture.clock.now = 50 * HOUR;
  }
  await fixture.maintenance.run();
  assert.deepEqual(
    fixture.blocks
      .manifest(TENANT)!
      .blocks.map(({ level }) => level)
      .sort(),
    [0, 2, 2],
  );
  return fixture;
}

test('what was written and merged has no problems', async (t) => {
  assert.deepEqual(await problemsOf(await storedBlocks(t)), []);
});

test('a flipped bit in any file is found, and the file is named', async (t) => {
  const fixture = await storedBlocks(t);
  for (const block of fixture.blocks.manifest(TENANT)!.blocks) {
    for (const [name, { bytes }] of Object.entries(block.files)) {
      const key = blockKey(TENANT, block.id, name as never);
      const path = join(fixture.objects, key);
      const content = readFileSync(path);
      content[Math.floor(bytes / 2)]! ^= 4;
      writeFileSync(path, content);
      assert.deepEqual(await problemsOf(fixture), [`${key}: ${key} is damaged: its checksum is wrong`]);
      content[Math.floor(bytes / 2)]! ^= 4;
      writeFileSync(path, content);
    }
  }
  assert.deepEqual(await problemsOf(fixture), []);
});

test('tables that do not fit each other are found although their checksums are right', async (t) => {
  const fixture = await storedBlocks(t);
  const manifest = fixture.blocks.manifest(TENANT)!;
  const [first, second] = manifest.blocks.filter(({ level }) => level === 2);
  // The sums and symbols of one day under the name of another one, in a manifest that says so.
  const swap = (name: 'samples-5m.parquet' | 'samples-1h.parquet' | 'profiles.parquet' | 'symbols.bin') => {
    copyFileSync(
      join(fixture.objects, blockKey(TENANT, second!.id, name)),
      join(fixture.objects, blockKey(TENANT, first!.id, name)),
    );
    return { [name]: second!.files[name] };
  };
  const changed: Manifest = {
    ...manifest,
    sequence: manifest.sequence + 1,
    blocks: manifest.blocks.map((block) =>
      block.id === first!.id
        ? {
            ...block,
            files: { ...block.files, ...swap('samples-5m.parquet'), ...swap('profiles.parquet') },
          }
        : block,
    ),
  };
  const name = String(changed.sequence).padStart(16, '0');
  writeFileSync(join(fixture.objects, `${manifestPrefix(TENANT)}${name}.json`), encodeManifest(changed));
  const problems = await problemsOf(fixture);
  const about = (file: string) => problems.filter((problem) => problem.includes(`${first!.id}/${file}: `));
  assert.ok(
    about('samples-5m.parquet').some((problem) => /are not the sums/.test(problem)),
    problems.join('\n'),
  );
  assert.ok(
    about('profiles.parquet').some((problem) => /the manifest says/.test(problem)),
    problems.join('\n'),
  );
  assert.ok(problems.every((problem) => problem.includes(first!.id)));
});

test('damage in the log is found, and nothing in it is changed', async (t) => {
  const dataDir = testDirectory(t);
  const store = await LocalStore.open({
    dataDir,
    headMaxBytes: 1 << 28,
    blockLimits: { retention: { defaults: KEEP_FOR_EVER, overrides: {} } },
    onStateChange: () => undefined,
    registry: new Registry(),
    log: new RecordingLog(),
  });
  for (let i = 1; i < 5; i++) await store.append(TENANT, [storedProfile(`main;f${i} ${i}`)]);
  await store.close();
  const directory = join(dataDir, 'wal');
  const problems: string[] = [];
  const onProblem = (key: string, problem: string) => problems.push(`${key}: ${problem}`);
  assert.deepEqual(await verifyWal(directory, false, onProblem), { segments: 1, frames: 4 });
  assert.deepEqual(problems, []);
  const path = join(directory, '000000000001.wal');
  const content = readFileSync(path);
  content[100]! ^= 1;
  writeFileSync(path, content);
  assert.equal((await verifyWal(directory, false, onProblem)).frames, 3);
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /^wal\/000000000001\.wal: \d+ bytes at \d+ cannot be used: payload_checksum$/);
  assert.deepEqual(readFileSync(path), content);
});

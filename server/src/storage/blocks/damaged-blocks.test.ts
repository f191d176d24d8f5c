// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { Registry } from 'prom-client';
import { LocalStore } from '../local-store.ts';
import { quoted } from '../sql/sql-engine.ts';
import { BlockFixture, EVERYTHING, foldedLines, TENANT } from '../testing/block-fixture.ts';
import { AT_ONCE, RecordingLog, storedProfile } from '../testing/stored-profile.ts';
import { testDirectory } from '../testing/test-directory.ts';
import { KEEP_FOR_EVER } from './block-limits.ts';
import { blockKey } from './block-writer.ts';
import { type BlockFileName, decodeManifest, encodeManifest, type Manifest } from './manifest.ts';
import { manifestPrefix } from './manifest-store.ts';

const HOUR = 3_600_000;

async function twoBlocks(t: TestContext): Promise<BlockFixture> {
  const fixture = await BlockFixture.open(t);
  await fixture.flush([storedProfile('main;a 1', { timeMillis: 1000 })]);
  await fixture.flush([storedProfile('main;b 2', { timeMillis: 2000 })]);
  return fixture;
}

/** Another process on the same folder. */
function reopened(t: TestContext, { directory }: BlockFixture, writerId = 'again'): Promise<BlockFixture> {
  return BlockFixture.open(t, { directory, writerId });
}

function pathOf({ objects, blocks }: BlockFixture, block: number, name: BlockFileName): string {
  return join(objects, blockKey(TENANT, blocks.manifest(TENANT)!.blocks[block]!.id, name));
}

function flip(path: string, offset: number): void {
  const content = readFileSync(path);
  content[offset]! ^= 16;
  writeFileSync(path, content);
}

for (const name of ['series.parquet', 'profiles.parquet', 'samples.parquet', 'symbols.bin'] as const) {
  test(`a flipped bit in ${name} takes its block away, says so, and nothing else`, async (t) => {
    const written = await twoBlocks(t);
    const path = pathOf(written, 0, name);
    const { length } = readFileSync(path);
    for (const offset of [5, length >> 1, length - 9]) {
      flip(path, offset);
      const fixture = await reopened(t, written, `at-${offset}`);
      // Nobody is told anything wrong, whether the question needs these bytes or not …
      const stacks = await fixture.folded();
      assert.ok(stacks.length === 1 ? stacks[0] === 'main;b 2' : stacks.join() === 'main;a 1,main;b 2');
      const times = await fixture.times();
      assert.ok(times.length === 1 ? times[0] === 2000 : times.join() === '1000,2000');
      // … and with the upkeep at the latest the damage is found.
      await fixture.maintenance.run();
      assert.equal(fixture.blocks.damaged.size, 1);
      assert.deepEqual(await fixture.folded(), ['main;b 2'], `byte ${offset}`);
      assert.deepEqual(await fixture.times(), [2000]);
      const [line] = fixture.log.lines.filter(({ level }) => level === 'error');
      assert.match(JSON.stringify(line!.fields), new RegExp(name.replace('.', '\\.')));
      // Once the file is restored it counts again.
      flip(path, offset);
      await fixture.maintenance.run();
      assert.deepEqual(await fixture.folded(), ['main;a 1', 'main;b 2']);
      assert.equal(fixture.blocks.damaged.size, 0);
    }
  });
}

test('a file that is gone is damage, too', async (t) => {
  const written = await twoBlocks(t);
  rmSync(pathOf(written, 1, 'samples.parquet'));
  const fixture = await reopened(t, written);
  assert.deepEqual(await fixture.folded(), ['main;a 1']);
  assert.equal(fixture.blocks.damaged.size, 1);
});

test('a damaged block is not merged into others, and is found without being asked for', async (t) => {
  const written = await twoBlocks(t);
  flip(pathOf(written, 0, 'samples.parquet'), 40);
  const fixture = await BlockFixture.open(t, { directory: written.directory, writerId: 'w' });
  fixture.clock.now = 2 * HOUR;
  const { compacted } = await fixture.maintenance.run();
  assert.equal(compacted, 1);
  assert.deepEqual(
    fixture.blocks
      .manifest(TENANT)!
      .blocks.map(({ level }) => level)
      .sort(),
    [0, 1],
  );
  assert.deepEqual(await fixture.folded(), ['main;b 2']);
  flip(pathOf(written, 0, 'samples.parquet'), 40);
  await fixture.maintenance.run();
  assert.deepEqual(await fixture.folded(), ['main;a 1', 'main;b 2']);
});

test('tables of an unknown version are refused, and the file is named', async (t) => {
  const fixture = await twoBlocks(t);
  const [block] = fixture.blocks.manifest(TENANT)!.blocks;
  const path = pathOf(fixture, 0, 'series.parquet');
  await fixture.engine.session((session) =>
    session.run(
      `COPY (FROM read_parquet(${quoted(path)})) TO ${quoted(`${path}.new`)} (FORMAT parquet, KV_METADATA {hearthscope_format: '2'})`,
    ),
  );
  renameSync(`${path}.new`, path);
  const bytes = readFileSync(path);
  const { crc32 } = await import('node:zlib');
  const again = await reopened(t, fixture);
  const manifests = await again.blocks.manifestsOf(TENANT);
  await manifests.commit((manifest) => ({
    ...manifest,
    blocks: manifest.blocks.map((each) =>
      each.id === block!.id
        ? {
            ...each,
            files: { ...each.files, 'series.parquet': { bytes: bytes.length, crc32: crc32(bytes), rows: 1 } },
          }
        : each,
    ),
  }));
  await assert.rejects(
    again.folded(),
    (error) =>
      error instanceof HearthscopeError &&
      error.code === 'failed_precondition' &&
      /series\.parquet has format version "2", this Hearthscope reads version 1/.test(error.message),
  );
});

const MANIFEST: Manifest = {
  version: 1,
  tenant: TENANT,
  sequence: 3,
  flushedSegments: { w: 7 },
  blocks: [],
  tombstones: [],
  deletions: [],
  retentionClockMillis: 5,
};

test('a manifest says what was written, and any flipped bit is found', () => {
  const bytes = encodeManifest(MANIFEST);
  assert.deepEqual(decodeManifest(bytes, 'm'), MANIFEST);
  for (let bit = 0; bit < (bytes.length - 1) * 8; bit++) {
    const damaged = Uint8Array.from(bytes);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(
      () => decodeManifest(damaged, 'v1/t/manifest/3.json'),
      (error) => error instanceof HearthscopeError && error.message.startsWith('v1/t/manifest/3.json'),
      `bit ${bit}`,
    );
  }
});

test('a manifest of an unknown version is refused', () => {
  const bytes = Buffer.from(encodeManifest({ ...MANIFEST, version: 2 as 1 }));
  assert.throws(() => decodeManifest(bytes, 'm'), /m has format version 2, this Hearthscope reads version 1/);
});

function openStore(dataDir: string, log: RecordingLog): Promise<LocalStore> {
  return LocalStore.open({
    dataDir,
    headMaxBytes: 1 << 28,
    blockLimits: { retention: { defaults: KEEP_FOR_EVER, overrides: {} } },
    onStateChange: () => undefined,
    registry: new Registry(),
    log,
  });
}

test('a tenant whose manifest is damaged is refused, and the others are served', async (t) => {
  const dataDir = testDirectory(t);
  const first = await openStore(dataDir, new RecordingLog());
  for (const tenant of ['bad', 'good']) await first.append(tenant, [storedProfile(`main;${tenant} 1`)]);
  await first.flush();
  await first.close();
  const prefix = join(dataDir, 'objects', manifestPrefix('bad'));
  const path = `${prefix}0000000000000001.json`;
  flip(path, 30);
  const log = new RecordingLog();
  const store = await openStore(dataDir, log);
  const isRefused = (error: unknown) =>
    error instanceof HearthscopeError && error.message.includes('0000000000000001.json');
  await assert.rejects(store.mergeStacks('bad', EVERYTHING, {}, AT_ONCE), isRefused);
  await assert.rejects(store.append('bad', [storedProfile('main 1')]), isRefused);
  await store.append('good', [storedProfile('main;more 2')]);
  await store.flush();
  assert.deepEqual(foldedLines(await store.mergeStacks('good', EVERYTHING, {}, AT_ONCE)), [
    'main;good 1',
    'main;more 2',
  ]);
  assert.ok(log.messages('error').length > 0);
  // Restored, it is served again without a restart.
  flip(path, 30);
  await store.maintain();
  await store.append('bad', [storedProfile('main;more 2')]);
  assert.deepEqual(foldedLines(await store.mergeStacks('bad', EVERYTHING, {}, AT_ONCE)), [
    'main;bad 1',
    'main;more 2',
  ]);
  await store.close();
});

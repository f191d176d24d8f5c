// SPDX-License-Identifier: Apache-2.0
//
// Blocks in a remote store: what is flushed, asked and merged there is what a head in memory would answer, and a question
// fetches what it needs, and nothing else.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { labelMatcher } from '@hearthscope/profile/selector/selector';
import { finish } from '@hearthscope/profile/steps';
import { Head } from '../head/head.ts';
import { mergeStacks } from '../head/head-reader.ts';
import type { TenantHead } from '../head/tenant-head.ts';
import type { ObjectStore } from '../object-store/object-store.ts';
import { openObjectStore } from '../object-store/open-object-store.ts';
import { MemoryS3 } from '../object-store/testing/memory-s3.ts';
import { startMoto, toolMissing } from '../object-store/testing/protocol-servers.ts';
import { RemoteStore } from '../object-store/testing/remote-store.ts';
import { SqlEngine } from '../sql/sql-engine.ts';
import type { SeriesSelection } from '../store.ts';
import { EVERYTHING, foldedLines, TENANT } from '../testing/block-fixture.ts';
import { RecordingLog, SyntheticProfiles, storedProfile } from '../testing/stored-profile.ts';
import { testDirectory } from '../testing/test-directory.ts';
import { KEEP_FOR_EVER } from './block-limits.ts';
import { BlockMaintenance } from './block-maintenance.ts';
import { BlockStore } from './block-store.ts';
import { createBlockTables, fillBlockTables, storeBlock } from './block-writer.ts';
import { type BlockCacheLimits, CachedBlockFiles, DEFAULT_BLOCK_CACHE_LIMITS } from './cached-block-files.ts';
import { headContent } from './head-content.ts';
import { SymbolsFileWriter } from './symbols-file.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

async function remoteBlocks(
  context: TestContext,
  store: ObjectStore,
  limits: Partial<BlockCacheLimits> = {},
) {
  const directory = testDirectory(context);
  const temporaryDirectory = join(directory, 'tmp');
  const cacheDirectory = join(directory, 'cache');
  mkdirSync(temporaryDirectory);
  const log = new RecordingLog();
  const files = await CachedBlockFiles.open({
    store,
    directory: cacheDirectory,
    limits: { ...DEFAULT_BLOCK_CACHE_LIMITS, ...limits },
    log,
  });
  const engine = await SqlEngine.open({
    memoryLimitBytes: 256_000_000,
    threads: 2,
    temporaryDirectory,
    directories: [cacheDirectory],
    maxSessions: 2,
  });
  context.after(() => engine.close());
  const clock = { now: 0 };
  const blocks = await BlockStore.open({
    store,
    engine,
    files,
    temporaryDirectory,
    writerId: 'w',
    symbolCacheBytes: 256_000_000,
    now: () => clock.now,
    log,
  });
  const maintenance = new BlockMaintenance(blocks, {
    retentionOf: () => KEEP_FOR_EVER,
    graceMillis: 0,
    tombstoneMillis: 1000,
    monotonicMillis: () => clock.now,
    log,
  });
  const answer = async (selection: SeriesSelection) =>
    foldedLines((await blocks.mergeStacks({ tenant: TENANT, selection, withoutCuts: [] }, {}))?.profile);
  return { blocks, maintenance, engine, files, log, clock, temporaryDirectory, answer };
}

function headOf(profiles: readonly NormalisedProfile[]): TenantHead {
  const head = new Head(1 << 30);
  head.reserve(TENANT, profiles).commit();
  return head.tenant(TENANT)!;
}

function expected(head: TenantHead, selection: SeriesSelection): string[] {
  return foldedLines(finish(mergeStacks(head, selection, {})));
}

/** Flushes, asks, merges and asks again, also as a server that starts anew. */
async function lives(context: TestContext, store: ObjectStore): Promise<void> {
  const { blocks, maintenance, clock, log, answer } = await remoteBlocks(context, store);
  const profiles: NormalisedProfile[] = [];
  for (let cut = 1; cut <= 6; cut++) {
    const some = [0, 1, 2].map((i) =>
      storedProfile(`main;f${(cut * 3 + i) % 5} ${cut + i + 1}\nmain;g${cut};h 2`, {
        timeMillis: 10 * HOUR + cut * 1_500_000 + i * 400_000,
        labels: { pod: `p${i}` },
        service: i === 2 ? 'db' : 'web',
      }),
    );
    profiles.push(...some);
    await blocks.flush(TENANT, finish(headContent(headOf(some))), cut, cut);
    blocks.release(cut);
  }
  const whole = headOf(profiles);
  const selections: SeriesSelection[] = [
    EVERYTHING,
    { ...EVERYTHING, startMillis: 10.9 * HOUR, endMillis: 12.3 * HOUR },
    { ...EVERYTHING, alternatives: [[labelMatcher('service_name', '=', 'db')]] },
  ];
  const check = async (ask: (selection: SeriesSelection) => Promise<string[]>) => {
    for (const selection of selections) assert.deepEqual(await ask(selection), expected(whole, selection));
  };
  await check(answer);
  clock.now = 40 * HOUR;
  assert.ok((await maintenance.run()).compacted >= 6, JSON.stringify(log.lines));
  assert.deepEqual(
    blocks.manifest(TENANT)!.blocks.map(({ level }) => level),
    [2],
  );
  await check(answer);
  clock.now += 2000;
  assert.ok((await maintenance.run()).removedFiles > 0);
  const again = await remoteBlocks(context, store);
  assert.deepEqual(again.blocks.flushedSegments(), { [TENANT]: 6 });
  await check(again.answer);
  assert.ok(again.files.counts().misses > 0);
}

function s3Config(url: string) {
  const s3 = {
    bucketName: 'bucket',
    endpoint: url,
    forcePathStyle: true,
    accessKeyId: 'a',
    secretAccessKey: 'b',
  };
  return { backend: 's3' as const, s3, prefix: 'profiles' };
}

test('blocks live in a bucket as they do in a folder', async (context) => {
  const server = await MemoryS3.start();
  context.after(() => server.stop());
  await lives(context, await openObjectStore(s3Config(server.url)));
});

test('blocks live in a bucket of a server of others (moto)', {
  skip: toolMissing('python3', '-c', 'import venv, ensurepip'),
}, async (context) => {
  const server = await startMoto();
  context.after(() => server.stop());
  const client = new S3Client({
    endpoint: server.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  });
  await client.send(new CreateBucketCommand({ Bucket: 'bucket' }));
  client.destroy();
  await lives(context, await openObjectStore(s3Config(server.url)));
});

const SERVICES = ['api', 'billing', 'cart', 'db', 'edge', 'front'];
const DAYS = 7;

/** Seven blocks of a day, as merging makes them. */
async function week(context: TestContext) {
  const store = await RemoteStore.open(join(testDirectory(context), 'objects'));
  const made = await remoteBlocks(context, store);
  const synthetic = new SyntheticProfiles({ stacks: 600, depth: 8, samplesPerProfile: 150 }, 7);
  const profiles: NormalisedProfile[] = [];
  const { engine, temporaryDirectory, clock } = made;
  for (let day = 0; day < DAYS; day++) {
    const some: NormalisedProfile[] = [];
    for (const service of SERVICES) {
      for (let hour = 0; hour < 24; hour++) {
        some.push(synthetic.next((10 + day) * DAY + hour * HOUR + 1_234_567, service));
      }
    }
    profiles.push(...some);
    const content = finish(headContent(headOf(some)));
    const symbols = new SymbolsFileWriter();
    for (const { service, section } of content.symbols) symbols.add(service, section);
    const target = { store, tenant: TENANT, level: 2, nowMillis: clock.now, temporaryDirectory };
    const block = await engine.session(async (session) => {
      await createBlockTables(session);
      await fillBlockTables(session, content);
      return storeBlock(session, symbols, target, { sums: 'of_samples' });
    });
    const manifests = await made.blocks.manifestsOf(TENANT);
    await manifests.commit((manifest) => ({ ...manifest, blocks: [...manifest.blocks, block] }));
  }
  const { blocks } = made.blocks.manifest(TENANT)!;
  const storedBytes = (name: string) =>
    blocks.reduce(
      (sum, { files }) => sum + (Object.entries(files).find(([file]) => file === name)?.[1].bytes ?? 0),
      0,
    );
  const totalBytes = blocks.reduce(
    (sum, { files }) => sum + Object.values(files).reduce((bytes, file) => bytes + file.bytes, 0),
    0,
  );
  return { ...made, store, blockMetas: blocks, head: headOf(profiles), storedBytes, totalBytes };
}

test('a question over seven days does not fetch what it does not need', async (context) => {
  const { answer, head, store, storedBytes, totalBytes, blockMetas } = await week(context);
  const alternatives = [[labelMatcher('service_name', '=', 'cart')]];
  const allWeek = { startMillis: 10 * DAY, endMillis: 17 * DAY - 1, alternatives };
  assert.deepEqual(await answer(allWeek), expected(head, allWeek));
  for (const name of [
    '/samples.parquet',
    '/samples-5m.parquet',
    '/profiles.parquet',
    '/attributes.parquet',
  ]) {
    assert.equal(store.readBytes(name), 0, name);
  }
  assert.equal(store.readBytes('/samples-1h.parquet'), storedBytes('samples-1h.parquet'));
  // The symbols of one of six services, and where they are.
  const symbols = store.readBytes('/symbols.bin');
  assert.ok(symbols < storedBytes('symbols.bin') * 0.3, `${symbols} of ${storedBytes('symbols.bin')} bytes`);
  const first = store.readBytes();
  assert.ok(first < totalBytes * 0.5, `${first} of ${totalBytes} bytes`);
  context.diagnostic(`seven days of one of six services fetched ${first} of ${totalBytes} bytes`);
  // All of it is here now.
  assert.deepEqual(await answer(allWeek), expected(head, allWeek));
  assert.equal(store.readBytes(), first);
  // Edges that cut hours need the samples of the days that they are in, and of no other.
  const cut = {
    startMillis: 10 * DAY + 9 * HOUR + 1_210_000,
    endMillis: 16 * DAY + 14 * HOUR + 1_300_000,
    alternatives,
  };
  assert.deepEqual(await answer(cut), expected(head, cut));
  const ofBlock = (name: string) => blockMetas.map(({ id }) => store.readBytes(`${id}/${name}`) > 0);
  const edges = [true, false, false, false, false, false, true];
  assert.deepEqual(ofBlock('samples.parquet'), edges);
  assert.deepEqual(ofBlock('profiles.parquet'), edges);
  // A service that is nowhere costs nothing.
  const before = store.readBytes();
  assert.deepEqual(
    await answer({ ...allWeek, alternatives: [[labelMatcher('service_name', '=', 'none')]] }),
    [],
  );
  assert.equal(store.readBytes(), before);
});

test('a cache that is smaller than the question says so, and one that is a little larger answers', async (context) => {
  const { answer, head, store, storedBytes } = await week(context);
  const sums = storedBytes('samples-1h.parquet');
  assert.ok((await answer(EVERYTHING)).length > 0);
  const small = await remoteBlocks(context, store, { maxBytes: sums - 1 });
  await assert.rejects(small.answer(EVERYTHING), { code: 'resource_exhausted', message: /block cache/ });
  const enough = await remoteBlocks(context, store, { maxBytes: sums });
  assert.deepEqual(await enough.answer(EVERYTHING), expected(head, EVERYTHING));
  assert.ok(enough.files.counts().evictions > 0);
});

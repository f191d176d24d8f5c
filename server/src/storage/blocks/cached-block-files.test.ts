// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { RemoteStore } from '../object-store/testing/remote-store.ts';
import { quoted, SqlEngine } from '../sql/sql-engine.ts';
import { RecordingLog } from '../testing/stored-profile.ts';
import { testDirectory } from '../testing/test-directory.ts';
import { blockKey } from './block-writer.ts';
import { type BlockCacheLimits, CachedBlockFiles, DEFAULT_BLOCK_CACHE_LIMITS } from './cached-block-files.ts';
import type { BlockFileName, BlockMeta } from './manifest.ts';
import { newUlid } from './ulid.ts';

const TENANT = 't';
const KIB = 1024;

interface Fixture {
  readonly directory: string;
  readonly cacheDirectory: string;
  readonly store: RemoteStore;
  readonly log: RecordingLog;
  readonly open: (limits?: Partial<BlockCacheLimits>) => Promise<CachedBlockFiles>;
  /** A block with one file. */
  readonly put: (bytes: Uint8Array, name?: BlockFileName) => Promise<BlockMeta>;
}

async function fixture(context: TestContext): Promise<Fixture> {
  const directory = testDirectory(context);
  const cacheDirectory = join(directory, 'cache');
  const store = await RemoteStore.open(join(directory, 'objects'));
  const log = new RecordingLog();
  return {
    directory,
    cacheDirectory,
    store,
    log,
    open: (limits = {}) =>
      CachedBlockFiles.open({
        store,
        directory: cacheDirectory,
        limits: { ...DEFAULT_BLOCK_CACHE_LIMITS, ...limits },
        log,
      }),
    put: async (bytes, name = 'series.parquet') => {
      const id = newUlid(Date.now());
      await store.put(blockKey(TENANT, id, name), bytes);
      const file = { bytes: bytes.length, crc32: crc32(bytes), rows: 1 };
      const block = { id, level: 0, startMillis: 0, endMillis: 1, series: 1, profiles: 1, samples: 1 };
      return { ...block, files: { [name]: file } };
    },
  };
}

function hold(files: CachedBlockFiles, block: BlockMeta, signal?: AbortSignal) {
  return files.hold(TENANT, block, 'series.parquet', { ...(signal && { signal }) });
}

test('several who want a file get it by one fetch, and the next one finds it here', async (context) => {
  const { open, put, store } = await fixture(context);
  const bytes = randomBytes(300_000);
  const block = await put(bytes);
  const files = await open({ requestBytes: 64 * KIB });
  const held = await Promise.all(Array.from({ length: 10 }, () => hold(files, block)));
  for (const file of held) assert.ok(bytes.equals(readFileSync(file.path)));
  assert.equal(store.readBytes(), bytes.length);
  using again = await hold(files, block);
  assert.equal(again.path, held[0]!.path);
  assert.equal(store.readBytes(), bytes.length);
  const { hits, misses, fetchedBytes, usedBytes } = files.counts();
  assert.deepEqual(
    { hits, misses, fetchedBytes, usedBytes },
    { hits: 1, misses: 1, fetchedBytes: bytes.length, usedBytes: bytes.length },
  );
});

test('those used least recently go first, and those in use stay', async (context) => {
  const { open, put, store } = await fixture(context);
  const blocks = await Promise.all(Array.from({ length: 4 }, () => put(randomBytes(1000))));
  const files = await open({ maxBytes: 3000 });
  const [a, b, c, d] = blocks as [BlockMeta, BlockMeta, BlockMeta, BlockMeta];
  for (const block of [a, b, c, a]) (await hold(files, block))[Symbol.dispose]();
  const heldB = await hold(files, b);
  // c is the one used longest ago.
  const heldD = await hold(files, d);
  assert.ok(existsSync(heldB.path));
  assert.equal(files.counts().evictions, 1);
  (await hold(files, a))[Symbol.dispose]();
  assert.equal(store.reads.length, 4);
  const heldC = await hold(files, c);
  assert.equal(store.reads.length, 5);
  // a is gone; b, c and d are held, so there is no place for it.
  await assert.rejects(hold(files, a), { code: 'resource_exhausted', message: /raise its limit/ });
  assert.deepEqual(files.counts().failures, { full: 1 });
  assert.equal(files.counts().usedBytes, 3000);
  heldC[Symbol.dispose]();
  heldC[Symbol.dispose]();
  (await hold(files, a))[Symbol.dispose]();
  for (const file of [heldB, heldD]) assert.ok(existsSync(file.path));
  assert.ok(!existsSync(heldC.path));
});

test('a file is exactly as large as the limit, or one byte too large', async (context) => {
  const { open, put } = await fixture(context);
  const files = await open({ maxBytes: 1000 });
  (await hold(files, await put(randomBytes(1000))))[Symbol.dispose]();
  await assert.rejects(hold(files, await put(randomBytes(1001))), { code: 'resource_exhausted' });
});

test('what an earlier run left is used once it was checked, and leftovers are removed', async (context) => {
  const { cacheDirectory, log, open, put, store } = await fixture(context);
  const contents = Array.from({ length: 4 }, () => randomBytes(5000));
  const blocks = await Promise.all(contents.map((bytes) => put(bytes)));
  const before = await open();
  const paths: string[] = [];
  for (const block of blocks) {
    using held = await hold(before, block);
    paths.push(held.path);
  }
  // A crash in the middle of a fetch, a flipped bit, and a file that lost its end.
  writeFileSync(join(cacheDirectory, 'parts', 'x.making'), 'half');
  const flipped = Buffer.from(contents[1]!);
  flipped[17]! ^= 1;
  writeFileSync(paths[1]!, flipped);
  writeFileSync(paths[2]!, contents[2]!.subarray(0, 4000));
  const reads = store.reads.length;
  const files = await open();
  assert.deepEqual(readdirSync(join(cacheDirectory, 'parts')), []);
  assert.equal(files.counts().usedBytes, 19_000);
  const held = await Promise.all(blocks.flatMap((block) => [hold(files, block), hold(files, block)]));
  held.forEach((file, i) => {
    assert.ok(contents[i >> 1]!.equals(readFileSync(file.path)));
  });
  assert.equal(store.reads.length - reads, 2);
  assert.deepEqual(files.counts().failures, { damaged: 2 });
  assert.equal(files.counts().usedBytes, 20_000);
  assert.equal(log.messages('warn').length, 2);
  for (const file of held) file[Symbol.dispose]();
  // A smaller limit holds from the start.
  const smaller = await open({ maxBytes: 12_000 });
  assert.equal(smaller.counts().usedBytes, 10_000);
});

test('an object that is not what its manifest says is refused', async (context) => {
  const { cacheDirectory, open, put, store } = await fixture(context);
  const bytes = randomBytes(5000);
  const block = await put(bytes);
  const files = await open();
  store.interfere = async (_, read) => read.map((byte, i) => (i === 99 ? byte ^ 4 : byte));
  await assert.rejects(hold(files, block), { code: 'data_loss', message: /is damaged/ });
  store.interfere = async (_, read) => read.subarray(0, 4999);
  await assert.rejects(hold(files, block), { code: 'data_loss', message: /shorter/ });
  assert.deepEqual(files.counts().failures, { data_loss: 2 });
  // A fault that does not last.
  let faults = 1;
  store.interfere = async (_, read) => (faults-- > 0 ? read.map((byte) => byte ^ 1) : read);
  using held = await hold(files, block);
  assert.ok(bytes.equals(readFileSync(held.path)));
  assert.deepEqual(readdirSync(join(cacheDirectory, 'parts')), []);
});

test('a failed fetch fails for those who wait, and the next one tries again', async (context) => {
  const { open, put, store } = await fixture(context);
  const block = await put(randomBytes(1000));
  const files = await open();
  store.interfere = async () => {
    throw new HearthscopeError('unavailable', 'the network is down');
  };
  const answers = await Promise.allSettled([hold(files, block), hold(files, block)]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(store.reads.length, 1);
  assert.deepEqual(files.counts().failures, { unavailable: 1 });
  assert.equal(files.counts().usedBytes, 0);
  store.interfere = async (_, bytes) => bytes;
  (await hold(files, block))[Symbol.dispose]();
});

test('a fetch ends when nobody waits for it any more, and not before', async (context) => {
  const { open, put, store } = await fixture(context);
  const block = await put(randomBytes(1000));
  const files = await open();
  const begun = [Promise.withResolvers<AbortSignal>(), Promise.withResolvers<AbortSignal>()] as const;
  const proceed = Promise.withResolvers<void>();
  store.interfere = async (_, bytes, signal) => {
    begun[store.reads.length - 1]!.resolve(signal!);
    await proceed.promise;
    return bytes;
  };
  const [first, second] = [new AbortController(), new AbortController()];
  const waiting = [hold(files, block, first.signal), hold(files, block, second.signal)];
  const signal = await begun[0].promise;
  const reason = new HearthscopeError('deadline_exceeded', 'too slow');
  first.abort(reason);
  await assert.rejects(waiting[0]!, reason);
  assert.equal(signal.aborted, false);
  second.abort();
  await assert.rejects(waiting[1]!, { code: 'canceled' });
  assert.equal(signal.aborted, true);
  // One who comes now gets a fetch of its own.
  const third = hold(files, block);
  proceed.resolve();
  await begun[1].promise;
  using held = await third;
  assert.equal(statSync(held.path).size, 1000);
  assert.equal(store.reads.length, 2);
  await assert.rejects(hold(files, block, AbortSignal.abort(reason)), reason);
});

test('a range is read without the file, and from the file when it is here', async (context) => {
  const { open, put, store } = await fixture(context);
  const bytes = randomBytes(100_000);
  const block = await put(bytes, 'symbols.bin');
  const files = await open();
  const read = (start: number, length: number) => files.read(TENANT, block, 'symbols.bin', start, length);
  assert.ok(bytes.subarray(50, 150).equals(await read(50, 100)));
  assert.ok(bytes.subarray(99_990).equals(await read(99_990, 100)));
  assert.equal(store.readBytes(), 110);
  assert.equal(files.counts().rangeReads, 2);
  (await files.hold(TENANT, block, 'symbols.bin'))[Symbol.dispose]();
  assert.ok(bytes.subarray(50, 150).equals(await read(50, 100)));
  assert.ok(bytes.subarray(99_990).equals(await read(99_990, 100)));
  assert.equal(store.readBytes(), 110 + bytes.length);
  await assert.rejects(files.read(TENANT, block, 'series.parquet', 0, 1), { code: 'not_found' });
  await assert.rejects(hold(files, block), { code: 'not_found' });
});

async function sampleTable(context: TestContext, fixed: Fixture) {
  const temporaryDirectory = join(fixed.directory, 'tmp');
  mkdirSync(temporaryDirectory);
  const engine = await SqlEngine.open({
    memoryLimitBytes: 256_000_000,
    threads: 2,
    temporaryDirectory,
    directories: [fixed.directory],
    maxSessions: 2,
  });
  context.after(() => engine.close());
  const path = join(fixed.directory, 'made.parquet');
  await engine.session((session) =>
    session.run(`COPY (
      SELECT (range // 5000)::UINTEGER AS series, (range % 24)::UINTEGER AS bucket, hash(range)::UBIGINT AS stack, (range % 1000)::BIGINT AS value
      FROM range(500000) ORDER BY series, bucket, stack
    ) TO ${quoted(path)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE 10240, WRITE_BLOOM_FILTER false)`),
  );
  const block = await fixed.put(readFileSync(path), 'samples-1h.parquet');
  const sums = (from: string, where: string) =>
    engine.session(async (session) => {
      const { columns } = await session.select(
        `SELECT count(*)::BIGINT AS rows, coalesce(sum(value), 0)::BIGINT AS value, count(DISTINCT stack)::BIGINT AS stacks
         FROM read_parquet(${quoted(from)}) WHERE ${where}`,
        { rows: 'bigint', value: 'bigint', stacks: 'bigint' },
      );
      return [columns.rows[0], columns.value[0], columns.stacks[0]];
    });
  return { engine, path, block, bytes: statSync(path).size, sums };
}

test('of a large table only the row groups that are needed are fetched', async (context) => {
  const fixed = await fixture(context);
  const { block, bytes, path, sums } = await sampleTable(context, fixed);
  const { cacheDirectory, open, store } = fixed;
  const files = await open({ minPartialBytes: 64 * KIB, gapBytes: 0 });
  const part = (first: number, limit: number) =>
    files.hold(TENANT, block, 'samples-1h.parquet', {
      rows: [{ column: 'series', ranges: [{ first, limit }] }],
    });
  const check = async (held: { readonly path: string }, where: string) =>
    assert.deepEqual(await sums(held.path, where), await sums(path, where));
  const one = await part(45, 46);
  await check(one, 'series = 45');
  const first = store.readBytes();
  assert.ok(first < bytes * 0.06, `${first} of ${bytes} bytes`);
  // What is here already is not fetched again.
  using again = await part(45, 46);
  assert.equal(again.path, one.path);
  assert.equal(store.readBytes(), first);
  const [two, three] = await Promise.all([part(45, 51), part(80, 81)]);
  await check(two, 'series BETWEEN 45 AND 50');
  await check(three, 'series = 80');
  await check(one, 'series = 45');
  assert.ok(store.readBytes() < bytes * 0.15, `${store.readBytes()} of ${bytes} bytes`);
  using none = await part(1000, 1001);
  await check(none, 'series = 1000');
  using both = await files.hold(TENANT, block, 'samples-1h.parquet', {
    rows: [
      {
        column: 'series',
        ranges: [
          { first: 3, limit: 5 },
          { first: 60, limit: 61 },
        ],
      },
      { column: 'bucket', ranges: [{ first: 0, limit: 8 }] },
    ],
  });
  await check(both, 'series IN (3, 4, 60) AND bucket < 8');
  // A sparse file takes no more than what was fetched.
  const { usedBytes, partialFetches, wholeFetches } = files.counts();
  assert.ok(usedBytes < bytes, `${usedBytes} of ${bytes} bytes`);
  assert.equal(wholeFetches, 0);
  assert.ok(partialFetches >= 4);
  const onDisk = readdirSync(join(cacheDirectory, 'parts')).reduce(
    (sum, name) => sum + statSync(join(cacheDirectory, 'parts', name)).blocks * 512,
    0,
  );
  assert.ok(onDisk < usedBytes + 256 * KIB, `${onDisk} of ${usedBytes} bytes`);
  for (const held of [one, two, three]) held[Symbol.dispose]();
  // When most of it is needed, all of it is fetched, and answers what comes later.
  using whole = await part(0, 70);
  await check(whole, 'series < 70');
  assert.equal(files.counts().wholeFetches, 1);
  const all = store.readBytes();
  using later = await part(99, 100);
  await check(later, 'series = 99');
  assert.equal(store.readBytes(), all);
});

test('row groups that do not come are told, and asked for again', async (context) => {
  const fixed = await fixture(context);
  const { block, path, sums } = await sampleTable(context, fixed);
  const { open, store } = fixed;
  const files = await open({ minPartialBytes: 64 * KIB });
  const part = () =>
    files.hold(TENANT, block, 'samples-1h.parquet', {
      rows: [{ column: 'series', ranges: [{ first: 45, limit: 46 }] }],
    });
  store.interfere = async (_, bytes) => bytes.subarray(1);
  await assert.rejects(part(), { code: 'data_loss' });
  let footers = 2;
  store.interfere = async (_, bytes) => (footers-- > 1 ? bytes : bytes.subarray(1));
  await assert.rejects(part(), { code: 'data_loss' });
  store.interfere = async (_, bytes) => bytes;
  using held = await part();
  assert.deepEqual(await sums(held.path, 'series = 45'), await sums(path, 'series = 45'));
  const broken = await fixed.put(randomBytes(3_000_000), 'samples-1h.parquet');
  await assert.rejects(
    files.hold(TENANT, broken, 'samples-1h.parquet', { rows: [{ column: 'series', ranges: [] }] }),
    { code: 'data_loss', message: /does not end as Parquet/ },
  );
});

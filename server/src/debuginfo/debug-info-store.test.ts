// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { testDirectory } from '../storage/testing/test-directory.ts';
import { FileAccess } from '../symbolize/file-access.ts';
import { inspectFile } from '../symbolize/inspect-file.ts';
import { buildTestBinary } from '../symbolize/testing/test-binary.ts';
import { TestDirectory } from '../testing/server-fixture.ts';
import { DEFAULT_DEBUG_INFO_LIMITS, type DebugInfoLimits } from './debug-info-limits.ts';
import { DebugInfoStore } from './debug-info-store.ts';
import { UploadRefusal } from './upload-refusal.ts';

const programs = new TestDirectory();
after(() => programs[Symbol.dispose]());
const [first, second, third] = ['first', 'second', 'third'].map((name) =>
  buildTestBinary(programs.path, name),
);

interface Opened {
  readonly store: DebugInfoStore;
  readonly registry: Registry;
  /** tenant, build id and the version that was before, of each change. */
  readonly changes: string[][];
}

async function open(
  dataDir: string,
  limits: Partial<DebugInfoLimits> = {},
  now = () => Date.now(),
): Promise<Opened> {
  const registry = new Registry();
  const changes: string[][] = [];
  const store = await DebugInfoStore.open({
    dataDir,
    limits: { ...DEFAULT_DEBUG_INFO_LIMITS, minFreeBytes: 0, ...limits },
    inspect: async (path) => {
      using file = FileAccess.open(path);
      return inspectFile(file);
    },
    onChange: (...change) => changes.push(change),
    logger: pino({ level: 'silent' }),
    registry,
    now,
  });
  return { store, registry, changes };
}

async function upload(store: DebugInfoStore, tenant: string, buildId: string, bytes: Uint8Array) {
  assert.ok(store.shouldUpload(tenant, buildId, undefined, 'program').shouldUpload);
  return send(store, tenant, buildId, bytes);
}

function send(store: DebugInfoStore, tenant: string, buildId: string, bytes: Uint8Array): Promise<boolean> {
  return store.receive(tenant, buildId, bytes.length, async (write) => {
    // In two parts, as a body comes in parts.
    await write(bytes.subarray(0, 1000));
    await write(bytes.subarray(1000));
  });
}

function refused(reason: string) {
  return (error: unknown) => error instanceof UploadRefusal && error.reason === reason;
}

async function metric(registry: Registry, name: string, labels: Record<string, string>): Promise<number> {
  const found = await registry.getSingleMetric(name)!.get();
  const entry = found.values.find(({ labels: own }) =>
    Object.entries(labels).every(([key, value]) => own[key] === value),
  );
  return entry?.value ?? 0;
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .sort();
}

test('what was uploaded is there after a restart, byte by byte', async (t: TestContext) => {
  const dataDir = testDirectory(t);
  const { store, changes } = await open(dataDir);
  assert.equal(await upload(store, 'a', first!.buildId, first!.bytes), true);
  assert.deepEqual(changes, [['a', first!.buildId, '']]);

  const { store: reopened } = await open(dataDir);
  const { executable, debug, version } = reopened.filesOf('a', first!.buildId);
  assert.equal(debug, undefined);
  assert.deepEqual(readFileSync(executable!), first!.bytes);
  assert.equal(version, store.filesOf('a', first!.buildId).version);
  assert.deepEqual(
    reopened.list('a').map(({ buildId, name, kind, sizeBytes }) => ({ buildId, name, kind, sizeBytes })),
    [{ buildId: first!.buildId, name: 'program', kind: 'executable', sizeBytes: first!.bytes.length }],
  );
});

test('executable and debug file of a build id are kept beside each other, each once', async (t) => {
  const { store, changes } = await open(testDirectory(t));
  const { buildId, stripped, debug } = first!;
  await upload(store, 'a', buildId, stripped);
  assert.equal(store.shouldUpload('a', buildId, 'executable', '').shouldUpload, false);
  assert.equal(store.shouldUpload('a', buildId, undefined, '').shouldUpload, false);
  assert.equal(store.shouldUpload('a', buildId, 'debug', '').shouldUpload, true);
  // Asked for a debug file, the client sends the executable again: nothing is lost and nothing is changed.
  assert.equal(await send(store, 'a', buildId, stripped), false);
  assert.equal(store.shouldUpload('a', buildId, 'debug', '').shouldUpload, true);
  assert.equal(await send(store, 'a', buildId, debug), true);
  const files = store.filesOf('a', buildId);
  assert.deepEqual(readFileSync(files.executable!), stripped);
  assert.deepEqual(readFileSync(files.debug!), debug);
  assert.equal(changes.length, 2);
  assert.notEqual(changes[1]![2], '', 'the version before is told, so that it can be forgotten');
});

test('tenants see nothing of each other', async (t) => {
  const dataDir = testDirectory(t);
  const { store } = await open(dataDir);
  await upload(store, 'a', first!.buildId, first!.bytes);
  assert.deepEqual(store.filesOf('b', first!.buildId), { version: '' });
  assert.deepEqual(store.list('b'), []);
  assert.equal(store.has('b', first!.buildId), false);
  assert.equal(await store.remove('b', first!.buildId), false);
  await upload(store, 'b', first!.buildId, first!.bytes);
  assert.equal(await store.remove('a', first!.buildId), true);
  assert.equal(store.has('b', first!.buildId), true);
  assert.deepEqual(filesUnder(join(dataDir, 'debuginfo')), [
    `tenants/b/${first!.buildId}/executable/elf`,
    `tenants/b/${first!.buildId}/executable/metadata.json`,
  ]);
});

test('a tenant that is no folder is a defect, and writes nothing', async (t) => {
  const dataDir = testDirectory(t);
  const { store } = await open(dataDir);
  for (const tenant of ['..', '.', '../b', 'a/b', '']) {
    await assert.rejects(
      upload(store, tenant, first!.buildId, first!.bytes),
      (error) => error instanceof HearthscopeError && error.code === 'internal',
    );
  }
  assert.deepEqual(filesUnder(dataDir), []);
});

test('what is not the ELF file that it should be is refused and leaves nothing', async (t) => {
  const dataDir = testDirectory(t);
  const { store } = await open(dataDir);
  const cases: readonly [string, Uint8Array, string][] = [
    [second!.buildId, first!.bytes, 'build_id_mismatch'],
    [first!.buildId, Buffer.from('#!/bin/sh\n'.repeat(200)), 'not_elf'],
    [first!.buildId, first!.bytes.subarray(0, 40), 'not_elf'],
    [first!.buildId, first!.bytes.subarray(0, first!.bytes.length - 100), 'not_elf'],
    [first!.buildId, new Uint8Array(0), 'not_elf'],
  ];
  for (const [buildId, bytes, reason] of cases) {
    await assert.rejects(upload(store, 'a', buildId, bytes), refused(reason), reason);
    assert.deepEqual(filesUnder(dataDir), []);
  }
  // The right one may come at once.
  assert.equal(await upload(store, 'a', first!.buildId, first!.bytes), true);
});

test('the largest file is taken, and one byte more is not', async (t) => {
  const dataDir = testDirectory(t);
  const { bytes, buildId } = first!;
  const { store: exact } = await open(dataDir, { maxFileBytes: bytes.length });
  assert.equal(await upload(exact, 'a', buildId, bytes), true);
  const { store: small } = await open(testDirectory(t), { maxFileBytes: bytes.length - 1 });
  await assert.rejects(upload(small, 'a', buildId, bytes), refused('too_large'));
  assert.ok(small.shouldUpload('a', buildId, undefined, '').shouldUpload);
  await assert.rejects(
    // Who does not say how much comes is stopped on the way.
    small.receive('a', buildId, 0, (write) => write(bytes)),
    refused('too_large'),
  );
});

test('beyond the total limit the file goes whose names were asked for least recently', async (t) => {
  const dataDir = testDirectory(t);
  let now = 1_700_000_000_000;
  const clock = () => now;
  const maxTotalBytes = first!.bytes.length + second!.bytes.length;
  const { store, registry, changes } = await open(dataDir, { maxTotalBytes }, clock);
  await upload(store, 'a', first!.buildId, first!.bytes);
  now += 1000;
  await upload(store, 'b', second!.buildId, second!.bytes);
  now += 7_200_000;
  store.filesOf('a', first!.buildId);
  await upload(store, 'a', third!.buildId, third!.bytes);
  assert.equal(store.has('b', second!.buildId), false);
  assert.equal(store.has('a', first!.buildId), true);
  assert.equal(await metric(registry, 'hearthscope_debuginfo_removals_total', { reason: 'total_bytes' }), 1);
  assert.deepEqual(changes.at(-2)?.slice(0, 2), ['b', second!.buildId]);
  assert.equal(
    await metric(registry, 'hearthscope_debuginfo_stored_bytes', {}),
    first!.bytes.length + third!.bytes.length,
  );

  const { store: fewer } = await open(dataDir, { maxFiles: 1 }, clock);
  assert.equal(fewer.list('a').length, 1, 'a limit that became smaller holds from the start on');
});

test('a file that is larger than everything may be is refused', async (t) => {
  const { store } = await open(testDirectory(t), { maxTotalBytes: 100 });
  await assert.rejects(upload(store, 'a', first!.buildId, first!.bytes), refused('too_large'));
});

test('what an earlier run left unfinished or damaged is removed at start', async (t) => {
  const dataDir = testDirectory(t);
  const { store } = await open(dataDir);
  for (const { buildId, bytes } of [first!, second!, third!]) await upload(store, 'a', buildId, bytes);
  const root = join(dataDir, 'debuginfo');
  mkdirSync(join(root, 'staging', 'half'));
  writeFileSync(join(root, 'staging', 'half', 'elf'), 'half');
  truncateSync(join(root, 'tenants/a', first!.buildId, 'executable/elf'), 5000);
  writeFileSync(join(root, 'tenants/a', second!.buildId, 'executable/metadata.json'), '{"version":1');
  const { store: reopened, registry } = await open(dataDir);
  assert.deepEqual(
    reopened.list('a').map(({ buildId }) => buildId),
    [third!.buildId],
  );
  assert.deepEqual(readdirSync(join(root, 'staging')), []);
  assert.equal(existsSync(join(root, 'tenants/a', first!.buildId, 'executable')), false);
  const removed = (reason: string) => metric(registry, 'hearthscope_debuginfo_removals_total', { reason });
  assert.equal(await removed('incomplete'), 1);
  assert.equal(await removed('unreadable_metadata'), 2);
  assert.equal(await upload(reopened, 'a', first!.buildId, first!.bytes), true);
});

test('one client is asked at a time, the next one when nothing came for a while', async (t) => {
  let now = 1_700_000_000_000;
  const { store } = await open(testDirectory(t), { ticketLifetimeMillis: 1000, maxTickets: 2 }, () => now);
  const ask = (buildId: string) => store.shouldUpload('a', buildId, undefined, 'program').shouldUpload;
  assert.equal(ask('aa'), true);
  assert.equal(ask('aa'), false);
  assert.equal(
    store.shouldUpload('b', 'aa', undefined, '').shouldUpload,
    true,
    'another tenant is asked too',
  );
  assert.equal(ask('bb'), false, 'no more than the limit are expected');
  assert.deepEqual(
    store.list('a').map(({ buildId, finishedAtUnixMillis }) => [buildId, finishedAtUnixMillis]),
    [['aa', undefined]],
  );
  now += 1000;
  assert.equal(ask('aa'), true);
  now += 1000;
  await assert.rejects(send(store, 'a', 'aa', first!.bytes), refused('not_asked_for'));
});

test('a tenant may begin so many uploads in a minute', async (t) => {
  let now = 60_000;
  const { store } = await open(testDirectory(t), { maxUploadsPerMinute: 1 }, () => now);
  await upload(store, 'a', first!.buildId, first!.bytes);
  await assert.rejects(upload(store, 'a', second!.buildId, second!.bytes), refused('rate_limited'));
  assert.equal(await upload(store, 'b', second!.buildId, second!.bytes), true);
  now += 60_000;
  assert.equal(await upload(store, 'a', second!.buildId, second!.bytes), true);
});

test('a disk that has to stay free for profiles refuses uploads', async (t) => {
  const { store } = await open(testDirectory(t), { minFreeBytes: Number.MAX_SAFE_INTEGER });
  await assert.rejects(upload(store, 'a', first!.buildId, first!.bytes), refused('disk_full'));
});

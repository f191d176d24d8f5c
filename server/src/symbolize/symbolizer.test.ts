// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { TestDirectory } from '../testing/server-fixture.ts';
import type { DebugFiles } from './symbol-protocol.ts';
import { Symbolizer, type SymbolizerLimits } from './symbolizer.ts';
import { buildTestBinary, CAPTURED_CALL_FRAMES } from './testing/test-binary.ts';

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());
const binary = buildTestBinary(directory.path);
const CALL = BigUint64Array.of(binary.callAddress);
/** Takes seconds to read: a hundred thousand symbols. */
const LARGE_PROGRAM = process.execPath;
const LARGE_BUILD_ID = 'aabb';

async function start(
  t: TestContext,
  limits: Partial<SymbolizerLimits> = {},
  mustLoadNow = false,
): Promise<{ symbolizer: Symbolizer; metric: (name: string, reason: string) => Promise<number> }> {
  const registry = new Registry();
  const filesOf = (_tenant: string, buildId: string): DebugFiles => {
    if (buildId === binary.buildId) return { executable: binary.path, version: 'program' };
    return buildId === LARGE_BUILD_ID ? { executable: LARGE_PROGRAM, version: 'large' } : { version: '' };
  };
  const symbolizer = await Symbolizer.start({
    debugDirectories: [],
    demangle: 'full',
    mustLoadNow,
    filesOf,
    limits,
    logger: pino({ level: 'silent' }),
    registry,
  });
  t.after(() => symbolizer.stop());
  return {
    symbolizer,
    metric: async (name, reason) => {
      const { values } = await registry.getSingleMetric(`hearthscope_symbolize_${name}`)!.get();
      return values.find(({ labels }) => labels.reason === reason)?.value ?? 0;
    },
  };
}

test('an address is the chain of functions inlined there, with file and line', async (t) => {
  const { symbolizer } = await start(t);
  const { frames } = await symbolizer.lookUp('a', binary.buildId, 'virtual', CALL);
  assert.deepEqual(frames?.names, CAPTURED_CALL_FRAMES);
  assert.deepEqual(
    frames?.files.map((file) => file.split('/').at(-1)),
    ['captured-call.c', 'captured-call.c'],
  );
  const source = execFileSync('grep', ['-n', 'capture();\\|inner(times);', frames!.files[0]!], {
    encoding: 'utf8',
  });
  const lines = source.split('\n').map((line) => Number.parseInt(line, 10));
  assert.deepEqual(Array.from(frames!.lines), lines.slice(0, 2));
  const byOffset = await symbolizer.lookUp(
    'a',
    binary.buildId,
    'file_offset',
    BigUint64Array.of(binary.callOffset),
  );
  assert.deepEqual(byOffset.frames?.names, CAPTURED_CALL_FRAMES);
  const nowhere = await symbolizer.lookUp('a', binary.buildId, 'file_offset', BigUint64Array.of(2n ** 63n));
  assert.deepEqual(nowhere.frames?.names, []);
});

test('a file over which the worker hangs costs one answer, and is not touched again', async (t) => {
  const { symbolizer, metric } = await start(t, { requestTimeoutMillis: 300 });
  const ask = (buildId: string) => symbolizer.lookUp('a', buildId, 'virtual', CALL);
  const [large, again, small] = await Promise.all([
    ask(LARGE_BUILD_ID),
    ask(LARGE_BUILD_ID),
    ask(binary.buildId),
  ]);
  assert.equal(large.failure, 'timeout');
  assert.equal(again.failure, 'quarantined');
  assert.deepEqual(small.frames?.names, CAPTURED_CALL_FRAMES, 'the others are answered by the next worker');
  assert.equal((await ask(LARGE_BUILD_ID)).failure, 'quarantined');
  assert.equal(await metric('worker_losses_total', 'timeout'), 1);
  assert.equal(await metric('failures_total', 'quarantined'), 2);
});

test('a file that takes more memory than the worker has ends the worker and nothing else', async (t) => {
  const { symbolizer, metric } = await start(t, { maxWorkerHeapMebibytes: 12 }, true);
  const path = join(directory.path, 'many-sections');
  writeFileSync(path, manySections());
  await assert.rejects(
    symbolizer.inspect(path),
    (error) => error instanceof HearthscopeError && error.code === 'unavailable',
  );
  assert.equal(await metric('worker_losses_total', 'crash'), 1);
  const { frames } = await symbolizer.lookUp('a', binary.buildId, 'virtual', CALL);
  assert.deepEqual(frames?.names, CAPTURED_CALL_FRAMES);
});

test('what cannot be read has its reason', async (t) => {
  const { symbolizer, metric } = await start(t);
  const isInvalid = (error: unknown) =>
    error instanceof HearthscopeError && error.code === 'invalid_argument';
  const textPath = join(directory.path, 'text');
  writeFileSync(textPath, 'no ELF at all, whatever it is called');
  await assert.rejects(symbolizer.inspect(textPath), isInvalid);
  const pipePath = join(directory.path, 'pipe');
  execFileSync('mkfifo', [pipePath]);
  await assert.rejects(symbolizer.inspect(pipePath), isInvalid);
  assert.equal((await symbolizer.lookUp('a', 'ffff', 'virtual', CALL)).failure, 'no_debug_info');
  assert.equal(await metric('failures_total', 'no_debug_info'), 1);
});

test('more requests than may wait are answered without names', async (t) => {
  const { symbolizer } = await start(t, { maxQueuedRequests: 1 });
  const ask = () => symbolizer.lookUp('a', binary.buildId, 'virtual', CALL);
  const failures = (await Promise.all([ask(), ask(), ask()])).map(({ failure }) => failure);
  assert.deepEqual(failures.sort(), ['', 'overloaded', 'overloaded']);
});

test('a worker without work is given up, and another one does the next', async (t) => {
  const { symbolizer, metric } = await start(t, { idleMillis: 1 });
  const ask = async () => (await symbolizer.lookUp('a', binary.buildId, 'virtual', CALL)).frames?.names;
  assert.deepEqual(await ask(), CAPTURED_CALL_FRAMES);
  await sleep(50);
  assert.deepEqual(await ask(), CAPTURED_CALL_FRAMES);
  assert.equal(await metric('worker_losses_total', 'exit'), 0);
});

test('a stop answers what is under way', async (t) => {
  const { symbolizer } = await start(t);
  const asked = [1, 2].map(() => symbolizer.lookUp('a', LARGE_BUILD_ID, 'virtual', CALL));
  await symbolizer.stop();
  for (const { failure } of await Promise.all(asked)) assert.equal(failure, 'stopped');
  assert.equal((await symbolizer.lookUp('a', binary.buildId, 'virtual', CALL)).failure, 'stopped');
});

/** An ELF file with as many section headers as the reader takes: 8 MiB that become many objects. */
function manySections(): Buffer {
  const count = 131_072;
  const file = Buffer.alloc(64 + count * 64);
  file.write('\x7fELF\x02\x01\x01', 'latin1');
  file.writeUInt16LE(3, 16);
  file.writeUInt16LE(62, 18);
  file.writeBigUInt64LE(64n, 40);
  file.writeUInt16LE(64, 58);
  // The number of sections is in the first one, as it does not fit the header.
  file.writeBigUInt64LE(BigInt(count), 64 + 32);
  return file;
}

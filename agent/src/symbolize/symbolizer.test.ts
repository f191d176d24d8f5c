// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { type BinaryRef, noFrames } from './symbol-request.ts';
import { addressName, Symbolizer, type SymbolizerOptions } from './symbolizer.ts';
import { outermostNames } from './testing/named-frames.ts';
import { locate } from './testing/process.ts';

const node = realpathSync(process.execPath);

async function start(
  options: Partial<SymbolizerOptions> = {},
): Promise<{ symbolizer: Symbolizer; registry: Registry }> {
  const registry = new Registry();
  const symbolizer = await Symbolizer.start({ logger: pino({ level: 'silent' }), registry, ...options });
  return { symbolizer, registry };
}

/** A ref to a file that is found by its path. */
function refToFile(path: string, fileOffset: bigint): BinaryRef {
  const { ino } = statSync(path, { bigint: true });
  const fileOffsets = BigUint64Array.of(fileOffset);
  return { pid: process.pid, start: 0n, limit: 0n, device: '00:00', inode: ino, path, fileOffsets };
}

async function metric(registry: Registry, name: string): Promise<Record<string, number>> {
  const found = await registry.getSingleMetric(`hearthscope_agent_symbol_${name}`)!.get();
  return Object.fromEntries(found.values.map(({ labels, value }) => [labels.reason ?? '', value]));
}

test('names come from a worker thread, and its counts arrive in the registry', async () => {
  const { symbolizer, registry } = await start();
  try {
    const { address, fileOffset } = locate(node, 'uv_run');
    const kernelLine = readFileSync('/proc/kallsyms', 'latin1')
      .split('\n')
      .find((text) => / T vfs_read$/.test(text));
    const kernelAddress = BigInt(`0x${kernelLine?.slice(0, 16) ?? '0'}`);
    const ref = refToFile(node, fileOffset);
    const missing = { ...ref, path: '/no/such/file' };
    const [first, second] = await Promise.all([
      symbolizer.symbolize({ binaries: [ref, missing], kernelAddresses: BigUint64Array.of(kernelAddress) }),
      symbolizer.symbolize({ binaries: [ref], kernelAddresses: new BigUint64Array(0) }),
    ]);
    assert.deepEqual(outermostNames(first.binaries[0]!.frames), ['uv_run']);
    assert.deepEqual(first.binaries[0]!.elfAddresses, BigUint64Array.of(address));
    assert.deepEqual(first.binaries[1], {
      buildId: '',
      frames: noFrames(1),
      elfAddresses: ref.fileOffsets,
      failure: 'gone',
      lacksDebugInfo: false,
    });
    assert.deepEqual(first.kernel, { names: [kernelAddress === 0n ? '' : 'vfs_read'], modules: [''] });
    assert.deepEqual(second, {
      binaries: [first.binaries[0]],
      kernel: { names: [], modules: [] },
      runtimeCode: [],
      improvedBuildIds: [],
    });
    assert.deepEqual(await metric(registry, 'failures_total'), { gone: 1 });
    assert.equal((await metric(registry, 'addresses_total')).named, 2);
    assert.deepEqual(await metric(registry, 'cache_tables'), { '': 1 });
    assert.ok((await metric(registry, 'cache_bytes'))['']! > 1_000_000);
  } finally {
    await symbolizer.stop();
  }
  const afterStop = await symbolizer.symbolize({ binaries: [], kernelAddresses: BigUint64Array.of(1n) });
  assert.deepEqual(afterStop.kernel.names, ['']);
});

test('a worker that takes too long is replaced, and what it was reading is not touched again', async () => {
  // With no room in the cache, the largest binary here is read anew for each of these: far beyond the time limit.
  const { symbolizer, registry } = await start({ maxCacheBytes: 1, requestTimeoutMillis: 3_000 });
  try {
    const slow = refToFile(node, locate(node, 'uv_run').fileOffset);
    const kernelAddresses = new BigUint64Array(0);
    const lost = await symbolizer.symbolize({
      binaries: new Array<BinaryRef>(500).fill(slow),
      kernelAddresses,
    });
    assert.equal(lost.binaries.length, 500);
    assert.ok(lost.binaries.every(({ failure }) => failure === 'worker_lost'));
    assert.deepEqual(await metric(registry, 'worker_losses_total'), { timeout: 1 });

    const libc = realpathSync('/lib/x86_64-linux-gnu/libc.so.6');
    const healthy = refToFile(libc, locate(libc, 'malloc').fileOffset);
    const { binaries } = await symbolizer.symbolize({ binaries: [slow, healthy], kernelAddresses });
    assert.deepEqual(
      binaries.map(({ frames, failure }) => [outermostNames(frames)[0], failure]),
      [
        ['', 'quarantined'],
        ['malloc', ''],
      ],
    );
    assert.deepEqual(await metric(registry, 'failures_total'), { worker_lost: 500, quarantined: 1 });
  } finally {
    await symbolizer.stop();
  }
});

test('more requests than may wait are answered without names', async () => {
  const { symbolizer, registry } = await start();
  try {
    const ref = refToFile(node, 0n);
    const request = { binaries: [ref], kernelAddresses: new BigUint64Array(0) };
    const responses = await Promise.all(Array.from({ length: 140 }, () => symbolizer.symbolize(request)));
    const failures = responses.map(({ binaries }) => binaries[0]!.failure);
    assert.equal(failures.filter((failure) => failure === 'overloaded').length, 12);
    assert.equal((await metric(registry, 'failures_total')).overloaded, 12);
  } finally {
    await symbolizer.stop();
  }
});

test('names of binaries are left to the server, the kernel is named here', async () => {
  const { symbolizer } = await start({ symbolize: 'server' });
  try {
    assert.ok(symbolizer.leavesNamesToServer);
    const { address, fileOffset } = locate(node, 'uv_run');
    const line = readFileSync('/proc/kallsyms', 'latin1')
      .split('\n')
      .find((text) => / T vfs_read$/.test(text));
    const kernelAddress = BigInt(`0x${line?.slice(0, 16) ?? '0'}`);
    const { binaries, kernel } = await symbolizer.symbolize({
      binaries: [refToFile(node, fileOffset)],
      kernelAddresses: BigUint64Array.of(kernelAddress),
    });
    assert.deepEqual([outermostNames(binaries[0]!.frames), binaries[0]!.failure], [[''], '']);
    assert.deepEqual(binaries[0]!.elfAddresses, BigUint64Array.of(address));
    assert.deepEqual(kernel.names, [kernelAddress === 0n ? '' : 'vfs_read']);
  } finally {
    await symbolizer.stop();
  }
});

test('what has no name is shown as binary and offset', () => {
  assert.equal(addressName('/usr/bin/x', 0x12abn), 'x+0x12ab');
  assert.equal(addressName('/memfd:jit (deleted)', 0x10n), 'memfd:jit+0x10');
  assert.equal(addressName('[vdso]', 0x10n), '[vdso]+0x10');
  assert.equal(addressName('//anon', 0x10n), 'anon+0x10');
  assert.equal(addressName('', 0xffff_ffff_8100_0000n), '[anonymous]+0xffffffff81000000');
});

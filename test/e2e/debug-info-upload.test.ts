// SPDX-License-Identifier: Apache-2.0
//
// From a process on this host to names on the server: the agent's uploader finds the binary of a running process and
// sends it, and the server names a profile whose frames have addresses alone.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DebugInfoUploader } from '@hearthscope/agent/symbolize/debug-info-uploader';
import type { BinaryRef } from '@hearthscope/agent/symbolize/symbol-request';
import { ElfFile } from '@hearthscope/profile/symbols/elf';
import { memoryAccess } from '@hearthscope/profile/symbols/random-access';
import { UploadClient } from '@hearthscope/server/debuginfo/testing/upload-client';
import { startServer } from '@hearthscope/server/server';
import { namelessRequest } from '@hearthscope/server/symbolize/testing/nameless-request';
import {
  exportOverHttp,
  query,
  serverOptions,
  TestDirectory,
} from '@hearthscope/server/testing/server-fixture';
import { pino } from 'pino';
import { Registry } from 'prom-client';

const SOURCE = `#include <unistd.h>
__attribute__((noinline)) int known_function(int x) { __asm__ volatile("nop"); return x * 3; }
int main(void) { if (write(1, "ready\\n", 6) != 6) return 1; pause(); return known_function(1); }
`;
const MAX_WAIT_MILLIS = 30_000;

interface Running {
  readonly buildId: string;
  readonly path: string;
  readonly ref: BinaryRef;
  /** Virtual address of known_function. */
  readonly address: bigint;
}

async function startProgram(t: TestContext, folder: string, name: string): Promise<Running> {
  const path = join(folder, name);
  writeFileSync(`${path}.c`, `/* ${name} */ const char name[] = "${name}";\n${SOURCE}`);
  execFileSync('gcc', ['-O1', '-g', '-no-pie', '-Wl,--build-id=sha1', '-o', path, `${path}.c`]);
  const { buildId } = new ElfFile(memoryAccess(readFileSync(path)));
  const symbol = execFileSync('nm', [path], { encoding: 'utf8' }).match(/^([0-9a-f]+) T known_function$/m);
  const child = spawn(path, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const line = readFileSync(`/proc/${child.pid}/maps`, 'utf8')
    .split('\n')
    .find((each) => each.endsWith(path) && each.includes(' r-xp '))!;
  const [range, , , device, inode] = line.split(/\s+/);
  const [start, limit] = range!.split('-').map((address) => BigInt(`0x${address}`));
  return {
    buildId,
    path,
    address: BigInt(`0x${symbol![1]}`),
    ref: {
      pid: child.pid!,
      start: start!,
      limit: limit!,
      device: device!,
      inode: BigInt(inode!),
      path,
      fileOffsets: new BigUint64Array(0),
    },
  };
}

function startUploader(t: TestContext, port: number, limits = {}) {
  const registry = new Registry();
  const uploader = new DebugInfoUploader({
    serverUrl: `http://127.0.0.1:${port}`,
    headers: {},
    limits,
    logger: pino({ level: 'silent' }),
    registry,
  });
  t.after(() => uploader.stop());
  const count = async (result: string) => {
    const { values } = await registry.getSingleMetric('hearthscope_agent_debuginfo_uploads_total')!.get();
    return values.find(({ labels }) => labels.result === result)?.value ?? 0;
  };
  return {
    uploader,
    count,
    counted: async (result: string, times = 1) => {
      const deadline = Date.now() + MAX_WAIT_MILLIS;
      while ((await count(result)) < times) {
        assert.ok(Date.now() < deadline, `${result} was not counted ${times} times`);
        await sleep(10);
      }
    },
  };
}

async function startTestServer(t: TestContext, directory: TestDirectory) {
  const server = await startServer(serverOptions(directory, { debugInfo: { limits: { minFreeBytes: 0 } } }));
  t.after(() => server.stop());
  return server;
}

test('the binary of a process goes to the server once, and names its frames', async (t) => {
  const directory = new TestDirectory();
  t.after(() => directory[Symbol.dispose]());
  const server = await startTestServer(t, directory);
  const running = await startProgram(t, directory.path, 'whole');
  const { buildId, path, address } = running;
  const start = (address >> 12n) << 12n;
  const mapping = { start, limit: start + 4096n, fileOffset: 0x1000n, filename: path, buildId };
  const request = namelessRequest('uploaded', [mapping], [{ frames: [{ mapping: 0, address }], value: 1 }]);
  assert.equal((await exportOverHttp(server.httpPort, request)).status, 200);

  const { uploader, counted, count } = startUploader(t, server.httpPort);
  for (let i = 0; i < 10; i++) uploader.offer(buildId, running.ref);
  await counted('uploaded');
  assert.equal(await count('not_wanted'), 0);

  const answer = await query(server.httpPort, 'SelectMergeStacktraces', {
    profileTypeID: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    labelSelector: '{service_name="uploaded"}',
    start: Date.now() - 3_600_000,
    end: Date.now() + 60_000,
  });
  assert.deepEqual((answer as { flamegraph: { names: string[] } }).flamegraph.names, [
    'total',
    'known_function',
  ]);

  const second = startUploader(t, server.httpPort);
  second.uploader.offer(buildId, running.ref);
  await second.counted('not_wanted');
});

test('the separate debug file is sent in place of the binary, where there is one', async (t) => {
  const directory = new TestDirectory();
  t.after(() => directory[Symbol.dispose]());
  const server = await startTestServer(t, directory);
  const whole = join(directory.path, 'separate');
  const running = await startProgram(t, directory.path, 'separate');
  // The debug file lies beside the binary, where .gnu_debuglink leads to it; the process keeps the file that it runs.
  mkdirSync(join(directory.path, '.debug'));
  const debugFile = join(directory.path, '.debug', 'separate.debug');
  execFileSync('objcopy', ['--only-keep-debug', whole, debugFile]);
  execFileSync('objcopy', ['--strip-all', `--add-gnu-debuglink=${debugFile}`, whole, `${whole}.stripped`]);
  const child = spawn(`${whole}.stripped`, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const { ino } = statSync(`${whole}.stripped`);
  const ref = { ...running.ref, pid: child.pid!, path: `${whole}.stripped`, inode: BigInt(ino) };
  const { uploader, counted } = startUploader(t, server.httpPort);
  uploader.offer(running.buildId, ref);
  await counted('uploaded');
  const [entry] = await new UploadClient(server.httpPort).list();
  assert.equal((entry!.file as { type: string }).type, 'TYPE_EXECUTABLE_NO_TEXT');
  assert.equal(entry!.sizeBytes, String(statSync(debugFile).size));
});

test('what cannot be sent is tried again where that may help, and counted', async (t) => {
  const directory = new TestDirectory();
  t.after(() => directory[Symbol.dispose]());
  const running = await startProgram(t, directory.path, 'unsent');
  const limits = { retryMillis: 1, maxAttempts: 3 };

  // A port that nobody listens on.
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  const nobody = startUploader(t, port, limits);
  nobody.uploader.offer(running.buildId, running.ref);
  await nobody.counted('unavailable', 3);

  // A server of something else.
  const other = createServer((request, response) => {
    request.resume();
    response.statusCode = 404;
    response.end();
  }).listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const stranger = startUploader(t, (other.address() as AddressInfo).port, { ...limits, maxFileBytes: 1e6 });
  stranger.uploader.offer(running.buildId, running.ref);
  await stranger.counted('unsupported', 3);

  const gone = startUploader(t, port, limits);
  gone.uploader.offer('00112233', running.ref);
  await gone.counted('gone');
  gone.uploader.offer('../../etc', running.ref);
  const small = startUploader(t, port, { ...limits, maxFileBytes: 100 });
  small.uploader.offer(running.buildId, running.ref);
  await small.counted('too_large');
});

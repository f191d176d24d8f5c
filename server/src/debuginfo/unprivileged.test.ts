// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { resolveUser } from '../privileges.ts';
import { buildTestBinary } from '../symbolize/testing/test-binary.ts';
import type { ChildAnswer } from '../testing/server-child.ts';
import { serverOptions, TestDirectory } from '../testing/server-fixture.ts';
import { UploadClient } from './testing/upload-client.ts';

const CHILD = fileURLToPath(new URL(`../testing/server-child${extname(import.meta.url)}`, import.meta.url));
const NEEDS_ROOT = { skip: process.getuid?.() === 0 ? false : 'SKIPPED: only root can become another user' };

async function startChild(directory: TestDirectory): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(CHILD, { stdio: 'inherit' });
  const { logger: _logger, registry: _registry, ...options } = serverOptions(directory);
  const debugInfo = { limits: { minFreeBytes: 0 } };
  child.send({ ...options, debugInfo, user: resolveUser() });
  const [answer] = (await once(child, 'message')) as [ChildAnswer];
  assert.ok('httpPort' in answer, JSON.stringify(answer));
  return { child, port: answer.httpPort };
}

test(
  'a server that is not root any more takes uploads, and finds them the next time',
  NEEDS_ROOT,
  async () => {
    using directory = new TestDirectory();
    chmodSync(directory.path, 0o755);
    const { buildId, bytes, stripped, debug } = buildTestBinary(directory.path);
    const uploads = [
      ['TYPE_EXECUTABLE_FULL', stripped],
      ['TYPE_EXECUTABLE_NO_TEXT', debug],
    ] as const;
    assert.notDeepEqual(bytes, stripped);
    for (const [run, [type, file]] of uploads.entries()) {
      const { child, port } = await startChild(directory);
      const exited = once(child, 'exit');
      const client = new UploadClient(port);
      assert.equal((await client.upload(buildId, file, type)).status, 200);
      assert.equal((await client.list()).length, run + 1);
      const dataDir = join(directory.path, 'data');
      for (const name of readdirSync(dataDir, { recursive: true }) as string[]) {
        assert.equal(statSync(join(dataDir, name)).uid, resolveUser().uid, name);
      }
      child.kill('SIGTERM');
      assert.deepEqual(await exited, [0, null]);
    }
  },
);

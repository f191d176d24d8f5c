// SPDX-License-Identifier: Apache-2.0
//
// A server started as root, in a process of its own, because it does not come back from being somebody else.

import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { resolveUser } from './privileges.ts';
import type { ChildAnswer, ChildOptions } from './testing/server-child.ts';
import {
  exportOverGrpc,
  exportOverHttp,
  exportRequest,
  serverOptions,
  TestDirectory,
  totalMillis,
} from './testing/server-fixture.ts';

const NEEDS_ROOT = { skip: process.getuid!() === 0 ? false : 'SKIPPED: only root has privileges to drop' };

interface Child {
  readonly process: ChildProcess;
  readonly answer: ChildAnswer;
  /** The exit code and the signal. */
  readonly exited: Promise<unknown[]>;
}

async function startChild(directory: TestDirectory, options: Partial<ChildOptions>): Promise<Child> {
  const child = fork(new URL('./testing/server-child.ts', import.meta.url), {
    execArgv: ['--conditions=source'],
  });
  const exited = once(child, 'exit');
  const { logger: _logger, registry: _registry, ...plain } = serverOptions(directory);
  child.send({ ...plain, ...options });
  const [answer] = (await once(child, 'message')) as [ChildAnswer];
  return { process: child, answer, exited };
}

async function stopChild(child: Child): Promise<void> {
  child.process.kill('SIGTERM');
  assert.deepEqual(await child.exited, [0, null]);
}

function portOf(answer: ChildAnswer): number {
  assert.ok('httpPort' in answer, JSON.stringify(answer));
  return answer.httpPort;
}

/** The four uids, the four gids, the groups and the capabilities of each thread, all different ones. */
function identities(pid: number): string[] {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    return status
      .split('\n')
      .filter((line) => /^(Uid|Gid|Groups|CapPrm|CapEff):/.test(line))
      .map((line) => line.replace(/\s+/g, ' ').trim())
      .join(' ');
  });
  assert.ok(threads.length > 2, 'the worker and the thread pool are there');
  return [...new Set(threads)];
}

test('root becomes an unprivileged user in all threads and goes on serving', NEEDS_ROOT, async () => {
  using directory = new TestDirectory();
  chmodSync(directory.path, 0o755);
  const uiDir = directory.writeUi();
  chmodSync(uiDir, 0o700);
  const user = resolveUser();

  for (const [run, expectedMillis] of [
    ['first', 5],
    ['second, on the files of the first', 10],
  ] as const) {
    const child = await startChild(directory, { user, uiDir });
    const port = portOf(child.answer);
    assert.deepEqual(identities(child.process.pid!), [
      `Uid: ${Array(4).fill(user.uid).join(' ')} Gid: ${Array(4).fill(user.gid).join(' ')} Groups: ` +
        'CapPrm: 0000000000000000 CapEff: 0000000000000000',
    ]);
    assert.equal(await exportOverGrpc(port, exportRequest('shop', 2)), 0, run);
    assert.equal((await exportOverHttp(port, exportRequest('shop', 3))).status, 200, run);
    assert.equal(await totalMillis(port, 'shop'), expectedMillis, run);
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200, 'the UI was read before');
    assert.equal((await fetch(`http://127.0.0.1:${port}/metrics`)).status, 200);
    const dataDir = join(directory.path, 'data');
    for (const name of ['.', ...(readdirSync(dataDir, { recursive: true }) as string[])]) {
      assert.equal(statSync(join(dataDir, name)).uid, user.uid, `${run}: ${name}`);
    }
    await stopChild(child);
  }
});

test('a data directory that the user cannot reach stops the start', NEEDS_ROOT, async () => {
  using directory = new TestDirectory();
  chmodSync(directory.path, 0o700);
  const child = await startChild(directory, { user: resolveUser() });
  const { answer } = child;
  assert.ok('code' in answer);
  assert.equal(answer.code, 'failed_precondition');
  assert.match(answer.message, /cannot reach or write it/);
  assert.deepEqual(await child.exited, [0, null], 'nothing that was started is left');
});

test('without a user to become, root stays root', NEEDS_ROOT, async () => {
  using directory = new TestDirectory();
  const child = await startChild(directory, { user: null });
  assert.equal(await exportOverGrpc(portOf(child.answer), exportRequest('shop', 2)), 0);
  assert.match(identities(child.process.pid!)[0]!, /^Uid: 0 0 0 0 /);
  await stopChild(child);
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { DataDir } from './data-dir.ts';
import { startChildProgram } from './testing/child-program.ts';
import { testDirectory } from './testing/test-directory.ts';

const HOLDER = new URL(`./testing/lock-holder${extname(import.meta.url)}`, import.meta.url);
const NOBODY = 65534;

async function holdLock(t: TestContext, ...parameters: string[]) {
  const child = startChildProgram(HOLDER, parameters);
  t.after(() => child.process.kill('SIGKILL'));
  const { value } = await child.lines.next();
  return { ...child, answer: value as string };
}

test('the directory is made, and can be used again once it is closed', (t) => {
  const path = join(testDirectory(t), 'a', 'b');
  DataDir.open(path).close();
  const again = DataDir.open(path);
  assert.throws(() => DataDir.open(path), /in use by another process/, 'also within one process');
  again.close();
});

test('a second process is refused with a clear error, and SIGKILL of the holder frees the directory', async (t) => {
  const path = testDirectory(t);
  const holder = await holdLock(t, path);
  assert.equal(holder.answer, 'locked');
  assert.throws(
    () => DataDir.open(path),
    (error) =>
      error instanceof HearthscopeError &&
      error.code === 'failed_precondition' &&
      error.message ===
        `the data directory ${path} is in use by another process; stop that process, or give another directory`,
  );
  const second = await holdLock(t, path);
  assert.match(second.answer, /is in use by another process/);
  holder.process.kill('SIGKILL');
  assert.equal((await holder.ended).signal, 'SIGKILL');
  DataDir.open(path).close();
});

test('a refusal does not free the directory', async (t) => {
  const path = testDirectory(t);
  const own = DataDir.open(path);
  for (let i = 0; i < 2; i++) {
    const refused = await holdLock(t, path);
    assert.match(refused.answer, /is in use by another process/);
    await refused.ended;
  }
  assert.throws(() => DataDir.open(path), /in use/);
  assert.match((await holdLock(t, path)).answer, /is in use by another process/);
  own.close();
});

test('two users can use a directory in turn, and never at once', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('SKIPPED: becoming another user needs root');
  const path = testDirectory(t);
  chmodSync(path, 0o755);
  const data = join(path, 'data');
  mkdirSync(data);
  chownSync(data, NOBODY, NOBODY);
  const asRoot = DataDir.open(data);
  assert.equal(
    statSync(join(data, 'lock')).uid,
    NOBODY,
    'what root made belongs to the owner of the directory',
  );
  assert.match((await holdLock(t, data, String(NOBODY), String(NOBODY))).answer, /in use by another process/);
  asRoot.close();
  const asNobody = await holdLock(t, data, String(NOBODY), String(NOBODY));
  assert.equal(asNobody.answer, 'locked');
  assert.throws(() => DataDir.open(data), /in use by another process/);
  asNobody.process.kill('SIGKILL');
  await asNobody.ended;
  DataDir.open(data).close();
});

test('a directory that cannot be written is refused with what to do', async (t) => {
  const path = testDirectory(t);
  const file = join(path, 'file');
  writeFileSync(file, '');
  assert.throws(() => DataDir.open(file), /cannot be used: .*give another one, or make it writable/);
  if (process.getuid?.() !== 0) return;
  chmodSync(path, 0o755);
  const refused = await holdLock(t, path, String(NOBODY), String(NOBODY));
  assert.match(refused.answer, /cannot be used: EACCES/);
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { AdhocStore } from '../adhoc/adhoc-store.ts';
import { startChildProgram } from '../storage/testing/child-program.ts';
import { testDirectory } from '../storage/testing/test-directory.ts';
import { SettingsStore } from './settings-store.ts';

const PROGRAM = new URL('./testing/write-forever.ts', import.meta.url);
const KILLS = 4;

test('after SIGKILL at any moment, what was acknowledged is there, and nothing is there in part', async (t) => {
  const dataDir = testDirectory(t);
  for (let kill = 0; kill < KILLS; kill++) {
    const child = startChildProgram(PROGRAM, [dataDir]);
    assert.equal((await child.lines.next()).value, 'started');
    let count = 0;
    const ids: string[] = [];
    for (let i = 0; i < 10 + kill; i++) {
      const [what, value] = ((await child.lines.next()).value as string).split(' ') as [string, string];
      if (what === 'setting') count = Number(value);
      else ids.push(value);
    }
    await sleep(Math.random() * 20);
    child.process.kill('SIGKILL');
    await child.ended;

    const [setting] = await new SettingsStore(dataDir).get('a');
    const [found, rest] = setting!.value.split(' ') as [string, string];
    assert.ok(Number(found) >= count, `${found} is at least ${count}`);
    assert.equal(rest.length, 20_000);
    const store = await AdhocStore.open(dataDir, () => Date.now(), new Registry());
    for (const id of ids) assert.equal((await store.get('a', id)).bytes.length, 30_000);
    for (const { id } of await store.list('a')) {
      const { bytes } = await store.get('a', id);
      assert.ok(bytes.length === 30_000 && bytes.every((byte) => byte === bytes[0]));
    }
  }
});

// SPDX-License-Identifier: Apache-2.0
//
// Changes a setting and keeps files until it is killed, and says what was acknowledged: DIR.

import { Registry } from 'prom-client';
import { AdhocStore } from '../../adhoc/adhoc-store.ts';
import { SettingsStore } from '../settings-store.ts';

const dataDir = process.argv[2]!;
const settings = new SettingsStore(dataDir);
const files = await AdhocStore.open(dataDir, () => Date.now(), new Registry());
const first = Number((await settings.get('a'))[0]?.value.split(' ', 1)[0] ?? 0);
process.stdout.write('started\n');

async function change(): Promise<void> {
  for (let count = first + 1; ; count++) {
    const value = `${count} ${'x'.repeat(20_000)}`;
    await settings.set('a', { name: 'count', value, modifiedAtUnixMillis: count });
    process.stdout.write(`setting ${count}\n`);
  }
}

async function keep(): Promise<void> {
  for (let count = 0; ; count++) {
    const { id } = await files.add('a', `file${count}`, new Uint8Array(30_000).fill(count));
    process.stdout.write(`file ${id}\n`);
  }
}

await Promise.all([change(), keep()]);

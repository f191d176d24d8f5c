// SPDX-License-Identifier: Apache-2.0
//
// Stores profiles in a data directory until it is killed, several at a time, and says which were acknowledged: DIR FIRST.
// Each profile has one sample whose value and function carry its number.

import { Registry } from 'prom-client';
import { KEEP_FOR_EVER } from '../blocks/block-limits.ts';
import { LocalStore } from '../local-store.ts';
import { RecordingLog, storedProfile } from './stored-profile.ts';

const CONCURRENT_APPENDS = 8;

const [dataDir, first] = process.argv.slice(2);
const store = await LocalStore.open({
  dataDir: dataDir!,
  headMaxBytes: 1 << 30,
  walLimits: { maxSegmentBytes: 20_000 },
  // All that can happen to profiles happens many times a second.
  blockLimits: {
    maxHeadMillis: 40,
    checkMillis: 10,
    maintenanceMillis: 50,
    graceMillis: 0,
    tombstoneMillis: 100,
    sqlThreads: 1,
    // The numbers are times of long ago.
    retention: { defaults: KEEP_FOR_EVER, overrides: {} },
  },
  onStateChange: () => undefined,
  registry: new Registry(),
  log: new RecordingLog(),
});
let next = Number(first);
process.stdout.write('started\n');

async function appendForever(): Promise<void> {
  for (;;) {
    const numbers = [next++, next++];
    await store.append(
      'a',
      numbers.map((number) => storedProfile(`main;f${number} ${number}`, { timeMillis: number })),
    );
    process.stdout.write(`${numbers.join(' ')}\n`);
  }
}

await Promise.all(Array.from({ length: CONCURRENT_APPENDS }, appendForever));

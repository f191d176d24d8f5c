// SPDX-License-Identifier: Apache-2.0
//
// Stores one file after another until it is killed, and says which were acknowledged: DIR FILE. Each is FILE with another
// build id, so that there is always something new to place.

import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { FileAccess } from '../../symbolize/file-access.ts';
import { inspectFile } from '../../symbolize/inspect-file.ts';
import { DEFAULT_DEBUG_INFO_LIMITS } from '../debug-info-limits.ts';
import { DebugInfoStore } from '../debug-info-store.ts';
import { withBuildId } from './with-build-id.ts';

const CONCURRENT_UPLOADS = 3;

const [dataDir, program] = process.argv.slice(2);
const bytes = readFileSync(program!);
const store = await DebugInfoStore.open({
  dataDir: dataDir!,
  limits: {
    ...DEFAULT_DEBUG_INFO_LIMITS,
    minFreeBytes: 0,
    maxUploadsPerMinute: Number.MAX_SAFE_INTEGER,
    // Files are removed as well while others are placed.
    maxFiles: 40,
  },
  inspect: async (path) => {
    using file = FileAccess.open(path);
    return inspectFile(file);
  },
  onChange: () => undefined,
  logger: pino({ level: 'silent' }),
  registry: new Registry(),
  now: () => Date.now(),
});
let next = store.list('a').length + 1000 * process.pid;
process.stdout.write('started\n');

async function uploadForever(): Promise<void> {
  for (;;) {
    const { buildId, copy } = withBuildId(bytes, next++);
    store.shouldUpload('a', buildId, undefined, '');
    await store.receive('a', buildId, 0, async (write) => {
      for (let at = 0; at < copy.length; at += 4096) await write(copy.subarray(at, at + 4096));
    });
    process.stdout.write(`${buildId}\n`);
  }
}

await Promise.all(Array.from({ length: CONCURRENT_UPLOADS }, uploadForever));

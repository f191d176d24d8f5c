// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ElfFile } from '@hearthscope/profile/symbols/elf';
import { memoryAccess } from '@hearthscope/profile/symbols/random-access';
import { startChildProgram } from '../storage/testing/child-program.ts';
import { testDirectory } from '../storage/testing/test-directory.ts';
import { buildTestBinary } from '../symbolize/testing/test-binary.ts';

const PROGRAM = new URL('./testing/upload-forever.ts', import.meta.url);
const KILLS = 4;
/** Half of the files that the program keeps. */
const KEPT_FOR_SURE = 20;

test('after SIGKILL at any moment, every file that can be seen is whole', async (t) => {
  const directory = testDirectory(t);
  const dataDir = join(directory, 'data');
  const { path } = buildTestBinary(directory);
  let seen = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    // The start of each run cleans up what the kill before it left.
    const child = startChildProgram(PROGRAM, [dataDir, path]);
    assert.equal((await child.lines.next()).value, 'started');
    const acknowledged: string[] = [];
    for (let i = 0; i < 5 + kill; i++) acknowledged.push((await child.lines.next()).value as string);
    await sleep(Math.random() * 30);
    child.process.kill('SIGKILL');
    await child.ended;
    for (let line = await child.lines.next(); !line.done; line = await child.lines.next()) {
      acknowledged.push(line.value);
    }

    const tenant = join(dataDir, 'debuginfo/tenants/a');
    for (const buildId of readdirSync(tenant)) {
      for (const kind of readdirSync(join(tenant, buildId))) {
        const folder = join(tenant, buildId, kind);
        const elf = readFileSync(join(folder, 'elf'));
        const metadata = JSON.parse(readFileSync(join(folder, 'metadata.json'), 'utf8'));
        assert.equal(createHash('sha256').update(elf).digest('hex'), metadata.sha256);
        assert.equal(new ElfFile(memoryAccess(elf)).buildId, buildId);
        seen++;
      }
    }
    // Older ones may have made room, where the kill came late.
    for (const buildId of acknowledged.slice(-KEPT_FOR_SURE)) {
      assert.deepEqual(readdirSync(join(tenant, buildId)), ['executable'], 'what was acknowledged is there');
    }
  }
  t.diagnostic(`${seen} files seen after ${KILLS} kills`);
});

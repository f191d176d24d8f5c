// SPDX-License-Identifier: Apache-2.0
//
// The BPF programs must compile for each architecture the packages are made for, on any of them.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../bpf/build.sh', import.meta.url));
const skip = spawnSync('clang-19', ['--version']).error ? 'NOT TESTED: clang-19 is not installed' : false;

for (const architecture of ['x86', 'arm64']) {
  test(`the BPF programs compile for ${architecture}`, { skip }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'hearthscope-bpf-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const output = join(folder, 'profiler.bpf.o');
    execFileSync(script, [output, architecture]);
    assert.ok(statSync(output).size < 128 * 1024, 'stripped of its DWARF');
  });
}

test('an unknown architecture is refused by name', { skip }, () => {
  const { status, stderr } = spawnSync(script, ['/dev/null', 'pdp11'], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /pdp11/);
});

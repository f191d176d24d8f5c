// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ProcessEvent, Sampler } from './index.ts';
import { cannotSample } from './testing/workload.ts';

const ROUNDS = 10;

test('a library that takes the place of another is announced', { skip: cannotSample() }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'hearthscope-replaced-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const compile = (output: string, source: string, ...flags: string[]): string => {
    const path = join(directory, output);
    const from = fileURLToPath(new URL(`../test-programs/${source}`, import.meta.url));
    execFileSync('cc', ['-O1', ...flags, '-o', path, from, '-ldl']);
    return path;
  };
  const program = compile('replaced-library', 'replaced-library.c');
  const libraries = ['first.so', 'second.so'].map((name) => compile(name, 'library.c', '-shared', '-fPIC'));

  const events: ProcessEvent[] = [];
  const sampler = Sampler.start({
    frequencyHz: 199,
    excludeSelf: true,
    follow: [{ pid: process.pid, sampleItself: false }],
    onProcessEvents: (some) => events.push(...some),
  });
  t.after(() => sampler.stop());
  const child = spawn(program, [`${ROUNDS}`, ...libraries], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  sampler.takeBatch();
  assert.ok(Number(output) > ROUNDS / 2, `the second library lay where the first was ${output.trim()} times`);

  const seen = events
    .filter(({ pid }) => pid === child.pid)
    .map(({ snapshot }) => libraries.findIndex((path) => snapshot?.mappings.some((m) => m.path === path)))
    .filter((library) => library >= 0);
  const changes = seen.filter((library, i) => library !== seen[i - 1]).length;
  assert.ok(changes >= 2 * ROUNDS - 2, `${changes} changes of ${2 * ROUNDS}: ${seen.join(' ')}`);
  const generations = events.filter(({ pid }) => pid === child.pid).map(({ generation }) => generation);
  assert.deepEqual(
    generations,
    generations.toSorted((a, b) => a - b),
  );
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ROOMS, type Room, violations } from './rules.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function room(folder: string): Room {
  const description = ROOMS.find((one) => one.folder === folder);
  assert.ok(description, folder);
  const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const { dependencies, optionalDependencies, devDependencies } = manifest;
  // The page is bundled: what it is built from is not installed with it.
  const bundled = folder === 'server/ui' ? devDependencies : {};
  return {
    ...description,
    dependencies: Object.keys({ ...dependencies, ...optionalDependencies, ...bundled }),
  };
}

for (const { folder } of ROOMS) {
  test(`${folder} imports only what it may`, () => {
    const source = folder === 'native' ? 'lib' : 'src';
    const files = globSync(`${folder}/${source}/**/*.{ts,tsx}`, { cwd: root });
    assert.ok(files.length > 0, `no source files in ${folder}/${source}`);
    const here = room(folder);
    const found = files.flatMap((path) => violations(path, readFileSync(join(root, path), 'utf8'), here));
    assert.deepEqual(found, []);
  });
}

test('the rules find what they forbid', () => {
  const forbidden: readonly (readonly [folder: string, source: string, violation: RegExp])[] = [
    ['profile', "import type { X } from '@hearthscope/agent/agent';", /imports @hearthscope\/agent\/agent/],
    ['profile', "import { readFileSync } from 'node:fs';", /node:fs, but is pure/],
    ['profile', "export * from 'node:net';", /node:net, but is pure/],
    ['profile', 'setTimeout(() => {}, 1);', /uses setTimeout, but is pure/],
    ['profile', 'export const pid = process.pid;', /uses process, but is pure/],
    ['native', "import { x } from '@hearthscope/profile/labels';", /imports @hearthscope\/profile\/labels/],
    [
      'agent',
      "const x = await import('@hearthscope/server/server');",
      /imports @hearthscope\/server\/server/,
    ],
    ['agent', "import { x } from '../../server/src/server.ts';", /reaches into server\/src\/server\.ts/],
    ['collector', "export { x } from '@hearthscope/native';", /imports @hearthscope\/native/],
    ['server', "let x: import('@hearthscope/native').Y;", /imports @hearthscope\/native/],
    ['server', "const native = require('@hearthscope/native');", /imports @hearthscope\/native/],
    ['server', "import { x } from '../ui/../../agent/src/agent.ts';", /reaches into agent\/src\/agent\.ts/],
    ['server', 'const home = process.env.HOME;', /uses process\.env/],
    ['agent', "if (failed) process['exit'](1);", /uses process\.exit/],
    ['agent', 'globalThis.process.argv.at(2);', /uses process\.argv/],
    ['server', 'await import(name);', /computed name/],
    ['server', "import fs from 'fs';", /without node:/],
    ['server', "import yargs from 'yargs';", /imports yargs, which server\/package\.json does not name/],
    ['server/ui', "import { x } from '@hearthscope/server/server';", /imports @hearthscope\/server\/server/],
    ['server/ui', "import { x } from 'node:fs';", /runs in a browser/],
  ];
  for (const [folder, source, expected] of forbidden) {
    const found = violations(`${folder}/src/example.ts`, source, room(folder));
    assert.equal(found.length, 1, `${source}: ${found.join('; ')}`);
    assert.match(found[0]!, expected);
  }
});

test('the rules leave alone what is allowed', () => {
  const allowed: readonly (readonly [folder: string, source: string])[] = [
    ['profile', "import { gunzipSync } from 'node:zlib';"],
    ['profile', 'const process = { pid: 1 }; export const pid = process.pid;'],
    ['profile', 'export const limits = { process: 1, console: 2 }; limits.process;'],
    ['agent', "import { x } from '@hearthscope/profile/labels'; import { y } from './y.ts';"],
    ['agent', 'process.on("exit", () => {}); process.memoryUsage();'],
    ['server', "import { x } from '../gen/querier/v1/querier_pb.js';"],
    ['bin', 'process.exit(Number(process.env.CODE));'],
  ];
  for (const [folder, source] of allowed) {
    assert.deepEqual(violations(`${folder}/src/example.ts`, source, room(folder)), [], source);
  }
});

// SPDX-License-Identifier: Apache-2.0
//
// What a user of the published packages gets: packs them, installs the tarballs in an empty directory, and runs the
// command from there. Nothing of the checkout is in reach of it.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { repositoryRoot } from '../harness/hearthscope.ts';

const PUBLISHED = [
  '@hearthscope/profile',
  '@hearthscope/native',
  '@hearthscope/agent',
  '@hearthscope/collector',
  '@hearthscope/server',
  'hearthscope',
];
/** The registry may be slow when a package is not in npm's cache. */
const INSTALL_TIMEOUT_MILLIS = 300_000;

const folder = mkdtempSync(join(tmpdir(), 'hearthscope-packed-'));
const tarballs = join(folder, 'tarballs');
const installation = join(folder, 'installation');
after(() => rmSync(folder, { recursive: true }));

/** As a user has it: `npm test` hands its own configuration down in npm_* variables, and puts the pinned Node on the
 * PATH, with which a distribution's npm does not work. */
const environment = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'))),
  PATH: process.env
    .PATH!.split(delimiter)
    .filter((directory) => !directory.endsWith('node_modules/.bin'))
    .join(delimiter),
};

async function npm(cwd: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('npm', [...args, '--loglevel=error'], {
    cwd,
    env: environment,
    timeout: INSTALL_TIMEOUT_MILLIS,
    maxBuffer: 2 ** 26,
  });
  return stdout;
}

interface PackedPackage {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

let packed: readonly PackedPackage[] = [];

before(async () => {
  mkdirSync(tarballs);
  mkdirSync(installation);
  const workspaces = PUBLISHED.flatMap((name) => ['--workspace', name]);
  const listing = await npm(repositoryRoot, 'pack', '--json', '--pack-destination', tarballs, ...workspaces);
  packed = JSON.parse(listing);
  assert.equal(packed.length, PUBLISHED.length);
  writeFileSync(join(installation, 'package.json'), '{"private": true}\n');
  const files = readdirSync(tarballs).map((name) => join(tarballs, name));
  await npm(installation, 'install', '--prefer-offline', '--no-audit', '--no-fund', ...files);
});

test('the packages hold built files only, and no tests', () => {
  for (const { name, files } of packed) {
    const paths = files.map(({ path }) => path);
    const unwanted = paths.filter(
      (path) =>
        (/\.tsx?$/.test(path) && !path.endsWith('.d.ts')) ||
        /\.test[.-]|\.tsbuildinfo$|\/testing\//.test(path),
    );
    assert.deepEqual(unwanted, [], name);
    assert.ok(paths.includes('package.json'));
    assert.ok(
      paths.some((path) => path.startsWith('dist/') && path.endsWith('.js')),
      `${name} holds no JavaScript`,
    );
  }
});

test('the installed command tells its version with the Node that came with it', async () => {
  const command = join(installation, 'node_modules/.bin/hearthscope');
  // No other Node is on this PATH.
  const env = { PATH: '/nonexistent', HOME: folder };
  const { stdout } = await promisify(execFile)(
    '/bin/sh',
    ['-c', `PATH=/usr/bin:/bin; exec "$0" version`, command],
    { env },
  );
  assert.match(stdout, /^hearthscope \d+\.\d+\.\d+ \(node v24\./);
});

test('the installed server starts and serves its page', async () => {
  const server = spawn(
    join(installation, 'node_modules/.bin/hearthscope'),
    [
      'server',
      '--host=127.0.0.1',
      '--http-port=0',
      '--otlp-grpc-port=off',
      '--otlp-http-port=off',
      // The installation is in a folder of this user's own.
      ...(process.getuid?.() === 0 ? ['--user=root'] : []),
      `--data-dir=${join(folder, 'data')}`,
    ],
    { cwd: folder, env: environment, stdio: ['ignore', 'inherit', 'pipe'] },
  );
  const exit = once(server, 'exit');
  try {
    let output = '';
    const port = await new Promise<string>((resolve, reject) => {
      server.stderr.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const ready = /the server is ready .*httpPort=(\d+)/.exec(output);
        if (ready !== null) resolve(ready[1]!);
      });
      exit.then(() => reject(new Error(output)));
    });
    assert.equal((await fetch(`http://127.0.0.1:${port}/ready`)).status, 200);
    const page = await fetch(`http://127.0.0.1:${port}/`);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /<script/);
  } finally {
    server.kill('SIGTERM');
  }
  assert.deepEqual(await exit, [0, null]);
});

test('the installed addon loads', async () => {
  const doctor = spawn(join(installation, 'node_modules/.bin/hearthscope'), ['doctor', '--json'], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  doctor.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await once(doctor, 'close');
  assert.deepEqual(JSON.parse(output).addon.error, null);
});

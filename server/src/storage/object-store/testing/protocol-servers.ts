// SPDX-License-Identifier: Apache-2.0
//
// Servers of others that speak the protocols of object storages, installed when a test first needs one into a folder that
// stays, outside of the repository: moto and s3rver (S3), fake-gcs-server (Google), azurite (Azure).

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MANIFESTS = fileURLToPath(new URL('./protocol-servers/', import.meta.url));
const MOTO = 'moto[server,s3]==5.2.5';
const FAKE_GCS = 'github.com/fsouza/fake-gcs-server@v1.56.1';
const INSTALL_MILLIS = 600_000;
const START_MILLIS = 60_000;
const POLL_MILLIS = 100;

export interface ProtocolServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** @returns what it printed */
  output(): string;
  stop(): Promise<void>;
}

/** Why a tool that installs a server cannot be used, or false: for the `skip` option of a test. */
export function toolMissing(tool: string, ...parameters: string[]): string | false {
  return spawnSync(tool, parameters, { stdio: 'ignore' }).status === 0
    ? false
    : `SKIPPED: ${tool} is missing or does not work`;
}

/** @throws when it cannot be installed or does not start; so do the others */
export async function startMoto(): Promise<ProtocolServer> {
  const folder = await installed('moto-5.2.5', async (target) => {
    await execute('python3', ['-m', 'venv', target]);
    await execute(join(target, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', MOTO]);
  });
  // By module: the scripts of a virtual environment know the folder that it was made in.
  return started('moto', (port) => [
    join(folder, 'bin', 'python'),
    [
      '-c',
      'import sys; from moto.server import main; main(sys.argv[1:])',
      '-H',
      '127.0.0.1',
      '-p',
      `${port}`,
    ],
  ]);
}

export async function startS3rver(dataDirectory: string, bucket: string): Promise<ProtocolServer> {
  const folder = await installedPackages();
  return started('s3rver', (port) => [
    process.execPath,
    [
      join(folder, 'node_modules/s3rver/bin/s3rver.js'),
      ...['--directory', dataDirectory, '--address', '127.0.0.1', '--port', `${port}`],
      ...['--configure-bucket', bucket, '--silent'],
    ],
  ]);
}

export async function startAzurite(dataDirectory: string): Promise<ProtocolServer> {
  const folder = await installedPackages();
  return started('azurite', (port) => [
    process.execPath,
    [
      join(folder, 'node_modules/azurite/dist/src/blob/main.js'),
      ...['--blobHost', '127.0.0.1', '--blobPort', `${port}`, '--location', dataDirectory],
      ...['--silent', '--skipApiVersionCheck', '--disableTelemetry'],
    ],
  ]);
}

/** @param externalUrl where clients reach it, which it tells them for uploads; undefined for its own address */
export async function startFakeGcs(externalUrl?: string): Promise<ProtocolServer> {
  const folder = await installed('fake-gcs-server-1.56.1', (target) =>
    execute('go', ['install', FAKE_GCS], { GOBIN: target, GOTOOLCHAIN: 'local' }),
  );
  return started('fake-gcs-server', (port) => [
    join(folder, 'fake-gcs-server'),
    [
      ...['-backend', 'memory', '-scheme', 'http', '-host', '127.0.0.1', '-port', `${port}`],
      ...['-external-url', externalUrl ?? `http://127.0.0.1:${port}`, '-log-level', 'error'],
    ],
  ]);
}

function installedPackages(): Promise<string> {
  return installed('npm-azurite-3.37.0-s3rver-3.7.1', async (target) => {
    for (const name of ['package.json', 'package-lock.json']) {
      copyFileSync(join(MANIFESTS, name), join(target, name));
    }
    await execute('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {}, target);
  });
}

/** The folder of an installation, which is made by the first who asks. Of several who make it at a time one is kept. */
async function installed(name: string, install: (folder: string) => Promise<void>): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || tmpdir(), 'hearthscope-protocol-servers');
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, `${name}.making-`));
  try {
    await install(making);
    if (!existsSync(folder)) renameSync(making, folder);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return folder;
}

async function execute(
  command: string,
  parameters: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = tmpdir(),
): Promise<void> {
  await promisify(execFile)(command, [...parameters], {
    cwd,
    env: { ...process.env, ...env },
    timeout: INSTALL_MILLIS,
  });
}

async function started(
  name: string,
  commandOf: (port: number) => readonly [command: string, parameters: readonly string[]],
): Promise<ProtocolServer> {
  const port = await freePort();
  const [command, parameters] = commandOf(port);
  const child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'pipe'], cwd: tmpdir() });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-10_000);
    });
  }
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const url = `http://127.0.0.1:${port}`;
  const server: ProtocolServer = {
    url,
    output: () => text,
    stop: async () => {
      process.off('exit', kill);
      await ended(child);
    },
  };
  const limit = Date.now() + START_MILLIS;
  for (;;) {
    if (child.exitCode !== null || Date.now() > limit) {
      await server.stop();
      throw new Error(`${name} did not start: ${text}`);
    }
    // Any answer will do.
    const answer = await fetch(url).catch(() => undefined);
    if (answer !== undefined) {
      await answer.arrayBuffer();
      return server;
    }
    await sleep(POLL_MILLIS);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGKILL');
  await exit;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

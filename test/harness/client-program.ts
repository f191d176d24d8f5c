// SPDX-License-Identifier: Apache-2.0
//
// Programs that are profiled by a client which is not ours, and what they are built with.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A running program. Disposing kills it. */
export interface ClientProgram extends Disposable {
  /** What it printed, both streams. */
  output(): string;
}

export function startClientProgram(
  command: string,
  parameters: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ClientProgram {
  const child = spawn(command, parameters, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  child.on('error', (error) => {
    text += String(error);
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    output: () => text,
    [Symbol.dispose]: () => {
      process.off('exit', kill);
      kill();
    },
  };
}

/** Why a program cannot be built here, or false: for the `skip` option of a test. */
export function toolMissing(tool: string, ...parameters: string[]): string | false {
  return spawnSync(tool, parameters, { stdio: 'ignore' }).status === 0
    ? false
    : `SKIPPED: ${tool} is missing or does not work`;
}

/** A folder for what is built or downloaded once and used by later runs. */
export function cacheDirectory(name: string): string {
  const directory = join(process.env.XDG_CACHE_HOME || tmpdir(), 'hearthscope-conformance', name);
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Installs the packages of a folder's package.json, exactly those of its lockfile, outside of the repository.
 * @returns the folder that they can be resolved from; undefined when the registry does not have them */
export function installedPackages(sources: string, name: string): string | undefined {
  const directory = cacheDirectory(name);
  const files = ['package.json', 'package-lock.json'];
  const isInstalled =
    existsSync(join(directory, 'node_modules')) &&
    files.every(
      (file) =>
        existsSync(join(directory, file)) &&
        readFileSync(join(directory, file)).equals(readFileSync(join(sources, file))),
    );
  if (isInstalled) return directory;
  for (const file of files) copyFileSync(join(sources, file), join(directory, file));
  try {
    build('npm', ['ci', '--no-audit', '--no-fund', '--legacy-peer-deps'], { cwd: directory });
    return directory;
  } catch {
    rmSync(join(directory, 'node_modules'), { recursive: true, force: true });
    return undefined;
  }
}

/** Runs a build step. Its output is in the error when it fails. */
export function build(
  command: string,
  parameters: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): void {
  execFileSync(command, parameters, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
}

// SPDX-License-Identifier: Apache-2.0
//
// Runs the command to its end, and looks at processes, for the tests of the command line.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, readdirSync, readFileSync, statSync } from 'node:fs';
import type { TestContext } from 'node:test';
import {
  command,
  type RunningCommand,
  repositoryRoot,
  type StartOptions,
  startHearthscope,
} from '../harness/hearthscope.ts';

export interface Ended {
  /** The exit code, or the signal's name. */
  readonly status: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another user, by uid and gid. */
  readonly uid?: number;
}

const MAX_RUN_MILLIS = 60_000;

/** Runs `hearthscope` with these arguments until it ends. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { uid, cwd } = options;
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    timeout: MAX_RUN_MILLIS,
    killSignal: 'SIGKILL',
    ...(cwd !== undefined && { cwd }),
    ...(uid !== undefined && { uid, gid: uid }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = await once(child, 'close');
  return { status: code ?? signal, stdout, stderr };
}

/** Starts `hearthscope`; when the test ends, so does the command, also when the test failed. */
export function start(
  context: TestContext,
  args: readonly string[],
  options: StartOptions = {},
): RunningCommand {
  const started = startHearthscope(args, options);
  context.after(() => {
    started.process.kill('SIGKILL');
  });
  return started;
}

/** The user `nobody`: it owns nothing and has no capabilities. */
export const NOBODY = 65534;

/** Why the command cannot be run as another user here, or false; for the `skip` option of a test. */
export function cannotBecomeNobody(): string | false {
  if (process.getuid?.() !== 0) return 'SKIPPED: only root can start a process as another user';
  for (let folder = repositoryRoot; folder !== '/'; folder = folder.replace(/\/[^/]*\/?$/, '') || '/') {
    if ((statSync(folder).mode & constants.S_IXOTH) === 0)
      return `SKIPPED: ${folder} is closed to other users`;
  }
  return false;
}

/** All living descendants of a process. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== undefined) parents.set(Number(name), parent);
  }
  const found: number[] = [];
  const collect = (of: number) => {
    for (const [child, parent] of parents) {
      if (parent !== of) continue;
      found.push(child);
      collect(child);
    }
  };
  collect(pid);
  return found;
}

/** Those of the processes that live still. A zombie has ended. */
export function living(pids: readonly number[]): number[] {
  return pids.filter((pid) => parentOf(pid) !== undefined);
}

function parentOf(pid: number): number | undefined {
  try {
    // The name in parentheses may hold anything, so the fields are counted from its end.
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return state === 'Z' || state === 'X' ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}

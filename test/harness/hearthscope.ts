// SPDX-License-Identifier: Apache-2.0
//
// Starts the real command the way a user does, keeps what it prints, and makes sure that nothing outlives the test.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url));
export const command = fileURLToPath(new URL('../../bin/hearthscope', import.meta.url));

export interface RunningCommand {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Everything printed so far, both streams in the order they arrived. */
  output(): string;
  /** Resolves with the exit code, or the signal's name. */
  readonly exit: Promise<number | NodeJS.Signals>;
  /** Resolves once `pattern` appears in the output; fails when the process ends first. */
  printed(pattern: RegExp, timeoutMillis?: number): Promise<RegExpMatchArray>;
  /** Asks it to stop and waits; kills it when it does not. */
  stop(): Promise<number | NodeJS.Signals>;
}

export interface StartOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
}

export function startHearthscope(args: readonly string[], options: StartOptions = {}): RunningCommand {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
  });
  if (child.pid === undefined) throw new Error(`could not start ${command}`);
  let text = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      for (const listener of listeners) listener();
    });
  }
  const exit = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  exit.finally(() => process.off('exit', killAtExit));

  return {
    process: child,
    pid: child.pid,
    output: () => text,
    exit,
    printed(pattern, timeoutMillis = 60_000) {
      return new Promise((resolve, reject) => {
        const finish = () => {
          listeners.delete(look);
          clearTimeout(timer);
        };
        const fail = (why: string) => {
          finish();
          reject(new Error(`${why} before ${pattern} was printed. Output:\n${text}`));
        };
        const look = () => {
          const match = text.match(pattern);
          if (match) {
            finish();
            resolve(match);
          }
        };
        const timer = setTimeout(() => fail(`${timeoutMillis} ms passed`), timeoutMillis);
        listeners.add(look);
        exit.then((status) => fail(`the process ended (${status})`));
        look();
      });
    },
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
      const status = await exit;
      clearTimeout(timer);
      return status;
    },
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Calls `probe` until it gives something other than undefined. Errors of `probe` end up in the time-out's message. */
export async function eventually<T>(
  what: string,
  timeoutMillis: number,
  probe: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + timeoutMillis;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      const result = await probe();
      if (result !== undefined) return result;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${what}: not within ${timeoutMillis} ms`, { cause: last });
}

// SPDX-License-Identifier: Apache-2.0
//
// The command that `record` runs: it shares our standard streams, and it dies with us.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { delimiter, join } from 'node:path';
import { messageOf } from '@hearthscope/profile/errors';
import { SIGNAL_EXIT_BASE } from '../exit-codes.ts';

/** As a shell says it: the command was not found, or is there and cannot be run. */
const NOT_FOUND = 127;
const NOT_RUNNABLE = 126;

export class RecordedCommand {
  /** Its exit code, 128 + the signal's number when one ended it. */
  readonly exited: Promise<number>;
  readonly #process: ChildProcess;

  /** @param command the program and its arguments
   * @param environment where PATH is looked up */
  constructor(command: readonly string[], environment: NodeJS.ProcessEnv) {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.exited = promise;
    // setpriv asks the kernel to signal the command when this process dies, however it dies, and then becomes it.
    const setpriv = findOnPath('setpriv', environment.PATH ?? '');
    const [file, ...args] =
      setpriv === undefined ? command : [setpriv, '--pdeathsig', 'TERM', '--', ...command];
    this.#process = spawn(file!, args, { stdio: 'inherit' });
    this.#process.on('exit', (exitCode, signal) => {
      resolve(exitCode ?? SIGNAL_EXIT_BASE + osConstants.signals[signal!]);
    });
    this.#process.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#process.pid !== undefined) return;
      process.stderr.write(`hearthscope: cannot run ${command[0]}: ${messageOf(error)}\n`);
      resolve(error.code === 'ENOENT' ? NOT_FOUND : NOT_RUNNABLE);
    });
  }

  /** SIGTERM, and SIGKILL to a command that is still there after `graceMillis`.
   * @returns its exit code */
  async terminate(graceMillis: number): Promise<number> {
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), graceMillis);
    const exitCode = await this.exited;
    clearTimeout(timer);
    return exitCode;
  }
}

function findOnPath(name: string, path: string): string | undefined {
  for (const directory of path.split(delimiter)) {
    if (directory === '') continue;
    const file = join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return undefined;
}

// SPDX-License-Identifier: Apache-2.0
//
// gdb as a witness: see gdb-stops.py for what it does to a process.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('./gdb-stops.py', import.meta.url));

export interface GdbFrame {
  /** Return address of callers, as a decimal number. */
  readonly pc: string;
  readonly name: string;
  readonly file: string;
  /** It is the frame that the kernel made for a signal handler to return to. */
  readonly signal: boolean;
}

export interface GdbStop {
  readonly tid: number;
  readonly pc: string;
  /** Outermost last; those of inlined functions are left out. */
  readonly frames: readonly GdbFrame[];
  /** Why gdb went no further, or '' when it thinks that it has reached the end. */
  readonly error: string;
}

/** Why there can be no gdb, or false: for the `skip` option of a test. */
export function gdbMissing(): string | false {
  const { status, stdout } = spawnSync('gdb', ['-batch', '-ex', 'python print("python")'], {
    encoding: 'utf8',
  });
  if (status !== 0) return 'SKIPPED: no gdb (apt-get install gdb)';
  return stdout.includes('python') ? false : 'SKIPPED: this gdb has no Python';
}

export class Gdb {
  readonly #pid: number;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(pid: number, process: ChildProcess, answers: Readable) {
    this.#pid = pid;
    this.#process = process;
    this.#lines = createInterface(answers)[Symbol.asyncIterator]();
  }

  static async attach(pid: number): Promise<Gdb> {
    const child = spawn('gdb', ['-nx', '-batch', '-p', `${pid}`, '-x', script], {
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    });
    const gdb = new Gdb(pid, child, child.stdio[3] as Readable);
    await gdb.#answer();
    return gdb;
  }

  /** Lets the process run so long, and stops it. Undefined when there was nothing to see at that moment. */
  async stop(millis: number): Promise<GdbStop | undefined> {
    const answer = await this.#run('stop', millis);
    return 'tid' in answer ? (answer as unknown as GdbStop) : undefined;
  }

  /** The thread of the last stop stands still so long, running. False when it did not. */
  async spin(millis: number): Promise<boolean> {
    return (await this.#run('spin', millis)).stood === true;
  }

  /** Lets the process go. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.stdin!.end('quit\n');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  }

  async #run(command: string, millis: number): Promise<Record<string, unknown>> {
    this.#process.stdin!.write(`${command}\n`);
    const answer = await this.#answer();
    if (answer.running !== true) return answer;
    await new Promise((resolve) => setTimeout(resolve, millis));
    process.kill(this.#pid, 'SIGINT');
    return this.#answer();
  }

  async #answer(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('gdb has ended');
    return JSON.parse(value) as Record<string, unknown>;
  }
}

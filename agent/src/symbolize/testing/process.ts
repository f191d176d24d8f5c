// SPDX-License-Identifier: Apache-2.0
//
// Real processes for the tests of this folder: small C programs that are built, started and looked at through /proc.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BinaryRef } from '../symbol-request.ts';

/** Builds a program that says `ready` and waits, and that has one function with the name given. */
export function buildProgram(
  directory: string,
  name: string,
  functionName: string,
  flags: string[] = [],
): string {
  const source = join(directory, `${name}.c`);
  const output = join(directory, name);
  writeFileSync(
    source,
    `#include <unistd.h>
__attribute__((noinline)) int ${functionName}(int x) { return x * 3; }
int main(void) { if (write(1, "ready\\n", 6) != 6) return 1; pause(); return ${functionName}(1); }
`,
  );
  execFileSync('gcc', ['-O1', '-o', output, source, ...flags], { stdio: 'pipe' });
  return output;
}

/** A started process and how to end it. */
export class TestProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.#exited = once(child, 'exit');
  }

  /** Starts a program and waits until it has written something.
   * @throws when it ends without a word; what it said to stderr is in the test's output */
  static async start(command: string, args: string[] = []): Promise<TestProcess> {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const started = new TestProcess(child);
    const ended = started.#exited.then(() => {
      throw new Error(`${command} ended before it was ready`);
    });
    await Promise.race([once(child.stdout!, 'data'), ended]);
    return started;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Mappings of executable memory whose path ends with `suffix`, as in /proc/PID/maps. */
  executableMapping(suffix: string): Omit<BinaryRef, 'fileOffsets'> & { fileOffset: bigint } {
    const maps = readFileSync(`/proc/${this.pid}/maps`, 'utf8');
    for (const line of maps.split('\n')) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) (\S+) (\d+) *(.*)$/.exec(line);
      if (match?.[6]?.endsWith(suffix) !== true) continue;
      const [start, limit, fileOffset] = [match[1], match[2], match[3]].map((hex) => BigInt(`0x${hex}`));
      return {
        pid: this.pid,
        start: start!,
        limit: limit!,
        fileOffset: fileOffset!,
        device: match[4]!,
        inode: BigInt(match[5]!),
        path: match[6]!,
      };
    }
    throw new Error(`no mapping of ${suffix} in\n${maps}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#exited;
  }
}

/** The virtual address and file offset of a symbol, by readelf. */
export function locate(path: string, symbol: string): { address: bigint; fileOffset: bigint } {
  const symbols = execFileSync('readelf', ['-sW', path], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const line = symbols.split('\n').find((text) => new RegExp(` ${symbol}(@.*)?$`).test(text));
  if (line === undefined) throw new Error(`${path} has no symbol ${symbol}`);
  const address = BigInt(`0x${line.trim().split(/\s+/)[1]}`);
  const segments = execFileSync('readelf', ['-lW', path], { encoding: 'utf8' });
  for (const segment of segments.matchAll(/LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)/g)) {
    const [offset, start, size] = [segment[1], segment[2], segment[3]].map((hex) => BigInt(`0x${hex}`));
    if (address >= start! && address < start! + size!)
      return { address, fileOffset: address - start! + offset! };
  }
  throw new Error(`${symbol} of ${path} is in no segment`);
}

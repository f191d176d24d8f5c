// SPDX-License-Identifier: Apache-2.0
//
// Runs a program of ours as a process of its own, the way this test runs: from sources or built.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export interface ChildProgram {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  /** Its standard output, line by line. */
  readonly lines: AsyncIterator<string>;
  /** How it ended, and what it wrote to standard error. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>;
}

export function startChildProgram(program: URL, parameters: readonly string[]): ChildProgram {
  const child = spawn(process.execPath, [...process.execArgv, program.pathname, ...parameters], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stderr }));
  return { process: child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](), ended };
}

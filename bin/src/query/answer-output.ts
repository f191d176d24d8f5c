// SPDX-License-Identifier: Apache-2.0
//
// Where an answer goes: standard output, or a file that appears whole or not at all.

import { rename, rm, writeFile } from 'node:fs/promises';
import { type Terminal, terminalOf } from './terminal.ts';

export interface AnswerOutput {
  /** What the answer is laid out for. */
  readonly terminal: Terminal;
  readonly isTerminal: boolean;
  write(content: string | Uint8Array): Promise<void>;
}

/** @param path undefined for standard output */
export function answerOutput(path: string | undefined): AnswerOutput {
  if (path === undefined) {
    return {
      terminal: terminalOf(process.stdout, process.env),
      isTerminal: process.stdout.isTTY === true,
      write: (content) =>
        new Promise((resolve, reject) =>
          process.stdout.write(content, (error) => (error ? reject(error) : resolve())),
        ),
    };
  }
  return { terminal: terminalOf({}, {}), isTerminal: false, write: (content) => writeWhole(path, content) };
}

/** A reader of the file never sees half of it. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    await writeFile(partial, content);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// /tmp/perf-PID.map, where JIT compilers (node --perf-basic-prof, Java's Compiler.perfmap, .NET's PerfMapEnabled) list
// their code. It grows while the program runs, so it is read from where the last reading ended. One line is
//
//   3ef414c0 398 Function:~main /app/main.js:1      start and size in hexadecimal, then the name up to the end

import type { RandomAccess } from '../random-access.ts';
import type { CodeRanges } from './code-ranges.ts';

/** Limits of the reader. */
export const perfMapLimits = {
  /** Longer lines are left out and counted. */
  maxLineBytes: 8192,
  /** A size above this is no function. */
  maxCodeBytes: 256 * 1024 * 1024,
} as const;

/** What was left out while reading, by reason. */
export type CodeProblem =
  | 'line_damaged'
  | 'line_too_long'
  | 'too_much_code'
  | 'record_damaged'
  | 'header_damaged'
  | 'debug_info_damaged'
  | 'debug_info_too_large';

const newline = 0x0a;
const windowBytes = 256 * 1024;
/** User space ends below; what is above is no address of a process. */
const addressLimit = 2 ** 56;
const decoder = new TextDecoder('utf-8');

/** Reads a perf map piece by piece into `ranges`. */
export class PerfMapReader {
  readonly #ranges: CodeRanges;
  readonly #onProblem: (problem: CodeProblem) => void;
  #isSkipping = false;
  /** Where the next reading begins: after the last whole line. */
  offset = 0;

  constructor(ranges: CodeRanges, onProblem: (problem: CodeProblem) => void) {
    this.#ranges = ranges;
    this.#onProblem = onProblem;
  }

  /** Reads on, up to the end or `maxBytes` more. A last line without its end is left for the next time. */
  readMore(file: RandomAccess, maxBytes: number): void {
    const limit = Math.min(file.byteLength, this.offset + maxBytes);
    while (this.offset < limit) {
      const chunk = file.read(this.offset, Math.min(windowBytes, limit - this.offset));
      const used = this.#lines(chunk);
      if (used > 0) {
        this.offset += used;
        continue;
      }
      // No end of a line in the whole chunk.
      if (chunk.byteLength <= perfMapLimits.maxLineBytes) return;
      if (!this.#isSkipping) this.#onProblem('line_too_long');
      this.#isSkipping = true;
      this.offset += chunk.byteLength;
    }
  }

  /** Takes the whole lines of a chunk; returns how many bytes they were. */
  #lines(chunk: Uint8Array): number {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(newline, from);
      if (end < 0) return from;
      if (this.#isSkipping) this.#isSkipping = false;
      else if (end - from > perfMapLimits.maxLineBytes) this.#onProblem('line_too_long');
      else if (end > from) this.#line(decoder.decode(chunk.subarray(from, end)));
      from = end + 1;
    }
  }

  #line(line: string): void {
    const match = /^(?:0x)?([0-9a-f]{1,16})\s+(?:0x)?([0-9a-f]{1,16})\s+(.*\S)\s*$/i.exec(line);
    const start = Number.parseInt(match?.[1] ?? '', 16);
    const size = Number.parseInt(match?.[2] ?? '', 16);
    if (match === null || start + size > addressLimit || size > perfMapLimits.maxCodeBytes) {
      this.#onProblem('line_damaged');
      return;
    }
    // Compilers list stubs of no size; they cover no address.
    if (size === 0) return;
    if (!this.#ranges.add(start, start + size, { name: match[3]! })) this.#onProblem('too_much_code');
  }
}

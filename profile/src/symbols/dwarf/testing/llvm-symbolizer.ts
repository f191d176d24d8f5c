// SPDX-License-Identifier: Apache-2.0
//
// LLVM's symbolizer as the ground truth: random addresses of a file's text, what LLVM says about them, and how far our
// answer agrees.

import { spawnSync } from 'node:child_process';
import { type ElfFile, sectionFlag } from '../../elf.ts';
import type { SourceFrames } from '../../source-frames.ts';

export const llvmSymbolizer = 'llvm-symbolizer-19';

/** A frame as both sides are compared. */
export interface ComparedFrame {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly startLine: number;
}

/** Random numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Random addresses of the executable sections, the same for the same seed, ascending. */
export function textAddresses(elf: ElfFile, count: number, seed: number): BigUint64Array {
  const sections = elf.sections.filter(
    ({ flags, size }) => (flags & (sectionFlag.alloc | sectionFlag.execinstr)) === 6 && size > 0,
  );
  const bytes = sections.reduce((sum, { size }) => sum + size, 0);
  const random = randomNumbers(seed);
  return BigUint64Array.from({ length: bytes > 0 ? count : 0 }, () => {
    let at = Math.floor(random() * bytes);
    for (const { address, size } of sections) {
      if (at < size) return address + BigInt(at);
      at -= size;
    }
    return 0n;
  }).sort();
}

/** What LLVM says, address by address; an address it knows nothing of has no frames. */
export function symbolizeWithLlvm(
  path: string,
  addresses: BigUint64Array,
  functions: 'linkage' | 'short',
  options: readonly string[] = [],
): ComparedFrame[][] {
  const answer = spawnSync(
    llvmSymbolizer,
    [
      `--obj=${path}`,
      '--inlines',
      `--functions=${functions}`,
      '--no-demangle',
      '--output-style=JSON',
      '--no-debuginfod',
      ...options,
    ],
    {
      input: Array.from(addresses, (address) => `0x${address.toString(16)}\n`).join(''),
      maxBuffer: 2 ** 31,
      encoding: 'utf8',
    },
  );
  if (answer.status !== 0) throw new Error(`${llvmSymbolizer} failed: ${answer.stderr.slice(0, 500)}`);
  return answer.stdout
    .trim()
    .split('\n')
    .map((line) => {
      const { Symbol: frames } = JSON.parse(line) as { Symbol: LlvmFrame[] };
      return frames
        .map((frame) => ({
          name: frame.FunctionName,
          file: frame.FileName,
          line: frame.Line,
          column: frame.Column,
          startLine: frame.StartLine,
        }))
        .filter(({ name, file }, i) => frames.length > 1 || i > 0 || name !== '' || file !== '');
    });
}

interface LlvmFrame {
  readonly FunctionName: string;
  readonly FileName: string;
  readonly Line: number;
  readonly Column: number;
  readonly StartLine: number;
}

/** The frames of address `i`. */
export function framesOf(frames: SourceFrames, i: number): ComparedFrame[] {
  const found: ComparedFrame[] = [];
  for (let at = frames.frameStart[i]!; at < frames.frameStart[i + 1]!; at++) {
    found.push({
      name: frames.names[at]!,
      file: frames.files[at]!,
      line: frames.lines[at]!,
      column: frames.columns[at]!,
      startLine: frames.startLines[at]!,
    });
  }
  return found;
}

/** How two answers compare, by category; `disagreed` has some addresses of each category for a closer look. */
export interface Agreement {
  readonly addresses: number;
  readonly bothUnknown: number;
  /** Addresses for which LLVM has a line from DWARF. */
  readonly withLines: number;
  readonly agreed: number;
  /** Agreed but for name and file of the outermost function where LLVM takes them from the symbol table. */
  readonly symbolNames: number;
  readonly disagreed: Readonly<Record<string, { count: number; examples: string[] }>>;
}

/** Compares chain length, functions, files, lines, columns and lines of declaration of each address. */
export function compare(addresses: BigUint64Array, ours: SourceFrames, theirs: ComparedFrame[][]): Agreement {
  let bothUnknown = 0;
  let withLines = 0;
  let agreed = 0;
  let symbolNames = 0;
  const disagreed: Record<string, { count: number; examples: string[] }> = {};
  for (let i = 0; i < addresses.length; i++) {
    const mine = framesOf(ours, i);
    const llvm = theirs[i]!;
    const hasDwarf = llvm.some(({ file, line }) => file !== '' && line > 0);
    if (hasDwarf) withLines++;
    const category = differenceOf(mine, llvm);
    if (mine.length === 0 && category === undefined) bothUnknown++;
    else if (category === undefined) agreed++;
    else if (category === 'symbol') symbolNames++;
    else {
      disagreed[category] ??= { count: 0, examples: [] };
      const { examples } = disagreed[category];
      disagreed[category].count++;
      if (examples.length < 3) {
        examples.push(
          `0x${addresses[i]!.toString(16)} ours ${JSON.stringify(mine)} llvm ${JSON.stringify(llvm)}`,
        );
      }
    }
  }
  return { addresses: addresses.length, bothUnknown, withLines, agreed, symbolNames, disagreed };
}

function differenceOf(mine: ComparedFrame[], llvm: ComparedFrame[]): string | undefined {
  if (mine.length === 0) {
    // A name without a line comes from the symbol table.
    return llvm.length === 0 || (llvm.length === 1 && llvm[0]!.line === 0 && llvm[0]!.startLine === 0)
      ? undefined
      : 'unknown to us';
  }
  if (llvm.length === 0) return 'unknown to llvm';
  if (mine.length !== llvm.length) return 'chain length';
  let isOfSymbolTable = false;
  for (const [i, frame] of mine.entries()) {
    const other = llvm[i]!;
    const isOutermost = i === mine.length - 1;
    if (frame.name !== other.name) {
      if (!isOutermost) return 'name';
      isOfSymbolTable = true;
    }
    if (frame.file !== other.file) {
      // Where DWARF has no file, LLVM takes the one that the symbol table has for the outermost function.
      if (!isOutermost || frame.file !== '' || other.line !== 0) return i === 0 ? 'file' : 'call file';
      isOfSymbolTable = true;
    }
    if (frame.line !== other.line) return i === 0 ? 'line' : 'call line';
    if (frame.column !== other.column) return i === 0 ? 'column' : 'call column';
    if (frame.startLine !== other.startLine) return 'start line';
  }
  return isOfSymbolTable ? 'symbol' : undefined;
}

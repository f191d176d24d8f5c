// SPDX-License-Identifier: Apache-2.0
//
// The text of /proc/kallsyms (100 000 to 300 000 lines) as a SymbolTable. Lines come in chunks, and no line becomes a
// string. kallsyms has no sizes, so a function reaches to the next symbol of any kind, but not past the end of the
// kernel's text, the end of its module, or `maxFunctionBytes`: in gaps nothing is named.
//
//   ffffffff81001000 t do_one_initcall
//   ffffffffc0201000 t ext4_readdir	[ext4]

import type { NameCompression } from './name-store.ts';
import { type SymbolTable, SymbolTableBuilder } from './symbol-table.ts';

/** Limits of the reader. */
export const kallsymsLimits = {
  /** Longer lines are dropped and counted; the kernel's own limit for a name is 512 bytes. */
  maxLineBytes: 1024,
  /** Name bytes collected; symbols after are dropped and counted. */
  maxNameBytes: 64 * 1024 * 1024,
  /** Where the next symbol is farther than this, the function is taken to have ended. */
  maxFunctionBytes: 256 * 1024,
} as const;

/**
 * 64-bit kernels of x86 and Arm have their text above this address, so distances from it are exact in a number.
 * Per-CPU and absolute symbols, which are no code, lie below.
 */
const kernelBase = 0xffff_0000_0000_0000n;
const kernelBaseHigh = 0xffff_0000;

/** Where a module lies, from /proc/modules. */
export interface ModuleRange {
  readonly address: bigint;
  readonly size: bigint;
}

/** A kernel function. `module` is '' for the kernel itself, 'bpf' for BPF programs. */
export interface KernelSymbol {
  readonly name: string;
  readonly module: string;
}

/** Parsed /proc/kallsyms. */
export interface KernelSymbols {
  /** Names have their module as in kallsyms, `name\t[module]`; use `kernelSymbolOf`. */
  readonly table: SymbolTable;
  /** Lines that were a function or a boundary. */
  readonly functions: number;
  /** Lines that were too long or not understood, or that no longer fitted the limits. */
  readonly droppedLines: number;
  /** True when the kernel hid its addresses (kernel.kptr_restrict, or CAP_SYSLOG is missing). */
  readonly isRestricted: boolean;
}

/** Takes a name of the table apart. '' gives no name and no module. */
export function kernelSymbolOf(name: string): KernelSymbol {
  const tab = name.indexOf('\t');
  return tab < 0
    ? { name, module: '' }
    : { name: name.slice(0, tab), module: name.slice(tab + 1).replace(/^\[(.*)\]$/, '$1') };
}

/** Ranges of modules from the text of /proc/modules. Lines without a usable address are left out. */
export function parseModules(text: string): Map<string, ModuleRange> {
  const modules = new Map<string, ModuleRange>();
  for (const line of text.split('\n')) {
    const match = /^(\S+) (\d+) .* 0x([0-9a-f]+)(?: \(\w+\))?$/.exec(line);
    if (match === null) continue;
    const address = BigInt(`0x${match[3]}`);
    if (address !== 0n) modules.set(match[1]!, { address, size: BigInt(match[2]!) });
  }
  return modules;
}

const newline = 0x0a;
const tab = 0x09;
const space = 0x20;
const underscore = 0x5f;
const latin1 = new TextDecoder('latin1');
const boundaryEndings = ['text', 'text_start', 'text_end'].map((ending) => new TextEncoder().encode(ending));
/** Symbol types (as in nm) that are code: text, and weak symbols, which in kallsyms are code unless they are V. */
const codeTypes = new Set(Array.from('tTwW', (letter) => letter.charCodeAt(0)));

/** Reads /proc/kallsyms: `push` each chunk, then `finish`. */
export class KallsymsParser {
  readonly #compression: NameCompression;
  readonly #modules: ReadonlyMap<string, ModuleRange>;
  readonly #builder = new SymbolTableBuilder(kernelBase);
  /** Names as the lines have them, each ended by a newline; a handle is an offset in here. */
  #names = new Uint8Array(1 << 20);
  #namesUsed = 0;
  #carry = new Uint8Array(0);
  #isSkippingLine = false;
  #functions = 0;
  #droppedLines = 0;
  #zeroAddresses = 0;
  /** The module of the last line, and where its text ends at the latest. */
  #module = '';
  #moduleLimit = Number.POSITIVE_INFINITY;

  constructor(modules: ReadonlyMap<string, ModuleRange>, compression: NameCompression) {
    this.#modules = modules;
    this.#compression = compression;
  }

  /** Takes the next bytes of the file; they may end inside a line. */
  push(chunk: Uint8Array): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(newline, from);
      if (end < 0) break;
      if (this.#isSkippingLine) this.#isSkippingLine = false;
      else if (this.#carry.byteLength > 0) this.#line(concat(this.#carry, chunk.subarray(from, end)));
      else this.#line(chunk.subarray(from, end));
      this.#carry = new Uint8Array(0);
      from = end + 1;
    }
    if (this.#isSkippingLine) return;
    this.#carry = concat(this.#carry, chunk.subarray(from));
    if (this.#carry.byteLength > kallsymsLimits.maxLineBytes) {
      this.#droppedLines++;
      this.#isSkippingLine = true;
      this.#carry = new Uint8Array(0);
    }
  }

  /** The symbols of all lines. The parser is used up. */
  finish(): KernelSymbols {
    if (this.#carry.byteLength > 0) this.#line(this.#carry);
    const names = this.#names.subarray(0, this.#namesUsed);
    const table = this.#builder.build(
      (offset) => names.subarray(offset, names.indexOf(newline, offset)),
      this.#compression,
    );
    return {
      table,
      functions: this.#functions,
      droppedLines: this.#droppedLines,
      isRestricted: this.#functions === 0 && this.#zeroAddresses > 0,
    };
  }

  #line(line: Uint8Array): void {
    if (line.byteLength === 0) return;
    const high = hexNumber(line, 0);
    const low = hexNumber(line, 8);
    const isWellFormed =
      high >= 0 && low >= 0 && line[16] === space && line[18] === space && line.byteLength > 19;
    if (!isWellFormed || line.byteLength > kallsymsLimits.maxLineBytes) {
      this.#droppedLines++;
      return;
    }
    const isCode = codeTypes.has(line[17]!);
    if (high < kernelBaseHigh) {
      if (isCode && high === 0 && low === 0) this.#zeroAddresses++;
      return;
    }
    const start = (high - kernelBaseHigh) * 0x1_0000_0000 + low;
    const name = line.subarray(19);
    if (!isCode || isTextBoundary(name)) {
      this.#builder.addBoundary(start);
      return;
    }
    const handle = this.#keep(name);
    if (handle < 0) {
      this.#droppedLines++;
      return;
    }
    this.#functions++;
    const moduleLimit = this.#limitOf(name, start);
    const isLocal = line[17]! >= 0x61;
    this.#builder.addOpen(
      start,
      Math.min(start + kallsymsLimits.maxFunctionBytes, moduleLimit),
      isLocal ? 1 : 0,
      handle,
    );
  }

  /** Where a function of this line's module ends at the latest. */
  #limitOf(name: Uint8Array, start: number): number {
    const tabAt = name.indexOf(tab);
    if (tabAt < 0) return Number.POSITIVE_INFINITY;
    const module = latin1.decode(name.subarray(tabAt + 2, name.byteLength - 1));
    if (module !== this.#module) {
      this.#module = module;
      const range = this.#modules.get(module);
      this.#moduleLimit =
        range === undefined ? Number.POSITIVE_INFINITY : Number(range.address + range.size - kernelBase);
    }
    // Since 6.4 a module's memory is in several pieces and /proc/modules has the place of one only.
    return this.#moduleLimit > start ? this.#moduleLimit : Number.POSITIVE_INFINITY;
  }

  #keep(name: Uint8Array): number {
    const needed = this.#namesUsed + name.byteLength + 1;
    if (needed > kallsymsLimits.maxNameBytes) return -1;
    if (needed > this.#names.byteLength) {
      const grown = new Uint8Array(Math.min(this.#names.byteLength * 2, kallsymsLimits.maxNameBytes));
      grown.set(this.#names);
      this.#names = grown;
    }
    const offset = this.#namesUsed;
    this.#names.set(name, offset);
    this.#names[offset + name.byteLength] = newline;
    this.#namesUsed = needed;
    return offset;
  }
}

/** Eight hexadecimal digits at `from` as a number, -1 when they are none. */
function hexNumber(bytes: Uint8Array, from: number): number {
  let value = 0;
  for (let i = from; i < from + 8; i++) {
    const byte = bytes[i] ?? 0;
    const digit =
      byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/**
 * Linker-script symbols such as `_stext`, `_etext`, `__sched_text_end` and `__entry_text_start`: they say where code
 * begins and ends and are no functions.
 */
function isTextBoundary(name: Uint8Array): boolean {
  const isCandidate = name[0] === underscore && boundaryEndings.some((ending) => endsWith(name, ending));
  return isCandidate && /^_[a-z]*text$|^__([a-z]+_)*text_(start|end)$/.test(latin1.decode(name));
}

function endsWith(bytes: Uint8Array, ending: Uint8Array): boolean {
  let i = bytes.byteLength;
  let j = ending.byteLength;
  if (i < j) return false;
  while (j > 0) if (bytes[--i] !== ending[--j]) return false;
  return true;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.byteLength + b.byteLength);
  joined.set(a);
  joined.set(b, a.byteLength);
  return joined;
}

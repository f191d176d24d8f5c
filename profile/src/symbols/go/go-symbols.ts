// SPDX-License-Identifier: Apache-2.0
//
// Names, files and lines of Go code, with inlined functions, from the tables that the Go runtime itself prints its
// tracebacks from. Stripped binaries have them too.

import { FormatError } from '../../errors.ts';
import type { ElfFile } from '../elf.ts';
import { type SourceFrames, SourceFramesBuilder } from '../source-frames.ts';
import { goLimits } from './go-limits.ts';
import { goFunctionName } from './go-names.ts';
import { PcValueTable } from './pc-value-table.ts';
import { type GoFunction, Pclntab } from './pclntab.ts';

/** 2 MiB at most; a small binary's tables fit. */
const windowSizes = { windowBytes: 16_384, windowCount: 128 } as const;
/** Names and files that are kept as strings. */
const stringsKept = 4096;
/** Bytes of an entry of the tree of inlined calls, and where in it are the callee's name, its call and its first line. */
const inlinedCallBefore20 = { bytes: 20, name: 12, call: 16, firstLine: -1 } as const;
const inlinedCallSince20 = { bytes: 16, name: 4, call: 8, firstLine: 12 } as const;

/** The Go functions of one binary. */
export class GoSymbols {
  readonly #pclntab: Pclntab;
  readonly #problems: Record<string, number> = {};
  readonly #names = new Map<number, string>();
  readonly #files = new Map<number, string>();
  readonly #inlinedCall: typeof inlinedCallBefore20 | typeof inlinedCallSince20;
  readonly #fileTable = new PcValueTable();
  readonly #lineTable = new PcValueTable();
  readonly #inlineTable = new PcValueTable();
  #function: GoFunction | undefined;
  #stepsLeft = 0;

  private constructor(pclntab: Pclntab) {
    this.#pclntab = pclntab;
    this.#inlinedCall = pclntab.header.version >= 20 ? inlinedCallSince20 : inlinedCallBefore20;
    if (!pclntab.hasInlineTrees) this.#count('no_inline_trees');
  }

  /**
   * Undefined when the file is no Go binary for x86-64 or arm64. Throws FormatError when it is one whose tables cannot
   * be read.
   */
  static open(elf: ElfFile): GoSymbols | undefined {
    const pclntab = Pclntab.open(elf, windowSizes);
    return pclntab === undefined ? undefined : new GoSymbols(pclntab);
  }

  /** How often something could not be read, by reason. */
  get problems(): Readonly<Record<string, number>> {
    return this.#problems;
  }

  /** Bytes held in memory, about. */
  get byteSize(): number {
    const tables = [this.#fileTable, this.#lineTable, this.#inlineTable];
    return (
      this.#pclntab.byteSize +
      tables.reduce((sum, { ends, values }) => sum + ends.byteLength + values.byteLength, 0) +
      (this.#names.size + this.#files.size) * 100
    );
  }

  /**
   * The functions at ELF virtual addresses, in any order; an address is taken as it is (of a return address, ask for the
   * byte before). Names are as Go prints them. Damage leaves the address without its chain, file or line, and is counted
   * in `problems`.
   */
  lookUp(addresses: BigUint64Array): SourceFrames {
    this.#stepsLeft = goLimits.maxStepsPerLookUp + addresses.length * goLimits.maxStepsPerAddress;
    const functions = Int32Array.from(addresses, (address) =>
      address < 1n << 52n ? this.#pclntab.find(Number(address)) : -1,
    );
    // Function by function, so that each one's tables are unpacked once; chains are put into the order asked for after.
    const order = Uint32Array.from(functions.keys()).sort((a, b) => functions[a]! - functions[b]!);
    const chains = new Array<InlineFrame[] | undefined>(addresses.length);
    for (const i of order) {
      if (functions[i]! >= 0) chains[i] = this.#chain(functions[i]!, Number(addresses[i]!));
    }
    const frames = new SourceFramesBuilder();
    for (const chain of chains) {
      for (const { name, file, line, firstLine } of chain ?? []) frames.add(name, file, line, 0, firstLine);
      frames.endAddress();
    }
    return frames.finish();
  }

  #chain(index: number, address: number): InlineFrame[] {
    const frames: InlineFrame[] = [];
    try {
      const fn = this.#enter(index);
      const { bytes, name, call, firstLine } = this.#inlinedCall;
      let pcOffset = address - fn.entry;
      for (;;) {
        const inlined = fn.inlineTree < 0 ? -1 : this.#inlineTable.valueAt(pcOffset);
        const position = this.#position(fn, pcOffset);
        if (inlined < 0) {
          frames.push({ name: this.#name(fn.nameOffset), ...position, firstLine: fn.firstLine });
          return frames;
        }
        if (frames.length >= goLimits.maxInlineDepth) {
          this.#count('inline_depth');
          return frames;
        }
        const { windows } = this.#pclntab;
        const at = fn.inlineTree + inlined * bytes;
        frames.push({
          name: this.#name(windows.uint32(at + name, 'name of an inlined function')),
          ...position,
          firstLine: firstLine < 0 ? 0 : windows.uint32(at + firstLine, 'line of an inlined function'),
        });
        pcOffset = windows.uint32(at + call, 'call of an inlined function');
      }
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#count('function_unreadable');
      this.#function = undefined;
      return frames;
    }
  }

  /** Makes a function the current one: its tables are unpacked. */
  #enter(index: number): GoFunction {
    if (this.#function?.index === index) return this.#function;
    const fn = this.#pclntab.function(index);
    this.#unpack(fn, fn.fileTable, this.#fileTable);
    this.#unpack(fn, fn.lineTable, this.#lineTable);
    this.#unpack(fn, fn.inlineIndexTable, this.#inlineTable);
    this.#function = fn;
    return fn;
  }

  #unpack(fn: GoFunction, offset: number, table: PcValueTable): void {
    table.count = 0;
    if (offset === 0) return;
    const { header, windows } = this.#pclntab;
    const damage = table.decode(
      windows,
      header.pcTable + offset,
      header.limit,
      fn.end - fn.entry,
      header.quantum,
      this.#stepsLeft,
    );
    this.#stepsLeft -= table.count;
    if (damage !== undefined) this.#count(damage);
  }

  #position(fn: GoFunction, pcOffset: number): { file: string; line: number } {
    const fileNumber = this.#fileTable.valueAt(pcOffset);
    const line = this.#lineTable.valueAt(pcOffset);
    if (fileNumber < 0 || line < 0) return { file: '', line: 0 };
    return { file: this.#file(fn.unit, fileNumber), line };
  }

  #name(offset: number): string {
    return remembered(this.#names, offset, () => {
      const symbol = this.#pclntab.name(offset);
      // Before generics, brackets are of array types.
      const name = this.#pclntab.header.version >= 18 ? goFunctionName(symbol) : symbol;
      if (name === '') this.#count('name_unreadable');
      return name;
    });
  }

  #file(unit: number, number: number): string {
    return remembered(this.#files, unit * 0x10_0000 + number, () => {
      const file = this.#pclntab.file(unit, number);
      if (file === '') this.#count('file_unreadable');
      return file;
    });
  }

  #count(problem: string): void {
    this.#problems[problem] = (this.#problems[problem] ?? 0) + 1;
  }
}

interface InlineFrame {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly firstLine: number;
}

function remembered(strings: Map<number, string>, key: number, read: () => string): string {
  let text = strings.get(key);
  if (text === undefined) {
    text = read();
    if (strings.size >= stringsKept) strings.clear();
    strings.set(key, text);
  }
  return text;
}

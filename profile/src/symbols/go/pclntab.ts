// SPDX-License-Identifier: Apache-2.0
//
// Go's pclntab, opened: the entries of all functions in one typed array, everything else read when it is asked for.
//
//   function index   entry, offset │ entry, offset │ … │ end
//                             └────────┐
//   function record   entry  name  args  deferreturn  pcsp  pcfile  pcln  npcdata  [unit]  [first line]  id flag - nfuncdata
//                     then npcdata offsets of pc-value tables and nfuncdata references to function data
//                     (pointers before Go 1.18, offsets from go:func.* since)

import { FormatError } from '../../errors.ts';
import type { ElfFile } from '../elf.ts';
import { viewOf } from '../random-access.ts';
import { ElfMemory } from './elf-memory.ts';
import { FileWindows, type WindowSizes } from './file-windows.ts';
import { goLimits } from './go-limits.ts';
import { findGoModule } from './go-module.ts';
import { entryBytes, findPclntab, type PclntabHeader } from './pclntab-header.ts';

const format = 'pclntab';
const entriesPerRead = 32_768;
const inlineTreeIndexTable = 2;
const missingData = 0xffff_ffff;

/** Bits of `GoFunction.flags`, set since Go 1.17. */
export const goFunctionFlag = { topFrame: 1, writesStackPointer: 2, assembly: 4 } as const;

/** What the table says about one function. Offsets of tables are relative to the table of pc values, 0 for none. */
export interface GoFunction {
  readonly index: number;
  /** ELF virtual addresses: of the first byte, and of the next function's. */
  readonly entry: number;
  readonly end: number;
  readonly nameOffset: number;
  readonly stackDepthTable: number;
  readonly fileTable: number;
  readonly lineTable: number;
  readonly inlineIndexTable: number;
  /** Offset in the file of the tree of inlined calls, -1 for none. */
  readonly inlineTree: number;
  /** Index of the compilation unit's first file. */
  readonly unit: number;
  /** 0 unknown: known since Go 1.20. */
  readonly firstLine: number;
  /** See `goFunctionFlag`. */
  readonly flags: number;
}

/** See the head of the file. */
export class Pclntab {
  readonly header: PclntabHeader;
  readonly memory: ElfMemory;
  readonly windows: FileWindows;
  readonly textStart: number;
  /** Relative to `textStart`, ascending: the entry of each function, and the end of the last. */
  readonly entries: Uint32Array;
  /** True when trees of inlined calls can be found. */
  readonly hasInlineTrees: boolean;
  readonly #functionData: number;
  readonly #relocated: RelocatedPointers | undefined;

  private constructor(
    header: PclntabHeader,
    memory: ElfMemory,
    windows: FileWindows,
    index: FunctionIndex,
    functionData: number,
  ) {
    this.header = header;
    this.memory = memory;
    this.windows = windows;
    this.textStart = index.textStart;
    this.entries = index.entries;
    this.#relocated = index.relocated;
    this.#functionData = functionData;
    this.hasInlineTrees = header.version >= 18 ? functionData >= 0 : header.version === 16 || isGo113(memory);
  }

  /**
   * Undefined when the file is no Go binary of a machine that is read (x86-64, arm64). Throws FormatError when it is one
   * and cannot be read.
   */
  static open(elf: ElfFile, windowSizes: WindowSizes): Pclntab | undefined {
    const memory = new ElfMemory(elf);
    const windows = new FileWindows(elf.access, format, windowSizes);
    const header = findPclntab(memory, windows);
    if (header === undefined) return undefined;
    if (header.functionCount > goLimits.maxFunctions) {
      throw new FormatError(format, header.offset, `more than ${goLimits.maxFunctions} functions`);
    }
    if (header.version < 18) {
      const index = readAbsoluteIndex(memory, header);
      return new Pclntab(header, memory, windows, index, -1);
    }
    const entries = readRelativeIndex(elf, header);
    const module = findGoModule(memory, windows, header, entries[0]!, entries.at(-1)!);
    if (module === undefined && header.textStart === 0) {
      throw new FormatError(
        format,
        header.offset,
        'the module data, which tell the text start, are not found',
      );
    }
    const textStart = module?.textStart ?? header.textStart;
    checkCode(memory, header, textStart, entries);
    const index = { textStart, entries, relocated: undefined };
    return new Pclntab(header, memory, windows, index, module?.functionData ?? -1);
  }

  get functionCount(): number {
    return this.header.functionCount;
  }

  /** Bytes held in memory. */
  get byteSize(): number {
    return this.entries.byteLength + this.windows.heldBytes + (this.#relocated?.byteLength ?? 0);
  }

  /** The function that holds an ELF virtual address, or -1. */
  find(address: number): number {
    const target = address - this.textStart;
    const { entries } = this;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (entries[middle]! <= target) low = middle + 1;
      else high = middle;
    }
    return low < entries.length ? low - 1 : -1;
  }

  /** Throws FormatError when the record lies outside of the table. */
  function(index: number): GoFunction {
    const { header, windows } = this;
    const entryWidth = entryBytes(header.version);
    const offset = windows.uint32(
      header.functionTable + (index * 2 + 1) * entryWidth,
      'offset of a function record',
    );
    const at = header.functionBase + offset;
    const length = entryWidth + recordBytes[header.version];
    if (at + length > header.limit) throw new FormatError(format, at, 'function record outside of the table');
    const view = viewOf(windows.bytes(at, length, 'function record'));
    const field = (position: number): number => view.getUint32(entryWidth + position * 4, true);
    const tail = length - 4;
    const pcTables = field(6);
    const dataCount = view.getUint8(tail + 3);
    const record = {
      index,
      entry: this.textStart + this.entries[index]!,
      end: this.textStart + this.entries[index + 1]!,
      nameOffset: field(0),
      stackDepthTable: field(3),
      fileTable: field(4),
      lineTable: field(5),
      unit: header.version >= 16 ? field(7) : 0,
      firstLine: header.version >= 20 ? field(8) : 0,
      // Go 1.16 and earlier have padding here.
      flags: view.getUint8(tail + 1),
    };
    const tables = at + length;
    const hasIndex = this.hasInlineTrees && pcTables > inlineTreeIndexTable;
    const inlineIndexTable = hasIndex
      ? windows.uint32(tables + inlineTreeIndexTable * 4, 'offset of a pc-value table')
      : 0;
    const inlineTree = inlineIndexTable === 0 ? -1 : this.#inlineTree(tables + pcTables * 4, dataCount);
    return { ...record, inlineIndexTable, inlineTree };
  }

  /** Offset in the file of the tree of inlined calls, given the function's references to function data; -1 for none. */
  #inlineTree(references: number, count: number): number {
    const { header, memory, windows } = this;
    const index = header.version === 2 ? 4 : 3;
    if (index >= count) return -1;
    if (header.version >= 18) {
      const offset = windows.uint32(references + index * 4, 'offset of function data');
      return offset === missingData ? -1 : memory.offsetOf(this.#functionData + offset);
    }
    const at = header.offset + Math.ceil((references - header.offset) / 8) * 8 + index * 8;
    const view = viewOf(windows.bytes(at, 8, 'pointer to function data'));
    const pointer = this.#relocated?.at(at - header.offset) ?? Number(view.getBigUint64(0, true));
    return pointer === 0 ? -1 : memory.offsetOf(pointer);
  }

  /** The name at an offset of the table of names, '' when it cannot be read. */
  name(offset: number): string {
    const at = this.header.nameTable + offset;
    return at < this.header.limit ? (this.windows.string(at, goLimits.maxNameBytes) ?? '') : '';
  }

  /** The path of file `number` of a function, '' when it cannot be read. */
  file(unit: number, number: number): string {
    const { header, windows } = this;
    if (number < 0) return '';
    const isOld = header.version === 2;
    const at = isOld ? header.fileTable + number * 4 : header.unitTable + (unit + number) * 4;
    if (at + 4 > header.limit) return '';
    const offset = windows.uint32(at, 'offset of a file name');
    if (offset === missingData) return '';
    const nameAt = (isOld ? header.offset : header.fileTable) + offset;
    return nameAt < header.limit ? (windows.string(nameAt, goLimits.maxNameBytes) ?? '') : '';
  }
}

/** Bytes of a function record behind its entry. */
const recordBytes: Readonly<Record<PclntabHeader['version'], number>> = { 2: 32, 16: 36, 18: 36, 20: 40 };

interface FunctionIndex {
  readonly textStart: number;
  readonly entries: Uint32Array;
  readonly relocated: RelocatedPointers | undefined;
}

/** Go 1.18 and later: pairs of 4 bytes. */
function readRelativeIndex(elf: ElfFile, header: PclntabHeader): Uint32Array {
  const entries = new Uint32Array(header.functionCount + 1);
  forEachEntry(elf, header, (i, view, at) => {
    entries[i] = view.getUint32(at, true);
    if (i > 0 && entries[i]! < entries[i - 1]!) throw notAscending(header, i);
  });
  return entries;
}

/** Go 1.17 and earlier: pairs of 8 bytes, filled in by the dynamic linker in position-independent files. */
function readAbsoluteIndex(memory: ElfMemory, header: PclntabHeader): FunctionIndex {
  const relocated = new RelocatedPointers(memory, header);
  let textStart = 0;
  const entries = new Uint32Array(header.functionCount + 1);
  forEachEntry(memory.elf, header, (i, view, at) => {
    const inFile = view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
    const address = relocated.at(header.functionTable - header.offset + i * 16) ?? inFile;
    if (i === 0) textStart = address;
    const entry = address - textStart;
    if (entry < 0 || entry > 0xffff_ffff || (i > 0 && entry < entries[i - 1]!)) throw notAscending(header, i);
    entries[i] = entry;
  });
  checkCode(memory, header, textStart, entries);
  return { textStart, entries, relocated: relocated.byteLength > 0 ? relocated : undefined };
}

/** All functions lie in one executable part, so that their sizes, and the work that they explain, are bounded by it. */
function checkCode(memory: ElfMemory, header: PclntabHeader, textStart: number, entries: Uint32Array): void {
  const part = memory.partOf(textStart + entries[0]!);
  const end = textStart + entries.at(-1)!;
  if (part?.isExecutable !== true || end > part.address + part.size) {
    throw new FormatError(format, header.offset, 'the functions lie outside of the code');
  }
}

function forEachEntry(
  elf: ElfFile,
  header: PclntabHeader,
  callback: (index: number, view: DataView, at: number) => void,
): void {
  const width = entryBytes(header.version);
  const count = header.functionCount + 1;
  let scratch: Uint8Array | undefined;
  for (let first = 0; first < count; first += entriesPerRead) {
    const entries = Math.min(entriesPerRead, count - first);
    // The last entry is the end of the text, without an offset.
    const length = entries * width * 2 - (first + entries === count ? width : 0);
    const bytes = elf.access.read(header.functionTable + first * width * 2, length, scratch);
    if (bytes.byteLength < length) {
      throw new FormatError(format, header.functionTable, 'the function index is cut short');
    }
    scratch = bytes;
    const view = viewOf(bytes);
    for (let i = 0; i < entries; i++) callback(first + i, view, i * width * 2);
  }
}

function notAscending(header: PclntabHeader, index: number): FormatError {
  const at = header.functionTable + index * entryBytes(header.version) * 2;
  return new FormatError(format, at, `function ${index} starts before the one in front of it`);
}

/** Go 1.13 is the first whose trees have a layout that is read; it is also the first that writes build information. */
function isGo113(memory: ElfMemory): boolean {
  const { elf } = memory;
  return elf.hasSections && elf.section('.go.buildinfo') !== undefined;
}

/** Pointers of the table that the dynamic linker fills in. */
class RelocatedPointers {
  /** Offsets from the start of the table, ascending, and what lies there. */
  #offsets = new Uint32Array(0);
  #targets = new Float64Array(0);

  constructor(memory: ElfMemory, header: PclntabHeader) {
    const first = header.address;
    const limit = Math.min(first + (header.limit - header.offset), first + 0xffff_ffff);
    let count = 0;
    let isAscending = true;
    memory.forEachRelocation((address, target) => {
      if (address < first || address >= limit) return;
      if (count === this.#offsets.length) this.#grow(header);
      this.#offsets[count] = address - first;
      this.#targets[count] = target;
      isAscending &&= count === 0 || this.#offsets[count]! >= this.#offsets[count - 1]!;
      count++;
    });
    this.#offsets = this.#offsets.slice(0, count);
    this.#targets = this.#targets.slice(0, count);
    if (!isAscending) {
      const offsets = this.#offsets;
      const targets = this.#targets;
      const order = Uint32Array.from(offsets.keys()).sort((a, b) => offsets[a]! - offsets[b]!);
      this.#offsets = order.map((i) => offsets[i]!);
      this.#targets = Float64Array.from(order, (i) => targets[i]!);
    }
  }

  get byteLength(): number {
    return this.#offsets.byteLength + this.#targets.byteLength;
  }

  at(offset: number): number | undefined {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return this.#offsets[low] === offset ? this.#targets[low] : undefined;
  }

  #grow(header: PclntabHeader): void {
    const length = Math.max(4096, this.#offsets.length * 2);
    if (length > goLimits.maxRelocations) {
      throw new FormatError(
        format,
        header.offset,
        `more than ${goLimits.maxRelocations} relocations in the table`,
      );
    }
    const offsets = new Uint32Array(length);
    const targets = new Float64Array(length);
    offsets.set(this.#offsets);
    targets.set(this.#targets);
    this.#offsets = offsets;
    this.#targets = targets;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Function symbols of ELF files (.symtab, .dynsym) as a SymbolTable. A browser's or database's symbol sections have
// hundreds of megabytes, so nothing is read whole: symbols pass through a window, and names are fetched through a small
// cache of windows of the string table.
//
// What becomes a range:
//   FUNC, IFUNC              in any section; with size 0 (assembly) up to the next symbol or the end of the section
//   NOTYPE, global or weak   in an executable section (assembly without .type)
//   NOTYPE, local            only with a size: without one it is a jump label, and would cut a function in pieces
// and nothing reaches over the end of its section. What has no size does not reach into a function that .eh_frame knows
// either: in a stripped file that function has no symbol, and would get the name of its neighbour.

import { FormatError, messageOf } from '../errors.ts';
import { type ElfFile, type ElfSection, sectionFlag, sectionType } from './elf.ts';
import { nextStart, readFunctionStarts } from './function-starts.ts';
import type { NameCompression } from './name-store.ts';
import { readExactly, viewOf } from './random-access.ts';
import { StringTable } from './string-table.ts';
import { type SymbolTable, SymbolTableBuilder } from './symbol-table.ts';

const symbolType = { notype: 0, func: 2, gnuIfunc: 10 } as const;
const binding = { local: 0 } as const;
const sectionIndex = { undef: 0, loreserve: 0xff00, xindex: 0xffff } as const;
const machineArm = 40;

/** Symbols read at once; a window is this many entries. */
const symbolsPerWindow = 4096;
const atSign = 0x40;
/** Assemblers mark code and data inside sections with `$x`, `$d`, …; those are no functions. */
const dollar = 0x24;

/** The outcome of reading symbol sections: the table of all that could be read, and what could not. */
export interface ElfSymbols {
  readonly table: SymbolTable;
  /** True when one of the files has a .symtab, and not only the symbols that dynamic linking needs. */
  readonly hasSymtab: boolean;
  /** Messages of sections that were damaged; the symbols before the damage are in the table. */
  readonly problems: readonly string[];
}

/** True when a file has a .symtab with entries. Throws FormatError on a damaged section table. */
export function hasSymtab(file: ElfFile): boolean {
  return file.sections.some(({ type, size }) => type === sectionType.symtab && size > 0);
}

/**
 * The function symbols of one binary, from one or more files that describe it (the binary and its separate debug
 * file; both have the same addresses). Throws FormatError when no section table can be read.
 */
export function readElfSymbols(files: readonly ElfFile[], compression: NameCompression): ElfSymbols {
  const base = files[0]!.base;
  const builder = new SymbolTableBuilder(base);
  const strings: StringTable[] = [];
  const problems: string[] = [];
  const functionStarts = readFunctionStarts(files[0]!);
  for (const file of files) {
    const extents = new SectionExtents(file, base);
    for (const section of file.sections) {
      if (section.type !== sectionType.symtab && section.type !== sectionType.dynsym) continue;
      try {
        const names = stringTableOf(file, section);
        strings.push(names);
        collectSymbols(file, section, extents, functionStarts, names, strings.length - 1, builder);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        problems.push(messageOf(error));
      }
    }
  }
  const table = builder.build((handle) => {
    // A handle is string table * 2^32 + offset of the name.
    const name = strings[Math.floor(handle / 0x1_0000_0000)]!.read(handle % 0x1_0000_0000);
    return name && withoutVersion(name);
  }, compression);
  return { table, hasSymtab: files.some(hasSymtab), problems };
}

function collectSymbols(
  file: ElfFile,
  section: ElfSection,
  extents: SectionExtents,
  functionStarts: Float64Array,
  names: StringTable,
  tableIndex: number,
  builder: SymbolTableBuilder,
): void {
  const entryBytes = file.is64 ? 24 : 16;
  if (section.entrySize !== entryBytes) {
    throw new FormatError('elf', section.offset, `symbol size ${section.entrySize} instead of ${entryBytes}`);
  }
  if (section.offset + section.size > file.access.byteLength) {
    throw new FormatError(
      'elf',
      section.offset,
      `symbol table of ${section.size} bytes lies outside the file`,
    );
  }
  const count = Math.floor(section.size / entryBytes);
  const wideIndexes = file.sections.find(
    ({ type, link }) => type === sectionType.symtabShndx && link === section.index,
  );
  const baseHigh = Number(extents.base >> 32n);
  const baseLow = Number(extents.base & 0xffff_ffffn);

  builder.reserve(count);
  let entries: Uint8Array | undefined;
  for (let first = 0; first < count; first += symbolsPerWindow) {
    const length = Math.min(symbolsPerWindow, count - first);
    const offset = section.offset + first * entryBytes;
    entries = readExactly(file.access, 'elf', offset, length * entryBytes, 'symbol table', entries);
    const view = viewOf(entries);
    let wide: DataView | undefined;
    for (let i = 0; i < length; i++) {
      const entry = i * entryBytes;
      const info = view.getUint8(entry + (file.is64 ? 4 : 12));
      const type = info & 0xf;
      if (type !== symbolType.func && type !== symbolType.gnuIfunc && type !== symbolType.notype) continue;
      let index = view.getUint16(entry + (file.is64 ? 6 : 14), true);
      if (index === sectionIndex.undef) continue;
      if (index === sectionIndex.xindex && wideIndexes !== undefined) {
        wide ??= wideIndexWindow(file, wideIndexes, first, length);
        index = wide.getUint32(i * 4, true);
      } else if (index >= sectionIndex.loreserve) {
        continue;
      }
      const name = view.getUint32(entry, true);
      if (name === 0) continue;

      // Distances are exact where addresses are not: subtracting the halves never needs more than 53 bits here.
      const valueLow = view.getUint32(entry + (file.is64 ? 8 : 4), true);
      const valueHigh = file.is64 ? view.getUint32(entry + 12, true) : 0;
      const isThumb = file.machine === machineArm && (valueLow & 1) === 1;
      const start = (valueHigh - baseHigh) * 0x1_0000_0000 + (valueLow - baseLow) - (isThumb ? 1 : 0);
      const size = file.is64
        ? view.getUint32(entry + 20, true) * 0x1_0000_0000 + view.getUint32(entry + 16, true)
        : view.getUint32(entry + 8, true);

      const holder = extents.find(index, start);
      if (holder < 0) continue;
      const isLocal = info >> 4 === binding.local;
      if (type === symbolType.notype) {
        const isLabel = isLocal && size === 0;
        if (isLabel || !extents.isExecutable(holder) || names.firstByte(name) === dollar) continue;
      }
      const handle = tableIndex * 0x1_0000_0000 + name;
      const rank = (type === symbolType.notype ? 2 : 0) + (isLocal ? 1 : 0);
      const limit = extents.end(holder);
      if (size > 0) builder.addSized(start, Math.min(start + size, limit), rank, handle);
      else builder.addOpen(start, Math.min(limit, nextStart(functionStarts, start)), rank, handle);
    }
  }
}

function wideIndexWindow(file: ElfFile, section: ElfSection, first: number, length: number): DataView {
  if ((first + length) * 4 > section.size) {
    throw new FormatError(
      'elf',
      section.offset,
      'extended section index table is shorter than its symbol table',
    );
  }
  return viewOf(
    readExactly(file.access, 'elf', section.offset + first * 4, length * 4, 'extended section index table'),
  );
}

function stringTableOf(file: ElfFile, section: ElfSection): StringTable {
  const strings = file.sections[section.link];
  if (strings === undefined || strings.type !== sectionType.strtab) {
    throw new FormatError('elf', section.offset, `section ${section.link} is no string table`);
  }
  if (strings.offset + strings.size > file.access.byteLength) {
    throw new FormatError('elf', strings.offset, 'string table lies outside the file');
  }
  return new StringTable(file.access, strings.offset, strings.size);
}

/** `name@VERSION` and `name@@VERSION` without the version; a name that begins with @ stays. */
function withoutVersion(name: Uint8Array): Uint8Array {
  const version = name.indexOf(atSign);
  return version > 0 ? name.subarray(0, version) : name;
}

/** Where each section of a file lies in memory, as distances from the base address. */
class SectionExtents {
  readonly base: bigint;
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  readonly #flags: Uint8Array;
  /** Sections that are loaded, by address. */
  readonly #loaded: Uint32Array;

  constructor(file: ElfFile, base: bigint) {
    this.base = base;
    const { sections } = file;
    this.#starts = Float64Array.from(sections, ({ address }) => Number(address - base));
    this.#ends = Float64Array.from(sections, ({ size }, i) =>
      Math.min(this.#starts[i]! + size, Number.MAX_SAFE_INTEGER),
    );
    this.#flags = Uint8Array.from(sections, ({ flags }) => flags);
    const isLoaded = ({ flags, size }: ElfSection): boolean => (flags & sectionFlag.alloc) !== 0 && size > 0;
    this.#loaded = Uint32Array.from(sections.filter(isLoaded), ({ index }) => index).sort(
      (a, b) => this.#starts[a]! - this.#starts[b]!,
    );
  }

  /**
   * The section that holds a symbol: the one it names, else the one at its address, since tools that remove sections
   * leave the numbers in .dynsym as they were. -1 when it lies in none.
   */
  find(named: number, distance: number): number {
    if (distance < 0) return -1;
    const isLoaded = (this.#flags[named]! & sectionFlag.alloc) !== 0;
    if (isLoaded && this.#holds(named, distance)) return named;
    let low = 0;
    let high = this.#loaded.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[this.#loaded[middle]!]! <= distance) low = middle + 1;
      else high = middle;
    }
    return low > 0 && this.#holds(this.#loaded[low - 1]!, distance) ? this.#loaded[low - 1]! : -1;
  }

  isExecutable(index: number): boolean {
    return (this.#flags[index]! & sectionFlag.execinstr) !== 0;
  }

  end(index: number): number {
    return this.#ends[index]!;
  }

  #holds(index: number, distance: number): boolean {
    return distance >= this.#starts[index]! && distance < this.#ends[index]!;
  }
}

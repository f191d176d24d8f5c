// SPDX-License-Identifier: Apache-2.0
//
// Names of PLT stubs. No symbol covers them, but a program spends time in them, and the return address of a tail call
// may lie in one. Each stub jumps through one slot of the global offset table, and the relocation of that slot names
// the function:
//
//   .plt  … │ jmp *0x2fe2(%rip) ─▶ .got.plt slot ◀─ .rela.plt { slot, JUMP_SLOT, symbol } ─▶ .dynsym ─▶ "malloc"
//
// The slot is read from the stub's own instructions rather than counted, so that the layouts of all linkers (lazy and
// not, with IBT, BTI or pointer authentication, .plt.sec, .plt.got, .iplt) are one case. What is not understood stays
// without a name.

import { FormatError } from '../../errors.ts';
import { type ElfFile, type ElfSection, elfMachine, sectionType } from '../elf.ts';
import type { NameCompression } from '../name-store.ts';
import { readExactly, viewOf } from '../random-access.ts';
import { StringTable } from '../string-table.ts';
import { type SymbolTable, SymbolTableBuilder } from '../symbol-table.ts';
import { arm64Stubs, type PltStub, x86Stubs } from './plt-stubs.ts';

/** Limits of the reader. What lies beyond them has no name. */
export const pltLimits = {
  /** Bytes of one section of stubs. */
  maxSectionBytes: 4 * 1024 * 1024,
  /** Relocations looked at in one file: the relative ones of a browser alone are half a million. */
  maxRelocations: 4_194_304,
} as const;

const stubSections = ['.plt', '.plt.sec', '.plt.bnd', '.plt.got', '.iplt'];
const relocationSections = ['.rela.plt', '.rela.iplt', '.rela.dyn'];
const relocationBytes = 24;
const relocationsPerWindow = 4096;
const symbolBytes = 24;

interface RelocationTypes {
  /** The slot holds the address of a symbol. */
  readonly symbol: readonly number[];
  /** The slot holds what the resolver at the addend returns. */
  readonly irelative: number;
}

const x86Relocations: RelocationTypes = { symbol: [6, 7], irelative: 37 };
const arm64Relocations: RelocationTypes = { symbol: [1025, 1026], irelative: 1032 };

/**
 * The stubs of an x86-64 or arm64 file as `name@plt`; undefined when there are none.
 *
 * @param nameAt the symbol at an address, '' for none: for slots whose relocation names a resolver instead of a symbol
 * @throws FormatError when a table is damaged
 */
export function readPltSymbols(
  file: ElfFile,
  nameAt: (address: bigint) => string,
  compression: NameCompression,
): SymbolTable | undefined {
  const types =
    file.machine === elfMachine.x86_64
      ? x86Relocations
      : file.machine === elfMachine.arm64
        ? arm64Relocations
        : undefined;
  if (types === undefined || !file.is64) return undefined;
  const stubs = findStubs(file);
  if (stubs.length === 0) return undefined;
  const names = new SlotNames(file, types, nameAt, stubs);
  const encoder = new TextEncoder();
  const builder = new SymbolTableBuilder(file.base);
  for (const [i, { start, limit }] of stubs.entries()) {
    const from = Number(start - file.base);
    const to = Number(limit - file.base);
    if (from >= 0 && to <= Number.MAX_SAFE_INTEGER && names.of(i) !== '') builder.addSized(from, to, 0, i);
  }
  return builder.build((i) => encoder.encode(`${names.of(i)}@plt`), compression);
}

function findStubs(file: ElfFile): PltStub[] {
  return stubSections.flatMap((name) => {
    const section = file.section(name);
    if (section === undefined || section.type === sectionType.nobits) return [];
    const length = Math.min(section.size, pltLimits.maxSectionBytes);
    const bytes = readExactly(file.access, 'elf', section.offset, length, `section ${name}`);
    return file.machine === elfMachine.arm64
      ? arm64Stubs(bytes, section.address)
      : x86Stubs(bytes, section.address, section.entrySize);
  });
}

/** What the relocations of a file say about the slots that its stubs use. */
class SlotNames {
  readonly #names: string[];

  constructor(
    file: ElfFile,
    types: RelocationTypes,
    nameAt: (address: bigint) => string,
    stubs: readonly PltStub[],
  ) {
    this.#names = new Array<string>(stubs.length).fill('');
    const bySlot = new Map<bigint, number[]>();
    const byIndex = new Map<number, number[]>();
    for (const [i, { slot, relocationIndex }] of stubs.entries()) {
      if (slot !== undefined) append(bySlot, slot, i);
      else if (relocationIndex !== undefined) append(byIndex, relocationIndex, i);
    }
    let remaining = pltLimits.maxRelocations;
    for (const name of relocationSections) {
      const section = file.section(name);
      if (section === undefined || section.type !== sectionType.rela) continue;
      const symbols = new DynamicNames(file, section);
      const isIndexed = name === '.rela.plt';
      remaining -= eachRelocation(file, section, remaining, (slot, type, symbol, addend, index) => {
        const users = [...(bySlot.get(slot) ?? []), ...((isIndexed ? byIndex.get(index) : undefined) ?? [])];
        if (users.length === 0) return;
        const found = types.symbol.includes(type)
          ? symbols.name(symbol)
          : type === types.irelative
            ? nameAt(addend)
            : '';
        for (const user of users) this.#names[user] = found;
      });
    }
  }

  of(stub: number): string {
    return this.#names[stub]!;
  }
}

function append<K>(map: Map<K, number[]>, key: K, value: number): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}

/** Calls `visit` for each relocation, at most `max` of them; returns how many there were. */
function eachRelocation(
  file: ElfFile,
  section: ElfSection,
  max: number,
  visit: (slot: bigint, type: number, symbol: number, addend: bigint, index: number) => void,
): number {
  if (section.entrySize !== relocationBytes) {
    throw new FormatError('elf', section.offset, `relocation size ${section.entrySize} is not 24`);
  }
  const count = Math.min(Math.floor(section.size / relocationBytes), max);
  for (let first = 0; first < count; first += relocationsPerWindow) {
    const length = Math.min(relocationsPerWindow, count - first);
    const offset = section.offset + first * relocationBytes;
    const view = viewOf(
      readExactly(file.access, 'elf', offset, length * relocationBytes, `section ${section.name}`),
    );
    for (let i = 0; i < length; i++) {
      const at = i * relocationBytes;
      const type = view.getUint32(at + 8, true);
      const symbol = view.getUint32(at + 12, true);
      visit(view.getBigUint64(at, true), type, symbol, view.getBigUint64(at + 16, true), first + i);
    }
  }
  return count;
}

/** Names of the symbols that the relocations of one section refer to by number. */
class DynamicNames {
  readonly #file: ElfFile;
  readonly #symbols: ElfSection | undefined;
  readonly #strings: StringTable | undefined;

  constructor(file: ElfFile, relocations: ElfSection) {
    this.#file = file;
    const symbols = file.sections[relocations.link];
    const isTable = symbols?.type === sectionType.dynsym || symbols?.type === sectionType.symtab;
    this.#symbols = isTable ? symbols : undefined;
    const strings = isTable ? file.sections[symbols.link] : undefined;
    if (strings?.type === sectionType.strtab) {
      this.#strings = new StringTable(file.access, strings.offset, strings.size);
    }
  }

  name(index: number): string {
    if (this.#symbols === undefined || this.#strings === undefined || index === 0) return '';
    if ((index + 1) * symbolBytes > this.#symbols.size) return '';
    const offset = this.#symbols.offset + index * symbolBytes;
    const entry = viewOf(readExactly(this.#file.access, 'elf', offset, symbolBytes, 'dynamic symbol'));
    const name = this.#strings.read(entry.getUint32(0, true));
    return name === undefined ? '' : decoder.decode(name);
  }
}

const decoder = new TextDecoder('utf-8');

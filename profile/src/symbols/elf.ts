// SPDX-License-Identifier: Apache-2.0
//
// The skeleton of an ELF file: header, program headers, section headers, build id. Little-endian, 32 and 64 bit,
// executables and shared objects. The file belongs to whoever is profiled, so it is hostile until proven otherwise:
// each count and each size is checked against the file before anything is read or allocated, loops run over bytes
// that exist, and what does not fit is a FormatError.
//
//   ┌────────────┬─────────────────┬──── … ────┬─────────────────┐
//   │ ELF header │ program headers │ contents  │ section headers │
//   └────────────┴─────────────────┴──── … ────┴─────────────────┘
//     offsets of both tables         segments = what is mapped; sections = what linkers and debuggers read

import { FormatError } from '../errors.ts';
import { type RandomAccess, readExactly, viewOf } from './random-access.ts';

/** Limits of the reader. A file beyond them is refused. */
export const elfLimits = {
  maxProgramHeaders: 4096,
  maxSections: 131_072,
  /** Bytes of one note section or segment that are searched for the build id. */
  maxNoteBytes: 65_536,
  maxBuildIdBytes: 64,
  /** Bytes of the table of section names that are read; sections whose names lie behind have none. */
  maxSectionNameBytes: 4 * 1024 * 1024,
  /** Longest name of a section; a longer one is cut. */
  maxSectionNameLength: 256,
} as const;

/** A PT_LOAD segment: where bytes of the file are placed in memory. */
export interface LoadSegment {
  readonly fileOffset: bigint;
  readonly fileSize: bigint;
  readonly address: bigint;
  readonly isExecutable: boolean;
}

/** A program header, as it is in the file. */
export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: bigint;
  readonly address: bigint;
  readonly fileSize: bigint;
  readonly memorySize: bigint;
  readonly alignment: bigint;
}

/** One section header. `size` counts bytes of the file, except for SHT_NOBITS, which has none. */
export interface ElfSection {
  readonly index: number;
  /** '' where the table of names is damaged or missing. */
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly entrySize: number;
}

/** Section types and flags (System V ABI, chapter 4). */
export const sectionType = {
  progbits: 1,
  symtab: 2,
  strtab: 3,
  rela: 4,
  note: 7,
  nobits: 8,
  rel: 9,
  dynsym: 11,
  symtabShndx: 18,
} as const;
export const sectionFlag = { alloc: 2, execinstr: 4, compressed: 0x800 } as const;
/** Program header types. */
export const segmentType = { load: 1, dynamic: 2, note: 4, gnuEhFrame: 0x6474e550 } as const;
/** Values of `ElfFile.type`: split DWARF (.dwo, .dwp) and kernel modules are relocatable files. */
export const elfType = { relocatable: 1, executable: 2, shared: 3 } as const;
/** Values of `ElfFile.machine` that this project knows. */
export const elfMachine = { x86: 3, arm: 40, x86_64: 62, arm64: 183 } as const;

const noteGnuBuildId = 3;
const sectionNamesInSection0 = 0xffff;
const programHeaderNumberInSection0 = 0xffff;
const maxExactHigh = 0x1f_ffff;
const latin1 = new TextDecoder('latin1');

/** An opened ELF file. Section contents are read when asked for. */
export class ElfFile {
  readonly access: RandomAccess;
  readonly is64: boolean;
  /** e_type: see `elfType`. */
  readonly type: number;
  /** e_machine: see `elfMachine`. */
  readonly machine: number;
  readonly programHeaders: readonly ProgramHeader[];
  readonly segments: readonly LoadSegment[];
  /** Lowest address of a PT_LOAD segment; 0 when nothing is loaded. */
  readonly base: bigint;
  /** Lower-case hex of the GNU build id, '' when there is none. */
  readonly buildId: string;
  readonly #sectionHeaders: { offset: number; entrySize: number; count: number; namesIndex: number };
  #sections: readonly ElfSection[] | undefined;
  #sectionsByName: ReadonlyMap<string, ElfSection> | undefined;

  /**
   * Reads headers and build id. Throws FormatError; a damaged section table only shows when `sections` is asked for.
   *
   * @param options.allowRelocatable also takes object files, such as .dwo and .dwp
   */
  constructor(access: RandomAccess, options: { readonly allowRelocatable?: boolean } = {}) {
    this.access = access;
    const identification = readExactly(access, 'elf', 0, 16, 'identification');
    if (viewOf(identification).getUint32(0, false) !== 0x7f454c46) {
      throw new FormatError('elf', 0, 'this is no ELF file');
    }
    const elfClass = identification[4];
    if (elfClass !== 1 && elfClass !== 2) throw new FormatError('elf', 4, `unknown class ${elfClass}`);
    if (identification[5] !== 1) throw new FormatError('elf', 5, 'only little-endian files are read');
    this.is64 = elfClass === 2;

    const header = viewOf(readExactly(access, 'elf', 0, this.is64 ? 64 : 52, 'header'));
    this.type = header.getUint16(16, true);
    const isLinked = this.type === elfType.executable || this.type === elfType.shared;
    if (!isLinked && !(this.type === elfType.relocatable && options.allowRelocatable === true)) {
      throw new FormatError('elf', 16, `type ${this.type} is neither an executable nor a shared object`);
    }
    this.machine = header.getUint16(18, true);
    const programHeaderOffset = this.is64 ? exactNumber(header, 32, 32) : header.getUint32(28, true);
    const sectionHeaderOffset = this.is64 ? exactNumber(header, 40, 40) : header.getUint32(32, true);
    const counts = this.is64 ? 54 : 42;
    this.#sectionHeaders = {
      offset: sectionHeaderOffset,
      entrySize: header.getUint16(counts + 4, true),
      count: header.getUint16(counts + 6, true),
      namesIndex: header.getUint16(counts + 8, true),
    };
    this.programHeaders = this.#readProgramHeaders(
      programHeaderOffset,
      header.getUint16(counts, true),
      header.getUint16(counts + 2, true),
    );
    this.segments = this.programHeaders.filter(({ type }) => type === segmentType.load).map(toLoadSegment);
    const addresses = BigUint64Array.from(this.segments, ({ address }) => address).sort();
    this.base = addresses[0] ?? 0n;
    this.buildId = this.#readBuildId(this.programHeaders.filter(({ type }) => type === segmentType.note));
  }

  /** All section headers; none when the file was stripped of them. Throws FormatError. */
  get sections(): readonly ElfSection[] {
    this.#sections ??= this.#readSections();
    return this.#sections;
  }

  /** True when the section table can be read and is not empty. */
  get hasSections(): boolean {
    try {
      return this.sections.length > 0;
    } catch (error) {
      if (error instanceof FormatError) return false;
      throw error;
    }
  }

  /** The first section of that name, or undefined. Throws FormatError when the section table is damaged. */
  section(name: string): ElfSection | undefined {
    if (this.#sectionsByName === undefined) {
      const byName = new Map<string, ElfSection>();
      for (const section of this.sections) {
        if (section.name !== '' && !byName.has(section.name)) byName.set(section.name, section);
      }
      this.#sectionsByName = byName;
    }
    return this.#sectionsByName.get(name);
  }

  #readProgramHeaders(offset: number, entrySize: number, count: number): ProgramHeader[] {
    if (count === 0) return [];
    if (count === programHeaderNumberInSection0 || count > elfLimits.maxProgramHeaders) {
      throw new FormatError('elf', offset, `more than ${elfLimits.maxProgramHeaders} program headers`);
    }
    if (entrySize < (this.is64 ? 56 : 32)) {
      throw new FormatError('elf', offset, `program header size ${entrySize} is too small`);
    }
    const view = viewOf(readExactly(this.access, 'elf', offset, entrySize * count, 'program header table'));
    return Array.from({ length: count }, (_, i) => {
      const at = i * entrySize;
      return this.is64
        ? {
            type: view.getUint32(at, true),
            flags: view.getUint32(at + 4, true),
            offset: view.getBigUint64(at + 8, true),
            address: view.getBigUint64(at + 16, true),
            fileSize: view.getBigUint64(at + 32, true),
            memorySize: view.getBigUint64(at + 40, true),
            alignment: view.getBigUint64(at + 48, true),
          }
        : {
            type: view.getUint32(at, true),
            flags: view.getUint32(at + 24, true),
            offset: BigInt(view.getUint32(at + 4, true)),
            address: BigInt(view.getUint32(at + 8, true)),
            fileSize: BigInt(view.getUint32(at + 16, true)),
            memorySize: BigInt(view.getUint32(at + 20, true)),
            alignment: BigInt(view.getUint32(at + 28, true)),
          };
    });
  }

  #readSections(): ElfSection[] {
    const { offset, entrySize } = this.#sectionHeaders;
    if (offset === 0) return [];
    if (entrySize < (this.is64 ? 64 : 40)) {
      throw new FormatError('elf', offset, `section header size ${entrySize} is too small`);
    }
    // A file with 65 280 sections or more keeps their number in the size field of section 0.
    let { count, namesIndex } = this.#sectionHeaders;
    if (count === 0 || namesIndex === sectionNamesInSection0) {
      const first = viewOf(readExactly(this.access, 'elf', offset, entrySize, 'section header 0'));
      if (count === 0) count = this.is64 ? exactNumber(first, 32, offset + 32) : first.getUint32(20, true);
      if (namesIndex === sectionNamesInSection0) namesIndex = first.getUint32(this.is64 ? 40 : 24, true);
    }
    if (count > elfLimits.maxSections) {
      throw new FormatError('elf', offset, `${count} sections, more than ${elfLimits.maxSections}`);
    }
    const view = viewOf(readExactly(this.access, 'elf', offset, entrySize * count, 'section header table'));
    const names = this.#readSectionNames(view, entrySize, namesIndex < count ? namesIndex : -1);
    const sections: ElfSection[] = [];
    for (let index = 0; index < count; index++) {
      const at = index * entrySize;
      const name = names(view.getUint32(at, true));
      sections.push(
        this.is64
          ? {
              index,
              name,
              type: view.getUint32(at + 4, true),
              flags: view.getUint32(at + 8, true),
              address: view.getBigUint64(at + 16, true),
              offset: clampedNumber(view, at + 24),
              size: clampedNumber(view, at + 32),
              link: view.getUint32(at + 40, true),
              entrySize: clampedNumber(view, at + 56),
            }
          : {
              index,
              name,
              type: view.getUint32(at + 4, true),
              flags: view.getUint32(at + 8, true),
              address: BigInt(view.getUint32(at + 12, true)),
              offset: view.getUint32(at + 16, true),
              size: view.getUint32(at + 20, true),
              link: view.getUint32(at + 24, true),
              entrySize: view.getUint32(at + 36, true),
            },
      );
    }
    return sections;
  }

  /** Names by their offset; a missing or damaged table gives none, since only few readers need them. */
  #readSectionNames(headers: DataView, entrySize: number, index: number): (offset: number) => string {
    if (index <= 0) return () => '';
    const at = index * entrySize;
    const offset = this.is64 ? clampedNumber(headers, at + 24) : headers.getUint32(at + 16, true);
    const size = this.is64 ? clampedNumber(headers, at + 32) : headers.getUint32(at + 20, true);
    const length = Math.min(size, elfLimits.maxSectionNameBytes, this.access.byteLength - offset);
    if (!(length > 0)) return () => '';
    const bytes = this.access.read(offset, length);
    return (from) => {
      if (from >= bytes.byteLength) return '';
      const name = bytes.subarray(from, from + elfLimits.maxSectionNameLength);
      const end = name.indexOf(0);
      return latin1.decode(end < 0 ? name : name.subarray(0, end));
    };
  }

  /** The build id of the note segments, else of the note sections; damaged notes count as none. */
  #readBuildId(noteSegments: ProgramHeader[]): string {
    for (const { offset, fileSize, alignment } of noteSegments) {
      const found = this.#buildIdIn(Number(offset), Number(fileSize), alignment === 8n ? 8 : 4);
      if (found !== '') return found;
    }
    // Separate debug files keep the note as a section; their segments hold no bytes.
    if (!this.hasSections) return '';
    for (const section of this.sections) {
      if (section.type !== sectionType.note) continue;
      const found = this.#buildIdIn(section.offset, section.size, 4);
      if (found !== '') return found;
    }
    return '';
  }

  #buildIdIn(offset: number, size: number, alignment: number): string {
    const length = Math.min(size, elfLimits.maxNoteBytes, Math.max(0, this.access.byteLength - offset));
    if (!(length >= 12)) return '';
    const bytes = this.access.read(offset, length);
    const view = viewOf(bytes);
    for (let at = 0; at + 12 <= bytes.byteLength; ) {
      const nameSize = view.getUint32(at, true);
      const descriptionSize = view.getUint32(at + 4, true);
      const nameAt = at + 12;
      const descriptionAt = alignUp(nameAt + nameSize, alignment);
      const next = alignUp(descriptionAt + descriptionSize, alignment);
      if (descriptionAt + descriptionSize > bytes.byteLength) return '';
      const isBuildId =
        view.getUint32(at + 8, true) === noteGnuBuildId &&
        nameSize === 4 &&
        view.getUint32(nameAt, false) === 0x474e5500;
      if (isBuildId && descriptionSize > 0 && descriptionSize <= elfLimits.maxBuildIdBytes) {
        return hexOf(bytes.subarray(descriptionAt, descriptionAt + descriptionSize));
      }
      at = next;
    }
    return '';
  }
}

/**
 * Where the byte at `fileOffset` of the file is placed by its segments, or undefined when it is not mapped.
 * Executable segments are asked first: page rounding makes neighbouring segments map the same bytes.
 */
export function virtualAddressOf(segments: readonly LoadSegment[], fileOffset: bigint): bigint | undefined {
  const holdsIt = ({ fileOffset: from, fileSize }: LoadSegment): boolean =>
    fileOffset >= from && fileOffset < from + fileSize;
  const segment = segments.find((s) => s.isExecutable && holdsIt(s)) ?? segments.find(holdsIt);
  return segment === undefined ? undefined : segment.address + (fileOffset - segment.fileOffset);
}

function toLoadSegment({ offset, fileSize, address, flags }: ProgramHeader): LoadSegment {
  return { fileOffset: offset, fileSize, address, isExecutable: (flags & 1) !== 0 };
}

/** Lower-case hexadecimal digits, as build ids are written. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** A 64-bit field as a number; a value that a number cannot hold exactly is an error at `offset`. */
function exactNumber(view: DataView, at: number, offset: number): number {
  const high = view.getUint32(at + 4, true);
  if (high > maxExactHigh) throw new FormatError('elf', offset, 'offset or size over 2^53');
  return high * 0x1_0000_0000 + view.getUint32(at, true);
}

/** A 64-bit field as a number; what a number cannot hold exactly becomes 2^53 - 1, which no file contains. */
function clampedNumber(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high > maxExactHigh ? Number.MAX_SAFE_INTEGER : high * 0x1_0000_0000 + view.getUint32(at, true);
}

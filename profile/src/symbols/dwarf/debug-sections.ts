// SPDX-License-Identifier: Apache-2.0
//
// The debug sections of one ELF file, found by name in any of their disguises: plain, compressed by the ELF
// standard (SHF_COMPRESSED), compressed as GNU tools did before (.zdebug_), and as split DWARF names them (.dwo).
//
//   SHF_COMPRESSED │ u32 type │ u32 reserved (64 bit only) │ size │ alignment │ packed bytes
//   .zdebug_*      │ 'ZLIB'   │ u64 size, big-endian       │ packed bytes

import { FormatError, messageOf } from '../../errors.ts';
import { type ElfFile, type ElfSection, sectionFlag, sectionType } from '../elf.ts';
import { type RandomAccess, readExactly, viewOf } from '../random-access.ts';
import type { ProblemCounts, WorkBudget } from './dwarf-limits.ts';
import { Section } from './section.ts';

/**
 * Unpacks bytes to at most `maxOutputBytes`, or throws. It is handed in, so that this reader depends on no compression
 * library; and it may put what it unpacked elsewhere than in memory, such as into a file, and return access to that.
 */
export type Inflate = (
  kind: 'zlib' | 'zstd',
  bytes: Uint8Array,
  maxOutputBytes: number,
) => Uint8Array | RandomAccess;

/** Unpacks sections for all files of one `DwarfSymbols`, up to a number of bytes. */
export interface Inflater {
  readonly inflate: Inflate | undefined;
  readonly maxBytes: number;
  usedBytes: number;
}

const compressionKinds: Readonly<Record<number, 'zlib' | 'zstd'>> = { 1: 'zlib', 2: 'zstd' };
const gnuHeaderBytes = 12;

/** Sections by their DWARF name, such as `info` for .debug_info; each is opened when first asked for. */
export class DebugSections {
  readonly #elf: ElfFile;
  readonly #suffix: string;
  readonly #inflater: Inflater;
  readonly #problems: ProblemCounts;
  readonly #budget: WorkBudget;
  readonly #opened = new Map<string, Section>();

  /** `suffix` is `.dwo` for the sections of split DWARF, else ''. */
  constructor(
    elf: ElfFile,
    suffix: '' | '.dwo',
    inflater: Inflater,
    problems: ProblemCounts,
    budget: WorkBudget,
  ) {
    this.#elf = elf;
    this.#suffix = suffix;
    this.#inflater = inflater;
    this.#problems = problems;
    this.#budget = budget;
  }

  /** The section; an empty one where the file has none or it cannot be read, which is counted. */
  get(name: string): Section {
    let section = this.#opened.get(name);
    if (section === undefined) {
      section = this.#open(name);
      this.#opened.set(name, section);
    }
    return section;
  }

  has(name: string): boolean {
    return this.get(name).size > 0;
  }

  get byteSize(): number {
    let bytes = 0;
    for (const section of this.#opened.values()) bytes += section.byteSize;
    return bytes;
  }

  #open(name: string): Section {
    // The index of a package has no suffix, unlike all that it leads to.
    const suffix = name === 'cu_index' ? '' : this.#suffix;
    try {
      const plain = this.#find(`.debug_${name}${suffix}`);
      if (plain !== undefined) return this.#openPlain(plain);
      const packed = this.#find(`.zdebug_${name}${suffix}`);
      if (packed !== undefined) return this.#openGnuCompressed(packed);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#problems.add('section_damaged');
    }
    return this.#empty(name);
  }

  #find(name: string): ElfSection | undefined {
    const section = this.#elf.section(name);
    return section === undefined || section.type === sectionType.nobits || section.size === 0
      ? undefined
      : section;
  }

  #openPlain(header: ElfSection): Section {
    const { access, is64 } = this.#elf;
    if ((header.flags & sectionFlag.compressed) === 0) {
      if (header.offset + header.size > access.byteLength) {
        throw new FormatError('elf', header.offset, `section ${header.name} lies outside of the file`);
      }
      return Section.ofFile(header.name, access, header.offset, header.size);
    }
    const headerBytes = is64 ? 24 : 12;
    const view = viewOf(readExactly(access, 'elf', header.offset, headerBytes, 'compression header'));
    const size = is64 ? Number(view.getBigUint64(8, true)) : view.getUint32(4, true);
    return this.#unpack(header, compressionKinds[view.getUint32(0, true)], headerBytes, size);
  }

  #openGnuCompressed(header: ElfSection): Section {
    const view = viewOf(readExactly(this.#elf.access, 'elf', header.offset, gnuHeaderBytes, 'ZLIB header'));
    const kind = view.getUint32(0, false) === 0x5a4c4942 ? 'zlib' : undefined;
    return this.#unpack(header, kind, gnuHeaderBytes, Number(view.getBigUint64(4, false)));
  }

  #unpack(header: ElfSection, kind: 'zlib' | 'zstd' | undefined, headerBytes: number, size: number): Section {
    const { inflate, maxBytes, usedBytes } = this.#inflater;
    if (inflate === undefined) {
      this.#problems.add('section_compressed');
      return this.#empty(header.name);
    }
    if (kind === undefined || header.size <= headerBytes) {
      throw new FormatError('elf', header.offset, `section ${header.name} has an unknown compression`);
    }
    const packedBytes = header.size - headerBytes;
    if (Math.max(size, packedBytes) > maxBytes - usedBytes) {
      this.#problems.add('section_too_large');
      return this.#empty(header.name);
    }
    const at = header.offset + headerBytes;
    const packed = readExactly(this.#elf.access, 'elf', at, packedBytes, header.name);
    let bytes: Uint8Array | RandomAccess;
    try {
      bytes = inflate(kind, packed, size);
    } catch (error) {
      throw new FormatError('elf', at, `section ${header.name} cannot be unpacked: ${messageOf(error)}`);
    }
    if (bytes.byteLength !== size) {
      throw new FormatError(
        'elf',
        at,
        `section ${header.name} unpacks to ${bytes.byteLength} of ${size} bytes`,
      );
    }
    this.#inflater.usedBytes += size;
    this.#budget.extend(size);
    return bytes instanceof Uint8Array
      ? Section.ofBytes(header.name, bytes)
      : Section.ofFile(header.name, bytes, 0, size);
  }

  #empty(name: string): Section {
    return Section.ofBytes(name, new Uint8Array(0));
  }
}

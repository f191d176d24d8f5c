// SPDX-License-Identifier: Apache-2.0
//
// Which addresses of an ELF file hold code, and the bytes of that code. Unwind information about anything else is
// garbage (functions that the linker threw away keep their entries, at address 0), and page indexes are sized by this.

import type { ElfFile } from '../symbols/elf.ts';
import { readExactly } from '../symbols/random-access.ts';

/** One executable segment, clipped to what numbers hold exactly. */
interface CodeSegment {
  readonly start: number;
  readonly limit: number;
  readonly fileOffset: number;
  readonly fileLimit: number;
}

/** The executable segments of a file. */
export class ExecutableAddresses {
  /** Ascending and disjoint. */
  readonly segments: readonly CodeSegment[];
  readonly #elf: ElfFile;

  constructor(elf: ElfFile) {
    this.#elf = elf;
    const segments: CodeSegment[] = [];
    const inFile = elf.segments.filter(({ isExecutable, fileSize }) => isExecutable && fileSize > 0n);
    let free = 0;
    for (const segment of inFile.sort((a, b) => (a.address < b.address ? -1 : 1))) {
      const fileOffset = Number(segment.fileOffset);
      const size = Math.min(Number(segment.fileSize), elf.access.byteLength - fileOffset);
      const start = Math.max(Number(segment.address), free);
      const limit = Number(segment.address) + size;
      if (!(start < limit && limit <= Number.MAX_SAFE_INTEGER)) continue;
      const from = fileOffset + (start - Number(segment.address));
      segments.push({ start, limit, fileOffset: from, fileLimit: fileOffset + size });
      free = limit;
    }
    this.segments = segments;
  }

  /** Bytes of code in the file. */
  get byteLength(): number {
    return this.segments.reduce((sum, { start, limit }) => sum + (limit - start), 0);
  }

  /** The segment that holds an address, or undefined. */
  segmentOf(address: number): CodeSegment | undefined {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.segments[middle]!.start <= address) low = middle + 1;
      else high = middle;
    }
    const segment = this.segments[low - 1];
    return segment !== undefined && address < segment.limit ? segment : undefined;
  }

  /** Up to `length` bytes of code at an address; fewer at the end of a segment, none outside. Throws FormatError. */
  bytesAt(address: number, length: number): Uint8Array {
    const segment = this.segmentOf(address);
    if (segment === undefined) return new Uint8Array(0);
    const offset = segment.fileOffset + (address - segment.start);
    return readExactly(this.#elf.access, 'elf', offset, Math.min(length, segment.fileLimit - offset), 'code');
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Names of the addresses of one binary, from the files that there are of it: the executable, its debug file, or both.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { BinarySymbols } from '@hearthscope/profile/symbols/binary-symbols';
import type { DemangleMode } from '@hearthscope/profile/symbols/demangle/demangle';
import { ElfFile, virtualAddressOf } from '@hearthscope/profile/symbols/elf';
import type { NameCompression } from '@hearthscope/profile/symbols/name-store';
import type { RandomAccess } from '@hearthscope/profile/symbols/random-access';
import type { AddressKind, SymbolFrames } from './symbol-protocol.ts';

/** Blocks of names are 16 KiB and shrink to a quarter; Node would take 16 KiB of fresh memory for each. */
const ZSTD_OPTIONS = { chunkSize: 4096, params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const zstdNames: NameCompression = {
  compress: (bytes) => zstdCompressSync(bytes, ZSTD_OPTIONS),
  decompress: (bytes, byteLength) =>
    zstdDecompressSync(bytes, { chunkSize: Math.max(byteLength, 64), maxOutputLength: byteLength }),
};

/** No symbol covers it. */
const NOWHERE = 0xffff_ffff_ffff_ffffn;

export interface BinaryFiles {
  readonly executable?: RandomAccess;
  readonly debug?: RandomAccess;
}

export class BinaryNames {
  readonly #executable: ElfFile | undefined;
  readonly #symbols: BinarySymbols;

  /** Reads the symbol tables. The files, of which there is one at least, must stay open as long as this is used.
   * @throws FormatError when nothing of them can be read */
  constructor({ executable, debug }: BinaryFiles, demangle: DemangleMode) {
    this.#executable = executable && new ElfFile(executable);
    const files = {
      ...(this.#executable && { binary: this.#executable }),
      ...(debug && { debug: new ElfFile(debug) }),
    };
    this.#symbols = BinarySymbols.read(files, { compression: zstdNames, lines: true, demangle });
  }

  /** Bytes in memory; changes with what is looked up. */
  get byteSize(): number {
    return this.#symbols.byteSize;
  }

  /** Gives back memory that the next look-up takes again. */
  shrink(): void {
    this.#symbols.releaseDebugInfo();
  }

  /** Whether offsets in the executable can be looked up, and not only its virtual addresses. */
  get knowsOffsets(): boolean {
    return this.#executable !== undefined;
  }

  lookUp(kind: AddressKind, addresses: BigUint64Array): SymbolFrames {
    const virtual = kind === 'virtual' ? addresses : addresses.map((offset) => this.#virtualOf(offset));
    const { displayNames, names, ...columns } = this.#symbols.lookUp(virtual);
    return { ...columns, names: displayNames, systemNames: names };
  }

  /** What was damaged or left out since the last call, by reason. */
  takeProblems(): Record<string, number> {
    return this.#symbols.takeProblems();
  }

  /** An offset that no segment loads is at no address. */
  #virtualOf(offset: bigint): bigint {
    return virtualAddressOf(this.#executable!.segments, offset) ?? NOWHERE;
  }
}

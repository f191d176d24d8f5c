// SPDX-License-Identifier: Apache-2.0
//
// An ELF file as the memory it becomes: where an address lies in the file, and what a pointer in the file's data will
// point to. In position-independent files the linker leaves pointers to the dynamic linker (a RELATIVE relocation whose
// addend is the address), and the bytes of the pointer itself may be anything.

import { FormatError } from '../../errors.ts';
import { type ElfFile, elfMachine, segmentType } from '../elf.ts';
import { readExactly, viewOf } from '../random-access.ts';

/** Relocation entries of a file that are looked at; a file with more is refused. */
const maxRelocations = 16_777_216;
const relocationBytes = 24;
const relocationsPerRead = 8192;
const relativeRelocation: Readonly<Record<number, number>> = {
  [elfMachine.x86_64]: 8,
  [elfMachine.arm64]: 1027,
};
const dynamicTag = { null: 0n, rela: 7n, relaSize: 8n } as const;
const maxDynamicBytes = 65_536;

/** A part of the file that is mapped, as numbers exact below 2^53. */
export interface MappedPart {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly isExecutable: boolean;
  readonly isWritable: boolean;
}

/** See the head of the file. */
export class ElfMemory {
  readonly elf: ElfFile;
  readonly parts: readonly MappedPart[];
  #relocations: { readonly offset: number; readonly count: number } | undefined;

  constructor(elf: ElfFile) {
    this.elf = elf;
    const fileLength = BigInt(elf.access.byteLength);
    this.parts = elf.programHeaders
      .filter(
        ({ type, address, offset, fileSize }) =>
          type === segmentType.load && fileSize > 0n && offset < fileLength && address < 1n << 52n,
      )
      .map(({ address, offset, fileSize, flags }) => ({
        address: Number(address),
        offset: Number(offset),
        size: Number(offset + fileSize > fileLength ? fileLength - offset : fileSize),
        isExecutable: (flags & 1) !== 0,
        isWritable: (flags & 2) !== 0,
      }));
  }

  /** The part that holds an address, or undefined. */
  partOf(address: number): MappedPart | undefined {
    return this.parts.find((part) => address >= part.address && address < part.address + part.size);
  }

  /** Where the byte at an address lies in the file, or -1. */
  offsetOf(address: number): number {
    const part = this.partOf(address);
    return part === undefined ? -1 : part.offset + (address - part.address);
  }

  /** Where a byte of the file is mapped, or -1. */
  addressOf(offset: number): number {
    const part = this.parts.find((part) => offset >= part.offset && offset < part.offset + part.size);
    return part === undefined ? -1 : part.address + (offset - part.offset);
  }

  /**
   * Calls back for each pointer that the dynamic linker fills in: its address, and what it points to. Throws FormatError.
   */
  forEachRelocation(callback: (address: number, target: number) => void): void {
    this.#relocations ??= this.#findRelocations();
    const { offset, count } = this.#relocations;
    const wanted = relativeRelocation[this.elf.machine];
    let scratch: Uint8Array | undefined;
    for (let first = 0; first < count; first += relocationsPerRead) {
      const entries = Math.min(relocationsPerRead, count - first);
      const at = offset + first * relocationBytes;
      const bytes = readExactly(
        this.elf.access,
        'elf',
        at,
        entries * relocationBytes,
        'relocation table',
        scratch,
      );
      scratch = bytes;
      const view = viewOf(bytes);
      for (let entry = 0; entry < bytes.byteLength; entry += relocationBytes) {
        if (view.getUint32(entry + 8, true) !== wanted || view.getUint32(entry + 12, true) !== 0) continue;
        callback(
          view.getUint32(entry, true) + view.getUint32(entry + 4, true) * 0x1_0000_0000,
          view.getUint32(entry + 16, true) + view.getUint32(entry + 20, true) * 0x1_0000_0000,
        );
      }
    }
  }

  #findRelocations(): { offset: number; count: number } {
    const none = { offset: 0, count: 0 };
    const dynamic = this.elf.programHeaders.find(({ type }) => type === segmentType.dynamic);
    if (dynamic === undefined) return none;
    const at = Number(dynamic.offset);
    const length = Math.min(Number(dynamic.fileSize), maxDynamicBytes, this.elf.access.byteLength - at);
    if (!(length >= 16)) return none;
    const view = viewOf(readExactly(this.elf.access, 'elf', at, length, 'dynamic section'));
    let address = 0n;
    let size = 0n;
    for (let entry = 0; entry + 16 <= view.byteLength; entry += 16) {
      const tag = view.getBigUint64(entry, true);
      if (tag === dynamicTag.null) break;
      if (tag === dynamicTag.rela) address = view.getBigUint64(entry + 8, true);
      if (tag === dynamicTag.relaSize) size = view.getBigUint64(entry + 8, true);
    }
    if (size === 0n) return none;
    const offset = this.offsetOf(Number(address));
    const count = Number(size / BigInt(relocationBytes));
    if (offset < 0) throw new FormatError('elf', at, 'the relocation table is not in the file');
    if (count > maxRelocations) throw new FormatError('elf', at, `more than ${maxRelocations} relocations`);
    return { offset, count };
  }
}

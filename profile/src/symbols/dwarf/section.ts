// SPDX-License-Identifier: Apache-2.0
//
// One debug section, seen through windows: it may be hundreds of megabytes, so never more than some windows of it are in
// memory (a section that had to be unpacked is the exception: it is one window). Cursors read numbers in order.

import { FormatError } from '../../errors.ts';
import type { RandomAccess } from '../random-access.ts';
import { dwarfBounds } from './dwarf-limits.ts';

const windowBytes = 4 * 1024;
const windowsKept = 256;

/** Bytes to read ahead where a section is read in order, and never again soon. */
export const sequentialReadAhead = 128 * 1024;

const decoder = new TextDecoder('utf-8');
const nothing = new Uint8Array(0);

/** A section's bytes by their offset in it. */
export class Section {
  readonly name: string;
  readonly size: number;
  readonly #access: RandomAccess | undefined;
  readonly #fileOffset: number;
  readonly #whole: Uint8Array | undefined;
  readonly #windows: Uint8Array[] = [];
  readonly #windowIndexes: number[] = [];

  private constructor(name: string, size: number, access?: RandomAccess, fileOffset = 0, whole?: Uint8Array) {
    this.name = name;
    this.size = size;
    this.#access = access;
    this.#fileOffset = fileOffset;
    this.#whole = whole;
  }

  static ofFile(name: string, access: RandomAccess, fileOffset: number, size: number): Section {
    return new Section(name, size, access, fileOffset);
  }

  static ofBytes(name: string, bytes: Uint8Array): Section {
    return new Section(name, bytes.byteLength, undefined, 0, bytes);
  }

  /** True for a section that is in memory as a whole. */
  get isWhole(): boolean {
    return this.#whole !== undefined;
  }

  /** Memory held: windows, or all of an unpacked section. */
  get byteSize(): number {
    return this.#whole?.byteLength ?? this.#windows.reduce((sum, window) => sum + window.byteLength, 0);
  }

  /** The kept bytes around `offset`: `bytes[offset - start]` is the byte there. */
  windowAt(offset: number): { bytes: Uint8Array; start: number } {
    if (this.#whole !== undefined) return { bytes: this.#whole, start: 0 };
    const index = Math.floor(offset / windowBytes);
    const start = index * windowBytes;
    const slot = index % windowsKept;
    let bytes = this.#windows[slot];
    if (bytes === undefined || this.#windowIndexes[slot] !== index) {
      // Never overwritten in place, since a cursor may still look at the window that is replaced.
      bytes = this.read(start, Math.min(windowBytes, this.size - start));
      for (let i = this.#windows.length; i < slot; i++) this.#windows[i] = nothing;
      this.#windows[slot] = bytes;
      this.#windowIndexes[slot] = index;
    }
    return { bytes, start };
  }

  /**
   * Exactly these bytes, not kept. `scratch`, when given, has room for them and may be overwritten. Throws FormatError
   * where the section or the file ends before.
   */
  read(offset: number, length: number, scratch?: Uint8Array): Uint8Array {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new FormatError(this.name, offset, 'the section ends early');
    }
    if (this.#whole !== undefined) return this.#whole.subarray(offset, offset + length);
    const bytes = this.#access!.read(this.#fileOffset + offset, length, scratch);
    if (bytes.byteLength < length) {
      throw new FormatError(this.name, offset + bytes.byteLength, 'the file ends early');
    }
    return bytes;
  }

  /** The text up to the terminator, cut at `maxStringBytes`; undefined outside of the section. */
  string(offset: number): string | undefined {
    if (!(offset >= 0 && offset < this.size)) return undefined;
    const { bytes, start } = this.windowAt(offset);
    const from = offset - start;
    const head = bytes.subarray(from, from + dwarfBounds.maxStringBytes);
    const end = head.indexOf(0);
    if (end >= 0) return decoder.decode(head.subarray(0, end));
    // It goes on in the next window, or is longer than names are.
    const text = this.read(offset, Math.min(dwarfBounds.maxStringBytes, this.size - offset));
    const terminator = text.indexOf(0);
    return decoder.decode(terminator < 0 ? text : text.subarray(0, terminator));
  }
}

/** Reads a section in order, from a seat that can be moved. Each method throws FormatError at the limit. */
export class SectionCursor {
  readonly section: Section;
  readonly #readAhead: number;
  /** What was read ahead last, to be overwritten; only this cursor looks at it. */
  #scratch: Uint8Array | undefined;
  #bytes: Uint8Array = nothing;
  /** Section offset of the first of `#bytes`. */
  #start = 0;
  #at = 0;
  /** As far as `#bytes` go and may be read. */
  #end = 0;
  #limit = 0;

  /** With `readAhead`, that many bytes are read at a time, past the kept windows: for small pieces far apart, or long ones. */
  constructor(section: Section, offset = 0, limit = section.size, readAhead = 0) {
    this.section = section;
    this.#readAhead = readAhead;
    this.seek(offset, limit);
  }

  get offset(): number {
    return this.#start + this.#at;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Goes to an offset; nothing at or behind `limit` is read from there on. */
  seek(offset: number, limit = this.section.size): void {
    this.#limit = Math.min(limit, this.section.size);
    if (!(offset >= 0 && offset <= this.#limit)) {
      throw new FormatError(this.section.name, offset, `this offset lies outside of ${this.#limit} bytes`);
    }
    const at = offset - this.#start;
    if (at >= 0 && at < this.#bytes.byteLength) {
      this.#at = at;
      this.#end = Math.min(this.#bytes.byteLength, this.#limit - this.#start);
    } else {
      this.#bytes = nothing;
      this.#start = offset;
      this.#at = 0;
      this.#end = 0;
    }
  }

  skip(length: number): void {
    this.#at += length;
    if (!(this.#start + this.#at <= this.#limit)) throw this.#endsEarly();
  }

  u8(): number {
    if (this.#at >= this.#end) this.#load(1);
    return this.#bytes[this.#at++]!;
  }

  s8(): number {
    return (this.u8() << 24) >> 24;
  }

  u16(): number {
    if (this.#at + 2 > this.#end) this.#load(2);
    const value = this.#bytes[this.#at]! | (this.#bytes[this.#at + 1]! << 8);
    this.#at += 2;
    return value;
  }

  u24(): number {
    const low = this.u16();
    return low | (this.u8() << 16);
  }

  u32(): number {
    if (this.#at + 4 > this.#end) this.#load(4);
    const bytes = this.#bytes;
    const at = this.#at;
    this.#at = at + 4;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  /** As a number, which is exact below 2^53; no section is larger. */
  u64(): number {
    const low = this.u32();
    return this.u32() * 0x1_0000_0000 + low;
  }

  bigU64(): bigint {
    const low = this.u32();
    return (BigInt(this.u32()) << 32n) | BigInt(low);
  }

  /** A section offset of the unit's format: 4 or 8 bytes. */
  offsetOf(size: number): number {
    return size === 8 ? this.u64() : this.u32();
  }

  uleb(): number {
    let byte = this.u8();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let factor = 0x80;
    do {
      byte = this.u8();
      // Padding may be as long as it likes; digits behind the 64th bit are none.
      if (factor < 0x1_0000_0000_0000_0000) value += (byte & 0x7f) * factor;
      factor *= 0x80;
    } while (byte >= 0x80);
    return value;
  }

  /** The lowest 32 bits, signed: enough for lines and what is added to them. */
  sleb(): number {
    let value = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = this.u8();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    return shift < 32 && (byte & 0x40) !== 0 ? value | (-1 << shift) : value;
  }

  /** Goes behind the text here and returns its offset in the section. */
  skipString(): number {
    const from = this.offset;
    for (;;) {
      if (this.#at >= this.#end) this.#load(1);
      const length = this.#bytes.subarray(this.#at, this.#end).indexOf(0);
      if (length >= 0) {
        this.#at += length + 1;
        return from;
      }
      this.#at = this.#end;
    }
  }

  /** Brings bytes at the seat into `#bytes`, at least `length` of them. */
  #load(length: number): void {
    const offset = this.#start + this.#at;
    if (!(offset + length <= this.#limit)) throw this.#endsEarly();
    const window = this.#readAhead > 0 ? this.#readAheadAt(offset, length) : this.section.windowAt(offset);
    if (offset + length > window.start + window.bytes.byteLength) {
      // The piece lies across two windows.
      window.bytes = this.section.read(offset, length);
      window.start = offset;
    }
    this.#bytes = window.bytes;
    this.#start = window.start;
    this.#at = offset - window.start;
    this.#end = Math.min(window.bytes.byteLength, this.#limit - window.start);
  }

  #readAheadAt(offset: number, length: number): { bytes: Uint8Array; start: number } {
    if (this.section.isWhole) return this.section.windowAt(offset);
    const wanted = Math.min(Math.max(length, this.#readAhead), this.#limit - offset);
    const isRoom = this.#scratch !== undefined && this.#scratch.byteLength >= wanted;
    this.#scratch = this.section.read(offset, wanted, isRoom ? this.#scratch : undefined);
    return { bytes: this.#scratch, start: offset };
  }

  #endsEarly(): FormatError {
    return new FormatError(this.section.name, this.offset, `the data end early, at ${this.#limit}`);
  }
}

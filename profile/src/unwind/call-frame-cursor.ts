// SPDX-License-Identifier: Apache-2.0
//
// Reads the primitive values of call frame information: integers, LEB128, encoded pointers. The bytes come from the
// binary of whoever is profiled; nothing is read outside of `limit`.

import { FormatError } from '../errors.ts';

/** Pointer encodings (DW_EH_PE_*; Linux Standard Base, DWARF extensions): a format, what it is relative to, a flag. */
export const pointerEncoding = {
  absptr: 0x00,
  uleb128: 0x01,
  udata2: 0x02,
  udata4: 0x03,
  udata8: 0x04,
  signed: 0x08,
  sleb128: 0x09,
  sdata2: 0x0a,
  sdata4: 0x0b,
  sdata8: 0x0c,
  pcrel: 0x10,
  textrel: 0x20,
  datarel: 0x30,
  funcrel: 0x40,
  aligned: 0x50,
  indirect: 0x80,
  omit: 0xff,
} as const;

const formatMask = 0x0f;
const relationMask = 0x70;
const maxLebBytes = 10;

/** A position in bytes. `limit` may be moved to the end of an entry. */
export class CallFrameCursor {
  readonly bytes: Uint8Array;
  at = 0;
  limit: number;
  readonly #view: DataView;
  readonly #format: string;
  /** Where `bytes` begins in the file, for messages. */
  readonly #fileOffset: number;

  constructor(bytes: Uint8Array, format: string, fileOffset: number) {
    this.bytes = bytes;
    this.limit = bytes.byteLength;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#format = format;
    this.#fileOffset = fileOffset;
  }

  /** A FormatError about the byte at `at`. */
  error(what: string, at = this.at): FormatError {
    return new FormatError(this.#format, this.#fileOffset + at, what);
  }

  u8(): number {
    if (this.at >= this.limit) throw this.#cut();
    return this.bytes[this.at++]!;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  /** 64 bits as a signed number, exact where a number can be. */
  i64(): number {
    const at = this.#take(8);
    return this.#view.getInt32(at + 4, true) * 0x1_0000_0000 + this.#view.getUint32(at, true);
  }

  /** Exact below 2^53; anything larger is larger than every limit. */
  uleb(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let scale = 0x80;
    for (let count = 1; count < maxLebBytes; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw this.error('LEB128 number of more than 64 bits');
  }

  /** Exact between -2^53 and 2^53. */
  sleb(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < maxLebBytes; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - scale;
    }
    throw this.error('LEB128 number of more than 64 bits');
  }

  skip(length: number): void {
    this.#take(length);
  }

  /**
   * An encoded pointer, undefined when it is omitted or indirect (its value is in memory only at run time).
   *
   * @param addressBytes size of DW_EH_PE_absptr
   * @param sectionAddress of the byte at position 0; what pcrel counts from, and datarel too (it is that in .eh_frame_hdr,
   *   and nobody writes it elsewhere)
   */
  pointer(encoding: number, addressBytes: number, sectionAddress: number): number | undefined {
    if (encoding === pointerEncoding.omit) return undefined;
    const relation = encoding & relationMask;
    if (relation === pointerEncoding.aligned) this.#align(addressBytes, sectionAddress);
    const address = sectionAddress + this.at;
    const value = this.#pointerValue(encoding & formatMask, addressBytes);
    if ((encoding & pointerEncoding.indirect) !== 0) return undefined;
    switch (relation) {
      case pointerEncoding.absptr:
      case pointerEncoding.aligned:
        return value;
      case pointerEncoding.pcrel:
        return address + value;
      case pointerEncoding.datarel:
        return sectionAddress + value;
      default:
        throw this.error(`pointer encoding 0x${encoding.toString(16)}`);
    }
  }

  /** Skips an encoded pointer, whatever it is relative to. */
  skipPointer(encoding: number, addressBytes: number, sectionAddress: number): void {
    if (encoding === pointerEncoding.omit) return;
    if ((encoding & relationMask) === pointerEncoding.aligned) this.#align(addressBytes, sectionAddress);
    this.#pointerValue(encoding & formatMask, addressBytes);
  }

  #align(addressBytes: number, sectionAddress: number): void {
    const misalignment = (sectionAddress + this.at) % addressBytes;
    if (misalignment !== 0) this.skip(addressBytes - misalignment);
  }

  #pointerValue(format: number, addressBytes: number): number {
    switch (format) {
      case pointerEncoding.absptr:
      case pointerEncoding.signed:
        return addressBytes === 8 ? this.i64() : this.u32();
      case pointerEncoding.uleb128:
        return this.uleb();
      case pointerEncoding.udata2:
        return this.u16();
      case pointerEncoding.udata4:
        return this.u32();
      case pointerEncoding.udata8:
      case pointerEncoding.sdata8:
        return this.i64();
      case pointerEncoding.sleb128:
        return this.sleb();
      case pointerEncoding.sdata2:
        return (this.u16() << 16) >> 16;
      case pointerEncoding.sdata4:
        return this.i32();
      default:
        throw this.error(`pointer format 0x${format.toString(16)}`);
    }
  }

  #take(length: number): number {
    const at = this.at;
    if (!(length <= this.limit - at)) throw this.#cut();
    this.at = at + length;
    return at;
  }

  #cut(): FormatError {
    return this.error('the entry is cut short');
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Reads the protobuf wire format from foreign bytes. Every read is checked against the end of the message it is in, so
// a broken length costs a FormatError with the byte offset and never a read outside. There is no schema here: a codec
// loops over fields and decides.
//
//   const outer = reader.enter();                 // length of a sub-message
//   while (reader.pos < reader.limit) {
//     const tag = reader.tag();
//     switch (tag >>> 3) {
//       case 1: reader.expect(tag, WireType.varint, 'Line.function_id'); …; break;
//       default: reader.skip(tag);                // unknown fields are legal
//     }
//   }
//   reader.leave(outer);

import type { Uint32Column } from '../column.ts';
import { FormatError } from '../errors.ts';

/** The low three bits of a field's tag. */
export const WireType = {
  varint: 0,
  fixed64: 1,
  lengthDelimited: 2,
  startGroup: 3,
  endGroup: 4,
  fixed32: 5,
} as const;
export type WireType = (typeof WireType)[keyof typeof WireType];

/** Groups are obsolete; unknown ones are skipped this deep, which no sane producer reaches. */
export const MAX_GROUP_DEPTH = 16;

/** Below this a character loop beats the call into TextDecoder. */
const SHORT_STRING_BYTES = 24;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const replacingUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export class ProtobufReader {
  readonly bytes: Uint8Array;
  /** Next byte to read. */
  pos: number;
  /** End of the message being read; `pos` never passes it. */
  limit: number;
  /** Lanes of the last {@link varint}, as signed 32-bit numbers so that they stay unboxed. */
  lo = 0;
  hi = 0;
  /** Strings that were not UTF-8 and were read with U+FFFD in place of the wrong bytes. */
  invalidUtf8Strings = 0;
  readonly #format: string;
  readonly #view: DataView;

  /** @param format the name that errors carry, e.g. `pprof` */
  constructor(format: string, bytes: Uint8Array) {
    this.#format = format;
    this.bytes = bytes;
    this.pos = 0;
    this.limit = bytes.length;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(what: string, offset = this.pos): never {
    throw new FormatError(this.#format, offset, what);
  }

  /** Field number and wire type: `tag >>> 3` and `tag & 7`. */
  tag(): number {
    const at = this.pos;
    this.varint();
    const tag = this.lo >>> 0;
    if (this.hi !== 0) this.fail('field number larger than 2^29 - 1', at);
    if (tag < 8) this.fail('field number 0', at);
    return tag;
  }

  /** Checks that a known field has the wire type its schema says. */
  expect(tag: number, wireType: WireType, field: string): void {
    if ((tag & 7) !== wireType) this.fail(`${field} has wire type ${tag & 7}, expected ${wireType}`);
  }

  /** Reads a varint of at most 64 bits into `lo` and `hi`. */
  varint(): void {
    const { bytes, limit } = this;
    let pos = this.pos;
    let byte = 0;
    let lo = 0;
    let hi = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (pos >= limit) this.fail('varint runs past the end');
      byte = bytes[pos++]!;
      lo |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.pos = pos;
        this.lo = lo;
        this.hi = 0;
        return;
      }
    }
    if (pos >= limit) this.fail('varint runs past the end');
    byte = bytes[pos++]!;
    lo |= (byte & 0x7f) << 28;
    hi = (byte & 0x7f) >>> 4;
    for (let shift = 3; byte >= 0x80; shift += 7) {
      if (pos >= limit) this.fail('varint runs past the end');
      byte = bytes[pos++]!;
      if (shift === 31 && byte > 1) this.fail('varint longer than 64 bits');
      hi |= (byte & 0x7f) << shift;
    }
    this.pos = pos;
    this.lo = lo;
    this.hi = hi;
  }

  /** A varint as an index: -1, which no table has, when it is negative or 2^31 or more. */
  index(): number {
    const byte = this.bytes[this.pos]!;
    if (byte < 0x80 && this.pos < this.limit) {
      this.pos++;
      return byte;
    }
    this.varint();
    return this.hi === 0 && this.lo >= 0 ? this.lo : -1;
  }

  uint64(): bigint {
    this.varint();
    if (this.hi === 0) return BigInt(this.lo >>> 0);
    return (BigInt(this.hi >>> 0) << 32n) | BigInt(this.lo >>> 0);
  }

  int64(): bigint {
    this.varint();
    if (this.hi === 0) return BigInt(this.lo >>> 0);
    return (BigInt(this.hi) << 32n) | BigInt(this.lo >>> 0);
  }

  bool(): boolean {
    this.varint();
    return (this.lo | this.hi) !== 0;
  }

  fixed64(): bigint {
    this.#need(8);
    const value = this.#view.getBigUint64(this.pos, true);
    this.pos += 8;
    return value;
  }

  double(): number {
    this.#need(8);
    const value = this.#view.getFloat64(this.pos, true);
    this.pos += 8;
    return value;
  }

  /** The length of a length-delimited field, known to fit in what is left of the message. */
  length(): number {
    const at = this.pos;
    this.varint();
    const left = this.limit - this.pos;
    if (this.hi !== 0 || this.lo >>> 0 > left) {
      const length = (BigInt(this.hi >>> 0) << 32n) | BigInt(this.lo >>> 0);
      this.fail(`length ${length} exceeds the ${left} bytes left`, at);
    }
    return this.lo;
  }

  /** Steps into a sub-message. @returns the limit to give back to {@link leave} */
  enter(): number {
    const length = this.length();
    const outer = this.limit;
    this.limit = this.pos + length;
    return outer;
  }

  /** Steps out of a sub-message that was read to its end. */
  leave(outer: number): void {
    this.limit = outer;
  }

  /** Goes to a range noted earlier, such as a sub-message that is read later than it was found. */
  seek(from: number, to: number): void {
    this.pos = from;
    this.limit = to;
  }

  /** A view of the bytes, not a copy. */
  blob(): Uint8Array {
    const length = this.length();
    this.pos += length;
    return this.bytes.subarray(this.pos - length, this.pos);
  }

  /** A string. Wrong UTF-8 is replaced by U+FFFD and counted: one odd symbol name must not cost a profile. */
  string(): string {
    const outer = this.enter();
    const text = this.rest();
    this.leave(outer);
    return text;
  }

  /** All up to the limit as a string, as {@link string} does; for a range that was noted earlier. */
  rest(): string {
    const start = this.pos;
    const end = this.limit;
    const length = end - start;
    this.pos = end;
    if (length <= SHORT_STRING_BYTES) {
      let text = '';
      let at = start;
      for (; at < end; at++) {
        const byte = this.bytes[at]!;
        if (byte >= 0x80) break;
        text += String.fromCharCode(byte);
      }
      if (at === end) return text;
    }
    const view = this.bytes.subarray(start, end);
    try {
      return strictUtf8.decode(view);
    } catch {
      this.invalidUtf8Strings++;
      return replacingUtf8.decode(view);
    }
  }

  /** Appends the indexes of a repeated integer field, packed or one element, to `column`; see {@link index}. */
  indexes(tag: number, field: string, column: Uint32Column): void {
    if ((tag & 7) === WireType.varint) {
      column.push(this.index());
      return;
    }
    this.expect(tag, WireType.lengthDelimited, field);
    const outer = this.enter();
    const { bytes, limit } = this;
    column.reserve(limit - this.pos);
    const { data } = column;
    let count = column.length;
    let pos = this.pos;
    while (pos < limit) {
      const first = bytes[pos]!;
      if (first < 0x80) {
        data[count++] = first;
        pos++;
      } else if (pos + 1 < limit && bytes[pos + 1]! < 0x80) {
        data[count++] = (first & 0x7f) | (bytes[pos + 1]! << 7);
        pos += 2;
      } else {
        this.pos = pos;
        data[count++] = this.index();
        pos = this.pos;
      }
    }
    this.pos = pos;
    column.length = count;
    this.leave(outer);
  }

  /** Skips the value of a field, whatever it is. */
  skip(tag: number): void {
    switch (tag & 7) {
      case WireType.varint:
        this.varint();
        break;
      case WireType.fixed64:
        this.#need(8);
        this.pos += 8;
        break;
      case WireType.lengthDelimited: {
        const length = this.length();
        this.pos += length;
        break;
      }
      case WireType.fixed32:
        this.#need(4);
        this.pos += 4;
        break;
      case WireType.startGroup:
        this.#skipGroup(tag >>> 3);
        break;
      default:
        this.fail(`wire type ${tag & 7} of field ${tag >>> 3} is not legal here`);
    }
  }

  #skipGroup(field: number): void {
    const open = [field];
    while (open.length > 0) {
      if (this.pos >= this.limit) this.fail(`group ${open.at(-1)} is not closed`);
      const tag = this.tag();
      const wireType = tag & 7;
      if (wireType === WireType.startGroup) {
        if (open.length === MAX_GROUP_DEPTH) this.fail(`groups nested deeper than ${MAX_GROUP_DEPTH}`);
        open.push(tag >>> 3);
      } else if (wireType === WireType.endGroup) {
        if (open.pop() !== tag >>> 3) this.fail(`end of group ${tag >>> 3}, which is not open`);
      } else {
        this.skip(tag);
      }
    }
  }

  #need(bytes: number): void {
    if (this.limit - this.pos < bytes) this.fail(`${bytes} bytes needed, ${this.limit - this.pos} left`);
  }
}

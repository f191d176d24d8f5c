// SPDX-License-Identifier: Apache-2.0
//
// Writes the protobuf wire format into one growing buffer. Scalars with the default value and sub-messages without
// content are left out, as proto3 does: some decoders in the field lose data behind an empty sub-message, so "no empty
// sub-message" is kept here, in one place. The one exception is `row`, for tables whose row 0 must be the empty message.

import { HearthscopeError } from '../errors.ts';

const INITIAL_BYTES = 4096;
const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_LENGTH_DELIMITED = 2;
/** A length is first given one byte; a longer message is moved when its length is known. */
const LENGTH_PLACEHOLDER_BYTES = 1;
/** UTF-8 needs at most three bytes for a UTF-16 code unit. */
const MAX_UTF8_BYTES_PER_UNIT = 3;
const MAX_VARINT_BYTES = 10;

const utf8 = new TextEncoder();

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

export class ProtobufWriter {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written, as a copy. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** A field of type int32, uint32 or bool that is not negative. */
  uint32(field: number, value: number): void {
    if (value === 0) return;
    this.#varint(field * 8 + WIRE_VARINT);
    this.#varint(value);
  }

  /** A field of type int64 or uint64. */
  int64(field: number, value: bigint): void {
    if (value !== 0n) this.presentInt64(field, value);
  }

  /** Like {@link int64}, but written even when zero: a member of a oneof says something by being there. */
  presentInt64(field: number, value: bigint): void {
    this.#varint(field * 8 + WIRE_VARINT);
    this.#varint64(value);
  }

  fixed64(field: number, value: bigint): void {
    if (value === 0n) return;
    this.#varint(field * 8 + WIRE_FIXED64);
    this.#fixed64(value);
  }

  /** A double, written even when zero. */
  presentDouble(field: number, value: number): void {
    this.#varint(field * 8 + WIRE_FIXED64);
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  string(field: number, value: string): void {
    if (value !== '') this.presentString(field, value);
  }

  /** A string, written even when empty: a row of a string table, or a member of a oneof. */
  presentString(field: number, value: string): void {
    this.#varint(field * 8 + WIRE_LENGTH_DELIMITED);
    const mark = this.#open();
    this.#reserve(value.length * MAX_UTF8_BYTES_PER_UNIT);
    this.#length += utf8.encodeInto(value, this.#bytes.subarray(this.#length)).written;
    this.#close(mark);
  }

  blob(field: number, value: Uint8Array): void {
    if (value.length === 0) return;
    this.#varint(field * 8 + WIRE_LENGTH_DELIMITED);
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** A packed repeated field of non-negative integers. */
  packedUint32(field: number, values: ArrayLike<number>): void {
    if (values.length === 0) return;
    this.#varint(field * 8 + WIRE_LENGTH_DELIMITED);
    const mark = this.#open();
    for (let i = 0; i < values.length; i++) this.#varint(values[i]!);
    this.#close(mark);
  }

  packedInt64(field: number, values: ArrayLike<bigint>): void {
    if (values.length === 0) return;
    this.#varint(field * 8 + WIRE_LENGTH_DELIMITED);
    const mark = this.#open();
    for (let i = 0; i < values.length; i++) this.#varint64(values[i]!);
    this.#close(mark);
  }

  packedFixed64(field: number, values: ArrayLike<bigint>): void {
    if (values.length === 0) return;
    this.#varint(field * 8 + WIRE_LENGTH_DELIMITED);
    this.#varint(values.length * 8);
    for (let i = 0; i < values.length; i++) this.#fixed64(values[i]!);
  }

  /** A sub-message; left out, tag and all, when `content` writes nothing. */
  message(field: number, content: () => void): void {
    const before = this.#length;
    this.#varint(field * 8 + WIRE_LENGTH_DELIMITED);
    const mark = this.#open();
    content();
    if (this.#length === mark) this.#length = before;
    else this.#close(mark);
  }

  /** A row of a table, which counts even when it is empty. */
  row(field: number, content: () => void): void {
    this.#varint(field * 8 + WIRE_LENGTH_DELIMITED);
    const mark = this.#open();
    content();
    this.#close(mark);
  }

  #open(): number {
    this.#reserve(LENGTH_PLACEHOLDER_BYTES);
    this.#length += LENGTH_PLACEHOLDER_BYTES;
    return this.#length;
  }

  #close(mark: number): void {
    const length = this.#length - mark;
    const extra = varintLength(length) - LENGTH_PLACEHOLDER_BYTES;
    if (extra > 0) {
      this.#reserve(extra);
      this.#bytes.copyWithin(mark + extra, mark, this.#length);
    }
    this.#length = mark - LENGTH_PLACEHOLDER_BYTES;
    this.#varint(length);
    this.#length += length;
  }

  #varint(value: number): void {
    this.#reserve(MAX_VARINT_BYTES);
    const bytes = this.#bytes;
    let rest = value;
    while (rest >= 0x80) {
      bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    bytes[this.#length++] = rest;
  }

  #varint64(value: bigint): void {
    if (value >= 0n && value <= 0xffff_ffffn) {
      this.#varint(Number(value));
      return;
    }
    this.#reserve(MAX_VARINT_BYTES);
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  #fixed64(value: bigint): void {
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setBigUint64(this.#length, value, true);
    this.#length += 8;
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#bytes.length) return;
    if (needed > 2 ** 31)
      throw new HearthscopeError('resource_exhausted', 'protobuf message larger than 2 GiB');
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Reads what ByteWriter wrote and believes none of it: every length is checked against the bytes that are there before
// anything is allocated, and every index against its table.

import { isAscii, isUtf8 } from 'node:buffer';
import { FormatError } from '@hearthscope/profile/errors';

const MAX_UVARINT_BYTES = 8;

export class ByteReader {
  readonly #bytes: Buffer;
  readonly #format: string;
  readonly #maxItems: number;
  #offset = 0;
  #items = 0;

  /** @param format names the input in errors
   * @param maxItems how many items all columns and lists together may have; a column of zeroes has no bytes that would
   * bound it */
  constructor(bytes: Uint8Array, format: string, maxItems: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#format = format;
    this.#maxItems = maxItems;
  }

  get offset(): number {
    return this.#offset;
  }

  error(what: string, offset = this.#offset): FormatError {
    return new FormatError(this.#format, offset, what);
  }

  /** @throws FormatError when bytes are left */
  end(): void {
    if (this.#offset !== this.#bytes.length) {
      throw this.error(`${this.#bytes.length - this.#offset} bytes too many`);
    }
  }

  uint8(what: string): number {
    return this.#bytes[this.#take(1, what)]!;
  }

  uint64(what: string): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8, what));
  }

  int64(what: string): bigint {
    return this.#bytes.readBigInt64LE(this.#take(8, what));
  }

  float64(what: string): number {
    return this.#bytes.readDoubleLE(this.#take(8, what));
  }

  uvarint(what: string): number {
    const start = this.#offset;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MAX_UVARINT_BYTES; i++) {
      const byte = this.uint8(what);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 0x80;
    }
    throw this.error(`${what} is not a number of at most 53 bits`, start);
  }

  /** The number of rows of a table. */
  count(what: string): number {
    const start = this.#offset;
    const count = this.uvarint(what);
    this.#addItems(count, what, start);
    return count;
  }

  string(what: string): string {
    const length = this.uvarint(what);
    return this.#text(length, what);
  }

  strings(what: string): string[] {
    const count = this.count(what);
    const lengths = this.uint32Column(count, what);
    const start = this.#offset;
    let total = 0;
    for (let i = 0; i < count; i++) total += lengths[i]!;
    this.#take(total, what);
    const bytes = this.#bytes;
    // What is ASCII as a whole, as nearly all is, needs no look at each string.
    const ascii = isAscii(bytes.subarray(start, this.#offset));
    const values = new Array<string>(count);
    for (let i = 0, at = start; i < count; i++) {
      const end = at + lengths[i]!;
      values[i] = ascii ? bytes.toString('latin1', at, end) : this.#utf8(at, end, what);
      at = end;
    }
    return values;
  }

  uint32Column(count: number, what: string): Uint32Array {
    const start = this.#offset;
    this.#addItems(count, what, start);
    const width = this.uint8(what);
    if (width > 4 || width === 3) throw this.error(`${what} has ${width} bytes a value`, start);
    return this.#uint32Values(width, count, what);
  }

  /** A column of indexes into a table of `rows` rows. */
  indexColumn(count: number, rows: number, what: string): Uint32Array {
    const start = this.#offset;
    const column = this.uint32Column(count, what);
    for (let i = 0; i < count; i++) {
      if (column[i]! >= rows) throw this.error(`${what} ${column[i]} of ${rows}`, start);
    }
    return column;
  }

  /** `count + 1` bounds, the first of them 0. */
  startColumn(count: number, what: string): Uint32Array {
    const offset = this.#offset;
    const lengths = this.uint32Column(count, what);
    const start = new Uint32Array(count + 1);
    let end = 0;
    for (let i = 0; i < count; i++) {
      end += lengths[i]!;
      start[i + 1] = end;
    }
    if (end > this.#maxItems) throw this.error(`${what} bounds ${end} items`, offset);
    return start;
  }

  uint64Column(count: number, what: string): BigUint64Array {
    return new BigUint64Array(this.#words64(count, what).buffer);
  }

  int64Column(count: number, what: string): BigInt64Array {
    return new BigInt64Array(this.#words64(count, what).buffer);
  }

  #words64(count: number, what: string): Uint32Array {
    const start = this.#offset;
    this.#addItems(count, what, start);
    const width = this.uint8(what);
    if (width > 8 || width === 3 || (width > 4 && width < 8))
      throw this.error(`${what} has ${width} bytes a value`, start);
    if (width === 8) {
      const at = this.#take(count * 8, what);
      const words = new Uint32Array(count * 2);
      new Uint8Array(words.buffer).set(this.#bytes.subarray(at, at + count * 8));
      return words;
    }
    const low = this.#uint32Values(width, count, what);
    const words = new Uint32Array(count * 2);
    for (let i = 0; i < count; i++) words[i * 2] = low[i]!;
    return words;
  }

  #uint32Values(width: number, count: number, what: string): Uint32Array {
    if (width === 0) return new Uint32Array(count);
    const at = this.#take(count * width, what);
    if (width === 1) return new Uint32Array(this.#bytes.subarray(at, at + count));
    const copy = new Uint8Array(count * width);
    copy.set(this.#bytes.subarray(at, at + count * width));
    return width === 2 ? new Uint32Array(new Uint16Array(copy.buffer)) : new Uint32Array(copy.buffer);
  }

  #text(length: number, what: string): string {
    const at = this.#take(length, what);
    return this.#utf8(at, at + length, what);
  }

  #utf8(at: number, end: number, what: string): string {
    if (!isUtf8(this.#bytes.subarray(at, end))) throw this.error(`${what} is not UTF-8`, at);
    return this.#bytes.toString('utf8', at, end);
  }

  #take(length: number, what: string): number {
    const at = this.#offset;
    if (length > this.#bytes.length - at) {
      throw this.error(`${what} needs ${length} bytes, ${this.#bytes.length - at} are left`);
    }
    this.#offset += length;
    return at;
  }

  #addItems(count: number, what: string, offset: number): void {
    this.#items += count;
    if (this.#items > this.#maxItems) {
      throw this.error(
        `${what} brings the items to ${this.#items}, at most ${this.#maxItems} are read`,
        offset,
      );
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Reads the primitives of the JDK Flight Recorder format from foreign bytes. All numbers are big-endian, except that
// short, char, int and long are usually compressed: seven bits a byte, low ones first, and a ninth byte that has all
// eight. 64-bit numbers are left in two lanes, so that reading one makes no BigInt. Each read is checked against `limit`.
//
//   string:  kind u1 ─ 0 null · 1 empty · 2 key (long) into the pool of java.lang.String
//                      3 size (int), UTF-8 · 4 count (int), chars · 5 size (int), Latin-1

import { FormatError } from '../../errors.ts';

/** The first byte of a string. */
export const StringKind = { null: 0, empty: 1, pool: 2, utf8: 3, chars: 4, latin1: 5 } as const;

const MAX_VARINT_BYTES = 9;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const replacingUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const latin1 = new TextDecoder('latin1');

export class JfrReader {
  readonly bytes: Uint8Array;
  /** Next byte to read. */
  pos = 0;
  /** End of what may be read: the chunk, or the checkpoint in it. */
  limit: number;
  /** Whether the chunk compresses its integers. */
  compressed = true;
  /** Lanes of the last integer, as signed 32-bit numbers so that they stay unboxed. */
  lo = 0;
  hi = 0;
  /** Strings that were not UTF-8 and were read with U+FFFD in place of the wrong bytes. */
  invalidUtf8Strings = 0;
  readonly #view: DataView;
  readonly #maxStringLength: number;

  /** @param maxStringLength UTF-16 code units; of a longer string only the end is read, which is longer than this still */
  constructor(bytes: Uint8Array, maxStringLength: number) {
    this.bytes = bytes;
    this.#maxStringLength = maxStringLength;
    this.limit = bytes.length;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(what: string, offset = this.pos): never {
    throw new FormatError('jfr', offset, what);
  }

  need(count: number): void {
    if (this.limit - this.pos < count) this.fail(`${count} bytes needed, ${this.limit - this.pos} left`);
  }

  skip(count: number): void {
    this.need(count);
    this.pos += count;
  }

  byte(): number {
    if (this.pos >= this.limit) this.fail('1 byte needed, 0 left');
    return this.bytes[this.pos++]!;
  }

  /** A short, char, int or long into `lo` and `hi`. @param width its bytes when integers are not compressed */
  integer(width: 2 | 4 | 8): void {
    if (!this.compressed) {
      this.#fixed(width);
      return;
    }
    const byte = this.bytes[this.pos]!;
    if (byte < 0x80 && this.pos < this.limit) {
      this.pos++;
      this.lo = byte;
      this.hi = 0;
      return;
    }
    this.#varint();
  }

  /** As {@link integer}, without its value. */
  skipInteger(width: 2 | 4 | 8): void {
    if (!this.compressed) {
      this.skip(width);
      return;
    }
    const { bytes, limit } = this;
    let { pos } = this;
    if (pos < limit && bytes[pos]! < 0x80) {
      this.pos = pos + 1;
      return;
    }
    const end = Math.min(limit, pos + MAX_VARINT_BYTES);
    while (pos < end && bytes[pos]! >= 0x80) pos++;
    // The ninth byte has no flag of its own: whatever it is, the number ends with it.
    if (pos === end && pos - this.pos < MAX_VARINT_BYTES) this.fail('integer runs past the end');
    this.pos = pos === end ? end : pos + 1;
  }

  /** An int that counts or measures bytes, as an exact number up to 2^53.
   * @param most what there can be of it in the bytes left; more is an error, before anything is allocated for it */
  size(what: string, most: number): number {
    const at = this.pos;
    this.integer(4);
    const value = exactNumber(this.lo, this.hi);
    if (value > most) this.fail(`${what} ${value} exceeds the ${most} that are possible here`, at);
    return value;
  }

  /** A long that names a type or a time: an exact number, Infinity from 2^53 on. */
  long(): number {
    this.integer(8);
    return exactNumber(this.lo, this.hi);
  }

  /** Eight bytes of a chunk's header, which are never compressed: an exact number, Infinity from 2^53 on. */
  fixedLong(): number {
    this.#fixed(8);
    return exactNumber(this.lo, this.hi);
  }

  fixedShort(): number {
    this.#fixed(2);
    return this.lo;
  }

  fixedInt(): number {
    this.#fixed(4);
    return this.lo >>> 0;
  }

  #varint(): void {
    const { bytes, limit } = this;
    let { pos } = this;
    let byte = 0;
    let lo = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (pos >= limit) this.fail('integer runs past the end');
      byte = bytes[pos++]!;
      lo |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.pos = pos;
        this.lo = lo;
        this.hi = 0;
        return;
      }
    }
    if (pos >= limit) this.fail('integer runs past the end');
    byte = bytes[pos++]!;
    lo |= (byte & 0x7f) << 28;
    let hi = (byte & 0x7f) >>> 4;
    for (let shift = 3; byte >= 0x80 && shift <= 24; shift += 7) {
      if (pos >= limit) this.fail('integer runs past the end');
      byte = bytes[pos++]!;
      hi |= (shift === 24 ? byte : byte & 0x7f) << shift;
    }
    this.pos = pos;
    this.lo = lo;
    this.hi = hi;
  }

  #fixed(width: 2 | 4 | 8): void {
    this.need(width);
    const { pos } = this;
    this.hi = 0;
    if (width === 8) {
      this.hi = this.#view.getInt32(pos);
      this.lo = this.#view.getInt32(pos + 4);
    } else {
      this.lo = width === 4 ? this.#view.getInt32(pos) : this.#view.getUint16(pos);
    }
    this.pos = pos + width;
  }

  skipString(): void {
    const kind = this.byte();
    switch (kind) {
      case StringKind.null:
      case StringKind.empty:
        break;
      case StringKind.pool:
        this.skipInteger(8);
        break;
      case StringKind.utf8:
      case StringKind.latin1:
        this.#blob();
        break;
      case StringKind.chars: {
        const count = this.size('count of chars', this.limit - this.pos);
        for (let i = 0; i < count; i++) this.skipInteger(2);
        break;
      }
      default:
        this.fail(`string kind ${kind} is unknown`, this.pos - 1);
    }
  }

  /** A string; one that is a key into the pool of strings leaves the key in `lo` and `hi` and is undefined. */
  string(): string | undefined {
    const kind = this.byte();
    switch (kind) {
      case StringKind.null:
      case StringKind.empty:
        return '';
      case StringKind.pool:
        this.integer(8);
        return undefined;
      case StringKind.utf8:
        return this.#utf8(this.#end(this.#blob()));
      case StringKind.latin1:
        return latin1.decode(this.#end(this.#blob()));
      case StringKind.chars:
        return this.#chars();
      default:
        return this.fail(`string kind ${kind} is unknown`, this.pos - 1);
    }
  }

  #blob(): Uint8Array {
    const size = this.size('string size', this.limit - this.pos);
    this.need(size);
    this.pos += size;
    return this.bytes.subarray(this.pos - size, this.pos);
  }

  /** What can matter of a long string; a character of UTF-8 has at most three bytes for a code unit. */
  #end(bytes: Uint8Array): Uint8Array {
    const most = (this.#maxStringLength + 1) * 3;
    return bytes.length <= most ? bytes : bytes.subarray(bytes.length - most);
  }

  #utf8(bytes: Uint8Array): string {
    try {
      return strictUtf8.decode(bytes);
    } catch {
      this.invalidUtf8Strings++;
      return replacingUtf8.decode(bytes);
    }
  }

  #chars(): string {
    const count = this.size('count of chars', this.limit - this.pos);
    const skipped = Math.max(0, count - this.#maxStringLength - 1);
    for (let i = 0; i < skipped; i++) this.skipInteger(2);
    let text = '';
    for (let i = skipped; i < count; i++) {
      this.integer(2);
      text += String.fromCharCode(this.lo);
    }
    return text.toWellFormed();
  }
}

/** Two lanes as one number, Infinity where it would not be exact, as it is for what Java takes to be negative. */
export function exactNumber(lo: number, hi: number): number {
  if (hi === 0) return lo >>> 0;
  if (hi < 0 || hi >= 2 ** 21) return Number.POSITIVE_INFINITY;
  return hi * 2 ** 32 + (lo >>> 0);
}

// SPDX-License-Identifier: Apache-2.0
//
// Writes the primitives of the frame format (docs/formats/wal.md). Little-endian throughout, as are the machines this
// runs on, so that columns are copied and not converted.

const INITIAL_CAPACITY = 1 << 16;
const MAX_UVARINT_BYTES = 10;
const MAX_UTF8_BYTES_PER_UNIT = 3;

export class ByteWriter {
  #bytes = Buffer.allocUnsafe(INITIAL_CAPACITY);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The bytes so far, in memory of their own. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  uint8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  uint64(value: bigint): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeBigUInt64LE(BigInt.asUintN(64, value), this.#length);
  }

  float64(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  /** @param value an integer of at most 2^53 */
  uvarint(value: number): void {
    this.#reserve(MAX_UVARINT_BYTES);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  string(value: string): void {
    const bytes = Buffer.byteLength(value, 'utf8');
    this.uvarint(bytes);
    this.#text(value);
  }

  /** Byte lengths as a column, then all the bytes. */
  strings(values: readonly string[]): void {
    const all = Buffer.from(values.join(''), 'utf8');
    const lengths = new Uint32Array(values.length);
    let characters = 0;
    for (let i = 0; i < lengths.length; i++) {
      lengths[i] = values[i]!.length;
      characters += lengths[i]!;
    }
    // Names are ASCII but for a few, and a call for each costs more than what it does. Halves of a surrogate pair that two
    // strings begin and end with would become one character, so other text is written one by one.
    const isAscii = all.length === characters;
    if (!isAscii) lengths.set(values.map((value) => Buffer.byteLength(value, 'utf8')));
    this.uvarint(values.length);
    this.uint32Column(lengths);
    if (isAscii) this.#append(all);
    else for (const value of values) this.#text(value);
  }

  /** The narrowest of 0, 1, 2 or 4 bytes a value that holds all of them. */
  uint32Column(values: Uint32Array): void {
    let all = 0;
    for (let i = 0; i < values.length; i++) all |= values[i]!;
    const width = all === 0 ? 0 : all >>> 8 === 0 ? 1 : all >>> 16 === 0 ? 2 : 4;
    this.uint8(width);
    this.#reserve(values.length * width);
    if (width === 4) {
      this.#append(values);
    } else if (width === 2) {
      this.#append(new Uint16Array(values));
    } else if (width === 1) {
      this.#append(new Uint8Array(values));
    }
  }

  /** The differences of a `start` column, which never falls and begins with 0. */
  startColumn(start: Uint32Array): void {
    const lengths = new Uint32Array(start.length - 1);
    for (let i = 0; i < lengths.length; i++) lengths[i] = start[i + 1]! - start[i]!;
    this.uint32Column(lengths);
  }

  /** As a uint32 column when no value needs more, else 8 bytes a value. Negative values need more. */
  uint64Column(values: BigUint64Array | BigInt64Array): void {
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
    let high = 0;
    for (let i = 1; i < words.length; i += 2) high |= words[i]!;
    if (high === 0) {
      const low = new Uint32Array(values.length);
      for (let i = 0; i < low.length; i++) low[i] = words[i * 2]!;
      this.uint32Column(low);
    } else {
      this.uint8(8);
      this.#append(values);
    }
  }

  #append(column: ArrayBufferView): void {
    this.#reserve(column.byteLength);
    this.#bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), this.#length);
    this.#length += column.byteLength;
  }

  #text(value: string): void {
    this.#reserve(value.length * MAX_UTF8_BYTES_PER_UNIT);
    this.#length += this.#bytes.write(value, this.#length, 'utf8');
  }

  #reserve(extra: number): void {
    if (this.#length + extra <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + extra));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

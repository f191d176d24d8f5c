// SPDX-License-Identifier: Apache-2.0
//
// A file seen through windows: Go's tables have tens of megabytes, of which a lookup needs a few hundred bytes here and
// there. Windows are replaced by position, so memory is bounded however much is read.

import { FormatError } from '../../errors.ts';
import type { RandomAccess } from '../random-access.ts';

/** How much of the file is kept: the product is the most memory it takes. */
export interface WindowSizes {
  /** Bytes of one window, a power of two. */
  readonly windowBytes: number;
  readonly windowCount: number;
}

const utf8 = new TextDecoder();
const noBytes = new Uint8Array(0);

/** See the head of the file. Byte arrays that methods return are valid until the next call. */
export class FileWindows {
  readonly byteLength: number;
  readonly #access: RandomAccess;
  readonly #format: string;
  readonly #windowBytes: number;
  readonly #windows: (Uint8Array | undefined)[];
  readonly #indexes: Float64Array;
  #heldBytes = 0;

  constructor(access: RandomAccess, format: string, { windowBytes, windowCount }: WindowSizes) {
    this.#access = access;
    this.byteLength = access.byteLength;
    this.#format = format;
    this.#windowBytes = windowBytes;
    this.#windows = new Array<Uint8Array | undefined>(windowCount);
    this.#indexes = new Float64Array(windowCount).fill(-1);
  }

  /** Bytes held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The bytes from `offset` to the end of its window; none at or behind the end of the file. */
  from(offset: number): Uint8Array {
    if (!(offset >= 0 && offset < this.byteLength)) return noBytes;
    const index = Math.floor(offset / this.#windowBytes);
    const window = this.#window(index);
    return window.subarray(offset - index * this.#windowBytes);
  }

  /** Exactly `length` bytes. Throws FormatError where the file ends earlier. */
  bytes(offset: number, length: number, what: string): Uint8Array {
    const head = this.from(offset);
    if (head.byteLength >= length) return head.subarray(0, length);
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const part = this.from(offset + at);
      if (part.byteLength === 0) throw new FormatError(this.#format, offset + at, `${what} is cut short`);
      bytes.set(part.subarray(0, Math.min(part.byteLength, length - at)), at);
      at += Math.min(part.byteLength, length - at);
    }
    return bytes;
  }

  /** A little-endian word of four bytes. Throws FormatError where the file ends earlier. */
  uint32(offset: number, what: string): number {
    const bytes = this.bytes(offset, 4, what);
    return (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
  }

  /**
   * The string up to a zero byte, cut at `maxBytes`; undefined when the file ends before both. Bytes that are no UTF-8
   * become U+FFFD.
   */
  string(offset: number, maxBytes: number): string | undefined {
    const head = this.from(offset);
    if (head.byteLength === 0) return undefined;
    const within = head.subarray(0, maxBytes);
    const end = within.indexOf(0);
    if (end >= 0) return utf8.decode(within.subarray(0, end));
    if (within.byteLength === maxBytes) return utf8.decode(within);
    const parts = [utf8.decode(within, { stream: true })];
    for (let at = within.byteLength; at < maxBytes; ) {
      const next = this.from(offset + at).subarray(0, maxBytes - at);
      if (next.byteLength === 0) {
        utf8.decode();
        return undefined;
      }
      const nextEnd = next.indexOf(0);
      parts.push(utf8.decode(nextEnd >= 0 ? next.subarray(0, nextEnd) : next, { stream: true }));
      if (nextEnd >= 0) break;
      at += next.byteLength;
    }
    parts.push(utf8.decode());
    return parts.join('');
  }

  #window(index: number): Uint8Array {
    const slot = index % this.#windows.length;
    const held = this.#windows[slot];
    if (held !== undefined && this.#indexes[slot] === index) return held;
    const start = index * this.#windowBytes;
    const length = Math.min(this.#windowBytes, this.byteLength - start);
    const scratch = held !== undefined && held.byteLength >= length ? held : undefined;
    const window = this.#access.read(start, length, scratch);
    this.#heldBytes += window.byteLength - (held?.byteLength ?? 0);
    this.#windows[slot] = window;
    this.#indexes[slot] = index;
    return window;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// The string table of an ELF file, read through windows: names are wanted in the order of their symbols' addresses,
// which is roughly, but not quite, their order in the file, and a string table can be larger than all our memory.

import { maxNameBytes } from './name-store.ts';
import type { RandomAccess } from './random-access.ts';

/** Larger than any name that is kept, so that a name lies in two windows at most. */
const windowBytes = 16_384;
/** 4 MiB at most; smaller tables take what they have. */
const windowsKept = 256;

/** Strings of a string table, read through windows that are replaced by position. */
export class StringTable {
  readonly #access: RandomAccess;
  readonly #offset: number;
  readonly #size: number;
  readonly #windows: (Uint8Array | undefined)[] = new Array(windowsKept);
  readonly #windowIndexes = new Int32Array(windowsKept).fill(-1);

  constructor(access: RandomAccess, offset: number, size: number) {
    this.#access = access;
    this.#offset = offset;
    this.#size = size;
  }

  /**
   * The bytes up to the terminator, at most `maxNameBytes` + 1 of them; undefined outside of the table. They are valid
   * until the next call.
   */
  read(offset: number): Uint8Array | undefined {
    if (offset >= this.#size) return undefined;
    const head = this.#upToEnd(Math.floor(offset / windowBytes), offset % windowBytes, maxNameBytes + 1);
    const following = Math.ceil((offset + 1) / windowBytes) * windowBytes;
    if (head.byteLength > maxNameBytes || offset + head.byteLength < following || following >= this.#size)
      return head;
    // The string goes on in the next window. The two never share a place, so the head stays valid.
    const tail = this.#upToEnd(following / windowBytes, 0, maxNameBytes + 1 - head.byteLength);
    const name = new Uint8Array(head.byteLength + tail.byteLength);
    name.set(head);
    name.set(tail, head.byteLength);
    return name;
  }

  /** The first byte of a string, 0 outside of the table. */
  firstByte(offset: number): number {
    return offset < this.#size
      ? (this.#window(Math.floor(offset / windowBytes))[offset % windowBytes] ?? 0)
      : 0;
  }

  /** The bytes of a window from `from` to the terminator or the window's end, at most `maxBytes`. */
  #upToEnd(window: number, from: number, maxBytes: number): Uint8Array {
    const bytes = this.#window(window).subarray(from, from + maxBytes);
    const end = bytes.indexOf(0);
    return end < 0 ? bytes : bytes.subarray(0, end);
  }

  #window(index: number): Uint8Array {
    const slot = index % windowsKept;
    let window = this.#windows[slot];
    if (window === undefined || this.#windowIndexes[slot] !== index) {
      const start = index * windowBytes;
      const length = Math.min(windowBytes, this.#size - start);
      const scratch = window !== undefined && window.byteLength >= length ? window : undefined;
      window = this.#access.read(this.#offset + start, length, scratch);
      this.#windows[slot] = window;
      this.#windowIndexes[slot] = index;
    }
    return window;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// A file on disk as a RandomAccess that counts what is read, so that tests can say how little that is.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { RandomAccess } from '../../random-access.ts';

/** Reads with a descriptor that `Symbol.dispose` closes. */
export class FileAccess implements RandomAccess {
  readonly byteLength: number;
  readonly #descriptor: number;
  bytesRead = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'r');
    this.byteLength = fstatSync(this.#descriptor).size;
  }

  read(offset: number, length: number, scratch?: Uint8Array): Uint8Array {
    const room =
      scratch !== undefined && scratch.byteLength >= length
        ? scratch.subarray(0, length)
        : new Uint8Array(length);
    const count = readSync(this.#descriptor, room, 0, length, offset);
    this.bytesRead += count;
    return room.subarray(0, count);
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}

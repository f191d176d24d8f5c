// SPDX-License-Identifier: Apache-2.0
//
// A file on disk as the symbol readers see it: only what they ask for is read.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { RandomAccess } from '@hearthscope/profile/symbols/random-access';

/** A regular file, open for reading until it is disposed of. It stays readable when its name is removed. */
export class FileAccess implements RandomAccess, Disposable {
  readonly byteLength: number;
  readonly #descriptor: number;

  private constructor(descriptor: number, byteLength: number) {
    this.#descriptor = descriptor;
    this.byteLength = byteLength;
  }

  /** @throws HearthscopeError invalid_argument for what is not a regular file, and the system's errors */
  static open(path: string): FileAccess {
    // Opening must not wait for a pipe, nor make a terminal ours.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const stats = fstatSync(descriptor);
    if (stats.isFile()) return new FileAccess(descriptor, stats.size);
    closeSync(descriptor);
    throw new HearthscopeError('invalid_argument', 'not a regular file');
  }

  read(offset: number, length: number, scratch?: Uint8Array): Uint8Array {
    const bytes = scratch?.subarray(0, length) ?? new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const count = readSync(this.#descriptor, bytes, filled, length - filled, offset + filled);
      if (count === 0) return bytes.subarray(0, filled);
      filled += count;
    }
    return bytes;
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}

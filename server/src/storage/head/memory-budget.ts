// SPDX-License-Identifier: Apache-2.0
//
// The one limit on the head's memory. Every table asks before it allocates, so that a full head is an error of the
// request that would overfill it and not the death of the process.

import { HearthscopeError } from '@hearthscope/profile/errors';

/** What a string costs beside its characters: its header, the rounding of its size, its place in an array that grows. */
const STRING_OVERHEAD_BYTES = 32;
const BEYOND_LATIN1 = /[\u0100-\uffff]/;

export class MemoryBudget {
  readonly maxBytes: number;
  /** False while the WAL is replayed: what was acknowledged is kept, whatever the limit is now. */
  enforced = true;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Call it before the allocation.
   * @throws HearthscopeError unavailable when the limit would be passed; nothing is taken then */
  take(bytes: number): void {
    if (this.enforced && this.#usedBytes + bytes > this.maxBytes) {
      throw new HearthscopeError(
        'unavailable',
        `the head is full: ${this.#usedBytes} of ${this.maxBytes} bytes are used and ${bytes} more are needed; raise the limit of the head's memory`,
      );
    }
    this.#usedBytes += bytes;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** V8 keeps one byte a character where all of them are Latin-1, else two. */
export function stringBytes(value: string): number {
  return STRING_OVERHEAD_BYTES + value.length * (BEYOND_LATIN1.test(value) ? 2 : 1);
}

// SPDX-License-Identifier: Apache-2.0
//
// How much text may be read from a recording. A constant of a few bytes can refer to a long string, so the size of the
// recording does not bound what its names come to.

import { HearthscopeError } from '../../errors.ts';

export class NameBudget {
  readonly #maxBytes: number;
  #taken = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws HearthscopeError invalid_argument when all names together are over the limit */
  take(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken > this.#maxBytes) {
      throw new HearthscopeError(
        'invalid_argument',
        `jfr: the names of the recording come to more than ${this.#maxBytes} bytes, which is the limit`,
      );
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// 64-bit hashes beside the rows of a table, as pairs of words, low word first.

import type { MemoryBudget } from './memory-budget.ts';

const INITIAL_ROWS = 32;

export class HashColumn {
  readonly #budget: MemoryBudget;
  #words = new Uint32Array(INITIAL_ROWS * 2);

  constructor(budget: MemoryBudget) {
    budget.take(this.#words.byteLength);
    this.#budget = budget;
  }

  /** Two words a row; valid until the next `set`. */
  get words(): Uint32Array {
    return this.#words;
  }

  /** Makes room for `row`, so that the `set` after a new row cannot fail. */
  reserve(row: number): void {
    if (row * 2 < this.#words.length) return;
    this.#budget.take(this.#words.byteLength);
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
  }

  set(row: number, low: number, high: number): void {
    this.#words[row * 2] = low;
    this.#words[row * 2 + 1] = high;
  }
}

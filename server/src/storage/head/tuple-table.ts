// SPDX-License-Identifier: Apache-2.0
//
// A set of distinct tuples of 32-bit numbers, each with a dense row number: the one structure that all tables of the
// head are made of. Lists of any length are stored as chains of (row of the rest, item), which shares equal beginnings:
// a stack is the row of its caller's stack and one location.
//
// Row 0 means "none": it is never given out for a tuple, not even for one that is all zero.

import type { MemoryBudget } from './memory-budget.ts';

const INITIAL_ROWS = 32;
const BYTES_PER_WORD = 4;
const MAX_WIDTH = 6;

export class TupleTable {
  readonly width: number;
  readonly #budget: MemoryBudget;
  /** The hash is only used inside this process; a random seed keeps foreign input from aiming at one slot. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);
  /** The tuple that is looked for. */
  readonly #tuple = new Uint32Array(MAX_WIDTH);
  #rows: Uint32Array;
  #length = 1;
  /** Open addressing: a row, or 0 for a free slot. At most half full. */
  #slots: Uint32Array;

  /** @param width numbers of a tuple, at most 6 */
  constructor(width: number, budget: MemoryBudget) {
    budget.take((INITIAL_ROWS * width + INITIAL_ROWS * 2) * BYTES_PER_WORD);
    this.width = width;
    this.#budget = budget;
    this.#rows = new Uint32Array(INITIAL_ROWS * width);
    this.#slots = new Uint32Array(INITIAL_ROWS * 2);
  }

  /** Rows, row 0 included. */
  get length(): number {
    return this.#length;
  }

  /** `width` numbers a row; valid until the next `intern`. */
  get rows(): Uint32Array {
    return this.#rows;
  }

  get(row: number, field: number): number {
    return this.#rows[row * this.width + field]!;
  }

  /** The row of an equal tuple, or a new one, whose number is `length` before the call. Takes `width` numbers.
   * @throws HearthscopeError unavailable when the budget is used up; the table is unchanged then */
  intern(a: number, b: number, c = 0, d = 0, e = 0, f = 0): number {
    const tuple = this.#tuple;
    tuple[0] = a;
    tuple[1] = b;
    tuple[2] = c;
    tuple[3] = d;
    tuple[4] = e;
    tuple[5] = f;
    let slot = this.#slotOfTuple();
    const known = this.#slots[slot]!;
    if (known !== 0) return known;
    if (this.#length * this.width === this.#rows.length) {
      this.#grow();
      slot = this.#slotOfTuple();
    }
    const row = this.#length++;
    const at = row * this.width;
    for (let i = 0; i < this.width; i++) this.#rows[at + i] = tuple[i]!;
    this.#slots[slot] = row;
    return row;
  }

  /** As {@link intern} for a table of pairs, and faster: all stacks that arrive are looked up by pairs. */
  internPair(a: number, b: number): number {
    const rows = this.#rows;
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hash = Math.imul(this.#seed ^ a, 0x9e3779b1);
    hash ^= hash >>> 15;
    hash = Math.imul(hash ^ b, 0x9e3779b1);
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 0x85ebca6b);
    for (let slot = (hash ^ (hash >>> 13)) & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot]!;
      if (row === 0) return this.intern(a, b);
      if (rows[row * 2] === a && rows[row * 2 + 1] === b) return row;
    }
  }

  /** The slot that holds an equal tuple, or the free one where it belongs. */
  #slotOfTuple(): number {
    const { width } = this;
    const tuple = this.#tuple;
    const rows = this.#rows;
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = this.#hashOf(tuple, 0) & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot]!;
      if (row === 0) return slot;
      const at = row * width;
      let i = 0;
      while (i < width && rows[at + i] === tuple[i]) i++;
      if (i === width) return slot;
    }
  }

  #hashOf(words: Uint32Array, at: number): number {
    let hash = this.#seed;
    for (let i = 0; i < this.width; i++) {
      hash = Math.imul(hash ^ words[at + i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, 0x85ebca6b);
    return hash ^ (hash >>> 13);
  }

  #grow(): void {
    this.#budget.take(this.#rows.byteLength + this.#slots.byteLength);
    const rows = new Uint32Array(this.#rows.length * 2);
    rows.set(this.#rows);
    this.#rows = rows;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let row = 1; row < this.#length; row++) {
      let slot = this.#hashOf(rows, row * this.width) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = row;
    }
  }
}

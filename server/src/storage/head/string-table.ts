// SPDX-License-Identifier: Apache-2.0
//
// The strings of a tenant, each kept once. Row 0 is ''. Nearly every string that arrives is known already but is a new
// object, which V8's own Map would hash through a call into its runtime; hashing here costs a fraction of that.

import { type MemoryBudget, stringBytes } from './memory-budget.ts';

const INITIAL_ROWS = 32;

export class StringTable {
  readonly #budget: MemoryBudget;
  /** Keeps foreign input, which may know the hash, from aiming at one slot. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);
  readonly #values: string[] = [''];
  #hash = new Uint32Array(INITIAL_ROWS);
  /** Open addressing: a row, or 0 for a free slot. At most half full. Row 0 has none. */
  #slots = new Uint32Array(INITIAL_ROWS * 2);

  constructor(budget: MemoryBudget) {
    budget.take(this.#hash.byteLength + this.#slots.byteLength);
    this.#budget = budget;
  }

  get length(): number {
    return this.#values.length;
  }

  get(row: number): string {
    return this.#values[row]!;
  }

  /** @throws HearthscopeError unavailable when the budget is used up; no row is added then */
  intern(value: string): number {
    if (value === '') return 0;
    const hash = this.#hashOf(value);
    let slot = this.#slotOf(hash, value);
    const known = this.#slots[slot]!;
    if (known !== 0) return known;
    const row = this.#values.length;
    if (row === this.#hash.length) {
      this.#grow();
      slot = this.#slotOf(hash, value);
    }
    this.#budget.take(stringBytes(value));
    this.#values.push(value);
    this.#hash[row] = hash;
    this.#slots[slot] = row;
    return row;
  }

  /** The slot that holds an equal string, or the free one where it belongs. */
  #slotOf(hash: number, value: string): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot]!;
      if (row === 0 || (this.#hash[row] === hash && this.#values[row] === value)) return slot;
    }
  }

  #hashOf(value: string): number {
    let hash = this.#seed;
    for (let i = 0; i < value.length; i++) {
      hash = Math.imul(hash ^ value.charCodeAt(i), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, 0x85ebca6b);
    return (hash ^ (hash >>> 13)) >>> 0;
  }

  #grow(): void {
    this.#budget.take(this.#hash.byteLength + this.#slots.byteLength);
    const hash = new Uint32Array(this.#hash.length * 2);
    hash.set(this.#hash);
    this.#hash = hash;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let row = 1; row < this.#values.length; row++) {
      let slot = hash[row]! & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = row;
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// A table of distinct lists of 32-bit numbers: equal lists get equal rows. Every table of a profile can be seen as one
// (a stack is a list of locations, a function is the list [name, systemName, filename, startLine]), so this is the one
// place that hashes. Lists are compared in full, a hash alone decides nothing; the hash is seeded per table, so that
// foreign input cannot aim at one bucket.

import { Uint32Column } from './column.ts';

const INITIAL_SLOTS = 128;

export class UintListTable {
  readonly #start = new Uint32Column();
  readonly #items = new Uint32Column();
  readonly #hash = new Uint32Column();
  readonly #seed = Math.floor(Math.random() * 2 ** 32);
  /** Open addressing: row + 1, or 0 for a free slot. At most half full. */
  #slots = new Uint32Array(INITIAL_SLOTS);

  /** @param expectedItems room to start with, for callers who know about how many items there will be in all lists */
  constructor(expectedItems = 0) {
    this.#start.push(0);
    this.#items.reserve(expectedItems);
  }

  /** Rows, that is distinct lists. */
  get length(): number {
    return this.#hash.length;
  }

  /** `start[row] .. start[row + 1]` bound the row's items; valid until the next `intern`. */
  get start(): Uint32Array {
    return this.#start.data;
  }

  /** The items of all rows; valid until the next `intern`. */
  get items(): Uint32Array {
    return this.#items.data;
  }

  /** The row of `list[from .. to]`; a new row, numbered `length`, when no equal list is there yet. */
  intern(list: ArrayLike<number>, from = 0, to = list.length): number {
    const hash = this.#hashOf(list, from, to);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let entry = this.#slots[slot]!; entry !== 0; entry = this.#slots[slot]!) {
      const row = entry - 1;
      if (this.#hash.data[row] === hash && this.#equals(row, list, from, to)) return row;
      slot = (slot + 1) & mask;
    }
    const row = this.length;
    this.#slots[slot] = row + 1;
    this.#hash.push(hash);
    this.#append(list, from, to);
    if (this.length * 2 > this.#slots.length) this.#growSlots();
    return row;
  }

  /** `length + 1` bounds into {@link finishItems}. */
  finishStart(): Uint32Array {
    return this.#start.finish();
  }

  finishItems(): Uint32Array {
    return this.#items.finish();
  }

  #hashOf(list: ArrayLike<number>, from: number, to: number): number {
    let hash = this.#seed ^ (to - from);
    for (let i = from; i < to; i++) {
      hash = Math.imul(hash ^ list[i]!, 0xcc9e2d51);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #append(list: ArrayLike<number>, from: number, to: number): void {
    this.#items.reserve(to - from);
    const { data } = this.#items;
    let at = this.#items.length;
    for (let i = from; i < to; i++) data[at++] = list[i]!;
    this.#items.length = at;
    this.#start.push(at);
  }

  #equals(row: number, list: ArrayLike<number>, from: number, to: number): boolean {
    const start = this.#start.data[row]!;
    if (this.#start.data[row + 1]! - start !== to - from) return false;
    const items = this.#items.data;
    for (let i = from, j = start; i < to; i++, j++) {
      if (items[j] !== list[i]) return false;
    }
    return true;
  }

  #growSlots(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let row = 0; row < this.length; row++) {
      let slot = this.#hash.data[row]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = row + 1;
    }
    this.#slots = slots;
  }
}

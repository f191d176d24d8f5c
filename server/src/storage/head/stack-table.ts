// SPDX-License-Identifier: Apache-2.0
//
// The distinct stacks of a tenant. A stack's identity is a 64-bit hash of its content (docs/formats/stack-id.md), the
// same in every process and at every time, so that what is stored here can later be merged with what is stored elsewhere
// without translating ids. A hash decides nothing alone: the stack found is compared location by location, and on a
// collision the next id is the hash of this id, salted with the number of the attempt.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { type Hash128, murmur3OfWords, newHash128 } from '../murmur3.ts';
import { HashColumn } from './hash-column.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { SymbolTable } from './symbol-table.ts';

const INITIAL_ROWS = 32;
/** Chance never gets past the first; only made-up stacks, aimed at one hash, get this far. */
const MAX_COLLISIONS_PER_STACK = 64;

export class StackTable {
  readonly #budget: MemoryBudget;
  readonly #symbols: SymbolTable;
  readonly #hash: HashColumn;
  /** The stack's node in the symbol tree. */
  #node = new Uint32Array(INITIAL_ROWS);
  /** Keeps foreign input, which knows the hash, from aiming at one slot. */
  readonly #slotSeed = Math.floor(Math.random() * 2 ** 32);
  /** Open addressing: row + 1, or 0 for a free slot. At most half full. */
  #slots = new Uint32Array(INITIAL_ROWS * 2);
  #length = 0;
  #collisions = 0;
  #words = new Uint32Array(256);
  readonly #digest: Hash128 = newHash128();

  constructor(symbols: SymbolTable, budget: MemoryBudget) {
    budget.take(this.#node.byteLength + this.#slots.byteLength);
    this.#budget = budget;
    this.#symbols = symbols;
    this.#hash = new HashColumn(budget);
  }

  get length(): number {
    return this.#length;
  }

  /** How often two different stacks had one hash. */
  get collisions(): number {
    return this.#collisions;
  }

  /** The stack's node in the symbol tree, a row each; valid until the next `intern`. */
  get node(): Uint32Array {
    return this.#node;
  }

  /** The ids as two words a row, low word first; valid until the next `intern`. */
  get idWords(): Uint32Array {
    return this.#hash.words;
  }

  /** The content hash, which identifies the stack everywhere. */
  id(row: number): bigint {
    const words = this.#hash.words;
    return (BigInt(words[row * 2 + 1]!) << 32n) | BigInt(words[row * 2]!);
  }

  /** The row of the stack that is `locations[from .. to]`.
   * @param locations rows of the symbol table, leaf first
   * @throws HearthscopeError unavailable when the budget is used up, invalid_argument when too many stacks collide */
  intern(locations: Uint32Array, from = 0, to = locations.length): number {
    const digest = this.#digest;
    this.#gatherHashes(locations, from, to);
    murmur3OfWords(this.#words, (to - from) * 8, 0, digest);
    for (let salt = 1; ; salt++) {
      const found = this.#find(digest[0]!, digest[1]!);
      if (found < 0) return this.#insert(locations, from, to, digest[0]!, digest[1]!);
      if (this.#equals(found, locations, from, to)) return found;
      this.#collisions++;
      if (salt > MAX_COLLISIONS_PER_STACK) {
        throw new HearthscopeError(
          'invalid_argument',
          `more than ${MAX_COLLISIONS_PER_STACK} different stacks have the same hash; such input is not made by chance and is refused`,
        );
      }
      murmur3OfWords(digest, 8, salt, digest);
    }
  }

  /** The row of the stack that ends in a node of the symbol tree.
   * @throws HearthscopeError as {@link intern} */
  internNode(node: number): number {
    const nodes = this.#symbols.nodes.rows;
    const locations: number[] = [];
    for (let at = node; at !== 0; at = nodes[at * 2]!) locations.push(nodes[at * 2 + 1]!);
    return this.intern(Uint32Array.from(locations));
  }

  /** The row of a stack whose id was given out before, by this table or another one. Where two writers gave one id to
   * different stacks, the first stays and the collision is counted.
   * @param node of the symbol table that this table refers to
   * @throws HearthscopeError unavailable when the budget is used up */
  adopt(node: number, low: number, high: number): number {
    const found = this.#find(low, high);
    if (found < 0) return this.#append(node, low, high);
    if (this.#node[found] !== node) this.#collisions++;
    return found;
  }

  /** The row of a stack by its id, -1 when it is not here. */
  find(low: number, high: number): number {
    return this.#find(low, high);
  }

  #gatherHashes(locations: Uint32Array, from: number, to: number): void {
    if (this.#words.length < (to - from) * 2) this.#words = new Uint32Array((to - from) * 4);
    const words = this.#words;
    const hashes = this.#symbols.locationHash.words;
    for (let i = from, at = 0; i < to; i++, at += 2) {
      const location = locations[i]! * 2;
      words[at] = hashes[location]!;
      words[at + 1] = hashes[location + 1]!;
    }
  }

  #find(low: number, high: number): number {
    const mask = this.#slots.length - 1;
    const words = this.#hash.words;
    for (let slot = this.#slotOf(low, high); this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const row = this.#slots[slot]! - 1;
      if (words[row * 2] === low && words[row * 2 + 1] === high) return row;
    }
    return -1;
  }

  #slotOf(low: number, high: number): number {
    const mixed = Math.imul(low ^ this.#slotSeed, 0x9e3779b1) ^ high;
    return (Math.imul(mixed, 0x85ebca6b) >>> 7) & (this.#slots.length - 1);
  }

  /** The nodes of a stack were made one after the other, so they lie together where the stack is one of its own. */
  #equals(row: number, locations: Uint32Array, from: number, to: number): boolean {
    const nodes = this.#symbols.nodes.rows;
    let node = this.#node[row]!;
    for (let i = from; i < to; i++) {
      if (node === 0 || nodes[node * 2 + 1] !== locations[i]) return false;
      node = nodes[node * 2]!;
    }
    return node === 0;
  }

  #insert(locations: Uint32Array, from: number, to: number, low: number, high: number): number {
    let node = 0;
    for (let i = to - 1; i >= from; i--) node = this.#symbols.nodes.internPair(node, locations[i]!);
    return this.#append(node, low, high);
  }

  #append(node: number, low: number, high: number): number {
    this.#hash.reserve(this.#length);
    if (this.#length === this.#node.length) this.#grow();
    const row = this.#length++;
    this.#node[row] = node;
    this.#hash.set(row, low, high);
    this.#place(row);
    return row;
  }

  #place(row: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#slotOf(this.#hash.words[row * 2]!, this.#hash.words[row * 2 + 1]!);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = row + 1;
  }

  #grow(): void {
    this.#budget.take(this.#node.byteLength + this.#slots.byteLength);
    const node = new Uint32Array(this.#node.length * 2);
    node.set(this.#node);
    this.#node = node;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let row = 0; row < this.#length; row++) this.#place(row);
  }
}

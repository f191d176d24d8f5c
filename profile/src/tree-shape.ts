// SPDX-License-Identifier: Apache-2.0
//
// The nodes of a tree while it grows: each is its parent and a name, and equal ones are one. Shared by everything that
// merges stacks from the root down.

import { Uint32Column } from './column.ts';
import type { Steps } from './steps.ts';

const INITIAL_SLOTS = 1024;

/** Nodes handled in one step. */
const NODES_PER_STEP = 1 << 16;

/** A tree without values. Row 0 is the root, and a parent always comes before its children. */
export interface TreeNodes {
  /** Nodes, the root included. */
  readonly length: number;
  readonly names: readonly string[];
  /** Index into `names`; meaningless for the root. */
  readonly name: Uint32Array;
  readonly parent: Uint32Array;
}

/** Row 0 is the root; a parent always comes before its children. */
export class TreeShape {
  readonly #parent = new Uint32Column();
  readonly #name = new Uint32Column();
  /** Open addressing on (parent, name): node, or 0 for a free slot, as the root is nobody's child. */
  #slots = new Uint32Array(INITIAL_SLOTS);

  constructor() {
    this.#parent.push(0);
    this.#name.push(0);
  }

  /** Nodes, the root included. */
  get length(): number {
    return this.#parent.length;
  }

  nameOf(node: number): number {
    return this.#name.data[node]!;
  }

  /** The child of that name; a new node, numbered `length`, when there is none yet. */
  child(parent: number, name: number): number {
    const mask = this.#slots.length - 1;
    let slot = hashOf(parent, name) & mask;
    for (let node = this.#slots[slot]!; node !== 0; node = this.#slots[slot]!) {
      if (this.#parent.data[node] === parent && this.#name.data[node] === name) return node;
      slot = (slot + 1) & mask;
    }
    const node = this.#parent.length;
    this.#slots[slot] = node;
    this.#parent.push(parent);
    this.#name.push(name);
    if (node * 2 >= this.#slots.length) this.#grow();
    return node;
  }

  finish(): Omit<TreeNodes, 'names'> {
    return { length: this.length, parent: this.#parent.finish(), name: this.#name.finish() };
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let node = 1; node < this.#parent.length; node++) {
      let slot = hashOf(this.#parent.data[node]!, this.#name.data[node]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = node;
    }
    this.#slots = slots;
  }
}

function hashOf(parent: number, name: number): number {
  let hash = Math.imul(parent, 0x9e3779b1) ^ Math.imul(name, 0x85ebca77);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

/** Each node's own value and those of all nodes below it. */
export function* totalsInSteps({ length, parent }: TreeNodes, self: BigInt64Array): Steps<BigInt64Array> {
  const total = self.slice();
  for (let node = length - 1; node > 0; node--) {
    if (node % NODES_PER_STEP === 0) yield;
    total[parent[node]!]! += total[node]!;
  }
  return total;
}

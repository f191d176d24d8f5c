// SPDX-License-Identifier: Apache-2.0
//
// A stack tree as the bytes that clients of the query API call TREE: depth first, the last child first, and for each
// node
//
//   uvarint length of the name, name in UTF-8, uvarint self, uvarint number of children
//
// The first node is the virtual root without name. An empty tree is no bytes.

import { cutTreeInSteps, treeChildrenInSteps } from './cut-tree.ts';
import type { StackTree } from './stack-tree.ts';
import { finish, type Steps } from './steps.ts';

/** Nodes handled in one step. */
const NODES_PER_STEP = 8192;
const INITIAL_BYTES = 4096;
const MAX_VARINT_BYTES = 10;

/** @param maxNodes as in `cutTree`; 0 for all */
export function encodeTree(tree: StackTree, maxNodes: number): Uint8Array {
  return finish(encodeTreeInSteps(tree, maxNodes));
}

export function* encodeTreeInSteps(whole: StackTree, maxNodes: number): Steps<Uint8Array> {
  if (whole.total[0] === 0n) return new Uint8Array(0);
  const tree = yield* cutTreeInSteps(whole, maxNodes);
  const { start, node: childNodes } = yield* treeChildrenInSteps(tree);
  const encoder = new TextEncoder();
  const names = tree.names.map((name) => encoder.encode(name));
  const output = new TreeWriter();
  const pending = [0];
  for (let count = 1, node = pending.pop(); node !== undefined; node = pending.pop(), count++) {
    if (count % NODES_PER_STEP === 0) yield;
    if (node === 0) output.varint(0n);
    else output.text(names[tree.name[node]!]!);
    output.varint(tree.self[node]!);
    output.varint(BigInt(start[node + 1]! - start[node]!));
    for (let at = start[node]!; at < start[node + 1]!; at++) pending.push(childNodes[at]!);
  }
  return output.finish();
}

class TreeWriter {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #length = 0;

  varint(value: bigint): void {
    this.#reserve(MAX_VARINT_BYTES);
    let rest = value;
    while (rest > 0x7fn) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  text(bytes: Uint8Array): void {
    this.varint(BigInt(bytes.length));
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(extra: number): void {
    if (this.#length + extra <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + extra));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

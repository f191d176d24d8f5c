// SPDX-License-Identifier: Apache-2.0
//
// A stack tree as the levels that flame graph viewers of the Pyroscope family read. Each level lists its nodes from left
// to right, four numbers a node:
//
//   [ gap to the end of the node before, total, self, index into names ]
//
// A node's children start where its self part ends, so `self` is drawn on the left:
//
//   level 0   |············ total ············|
//   level 1   | a (self 2)  ··|  b  |  other  |
//   level 2      →2| c |
//
// The tree is merged in full before anything is cut. Then nodes whose total is less than that of the maxNodes-th largest
// node are joined, per parent, into one node `other` behind their siblings. Sums nest exactly: levels are int64.

import { compareNames } from './name-order.ts';
import type { StackTree } from './stack-tree.ts';

export interface FlameGraph {
  /** names[0] is `total`, the root; functions without name share it. */
  readonly names: readonly string[];
  /** Empty when the tree is. */
  readonly levels: readonly BigInt64Array[];
  readonly total: bigint;
  /** The largest `self` of a node in `levels`. */
  readonly maxSelf: bigint;
}

/** The name of the node that stands for siblings that were cut. A real function of that name is joined with it. */
export const OTHER_NAME = 'other';
export const ROOT_NAME = 'total';
/** Numbers per node in a level. */
export const LEVEL_STRIDE = 4;

/** Stands for cut siblings in the list of nodes of a level. */
const OTHER_NODE = -1;

interface PlacedNode {
  /** A node of the tree, or OTHER_NODE. */
  readonly node: number;
  readonly x: bigint;
  readonly total: bigint;
  readonly self: bigint;
}

/** @param maxNodes how many of the largest nodes stay (more when some are equal); 0 for all */
export function toFlameGraph(tree: StackTree, maxNodes: number): FlameGraph {
  const total = tree.total[0]!;
  if (total === 0n) return { names: [], levels: [], total, maxSelf: 0n };
  const minTotal = minimumTotal(tree, maxNodes);
  const children = sortedChildren(tree);
  const names = new NameTable();
  const levels: BigInt64Array[] = [];
  let maxSelf = 0n;
  let level: PlacedNode[] = [{ node: 0, x: 0n, total, self: tree.self[0]! }];
  while (level.length > 0) {
    const numbers = new BigInt64Array(level.length * LEVEL_STRIDE);
    const next: PlacedNode[] = [];
    let previousEnd = 0n;
    level.forEach((placed, i) => {
      numbers[i * LEVEL_STRIDE] = placed.x - previousEnd;
      numbers[i * LEVEL_STRIDE + 1] = placed.total;
      numbers[i * LEVEL_STRIDE + 2] = placed.self;
      numbers[i * LEVEL_STRIDE + 3] = BigInt(names.indexOf(nameOf(tree, placed.node)));
      previousEnd = placed.x + placed.total;
      if (placed.self > maxSelf) maxSelf = placed.self;
      if (placed.node !== OTHER_NODE) placeChildren(tree, children, placed, minTotal, next);
    });
    levels.push(numbers);
    level = next;
  }
  return { names: names.names, levels, total, maxSelf };
}

function nameOf(tree: StackTree, node: number): string {
  if (node === OTHER_NODE) return OTHER_NAME;
  return node === 0 ? '' : tree.names[tree.name[node]!]!;
}

function placeChildren(
  tree: StackTree,
  children: Children,
  { node: parent, x: parentX, self }: PlacedNode,
  minTotal: bigint,
  level: PlacedNode[],
): void {
  let x = parentX + self;
  let other = 0n;
  for (let i = children.start[parent]!; i < children.start[parent + 1]!; i++) {
    const node = children.node[i]!;
    const total = tree.total[node]!;
    if (total < minTotal || nameOf(tree, node) === OTHER_NAME) {
      other += total;
      continue;
    }
    level.push({ node, x, total, self: tree.self[node]! });
    x += total;
  }
  if (other > 0n) level.push({ node: OTHER_NODE, x, total: other, self: other });
}

/** The total of the maxNodes-th largest node below the root, 0 when there are no more nodes than that. A child is never
 * larger than its parent, so the nodes that stay are a tree. */
export function minimumTotal(tree: StackTree, maxNodes: number): bigint {
  const nodes = tree.length - 1;
  if (maxNodes <= 0 || nodes <= maxNodes) return 0n;
  const totals = tree.total.slice(1).sort();
  return totals[nodes - maxNodes]!;
}

interface Children {
  /** `node[start[n] .. start[n + 1]]` are the children of node n by name. */
  readonly start: Uint32Array;
  readonly node: Uint32Array;
}

function sortedChildren({ length, names, name, parent }: StackTree): Children {
  const byName = names.map((_, index) => index).sort((a, b) => compareNames(names[a]!, names[b]!));
  const rank = new Uint32Array(names.length);
  byName.forEach((index, position) => {
    rank[index] = position;
  });
  const start = new Uint32Array(length + 1);
  for (let node = 1; node < length; node++) start[parent[node]! + 1]!++;
  for (let node = 0; node < length; node++) start[node + 1]! += start[node]!;
  const next = start.slice();
  const children = new Uint32Array(Math.max(0, length - 1));
  for (let node = 1; node < length; node++) children[next[parent[node]!]!++] = node;
  for (let node = 0; node < length; node++) {
    if (start[node + 1]! - start[node]! < 2) continue;
    children.subarray(start[node], start[node + 1]).sort((a, b) => rank[name[a]!]! - rank[name[b]!]!);
  }
  return { start, node: children };
}

class NameTable {
  readonly names: string[] = [ROOT_NAME];
  readonly #index = new Map<string, number>([['', 0]]);

  indexOf(name: string): number {
    let index = this.#index.get(name);
    if (index === undefined) {
      index = this.names.push(name) - 1;
      this.#index.set(name, index);
    }
    return index;
  }
}

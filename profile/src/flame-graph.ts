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
// The tree is merged in full before anything is cut. Then nodes whose total is less than a minimum are joined, per parent,
// into one node `other` behind their siblings. Sums nest exactly: levels are int64.

import { compareNames } from './name-order.ts';
import type { StackTree } from './stack-tree.ts';
import { finish, type Steps } from './steps.ts';

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

/** Nodes of the tree handled in one step. */
const NODES_PER_STEP = 1 << 16;

/** How many times the nodes that were asked for may stay. */
const MAX_TIES_FACTOR = 2;

/** Stands for cut siblings in the list of nodes of a level. */
const OTHER_NODE = -1;

interface PlacedNode {
  /** A node of the tree, or OTHER_NODE. */
  readonly node: number;
  readonly x: bigint;
  readonly total: bigint;
  readonly self: bigint;
}

/** @param maxNodes how many of the largest nodes stay, up to twice as many when some are equal; see
 * {@link minimumTotal}. 0 for all */
export function toFlameGraph(tree: StackTree, maxNodes: number): FlameGraph {
  return finish(toFlameGraphInSteps(tree, maxNodes));
}

export function* toFlameGraphInSteps(tree: StackTree, maxNodes: number): Steps<FlameGraph> {
  const total = tree.total[0]!;
  if (total === 0n) return { names: [], levels: [], total, maxSelf: 0n };
  const minTotal = minimumTotal(tree, maxNodes);
  yield;
  const children = yield* keptChildren(tree, minTotal);
  const names = new NameTable();
  const levels: BigInt64Array[] = [];
  let maxSelf = 0n;
  let level: PlacedNode[] = [{ node: 0, x: 0n, total, self: tree.self[0]! }];
  while (level.length > 0) {
    yield;
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
      if (placed.node !== OTHER_NODE) placeChildren(tree, children, placed, next);
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
  level: PlacedNode[],
): void {
  let x = parentX + self;
  for (let i = children.start[parent]!; i < children.start[parent + 1]!; i++) {
    const node = children.node[i]!;
    const total = tree.total[node]!;
    level.push({ node, x, total, self: tree.self[node]! });
    x += total;
  }
  const other = children.other[parent]!;
  if (other > 0n) level.push({ node: OTHER_NODE, x, total: other, self: other });
}

/** What a node's total must be for the node to stay, 0 when all stay. A child is never larger than its parent, so the
 * nodes that stay are a tree.
 *
 * It is the total of the maxNodes-th largest node below the root, as in Pyroscope, so nodes that are equal to that one
 * stay as well. In a wide tree nearly all leaves are equal: where more than twice as many nodes would stay as were asked
 * for, it is the next larger total, and fewer than maxNodes stay. */
export function minimumTotal(tree: StackTree, maxNodes: number): bigint {
  const nodes = tree.length - 1;
  if (maxNodes <= 0 || nodes <= maxNodes) return 0n;
  const totals = tree.total.slice(1).sort();
  const minTotal = totals[nodes - maxNodes]!;
  const kept = nodes - firstAbove(totals, minTotal - 1n);
  if (kept <= maxNodes * MAX_TIES_FACTOR) return minTotal;
  return totals[firstAbove(totals, minTotal)] ?? minTotal + 1n;
}

/** The first row of an ascending column whose value is above `value`. */
function firstAbove(column: BigInt64Array, value: bigint): number {
  let low = 0;
  let high = column.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (column[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The nodes that stay, below the nodes that they belong to. */
interface Children {
  /** `node[start[n] .. start[n + 1]]` are the children of node n by name. */
  readonly start: Uint32Array;
  readonly node: Uint32Array;
  /** The total of each node's children that do not stay. */
  readonly other: BigInt64Array;
}

function* keptChildren(tree: StackTree, minTotal: bigint): Steps<Children> {
  const { length, name, parent, total } = tree;
  const start = new Uint32Array(length + 1);
  const other = new BigInt64Array(length);
  const kept: number[] = [];
  const otherName = tree.names.indexOf(OTHER_NAME);
  for (let node = 1; node < length; node++) {
    if (node % NODES_PER_STEP === 0) yield;
    if (total[node]! >= minTotal && name[node] !== otherName) {
      kept.push(node);
      start[parent[node]! + 1]!++;
    } else {
      other[parent[node]!] = other[parent[node]!]! + total[node]!;
    }
  }
  for (let node = 0; node < length; node++) start[node + 1]! += start[node]!;
  const next = start.slice();
  const children = new Uint32Array(kept.length);
  for (const node of kept) children[next[parent[node]!]!++] = node;
  yield;
  const rank = nameRanks(tree, kept);
  for (let node = 0; node < length; node++) {
    if (start[node + 1]! - start[node]! < 2) continue;
    children.subarray(start[node], start[node + 1]).sort((a, b) => rank[name[a]!]! - rank[name[b]!]!);
  }
  return { start, node: children, other };
}

/** The place of each name among those of the nodes, in order; 0 for names of no node. */
function nameRanks({ names, name }: StackTree, nodes: readonly number[]): Uint32Array {
  const rank = new Uint32Array(names.length);
  for (const node of nodes) rank[name[node]!] = 1;
  const used: number[] = [];
  for (let index = 0; index < names.length; index++) if (rank[index] === 1) used.push(index);
  used.sort((a, b) => compareNames(names[a]!, names[b]!));
  used.forEach((index, position) => {
    rank[index] = position;
  });
  return rank;
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

// SPDX-License-Identifier: Apache-2.0
//
// Trees cut to a number of nodes for people and programs that cannot take all of them. A tree is merged in full before
// anything is cut. Then the nodes whose total is less than a minimum are joined, per parent, into one node `other`.
// Totals of what stays do not change, and what was cut is still counted.

import { compareNames } from './name-order.ts';
import type { StackTree } from './stack-tree.ts';
import { finish, type Steps } from './steps.ts';
import { type TreeNodes, TreeShape, totalsInSteps } from './tree-shape.ts';

/** The name of the node that stands for siblings that were cut. A real function of that name is joined with it. */
export const OTHER_NAME = 'other';

/** Nodes of the tree handled in one step. */
const NODES_PER_STEP = 1 << 16;

/** How many times the nodes that were asked for may stay. */
const MAX_TIES_FACTOR = 2;

/** @param maxNodes how many of the largest nodes stay, up to twice as many when some are equal; see
 * {@link minimumTotal}. 0 for all
 * @returns a tree in which `other` is a leaf, and the last child in the order of {@link treeChildrenInSteps} */
export function cutTree(tree: StackTree, maxNodes: number): StackTree {
  return finish(cutTreeInSteps(tree, maxNodes));
}

export function* cutTreeInSteps(tree: StackTree, maxNodes: number): Steps<StackTree> {
  const minTotal = yield* minimumTotalInSteps(tree.total.subarray(1), maxNodes);
  const { total } = tree;
  const cut = yield* cutNodesInSteps(tree, (node) => total[node]! >= minTotal);
  if (cut === undefined) return tree;
  const self = yield* cut.selfInSteps(tree.self);
  return { ...cut.nodes, self, total: yield* totalsInSteps(cut.nodes, self) };
}

/** A tree of the nodes that stay, and of those that stand for others. */
export class CutTree {
  readonly nodes: TreeNodes;
  /** The node that each node of the whole tree is, or is joined with. */
  readonly nodeOf: Uint32Array;

  constructor(nodes: TreeNodes, nodeOf: Uint32Array) {
    this.nodes = nodes;
    this.nodeOf = nodeOf;
  }

  /** What ends in each node, of a column of the whole tree. */
  *selfInSteps(wholeSelf: BigInt64Array): Steps<BigInt64Array> {
    const self = new BigInt64Array(this.nodes.length);
    for (let node = 0; node < this.nodeOf.length; node++) {
      if (node % NODES_PER_STEP === 0) yield;
      const value = wholeSelf[node]!;
      if (value !== 0n) self[this.nodeOf[node]!]! += value;
    }
    return self;
  }
}

/** @param isKept never true for a node whose parent's is false; not asked for the root
 * @returns undefined when nothing is cut */
export function* cutNodesInSteps(
  { length, names, name, parent }: TreeNodes,
  isKept: (node: number) => boolean,
): Steps<CutTree | undefined> {
  const known = names.indexOf(OTHER_NAME);
  const other = known < 0 ? names.length : known;
  const nodeOf = new Uint32Array(length);
  const shape = new TreeShape();
  let isCut = false;
  for (let node = 1; node < length; node++) {
    if (node % NODES_PER_STEP === 0) yield;
    const above = nodeOf[parent[node]!]!;
    const isBelowOther = above !== 0 && shape.nameOf(above) === other;
    const newName = isKept(node) ? name[node]! : other;
    nodeOf[node] = isBelowOther ? above : shape.child(above, newName);
    isCut ||= isBelowOther || newName === other;
  }
  if (!isCut) return undefined;
  return new CutTree({ names: known < 0 ? [...names, OTHER_NAME] : names, ...shape.finish() }, nodeOf);
}

/** What a node's total must be for the node to stay, 0 when all stay. A child is never larger than its parent, so the
 * nodes that stay are a tree.
 *
 * It is the total of the maxNodes-th largest node, as in Pyroscope, so nodes that are equal to that one stay as well. In
 * a wide tree nearly all leaves are equal: where more than twice as many nodes would stay as were asked for, it is the
 * next larger total, and fewer than maxNodes stay.
 * @param totals of all nodes, in any order */
export function minimumTotal(totals: BigInt64Array, maxNodes: number): bigint {
  return finish(minimumTotalInSteps(totals, maxNodes));
}

export function* minimumTotalInSteps(totals: BigInt64Array, maxNodes: number): Steps<bigint> {
  const nodes = totals.length;
  if (maxNodes <= 0 || nodes <= maxNodes) return 0n;
  const largest = new LargestValues(totals.slice(0, maxNodes));
  for (let node = maxNodes; node < nodes; node++) {
    if (node % NODES_PER_STEP === 0) yield;
    largest.offer(totals[node]!);
  }
  const minTotal = largest.smallest;
  let kept = 0;
  let nextLarger: bigint | undefined;
  for (let node = 0; node < nodes; node++) {
    if (node % NODES_PER_STEP === 0) yield;
    const total = totals[node]!;
    if (total < minTotal) continue;
    kept++;
    if (total > minTotal && (nextLarger === undefined || total < nextLarger)) nextLarger = total;
  }
  return kept <= maxNodes * MAX_TIES_FACTOR ? minTotal : (nextLarger ?? minTotal + 1n);
}

/** A heap of the largest values that were offered, the smallest of them on top. */
class LargestValues {
  readonly #heap: BigInt64Array;

  /** @param values as many as are kept; taken over */
  constructor(values: BigInt64Array) {
    // In ascending order an array is a heap.
    this.#heap = values.sort();
  }

  get smallest(): bigint {
    return this.#heap[0]!;
  }

  offer(value: bigint): void {
    const heap = this.#heap;
    if (value <= heap[0]!) return;
    let at = 0;
    for (let below = 1; below < heap.length; below = at * 2 + 1) {
      if (below + 1 < heap.length && heap[below + 1]! < heap[below]!) below++;
      if (heap[below]! >= value) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = value;
  }
}

/** The nodes below each node. */
export interface TreeChildren {
  /** `node[start[n] .. start[n + 1]]` are the children of node n by name, `other` last. */
  readonly start: Uint32Array;
  readonly node: Uint32Array;
}

export function* treeChildrenInSteps(tree: TreeNodes): Steps<TreeChildren> {
  const { length, name, parent } = tree;
  const start = new Uint32Array(length + 1);
  for (let node = 1; node < length; node++) start[parent[node]! + 1]!++;
  for (let node = 0; node < length; node++) start[node + 1]! += start[node]!;
  yield;
  const next = start.slice();
  const children = new Uint32Array(Math.max(0, length - 1));
  for (let node = 1; node < length; node++) {
    if (node % NODES_PER_STEP === 0) yield;
    children[next[parent[node]!]!++] = node;
  }
  const rank = nameRanks(tree);
  yield;
  for (let node = 0; node < length; node++) {
    if (node % NODES_PER_STEP === 0) yield;
    if (start[node + 1]! - start[node]! < 2) continue;
    children.subarray(start[node], start[node + 1]).sort((a, b) => rank[name[a]!]! - rank[name[b]!]!);
  }
  return { start, node: children };
}

/** The place of each name among those of the nodes, in order; 0 for names of no node. */
function nameRanks({ names, name, length }: TreeNodes): Uint32Array {
  const rank = new Uint32Array(names.length);
  for (let node = 1; node < length; node++) rank[name[node]!] = 1;
  const used: number[] = [];
  for (let index = 0; index < names.length; index++) if (rank[index] === 1) used.push(index);
  used.sort((a, b) => compareNames(names[a]!, names[b]!));
  used.forEach((index, position) => {
    rank[index] = names[index] === OTHER_NAME ? used.length : position;
  });
  return rank;
}

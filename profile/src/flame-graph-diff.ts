// SPDX-License-Identifier: Apache-2.0
//
// Two stack trees side by side as levels of seven numbers a node:
//
//   [ left: gap, total, self;  right: gap, total, self;  index into names ]
//
// Both sides have the same nodes in the same places, zero where one side has none; gaps count from the end of the node
// before on the same side. Otherwise as in flame-graph.ts.

import { type AlignedTrees, alignTreesInSteps } from './aligned-trees.ts';
import { cutNodesInSteps, minimumTotalInSteps, treeChildrenInSteps } from './cut-tree.ts';
import { LevelNames } from './flame-graph.ts';
import type { StackTree } from './stack-tree.ts';
import { finish, type Steps } from './steps.ts';
import { totalsInSteps } from './tree-shape.ts';

export interface FlameGraphDiff {
  /** names[0] is `total`, the root; functions without name share it. */
  readonly names: readonly string[];
  /** Never empty: the root is there even when both trees are empty. */
  readonly levels: readonly BigInt64Array[];
  /** `leftTicks + rightTicks` */
  readonly total: bigint;
  /** The largest `self` of either side of a node in `levels`. */
  readonly maxSelf: bigint;
  readonly leftTicks: bigint;
  readonly rightTicks: bigint;
}

/** Nodes handled in one step. */
const NODES_PER_STEP = 1 << 16;
/** Numbers per node in a level. */
export const DIFF_LEVEL_STRIDE = 7;

/** A node of a level that is being laid out, and where it begins on either side. */
interface PlacedNode {
  readonly node: number;
  readonly left: bigint;
  readonly right: bigint;
}

/** @param maxNodes how many nodes stay, those whose larger side is largest, as in `cutTree`; 0 for all
 * @throws HearthscopeError invalid_argument when both totals together do not fit in 64 bits */
export function toFlameGraphDiff(left: StackTree, right: StackTree, maxNodes: number): FlameGraphDiff {
  return finish(toFlameGraphDiffInSteps(left, right, maxNodes));
}

export function* toFlameGraphDiffInSteps(
  leftTree: StackTree,
  rightTree: StackTree,
  maxNodes: number,
): Steps<FlameGraphDiff> {
  const aligned = yield* alignTreesInSteps(leftTree, rightTree);
  const larger = yield* largerTotals(aligned);
  const minTotal = yield* minimumTotalInSteps(larger, maxNodes);
  const cut = yield* cutNodesInSteps(aligned.nodes, (node) => larger[node]! >= minTotal);
  const nodes = cut?.nodes ?? aligned.nodes;
  const leftSelf = cut === undefined ? aligned.left.self : yield* cut.selfInSteps(aligned.left.self);
  const rightSelf = cut === undefined ? aligned.right.self : yield* cut.selfInSteps(aligned.right.self);
  const leftTotal = yield* totalsInSteps(nodes, leftSelf);
  const rightTotal = yield* totalsInSteps(nodes, rightSelf);
  const children = yield* treeChildrenInSteps(nodes);
  const names = new LevelNames(nodes.names);
  const levels: BigInt64Array[] = [];
  let maxSelf = 0n;
  let level: PlacedNode[] = [{ node: 0, left: 0n, right: 0n }];
  while (level.length > 0) {
    yield;
    const numbers = new BigInt64Array(level.length * DIFF_LEVEL_STRIDE);
    const next: PlacedNode[] = [];
    let leftEnd = 0n;
    let rightEnd = 0n;
    level.forEach(({ node, left, right }, i) => {
      const own = [leftTotal[node]!, leftSelf[node]!, rightTotal[node]!, rightSelf[node]!] as const;
      const [totalOfLeft, selfOfLeft, totalOfRight, selfOfRight] = own;
      const name = names.indexOf(node === 0 ? undefined : nodes.name[node]!);
      numbers.set(
        [left - leftEnd, totalOfLeft, selfOfLeft, right - rightEnd, totalOfRight, selfOfRight, name],
        i * DIFF_LEVEL_STRIDE,
      );
      leftEnd = left + totalOfLeft;
      rightEnd = right + totalOfRight;
      if (selfOfLeft > maxSelf) maxSelf = selfOfLeft;
      if (selfOfRight > maxSelf) maxSelf = selfOfRight;
      let x = left + selfOfLeft;
      let y = right + selfOfRight;
      for (let at = children.start[node]!; at < children.start[node + 1]!; at++) {
        const child = children.node[at]!;
        next.push({ node: child, left: x, right: y });
        x += leftTotal[child]!;
        y += rightTotal[child]!;
      }
    });
    levels.push(numbers);
    level = next;
  }
  const leftTicks = leftTotal[0]!;
  const rightTicks = rightTotal[0]!;
  return { names: names.used, levels, total: leftTicks + rightTicks, maxSelf, leftTicks, rightTicks };
}

/** Of each node, that of the side on which it is larger. */
function* largerTotals({ left, right }: AlignedTrees): Steps<BigInt64Array> {
  const larger = left.total.slice();
  for (let node = 0; node < larger.length; node++) {
    if (node % NODES_PER_STEP === 0) yield;
    const total = right.total[node]!;
    if (total > larger[node]!) larger[node] = total;
  }
  return larger;
}

// SPDX-License-Identifier: Apache-2.0
//
// Two trees as one shape with the values of both, which is what every comparison starts from.

import { HearthscopeError } from './errors.ts';
import type { StackTree } from './stack-tree.ts';
import type { Steps } from './steps.ts';
import { type TreeNodes, TreeShape } from './tree-shape.ts';

/** Nodes handled in one step. */
const NODES_PER_STEP = 1 << 16;
const MAX_INT64 = 2n ** 63n - 1n;

/** The values of one tree at the nodes of both: zero where it has no such node. */
export interface AlignedValues {
  readonly self: BigInt64Array;
  readonly total: BigInt64Array;
}

export interface AlignedTrees {
  readonly nodes: TreeNodes;
  readonly left: AlignedValues;
  readonly right: AlignedValues;
}

/** @throws HearthscopeError invalid_argument when both totals together do not fit in 64 bits */
export function* alignTreesInSteps(left: StackTree, right: StackTree): Steps<AlignedTrees> {
  if (left.total[0]! + right.total[0]! > MAX_INT64) {
    throw new HearthscopeError('invalid_argument', 'the values of both sides do not fit in 64 bits');
  }
  const names: string[] = [];
  const indexOf = new Map<string, number>();
  const shape = new TreeShape();
  const leftNodes = yield* insertInSteps(left, names, indexOf, shape);
  const rightNodes = yield* insertInSteps(right, names, indexOf, shape);
  const nodes = { names, ...shape.finish() };
  return {
    nodes,
    left: yield* valuesInSteps(left, leftNodes, nodes.length),
    right: yield* valuesInSteps(right, rightNodes, nodes.length),
  };
}

/** @returns where each node of the tree is in the shape */
function* insertInSteps(
  tree: StackTree,
  names: string[],
  indexOf: Map<string, number>,
  shape: TreeShape,
): Steps<Uint32Array> {
  const nameOf = Uint32Array.from(tree.names, (name) => {
    let index = indexOf.get(name);
    if (index === undefined) {
      index = names.push(name) - 1;
      indexOf.set(name, index);
    }
    return index;
  });
  const nodeOf = new Uint32Array(tree.length);
  for (let node = 1; node < tree.length; node++) {
    if (node % NODES_PER_STEP === 0) yield;
    nodeOf[node] = shape.child(nodeOf[tree.parent[node]!]!, nameOf[tree.name[node]!]!);
  }
  return nodeOf;
}

function* valuesInSteps(tree: StackTree, nodeOf: Uint32Array, length: number): Steps<AlignedValues> {
  const self = new BigInt64Array(length);
  const total = new BigInt64Array(length);
  for (let node = 0; node < tree.length; node++) {
    if (node % NODES_PER_STEP === 0) yield;
    self[nodeOf[node]!] = tree.self[node]!;
    total[nodeOf[node]!] = tree.total[node]!;
  }
  return { self, total };
}

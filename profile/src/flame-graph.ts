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
// Sums nest exactly: levels are int64.

import { cutTreeInSteps, type TreeChildren, treeChildrenInSteps } from './cut-tree.ts';
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

export const ROOT_NAME = 'total';
/** Numbers per node in a level. */
export const LEVEL_STRIDE = 4;

/** A node of a level that is being laid out. */
interface PlacedNode {
  readonly node: number;
  readonly x: bigint;
}

/** @param maxNodes how many of the largest nodes stay, as in `cutTree`; 0 for all */
export function toFlameGraph(tree: StackTree, maxNodes: number): FlameGraph {
  return finish(toFlameGraphInSteps(tree, maxNodes));
}

export function* toFlameGraphInSteps(whole: StackTree, maxNodes: number): Steps<FlameGraph> {
  const total = whole.total[0]!;
  if (total === 0n) return { names: [], levels: [], total, maxSelf: 0n };
  const tree = yield* cutTreeInSteps(whole, maxNodes);
  const children = yield* treeChildrenInSteps(tree);
  const names = new LevelNames(tree.names);
  const levels: BigInt64Array[] = [];
  let maxSelf = 0n;
  let level: PlacedNode[] = [{ node: 0, x: 0n }];
  while (level.length > 0) {
    yield;
    const numbers = new BigInt64Array(level.length * LEVEL_STRIDE);
    const next: PlacedNode[] = [];
    let previousEnd = 0n;
    level.forEach(({ node, x }, i) => {
      const self = tree.self[node]!;
      numbers[i * LEVEL_STRIDE] = x - previousEnd;
      numbers[i * LEVEL_STRIDE + 1] = tree.total[node]!;
      numbers[i * LEVEL_STRIDE + 2] = self;
      numbers[i * LEVEL_STRIDE + 3] = names.indexOf(node === 0 ? undefined : tree.name[node]!);
      previousEnd = x + tree.total[node]!;
      if (self > maxSelf) maxSelf = self;
      placeChildren(tree, children, node, x + self, next);
    });
    levels.push(numbers);
    level = next;
  }
  return { names: names.used, levels, total, maxSelf };
}

function placeChildren(
  { total }: StackTree,
  children: TreeChildren,
  parent: number,
  start: bigint,
  level: PlacedNode[],
): void {
  let x = start;
  for (let i = children.start[parent]!; i < children.start[parent + 1]!; i++) {
    const node = children.node[i]!;
    level.push({ node, x });
    x += total[node]!;
  }
}

/** The names of a graph's nodes, in the order of their first use. */
export class LevelNames {
  readonly used: string[] = [ROOT_NAME];
  readonly #names: readonly string[];
  readonly #index = new Map<string, bigint>([['', 0n]]);

  /** @param names of the tree */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** @param name index of a name of the tree, undefined for the root */
  indexOf(name: number | undefined): bigint {
    const text = name === undefined ? '' : this.#names[name]!;
    let index = this.#index.get(text);
    if (index === undefined) {
      index = BigInt(this.used.push(text) - 1);
      this.#index.set(text, index);
    }
    return index;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// The levels of a flame graph, as the API gives them in JSON, back into a tree. A level is a flat list of groups of
// numbers; see @hearthscope/profile/flame-graph (four a node) and flame-graph-diff (seven: left and right). A node is the
// child of the one above whose range it begins in; in a diff the ranges of both sides count together, since one of them
// may be empty.

import { HearthscopeError } from '@hearthscope/profile/errors';

/** A flame graph of the API. An int64 is a string, or a number where the server is generous. */
export interface FlameGraphMessage {
  readonly names?: readonly string[];
  readonly levels?: readonly { readonly values?: readonly (string | number)[] }[];
}

export interface Side {
  readonly total: bigint;
  readonly self: bigint;
}

export interface FlameNode {
  readonly name: string;
  /** One side, or left and right of a diff. */
  readonly sides: readonly Side[];
  /** From left to right. */
  readonly children: FlameNode[];
}

/** Numbers of one side: gap, total, self. */
const SIDE_STRIDE = 3;
const MAX_DEPTH = 10_000;

/** @returns the root, or undefined when the graph is empty
 * @throws HearthscopeError data_loss for levels that do not fit each other */
export function flameTree(message: FlameGraphMessage, sideCount: 1 | 2): FlameNode | undefined {
  const { names = [], levels = [] } = message;
  if (levels.length > MAX_DEPTH) throw malformed(`${levels.length} levels are more than ${MAX_DEPTH}`);
  let above: Placed[] = [];
  let root: FlameNode | undefined;
  for (const [depth, { values = [] }] of levels.entries()) {
    const level = placedNodes(values, names, sideCount);
    if (depth === 0) {
      if (level.length > 1) throw malformed('there are several roots');
      root = level[0]?.node;
    } else {
      hang(level, above);
    }
    above = level;
  }
  // An empty graph may come with its root alone.
  return root?.sides.every(({ total }) => total === 0n) ? undefined : root;
}

/** A node with its range over both sides. */
interface Placed {
  readonly node: FlameNode;
  readonly begin: bigint;
  readonly end: bigint;
}

function placedNodes(
  values: readonly (string | number)[],
  names: readonly string[],
  sideCount: number,
): Placed[] {
  const stride = sideCount * SIDE_STRIDE + 1;
  if (values.length % stride !== 0) throw malformed(`a level has ${values.length} numbers`);
  const placed: Placed[] = [];
  let previousEnd = 0n;
  for (let at = 0; at < values.length; at += stride) {
    const sides: Side[] = [];
    let gap = 0n;
    let width = 0n;
    for (let side = 0; side < sideCount; side++) {
      const [offset, total, self] = values
        .slice(at + side * SIDE_STRIDE, at + (side + 1) * SIDE_STRIDE)
        .map(BigInt) as [bigint, bigint, bigint];
      gap += offset;
      width += total;
      sides.push({ total, self });
    }
    const name = names[Number(values[at + stride - 1])];
    if (name === undefined) throw malformed(`there is no name ${values[at + stride - 1]}`);
    const begin = previousEnd + gap;
    previousEnd = begin + width;
    placed.push({ node: { name, sides, children: [] }, begin, end: previousEnd });
  }
  return placed;
}

/** Both levels go from left to right, so one walk finds all parents. */
function hang(level: readonly Placed[], above: readonly Placed[]): void {
  let parent = 0;
  for (const { node, begin } of level) {
    while (parent < above.length && above[parent]!.end <= begin) parent++;
    const found = above[parent];
    if (found === undefined || found.begin > begin) throw malformed(`${node.name} has no parent`);
    found.node.children.push(node);
  }
}

function malformed(what: string): HearthscopeError {
  return new HearthscopeError('data_loss', `the server's flame graph cannot be read: ${what}`);
}

export interface VisitedNode {
  readonly node: FlameNode;
  /** 0 for the root. */
  readonly depth: number;
}

/** All nodes, parents first, children from left to right. */
export function* nodesOf(root: FlameNode): Generator<VisitedNode> {
  const waiting: VisitedNode[] = [{ node: root, depth: 0 }];
  for (let visited = waiting.pop(); visited !== undefined; visited = waiting.pop()) {
    yield visited;
    const { node, depth } = visited;
    for (let i = node.children.length - 1; i >= 0; i--) {
      waiting.push({ node: node.children[i]!, depth: depth + 1 });
    }
  }
}

export interface FunctionSums {
  readonly name: string;
  /** By side. A function that calls itself counts once. */
  readonly total: bigint[];
  readonly self: bigint[];
}

/** What each function has, without the root, those with the largest sum of self first. */
export function functionSums(root: FlameNode): FunctionSums[] {
  const byName = new Map<string, FunctionSums>();
  const path: string[] = [];
  const onPath = new Map<string, number>();
  for (const { node, depth } of nodesOf(root)) {
    while (path.length > Math.max(0, depth - 1)) {
      const left = path.pop()!;
      onPath.set(left, onPath.get(left)! - 1);
    }
    if (depth === 0) continue;
    const { name, sides } = node;
    let sums = byName.get(name);
    if (sums === undefined) {
      sums = { name, total: sides.map(() => 0n), self: sides.map(() => 0n) };
      byName.set(name, sums);
    }
    const isOutermost = (onPath.get(name) ?? 0) === 0;
    for (const [side, { total, self }] of sides.entries()) {
      if (isOutermost) sums.total[side]! += total;
      sums.self[side]! += self;
    }
    path.push(name);
    onPath.set(name, (onPath.get(name) ?? 0) + 1);
  }
  const whole = (values: readonly bigint[]) => values.reduce((sum, value) => sum + value, 0n);
  return [...byName.values()].sort((a, b) => {
    const difference = whole(b.self) - whole(a.self) || whole(b.total) - whole(a.total);
    return difference > 0n ? 1 : difference < 0n ? -1 : a.name < b.name ? -1 : 1;
  });
}

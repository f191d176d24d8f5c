// SPDX-License-Identifier: Apache-2.0
//
// Reads what viewers and clients are sent, as strictly as the strictest of them: for tests of whatever makes it.

import assert from 'node:assert/strict';

/** A node of a graph with what it was written with: one pair of values, or one a side. */
export interface ReadNode {
  readonly name: string;
  readonly total: readonly bigint[];
  readonly self: readonly bigint[];
  readonly children: ReadNode[];
}

interface Placed {
  readonly node: ReadNode;
  readonly start: readonly bigint[];
}

export interface Levels {
  readonly names: readonly string[];
  readonly levels: readonly ArrayLike<bigint>[];
  readonly maxSelf: bigint;
}

/** Levels of four numbers a node. */
export function readFlameGraph(graph: Levels & { readonly total: bigint }): ReadNode {
  const root = readLevels(graph, 1);
  assert.equal(root.total[0], graph.total, 'total is that of the root');
  return root;
}

/** Levels of seven numbers a node. */
export function readFlameGraphDiff(
  graph: Levels & { readonly total: bigint; readonly leftTicks: bigint; readonly rightTicks: bigint },
): ReadNode {
  const root = readLevels(graph, 2);
  assert.deepEqual(root.total, [graph.leftTicks, graph.rightTicks], 'ticks are the totals of the root');
  assert.equal(graph.total, graph.leftTicks + graph.rightTicks, 'total is that of both sides');
  return root;
}

function readLevels({ names, levels, maxSelf }: Levels, sides: number): ReadNode {
  const stride = sides * 3 + 1;
  assert.equal(names[0], 'total', 'the first name is that of the root');
  assert.equal(new Set(names).size, names.length, 'names are distinct');
  assert.ok(levels.length > 0, 'there is a root');
  let above: Placed[] = [];
  let root: ReadNode | undefined;
  let largestSelf = 0n;
  const usedNames = new Set<number>();
  for (const [depth, level] of levels.entries()) {
    assert.ok(level.length > 0 && level.length % stride === 0, `level ${depth} has whole nodes`);
    const placed: Placed[] = [];
    const end = new Array<bigint>(sides).fill(0n);
    for (let at = 0; at < level.length; at += stride) {
      const numbers = Array.from({ length: stride }, (_, i) => level[at + i]!);
      const index = Number(numbers[stride - 1]);
      assert.ok(index >= 0 && index < names.length, `name ${index} exists`);
      usedNames.add(index);
      const side = (field: number) => Array.from({ length: sides }, (_, i) => numbers[i * 3 + field]!);
      const start = side(0).map((gap, i) => end[i]! + gap);
      // Functions without name share that of the root.
      const name = depth > 0 && index === 0 ? '' : names[index]!;
      const node: ReadNode = { name, total: side(1), self: side(2), children: [] };
      for (let i = 0; i < sides; i++) {
        assert.ok(numbers[i * 3]! >= 0n, 'nodes do not overlap');
        assert.ok(node.self[i]! >= 0n && node.self[i]! <= node.total[i]!, 'self is a part of total');
        end[i] = start[i]! + node.total[i]!;
        if (node.self[i]! > largestSelf) largestSelf = node.self[i]!;
      }
      assert.ok(node.total.some((total) => total > 0n) || depth === 0, 'a node has a value on some side');
      placed.push({ node, start });
      if (depth === 0) {
        assert.equal(root, undefined, 'there is one root');
        assert.deepEqual([...start, index], [...start.map(() => 0n), 0], 'the root begins at 0');
        root = node;
      } else {
        parentOf(above, start, end).children.push(node);
      }
    }
    above = placed;
  }
  assert.equal(maxSelf, largestSelf, 'the largest self is told');
  assert.equal(usedNames.size, names.length, 'every name is used');
  checkSums(root!);
  return root!;
}

/** The node above that covers a node on all sides. A node of no width on one side is found by the other. */
function parentOf(above: readonly Placed[], start: readonly bigint[], end: readonly bigint[]): ReadNode {
  const covering = above.filter(({ node, start: from }) =>
    start.every((x, i) => from[i]! + node.self[i]! <= x && end[i]! <= from[i]! + node.total[i]!),
  );
  const widths = (placed: Placed) => placed.node.total.filter((total) => total > 0n).length;
  const parent = covering.find((placed) =>
    start.every((x, i) => end[i]! === x || placed.node.total[i]! > 0n),
  );
  assert.ok(parent !== undefined && widths(parent) > 0, 'every node lies within one of the level above');
  return parent.node;
}

/** Everything below a node and its own value together are its total; siblings are in order. */
function checkSums(node: ReadNode): void {
  if (node.children.length > 0) {
    for (const [side, total] of node.total.entries()) {
      const below = node.children.reduce((sum, child) => sum + child.total[side]!, 0n);
      assert.equal(below + node.self[side]!, total, `the total of ${node.name}`);
    }
  } else {
    assert.deepEqual(node.self, node.total, `a leaf, ${node.name}, is all its own`);
  }
  const order = node.children.map(({ name }) => Buffer.from(name));
  for (let i = 1; i < order.length; i++) {
    const isLastOther = i === order.length - 1 && node.children[i]!.name === 'other';
    assert.ok(isLastOther || Buffer.compare(order[i - 1]!, order[i]!) < 0, 'siblings are in order');
  }
  for (const child of node.children) checkSums(child);
}

/** A node of a tree in bytes. */
export interface ReadTreeNode {
  readonly name: string;
  readonly self: bigint;
  readonly children: ReadTreeNode[];
}

/** Reads TREE bytes; `undefined` for none. */
export function readTreeBytes(bytes: Uint8Array): ReadTreeNode | undefined {
  if (bytes.length === 0) return undefined;
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      assert.ok(at < bytes.length && shift < 70n, `a number at ${at}`);
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        assert.ok(byte !== 0 || shift === 0n, 'numbers are as short as they can be');
        return value;
      }
    }
  };
  const node = (): ReadTreeNode & { missing: number } => {
    const length = Number(varint());
    assert.ok(at + length <= bytes.length, 'a name ends within the bytes');
    const name = utf8.decode(bytes.subarray(at, at + length));
    at += length;
    const self = varint();
    return { name, self, children: [], missing: Number(varint()) };
  };
  const root = node();
  assert.equal(root.name, '', 'the root has no name');
  const open = [root];
  for (;;) {
    let parent = open.at(-1);
    while (parent !== undefined && parent.missing === 0) {
      parent.children.reverse();
      open.pop();
      parent = open.at(-1);
    }
    if (parent === undefined) break;
    const child = node();
    parent.missing--;
    parent.children.push(child);
    open.push(child);
  }
  assert.equal(at, bytes.length, 'nothing is left behind the tree');
  return root;
}

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HearthscopeError } from './errors.ts';
import { toFlameGraph } from './flame-graph.ts';
import { toFlameGraphDiff } from './flame-graph-diff.ts';
import { buildStackTree } from './stack-tree.ts';
import { type ReadNode, readFlameGraph, readFlameGraphDiff } from './testing/flame-graph-reader.ts';
import { type RandomStack, randomStacks, sumsOf, sumWhere } from './testing/random-stacks.ts';

const treeOf = (stacks: readonly RandomStack[]) => buildStackTree(sumsOf(stacks));

function nodesOf(root: ReadNode): ReadNode[] {
  return [root, ...root.children.flatMap(nodesOf)];
}

test('both sides have the same nodes, and gaps of their own', () => {
  const left = treeOf([
    [['main', 'a'], 3n],
    [['main'], 1n],
  ]);
  const right = treeOf([
    [['main', 'a'], 1n],
    [['main', 'b', 'c'], 5n],
  ]);
  const graph = toFlameGraphDiff(left, right, 0);
  assert.deepEqual(graph.names, ['total', 'main', 'a', 'b', 'c']);
  assert.deepEqual(
    graph.levels.map((level) => [...level]),
    [
      [0n, 4n, 0n, 0n, 6n, 0n, 0n],
      [0n, 4n, 1n, 0n, 6n, 0n, 1n],
      [1n, 3n, 3n, 0n, 1n, 1n, 2n, 0n, 0n, 0n, 0n, 5n, 0n, 3n],
      [4n, 0n, 0n, 1n, 5n, 5n, 4n],
    ],
  );
  assert.deepEqual([graph.total, graph.leftTicks, graph.rightTicks, graph.maxSelf], [10n, 4n, 6n, 5n]);
  readFlameGraphDiff(graph);
});

test('two empty trees are a root', () => {
  const graph = toFlameGraphDiff(treeOf([]), treeOf([]), 100);
  assert.deepEqual(graph.levels, [new BigInt64Array(7)]);
  assert.equal(readFlameGraphDiff(graph).children.length, 0);
});

test('a node stays for its larger side, and what is cut is joined for both', () => {
  const left = treeOf([
    [['big on the left'], 100n],
    [['small'], 2n],
    [['small too'], 1n],
  ]);
  const right = treeOf([
    [['big on the right'], 50n],
    [['small'], 3n],
  ]);
  // The root counts as one of the three.
  const root = readFlameGraphDiff(toFlameGraphDiff(left, right, 3));
  assert.deepEqual(
    root.children.map(({ name, total }) => [name, ...total]),
    [
      ['big on the left', 100n, 0n],
      ['big on the right', 0n, 50n],
      ['other', 3n, 3n],
    ],
  );
});

test('totals beyond 64 bits are refused', () => {
  const half = treeOf([[['a'], 2n ** 62n]]);
  assert.throws(
    () => toFlameGraphDiff(half, half, 0),
    (error) => error instanceof HearthscopeError && error.code === 'invalid_argument',
  );
});

test('property: a strict reader finds each side as it is alone', () => {
  fc.assert(
    fc.property(randomStacks, randomStacks, (left, right) => {
      const root = readFlameGraphDiff(toFlameGraphDiff(treeOf(left), treeOf(right), 0));
      for (const [side, stacks] of [left, right].entries()) {
        const whole = toFlameGraph(treeOf(stacks), 0);
        assert.deepEqual(
          sideOf(root, side),
          whole.levels.length === 0 ? ['total 0 0'] : sideOf(readFlameGraph(whole), 0),
        );
      }
    }),
  );
});

test('property: cut at any size it can be read, and nothing is lost', () => {
  fc.assert(
    fc.property(randomStacks, randomStacks, fc.integer({ min: 1, max: 20 }), (left, right, maxNodes) => {
      const graph = toFlameGraphDiff(treeOf(left), treeOf(right), maxNodes);
      const root = readFlameGraphDiff(graph);
      assert.deepEqual(
        [graph.leftTicks, graph.rightTicks],
        [left, right].map((stacks) => sumWhere(stacks, () => true)),
      );
      const kept = nodesOf(root).filter(({ name }) => name !== 'other');
      assert.ok(kept.length <= maxNodes * 2 + 1, `${kept.length} nodes for ${maxNodes}`);
    }),
  );
});

/** The nodes of one side, root first; those without a value are not there on that side. */
function sideOf(node: ReadNode, side: number, path = ''): string[] {
  if (node.total[side] === 0n && path !== '') return [];
  const own = `${path}${node.name}`;
  return [
    `${own} ${node.total[side]} ${node.self[side]}`,
    ...node.children.flatMap((child) => sideOf(child, side, `${own};`)),
  ];
}

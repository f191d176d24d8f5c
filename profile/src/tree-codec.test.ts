// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutTree } from './cut-tree.ts';
import { buildStackTree, type StackTree } from './stack-tree.ts';
import { type ReadTreeNode, readTreeBytes } from './testing/flame-graph-reader.ts';
import { type RandomStack, randomStacks, sumsOf } from './testing/random-stacks.ts';
import { encodeTree } from './tree-codec.ts';

const treeOf = (stacks: readonly RandomStack[]) => buildStackTree(sumsOf(stacks));

test('the bytes are those that clients know', () => {
  const bytes = encodeTree(
    treeOf([
      [['main', 'a'], 300n],
      [['main', 'b'], 1n],
      [['main'], 2n],
    ]),
    0,
  );
  const text = (name: string) => [name.length, ...Buffer.from(name)];
  assert.deepEqual(
    [...bytes],
    [
      ...[0, 0, 1],
      ...[...text('main'), 2, 2],
      // The last child first; 300 takes two bytes.
      ...[...text('b'), 1, 0],
      ...[...text('a'), 0xac, 0x02, 0],
    ],
  );
  assert.equal(encodeTree(treeOf([]), 0).length, 0);
});

test('what is cut is a node named other', () => {
  const bytes = encodeTree(
    treeOf([
      [['a'], 100n],
      [['b'], 1n],
      [['c', 'd'], 2n],
    ]),
    1,
  );
  assert.deepEqual(
    readTreeBytes(bytes)!.children.map(({ name, self, children }) => [name, self, children.length]),
    [
      ['a', 100n, 0],
      ['other', 3n, 0],
    ],
  );
});

test('property: the bytes read back as the tree that was cut', () => {
  fc.assert(
    fc.property(randomStacks, fc.integer({ min: 0, max: 20 }), (stacks, maxNodes) => {
      const tree = treeOf(stacks);
      const read = readTreeBytes(encodeTree(tree, maxNodes));
      if (tree.total[0] === 0n) assert.equal(read, undefined);
      else assert.deepEqual(pathsOfRead(read!), pathsOf(cutTree(tree, maxNodes)));
    }),
  );
});

function pathsOfRead(node: ReadTreeNode, path: readonly string[] = []): string[] {
  const own = `${JSON.stringify(path)} ${node.self}`;
  return [own, ...node.children.flatMap((child) => pathsOfRead(child, [...path, child.name]))].sort();
}

function pathsOf(tree: StackTree): string[] {
  const paths: string[][] = [[]];
  for (let node = 1; node < tree.length; node++) {
    paths.push([...paths[tree.parent[node]!]!, tree.names[tree.name[node]!]!]);
  }
  return paths.map((path, node) => `${JSON.stringify(path)} ${tree.self[node]}`).sort();
}

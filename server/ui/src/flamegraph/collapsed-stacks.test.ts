// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collapsedStacks } from './collapsed-stacks.ts';
import { type FlameTree, treeArbitrary, treeMessage } from './flame-tree.test-support.ts';
import { layoutFlameGraph } from './layout.ts';

function stacksOf({ children }: FlameTree, path: readonly string[] = []): string[] {
  return children.flatMap((child) => {
    const own = [...path, child.name];
    return [...(child.self > 0 ? [`${own.join(';')} ${child.self}`] : []), ...stacksOf(child, own)];
  });
}

test('each stack with a value of its own is a line', () => {
  fc.assert(
    fc.property(treeArbitrary, (tree) => {
      const lines = collapsedStacks(layoutFlameGraph(treeMessage(tree)));
      assert.deepEqual(lines.split('\n').slice(0, -1), stacksOf(tree));
    }),
  );
});

test('names cannot break the format', () => {
  const leaf = { self: 1, children: [] };
  const tree = {
    name: 'total',
    self: 0,
    children: [
      { ...leaf, name: 'a;b\nc' },
      { ...leaf, name: '' },
    ],
  };
  assert.equal(collapsedStacks(layoutFlameGraph(treeMessage(tree))), 'a b c 1\n[unknown] 1\n');
  assert.equal(collapsedStacks(layoutFlameGraph({ names: [], levels: [] })), '');
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { treeMessage } from './flame-tree.test-support.ts';
import { layoutFlameGraph, nodeAtPath } from './layout.ts';
import { directionOfKey, step } from './navigate.ts';

const leaf = (name: string, self: number) => ({ name, self, children: [] });
// total ─ a (10) ─ c 2, d 6, e 1
//       └ b (5)  ─ f 5
const layout = layoutFlameGraph(
  treeMessage({
    name: 'total',
    self: 0,
    children: [
      { name: 'a', self: 1, children: [leaf('c', 2), leaf('d', 6), leaf('e', 1)] },
      { name: 'b', self: 0, children: [leaf('f', 5)] },
    ],
  }),
);
const at = (...path: string[]) => nodeAtPath(layout, path);

test('down goes to the widest child, up to the parent, and both stay at the ends', () => {
  assert.equal(step(layout, 0, 'down', 0, 0), at('a'));
  assert.equal(step(layout, at('a'), 'down', 0, 0), at('a', 'd'));
  assert.equal(step(layout, at('a', 'd'), 'down', 0, 0), at('a', 'd'));
  assert.equal(step(layout, at('a', 'd'), 'up', 0, 0), at('a'));
  assert.equal(step(layout, 0, 'up', 0, 0), 0);
});

test('left and right walk the row, across parents, over bars too small to see', () => {
  assert.equal(step(layout, at('a', 'd'), 'right', 0, 0), at('a', 'e'));
  assert.equal(step(layout, at('a', 'd'), 'right', 0, 2), at('b', 'f'));
  assert.equal(step(layout, at('a', 'c'), 'left', 0, 0), at('a', 'c'));
  assert.equal(step(layout, at('b', 'f'), 'right', 0, 0), at('b', 'f'));
});

test('what lies beside the frame zoomed into is out of reach', () => {
  assert.equal(step(layout, at('a', 'e'), 'right', at('a'), 0), at('a', 'e'));
  assert.equal(step(layout, 0, 'down', at('b'), 0), at('b'));
});

test('arrow keys are directions and other keys are not', () => {
  assert.equal(directionOfKey('ArrowUp'), 'up');
  assert.equal(directionOfKey('ArrowRight'), 'right');
  assert.equal(directionOfKey('a'), undefined);
});

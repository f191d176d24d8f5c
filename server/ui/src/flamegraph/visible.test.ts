// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { treeArbitrary, treeMessage } from './flame-tree.test-support.ts';
import { layoutFlameGraph } from './layout.ts';
import { nodeAt, visibleNodes } from './visible.ts';

test('the visible nodes are those that overlap the view and are wide enough, whatever is skipped', () => {
  fc.assert(
    fc.property(treeArbitrary, fc.nat(), fc.integer({ min: 1, max: 60 }), (tree, pick, minTotal) => {
      const layout = layoutFlameGraph(treeMessage(tree));
      const root = pick % layout.length;
      const view = { start: layout.x[root]!, width: layout.total[root]! };
      const expected = [...layout.x.keys()].filter(
        (node) =>
          layout.total[node]! >= minTotal &&
          layout.x[node]! < view.start + view.width &&
          layout.x[node]! + layout.total[node]! > view.start,
      );
      // A view of width 0 shows nothing below the root.
      if (view.width === 0) return;
      assert.deepEqual(visibleNodes(layout, view, minTotal, Number.POSITIVE_INFINITY), expected);
    }),
  );
});

test('nothing below the depth limit is looked at', () => {
  const chain = {
    name: 'total',
    self: 0,
    children: [{ name: 'a', self: 0, children: [{ name: 'b', self: 4, children: [] }] }],
  };
  const layout = layoutFlameGraph(treeMessage(chain));
  assert.deepEqual(visibleNodes(layout, { start: 0, width: 4 }, 1, 2), [0, 1]);
});

test('of one level, the node that covers a value is found', () => {
  fc.assert(
    fc.property(treeArbitrary, fc.nat(), fc.nat(), (tree, depth, at) => {
      const layout = layoutFlameGraph(treeMessage(tree));
      const levels = layout.levelStart.length - 1;
      const level = depth % levels;
      const value = (at % (2 * (layout.total[0]! + 1))) / 2;
      const expected = [...layout.x.keys()].findIndex(
        (node) =>
          layout.depth[node] === level &&
          layout.x[node]! <= value &&
          value < layout.x[node]! + layout.total[node]!,
      );
      assert.equal(nodeAt(layout, level, value), expected);
      assert.equal(nodeAt(layout, levels, value), -1);
      assert.equal(nodeAt(layout, -1, value), -1);
    }),
  );
});

test('of a hundred thousand bars too small to see, few are looked at', () => {
  const count = 100_000;
  const children = Array.from({ length: count }, () => ['0', '1', '1', '1']).flat();
  const layout = layoutFlameGraph({
    names: ['total', 'f'],
    levels: [{ values: ['0', String(count), '0', '0'] }, { values: children }],
  });
  let reads = 0;
  const total = new Proxy(layout.total, {
    get(target, property) {
      reads++;
      return Reflect.get(target, property);
    },
  });
  assert.deepEqual(visibleNodes({ ...layout, total }, { start: 0, width: count }, count / 2_000, 3), [0]);
  assert.ok(reads < count, `${reads} reads`);
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toFlameGraph } from '@hearthscope/profile/flame-graph';
import { toFlameGraphDiff } from '@hearthscope/profile/flame-graph-diff';
import { type StackTree, StackTreeBuilder } from '@hearthscope/profile/stack-tree';
import fc from 'fast-check';
import { changeOf } from './change.ts';
import { type FlameDiffMessage, layoutDiff, layoutSide } from './diff-layout.ts';
import { type FlameTree, treeArbitrary } from './flame-tree.test-support.ts';
import { type FlameLayout, layoutFlameGraph, pathOf } from './layout.ts';

function stackTree(tree: FlameTree): StackTree {
  const builder = new StackTreeBuilder();
  const add = ({ self, children }: FlameTree, path: readonly number[]): void => {
    builder.add(path.toReversed(), BigInt(self));
    for (const child of children) add(child, [...path, builder.name(child.name)]);
  };
  add(tree, []);
  return builder.build();
}

/** As Connect sends it. */
function diffMessage(left: StackTree, right: StackTree): FlameDiffMessage {
  const { names, levels } = toFlameGraphDiff(left, right, 0);
  return { names, levels: levels.map((level) => ({ values: [...level].map(String) })) };
}

function layoutOf(tree: StackTree): FlameLayout {
  const { names, levels } = toFlameGraph(tree, 0);
  return layoutFlameGraph({ names, levels: levels.map((level) => ({ values: [...level].map(String) })) });
}

/** Total and self by path. */
function figures(layout: FlameLayout): Map<string, [number, number]> {
  return new Map(
    [...layout.x.keys()].map((node) => [
      pathOf(layout, node).join(';'),
      [layout.total[node]!, layout.self[node]!],
    ]),
  );
}

test('each side of a comparison is the flame graph of its profile', () => {
  fc.assert(
    fc.property(treeArbitrary, treeArbitrary, (one, other) => {
      const [left, right] = [stackTree(one), stackTree(other)];
      const message = diffMessage(left, right);
      for (const [side, tree] of [
        ['left', left],
        ['right', right],
      ] as const) {
        const expected = figures(layoutOf(tree));
        // An empty side has no root either.
        if (expected.get('')?.[0] === 0) expected.delete('');
        assert.deepEqual([...figures(layoutSide(message, side))].sort(), [...expected].sort());
      }
    }),
  );
});

test('the difference has the frames of both, and the figures of each', () => {
  fc.assert(
    fc.property(treeArbitrary, treeArbitrary, (one, other) => {
      const message = diffMessage(stackTree(one), stackTree(other));
      const diff = layoutDiff(message);
      const [left, right] = [figures(layoutSide(message, 'left')), figures(layoutSide(message, 'right'))];
      for (const node of diff.layout.x.keys()) {
        const path = pathOf(diff.layout, node).join(';');
        const [leftTotal, leftSelf] = left.get(path) ?? [0, 0];
        const [rightTotal, rightSelf] = right.get(path) ?? [0, 0];
        assert.deepEqual([diff.left.total[node], diff.left.self[node]], [leftTotal, leftSelf]);
        assert.deepEqual([diff.right.total[node], diff.right.self[node]], [rightTotal, rightSelf]);
        left.delete(path);
        right.delete(path);
      }
      assert.equal(left.size + right.size, 0);
    }),
  );
});

test('a bar is as wide as the mean of its shares, or as its share where one side is empty', () => {
  fc.assert(
    fc.property(treeArbitrary, treeArbitrary, (one, other) => {
      const diff = layoutDiff(diffMessage(stackTree(one), stackTree(other)));
      const sides = Number(diff.left.whole > 0) + Number(diff.right.whole > 0);
      for (const node of diff.layout.x.keys()) {
        const { left, right } = changeOf(diff, node);
        const expected = sides === 0 ? 0 : (left + right) / sides;
        assert.ok(Math.abs(diff.layout.total[node]! - expected) < 1e-12);
      }
    }),
  );
});

test('an answer without levels is an empty comparison', () => {
  const diff = layoutDiff({ names: [], levels: [] });
  assert.equal(diff.layout.length, 0);
  assert.equal(diff.left.whole, 0);
  assert.equal(layoutSide({ names: [], levels: [] }, 'left').length, 0);
});

test('a message that is no comparison is refused, and the level is named', () => {
  const root = { values: [0, 10, 0, 0, 10, 0, 0] };
  const cases = [
    { levels: [{ values: [0, 10, 0, 0] }], says: /level 0, a bar is cut short/ },
    { levels: [root, { values: [0, 4, 0, 0, 4, 0, 7] }], says: /level 1, bar 0 is not a bar/ },
    { levels: [root, { values: [8, 4, 0, 8, 4, 0, 0] }], says: /level 1, bar 0 lies outside/ },
    { levels: [root, { values: [0, 'x', 0, 0, 4, 0, 0] }], says: /level 1, bar 0 is not a bar/ },
  ];
  for (const { levels, says } of cases) {
    assert.throws(() => layoutDiff({ names: ['total'], levels }), { code: 'data_loss', message: says });
  }
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FlameTree, totalOf, treeArbitrary, treeMessage } from './flame-tree.test-support.ts';
import { FRAME_KINDS } from './frame-kind.ts';
import { functionTotals } from './function-totals.ts';
import { layoutFlameGraph } from './layout.ts';

type Totals = Map<string, { self: number; total: number }>;

/** Walks the tree with the set of the names above at hand. */
function naiveTotals(tree: FlameTree, above: ReadonlySet<string>, totals: Totals): Totals {
  for (const child of tree.children) {
    const entry = totals.get(child.name) ?? { self: 0, total: 0 };
    entry.self += child.self;
    if (!above.has(child.name)) entry.total += totalOf(child);
    totals.set(child.name, entry);
    naiveTotals(child, new Set([...above, child.name]), totals);
  }
  return totals;
}

test('self and total by name are those of a plain walk; recursion counts once', () => {
  fc.assert(
    fc.property(treeArbitrary, (tree) => {
      const layout = layoutFlameGraph(treeMessage(tree));
      const functions = functionTotals(layout);
      const totals: Totals = new Map();
      for (const name of functions.name) {
        totals.set(layout.names[name]!, { self: functions.self[name]!, total: functions.total[name]! });
      }
      assert.deepEqual(totals, naiveTotals(tree, new Set(), new Map()));
    }),
  );
});

test("all selfs and the root's own make up the whole", () => {
  fc.assert(
    fc.property(treeArbitrary, (tree) => {
      const layout = layoutFlameGraph(treeMessage(tree));
      const { self } = functionTotals(layout);
      assert.equal(
        self.reduce((sum, value) => sum + value, tree.self),
        layout.total[0],
      );
    }),
  );
});

test('a name that user code and the kernel share is that of the side with most of it', () => {
  const copy = (self: number): FlameTree => ({ name: 'memcpy', self, children: [] });
  const kindOfCopy = (userSelf: number, kernelSelf: number) => {
    const kernel = { name: 'asm_exc_page_fault', self: 1, children: [copy(kernelSelf)] };
    const tree = { name: 'total', self: 0, children: [copy(userSelf), kernel] };
    const layout = layoutFlameGraph(treeMessage(tree));
    return FRAME_KINDS[functionTotals(layout).kind[layout.names.indexOf('memcpy')]!];
  };
  assert.equal(kindOfCopy(3, 2), 'user');
  assert.equal(kindOfCopy(2, 3), 'kernel');
});

test('an empty graph has no functions', () => {
  assert.equal(functionTotals(layoutFlameGraph({ names: [], levels: [] })).name.length, 0);
});

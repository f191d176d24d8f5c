// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FlameTree, totalOf, treeArbitrary, treeMessage } from './flame-tree.test-support.ts';
import { layoutFlameGraph } from './layout.ts';
import { nameMatcher, searchFlameGraph } from './search.ts';

test('a match below a match is counted once', () => {
  const tree = {
    name: 'total',
    self: 0,
    children: [
      {
        name: 'parse',
        self: 2,
        children: [{ name: 'read', self: 3, children: [{ name: 'parse', self: 5, children: [] }] }],
      },
      { name: 'main', self: 10, children: [] },
    ],
  };
  const found = searchFlameGraph(layoutFlameGraph(treeMessage(tree)), nameMatcher('PARSE')!);
  assert.equal(found.total, 10);
  assert.equal(found.nodeCount, 2);
});

test('the matched total is the sum over the outermost matches, and never above the whole', () => {
  const outermost = (tree: FlameTree, matches: (name: string) => boolean): number =>
    tree.children.reduce(
      (sum, child) => sum + (matches(child.name) ? totalOf(child) : outermost(child, matches)),
      0,
    );
  fc.assert(
    fc.property(
      treeArbitrary,
      fc.constantFrom('main', 'r', '_[k]', 'nothing', '/^(run|read)$/'),
      (tree, text) => {
        const layout = layoutFlameGraph(treeMessage(tree));
        const matches = nameMatcher(text)!;
        const found = searchFlameGraph(layout, matches);
        assert.equal(found.total, outermost(tree, matches));
        assert.ok(found.total <= layout.total[0]!);
      },
    ),
  );
});

test('the root is no match: it would make every search match everything', () => {
  const layout = layoutFlameGraph(
    treeMessage({ name: 'total', self: 0, children: [{ name: 'f', self: 1, children: [] }] }),
  );
  assert.equal(searchFlameGraph(layout, nameMatcher('total')!).nodeCount, 0);
});

test('text is found anywhere, whatever its case; an expression between slashes is one', () => {
  assert.equal(nameMatcher('  '), undefined);
  assert.equal(nameMatcher('Std::')!('std::vector'), true);
  assert.equal(nameMatcher('a.c')!('abc'), false);
  assert.equal(nameMatcher('/^a.c$/')!('ABC'), true);
  assert.equal(nameMatcher('/')!('net/http'), true);
  assert.throws(() => nameMatcher('/(/'), SyntaxError);
});

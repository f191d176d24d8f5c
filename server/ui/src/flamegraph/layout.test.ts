// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { treeArbitrary, treeMessage } from './flame-tree.test-support.ts';
import { ancestry, layoutFlameGraph, MAX_DEPTH, nodeAtPath, pathOf } from './layout.ts';

/** Decodes the levels the plain way: every child is looked for among all bars of the level above. */
function naiveDecode(message: ReturnType<typeof treeMessage>) {
  const rows = message.levels.map(({ values }) => {
    const bars = [];
    let end = 0;
    for (let at = 0; at < values.length; at += 4) {
      const x = end + Number(values[at]);
      end = x + Number(values[at + 1]);
      bars.push({ x, end, self: Number(values[at + 2]), name: message.names[Number(values[at + 3])] });
    }
    return bars;
  });
  return rows.flatMap((bars, depth) =>
    bars.map((bar) => ({
      ...bar,
      depth,
      parentX: depth === 0 ? 0 : rows[depth - 1]!.find(({ x, end }) => x <= bar.x && bar.end <= end)!.x,
    })),
  );
}

test('the layout is what decoding the levels the plain way gives', () => {
  fc.assert(
    fc.property(treeArbitrary, (tree) => {
      const message = treeMessage(tree);
      const layout = layoutFlameGraph(message);
      const bars = [...layout.x.keys()].map((node) => ({
        x: layout.x[node],
        end: layout.x[node]! + layout.total[node]!,
        self: layout.self[node],
        name: layout.names[layout.name[node]!],
        depth: layout.depth[node],
        parentX: layout.x[layout.parent[node]!],
      }));
      assert.deepEqual(bars, naiveDecode(message));
    }),
  );
});

test('children lie inside their parents, in order, and with its self they make up its total', () => {
  fc.assert(
    fc.property(treeArbitrary, (tree) => {
      const { length, x, total, self, parent, childStart, depth } = layoutFlameGraph(treeMessage(tree));
      for (let node = 0; node < length; node++) {
        let sum = self[node]!;
        let end = x[node]!;
        for (let child = childStart[node]!; child < childStart[node + 1]!; child++) {
          assert.equal(parent[child], node);
          assert.equal(depth[child], depth[node]! + 1);
          assert.ok(x[child]! >= end);
          end = x[child]! + total[child]!;
          sum += total[child]!;
        }
        assert.ok(end <= x[node]! + total[node]!);
        assert.equal(sum, total[node]);
      }
      assert.equal(childStart[length], length);
    }),
  );
});

test('a path of names leads back to its node', () => {
  fc.assert(
    fc.property(treeArbitrary, fc.nat(), (tree, pick) => {
      const layout = layoutFlameGraph(treeMessage(tree));
      const node = pick % layout.length;
      assert.equal(nodeAtPath(layout, pathOf(layout, node)), node);
      assert.equal(ancestry(layout, node).at(-1), node);
      assert.equal(ancestry(layout, node)[0], 0);
    }),
  );
});

test('of a path that is partly gone, what is left is found', () => {
  const layout = layoutFlameGraph(
    treeMessage({ name: 'total', self: 0, children: [{ name: 'main', self: 5, children: [] }] }),
  );
  assert.equal(nodeAtPath(layout, ['main', 'gone', 'deeper']), 1);
  assert.equal(nodeAtPath(layout, ['gone']), 0);
});

test('no levels give an empty layout', () => {
  const layout = layoutFlameGraph({ names: [], levels: [] });
  assert.equal(layout.length, 0);
  assert.deepEqual([...layout.childStart], [0]);
});

test('a message that is no flame graph is refused, and the level is named', () => {
  const root = { values: ['0', '10', '0', '0'] };
  const cases = [
    { levels: [{ values: ['0', '10', '0'] }], says: /level 0, a bar is cut short/ },
    { levels: [root, { values: ['0', '4', '0', '7'] }], says: /level 1, bar 0 is not a bar/ },
    { levels: [root, { values: ['0', 'x', '0', '0'] }], says: /level 1, bar 0 is not a bar/ },
    { levels: [root, { values: ['0', '-4', '0', '0'] }], says: /level 1, bar 0 is not a bar/ },
    { levels: [root, { values: ['8', '4', '0', '0'] }], says: /level 1, bar 0 lies outside/ },
    { levels: [root, { values: [] }, { values: ['0', '1', '0', '0'] }], says: /level 2, bar 0 lies outside/ },
    { levels: [{ values: [...root.values, ...root.values] }], says: /level 0, there is more than one root/ },
    { levels: Array.from({ length: MAX_DEPTH + 1 }, () => ({ values: [] })), says: /deeper than 65535/ },
  ];
  for (const { levels, says } of cases) {
    assert.throws(() => layoutFlameGraph({ names: ['total'], levels }), { code: 'data_loss', message: says });
  }
});

test('values beyond 2^53, which doubles round, still nest', () => {
  const values = [9007199254740993n, 9007199254740997n, 3n, 18014398509481991n];
  const total = values.reduce((sum, value) => sum + value, 0n);
  const children = values.flatMap((value) => ['0', String(value), String(value), '1']);
  const layout = layoutFlameGraph({
    names: ['total', 'f'],
    levels: [{ values: ['0', String(total), '0', '0'] }, { values: children }],
  });
  assert.equal(layout.childStart[1]! - layout.childStart[0]!, 4);
});

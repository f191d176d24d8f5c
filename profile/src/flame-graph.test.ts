// SPDX-License-Identifier: Apache-2.0
//
// Trees and flame graphs, by hand and against a slow but obvious model.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { minimumTotal } from './cut-tree.ts';
import { HearthscopeError } from './errors.ts';
import { type FlameGraph, LEVEL_STRIDE, toFlameGraph } from './flame-graph.ts';
import { compareNames } from './name-order.ts';
import { buildStackTree, type StackTree, StackTreeBuilder } from './stack-tree.ts';
import { profileFromText } from './testing/text-profile.ts';

function treeFromText(text: string): StackTree {
  const builder = new StackTreeBuilder();
  builder.addProfile(profileFromText(text));
  return builder.build();
}

interface Box {
  readonly name: string;
  readonly x: bigint;
  readonly total: bigint;
  readonly self: bigint;
}

/** Undoes the encoding as viewers do. */
function boxes({ names, levels }: FlameGraph): Box[][] {
  return levels.map((level) => {
    const row: Box[] = [];
    let x = 0n;
    for (let i = 0; i < level.length; i += LEVEL_STRIDE) {
      x += level[i]!;
      row.push({ x, total: level[i + 1]!, self: level[i + 2]!, name: names[Number(level[i + 3])]! });
      x += level[i + 1]!;
    }
    return row;
  });
}

/** `name[x..x+total] self` of each box, a line a level. */
function drawn(graph: FlameGraph): string[] {
  return boxes(graph).map((level) =>
    level.map(({ name, x, total, self }) => `${name}[${x}..${x + total}] ${self}`).join(' | '),
  );
}

test('a tree has its totals, selves and parents before children', () => {
  const tree = treeFromText('main;work;hot 5\nmain;work 2\nmain;idle 3\nother_root 1\nmain;work;hot 5');
  const rows = Array.from({ length: tree.length }, (_, node) => {
    const path: string[] = [];
    for (let n = node; n !== 0; n = tree.parent[n]!) path.unshift(tree.names[tree.name[n]!]!);
    return `${path.join(';')} ${tree.self[node]} ${tree.total[node]}`;
  });
  assert.deepEqual(rows.sort(), [
    ' 0 16',
    'main 0 15',
    'main;idle 3 3',
    'main;work 2 12',
    'main;work;hot 10 10',
    'other_root 1 1',
  ]);
  for (let node = 1; node < tree.length; node++) assert.ok(tree.parent[node]! < node);
});

test('levels: children by name, self on the left, gaps relative', () => {
  const graph = toFlameGraph(treeFromText('main;b;x 5\nmain;a 2\nmain 3\nboot;z 1\nmain;b 4'), 0);
  assert.deepEqual(drawn(graph), [
    'total[0..15] 0',
    'boot[0..1] 0 | main[1..15] 3',
    'z[0..1] 1 | a[4..6] 2 | b[6..15] 4',
    'x[10..15] 5',
  ]);
  assert.deepEqual([...graph.levels[2]!].map(Number).slice(4, 8), [3, 2, 2, graph.names.indexOf('a')]);
  assert.equal(graph.total, 15n);
  assert.equal(graph.maxSelf, 5n);
  assert.equal(graph.names[0], 'total');
});

test('small nodes are joined per parent, behind their siblings, after the whole merge', () => {
  const tree = treeFromText('main;a 10\nmain;b 1\nmain;c;deep 2\nmain;d 5\nsmall;leaf 1');
  assert.deepEqual(drawn(toFlameGraph(tree, 3)), [
    'total[0..19] 0',
    'main[0..18] 0 | other[18..19] 1',
    'a[0..10] 10 | d[10..15] 5 | other[15..18] 3',
  ]);
  assert.deepEqual(drawn(toFlameGraph(tree, 1)), [
    'total[0..19] 0',
    'main[0..18] 0 | other[18..19] 1',
    'other[0..18] 18',
  ]);
});

test('a function called other is joined with what is cut', () => {
  const tree = treeFromText('main;other;inner 5\nmain;a 5\nmain;tiny 1');
  assert.deepEqual(drawn(toFlameGraph(tree, 0)), [
    'total[0..11] 0',
    'main[0..11] 0',
    'a[0..5] 5 | tiny[5..6] 1 | other[6..11] 5',
  ]);
});

test('functions without name share the name of the root', () => {
  const builder = new StackTreeBuilder();
  builder.add([builder.name('')], 2n);
  builder.add([builder.name('total')], 1n);
  const graph = toFlameGraph(builder.build(), 0);
  assert.deepEqual(graph.names, ['total', 'total']);
  assert.deepEqual([...graph.levels[1]!], [0n, 2n, 2n, 0n, 0n, 1n, 1n, 1n]);
});

test('inlined functions are frames, locations without symbol have a name', () => {
  assert.deepEqual(drawn(toFlameGraph(treeFromText('main;leaf<caller 4'), 0)), [
    'total[0..4] 0',
    'main[0..4] 0',
    'caller[0..4] 0',
    'leaf[0..4] 4',
  ]);
});

test('equal nodes stay up to twice the number asked for, beyond it they all go to other', () => {
  const leaves = Array.from({ length: 21 }, (_, i) => `main;f${String(i).padStart(2, '0')} 1`).join('\n');
  const nodesOf = (graph: FlameGraph) =>
    boxes(graph)
      .slice(1)
      .flat()
      .filter(({ name }) => name !== 'other');
  const tree = treeFromText(`boot 7\n${leaves}`);
  // 2 nodes above the ties, 21 ties.
  const twice = toFlameGraph(tree, 12);
  assert.equal(minimumTotal(tree.total.subarray(1), 12), 1n);
  assert.equal(nodesOf(twice).length, 23);
  const over = toFlameGraph(tree, 11);
  assert.equal(minimumTotal(tree.total.subarray(1), 11), 7n);
  assert.deepEqual(drawn(over), ['total[0..28] 0', 'boot[0..7] 7 | main[7..28] 0', 'other[7..28] 21']);
  assert.equal(over.total, twice.total);
  const flat = treeFromText(leaves.replaceAll('main;', ''));
  assert.equal(minimumTotal(flat.total.subarray(1), 10), 2n);
  assert.deepEqual(
    boxes(toFlameGraph(flat, 10)).map((level) => level.map(({ name, total }) => `${name} ${total}`)),
    [['total 21'], ['other 21']],
  );
});

test('an empty tree is an empty graph, zero values leave no nodes', () => {
  const empty = { names: [], levels: [], total: 0n, maxSelf: 0n };
  assert.deepEqual(toFlameGraph(new StackTreeBuilder().build(), 8), empty);
  assert.deepEqual(toFlameGraph(treeFromText('main;work 0'), 8), empty);
});

test('sums beyond 2^53 stay exact, beyond int64 they are refused', () => {
  const half = 2n ** 62n;
  const builder = new StackTreeBuilder();
  const [a, b] = [builder.name('a'), builder.name('b')];
  builder.add([a], half - 1n);
  builder.add([b, a], half);
  const graph = toFlameGraph(builder.build(), 0);
  assert.equal(graph.total, 2n ** 63n - 1n);
  assert.deepEqual(drawn(graph)[2], `b[${half - 1n}..${2n ** 63n - 1n}] ${half}`);
  const refused = (call: () => void, message: RegExp) =>
    assert.throws(call, (error) => error instanceof HearthscopeError && message.test(error.message));
  refused(() => builder.add([b], 1n), /do not fit in 64 bits/);
  refused(() => builder.add([b], -1n), /negative value -1/);
});

test('names are ordered by their UTF-8 bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      const expected = Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.equal(Math.sign(compareNames(a, b)), expected);
    }),
  );
  assert.ok(compareNames('\u{1f600}', '\uffff') > 0);
});

/** The model: nested maps. */
interface ModelNode {
  self: bigint;
  readonly children: Map<string, ModelNode>;
}

const stacks = fc.array(
  fc.record({
    path: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'other', ''), { maxLength: 5 }),
    value: fc.bigInt({ min: 0n, max: 20n }),
  }),
  { maxLength: 40 },
);

test('property: the graph is the model, cut after the merge', () => {
  fc.assert(
    fc.property(stacks, fc.nat(12), (input, maxNodes) => {
      const builder = new StackTreeBuilder();
      const root: ModelNode = { self: 0n, children: new Map() };
      for (const { path, value } of input) {
        builder.add(path.map((name) => builder.name(name)).reverse(), value);
        if (value === 0n) continue;
        let node = root;
        for (const name of path) {
          const child = node.children.get(name) ?? { self: 0n, children: new Map() };
          node.children.set(name, child);
          node = child;
        }
        node.self += value;
      }
      const tree = builder.build();
      const graph = toFlameGraph(tree, maxNodes);
      const totals: bigint[] = [];
      const totalOf = (node: ModelNode): bigint =>
        [...node.children.values()].reduce((sum, child) => sum + totalOf(child), node.self);
      const collect = (node: ModelNode): void => {
        for (const child of node.children.values()) {
          totals.push(totalOf(child));
          collect(child);
        }
      };
      collect(root);
      totals.sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));
      let minTotal = maxNodes === 0 || totals.length <= maxNodes ? 0n : totals[maxNodes - 1]!;
      if (minTotal > 0n && totals.filter((total) => total >= minTotal).length > maxNodes * 2) {
        minTotal = totals.findLast((total) => total > minTotal) ?? minTotal + 1n;
      }
      assert.equal(minimumTotal(tree.total.subarray(1), maxNodes), minTotal);

      const expected: string[][] = [];
      const draw = (node: ModelNode, name: string, x: bigint, depth: number): void => {
        if (!expected[depth]) expected[depth] = [];
        expected[depth].push(`${name || 'total'} ${x} ${totalOf(node)} ${node.self}`);
        let at = x + node.self;
        let other = 0n;
        for (const child of [...node.children.keys()].sort()) {
          const next = node.children.get(child)!;
          const total = totalOf(next);
          if (total < minTotal || child === 'other') {
            other += total;
            continue;
          }
          draw(next, child, at, depth + 1);
          at += total;
        }
        if (other > 0n) draw({ self: other, children: new Map() }, 'other', at, depth + 1);
      };
      if (totalOf(root) > 0n) draw(root, '', 0n, 0);
      assert.deepEqual(
        boxes(graph).map((level) => level.map(({ name, x, total, self }) => `${name} ${x} ${total} ${self}`)),
        expected,
      );
    }),
    { numRuns: 500 },
  );
});

test('property: the order of stacks and the cut into sources do not matter', () => {
  fc.assert(
    fc.property(stacks, fc.nat(40), fc.nat(10), (input, cut, maxNodes) => {
      const graphOf = (parts: (typeof input)[]) => {
        const builder = new StackTreeBuilder();
        for (const part of parts) {
          const names = [...new Set(part.flatMap(({ path }) => path))];
          const start = Uint32Array.from([
            0,
            ...part.map(
              (
                (sum) =>
                ({ path }) =>
                  (sum += path.length)
              )(0),
            ),
          ]);
          const frame = Uint32Array.from(
            part.flatMap(({ path }) => path.map((name) => names.indexOf(name)).reverse()),
          );
          const value = BigInt64Array.from(part.map((stack) => stack.value));
          builder.addSums({ names, start, frame, value });
        }
        return toFlameGraph(builder.build(), maxNodes);
      };
      const whole = graphOf([input]);
      const cutUp = graphOf([input.slice(cut).reverse(), input.slice(0, cut)]);
      assert.deepEqual(boxes(cutUp), boxes(whole));
      assert.deepEqual([cutUp.total, cutUp.maxSelf], [whole.total, whole.maxSelf]);
    }),
    { numRuns: 300 },
  );
});

test('a large tree keeps every node', () => {
  const names = Array.from({ length: 200 }, (_, i) => `f${i}`);
  const start = Uint32Array.from({ length: 20_001 }, (_, i) => i * 3);
  const frame = Uint32Array.from({ length: 60_000 }, (_, i) => {
    const stack = Math.floor(i / 3);
    return [stack % 200, Math.floor(stack / 200) % 100, 0][i % 3]!;
  });
  const tree = buildStackTree({ names, start, frame, value: new BigInt64Array(20_000).fill(2n) });
  assert.equal(tree.length, 1 + 1 + 100 + 20_000);
  assert.equal(tree.total[0], 40_000n);
});

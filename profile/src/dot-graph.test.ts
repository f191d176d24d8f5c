// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dotGraph } from './dot-graph.ts';
import { buildStackTree } from './stack-tree.ts';
import { type RandomStack, randomStacks, sumsOf } from './testing/random-stacks.ts';

const CPU = { type: 'cpu', unit: 'nanoseconds' };
const ALL = { sampleType: CPU, maxTreeNodes: 0, maxNodes: 0 };

const treeOf = (stacks: readonly RandomStack[]) => buildStackTree(sumsOf(stacks));

test('boxes and arrows with their values', () => {
  const tree = treeOf([
    [['main', 'lib/pkg.work'], 3_000_000_000n],
    [['main', 'say "hi"'], 1_000_000_000n],
    [['main'], 500_000_000n],
  ]);
  assert.deepEqual(dotGraph(tree, ALL).split('\n'), [
    'digraph "unnamed" {',
    'node [style=filled fillcolor="#f8f8f8"]',
    'subgraph cluster_L { "Type: cpu" [shape=box fontsize=16 label="Type: cpu\\lShowing nodes accounting for 4.5s, 100% of 4.5s total\\l"] }',
    'N1 [label="pkg\\nwork\\n3s (66.67%)" id="node1" fontsize=24 shape=box tooltip="lib/pkg.work (3s)" color="#b21400" fillcolor="#edd8d5"]',
    'N2 [label="say \\"hi\\"\\n1s (22.22%)" id="node2" fontsize=18 shape=box tooltip="say \\"hi\\" (1s)" color="#b24000" fillcolor="#edded5"]',
    'N3 [label="main\\n500ms (11.11%)\\nof 4.5s (100%)" id="node3" fontsize=15 shape=box tooltip="main (4.5s)" color="#b20000" fillcolor="#edd5d5"]',
    'N3 -> N1 [label=" 3s" weight=67 penwidth=4 color="#b21400" tooltip="main -> lib/pkg.work (3s)" labeltooltip="main -> lib/pkg.work (3s)"]',
    'N3 -> N2 [label=" 1s" weight=23 penwidth=2 color="#b24000" tooltip="main -> say \\"hi\\" (1s)" labeltooltip="main -> say \\"hi\\" (1s)"]',
    '}',
    '',
  ]);
});

test('a function that calls itself is one box and counts once', () => {
  const text = dotGraph(treeOf([[['f', 'g', 'f'], 2n]]), { ...ALL, sampleType: { type: '', unit: 'count' } });
  assert.match(text, /^N\d \[label="f\\n2 \(100%\)" /m);
  assert.match(text, /^N\d \[label="g\\n0 of 2 \(100%\)" /m);
  assert.equal(text.match(/->.*label=" 2"/g)?.length, 2);
});

test('callers of what is not shown point to what is called from there', () => {
  const stacks: RandomStack[] = [
    [['main', 'hidden', 'leaf'], 100n],
    [['main', 'leaf'], 100n],
    [['main'], 1n],
  ];
  const text = dotGraph(treeOf(stacks), { ...ALL, maxNodes: 2 });
  assert.match(text, /Showing 2 of 3 nodes/);
  assert.equal(text.match(/^N\d+ -> /gm)?.length, 1);
  const onlyHidden = dotGraph(treeOf(stacks.slice(0, 1)), { ...ALL, maxNodes: 2 });
  assert.match(onlyHidden, /(main|hidden) (->|\.\.\.) (leaf|hidden)/);
});

test('an empty tree is no text', () => {
  assert.equal(dotGraph(treeOf([]), ALL), '');
});

test('property: the order of stacks does not matter, and arrows have both ends', () => {
  fc.assert(
    fc.property(randomStacks, fc.integer({ min: 0, max: 4 }), (stacks, maxNodes) => {
      const options = { ...ALL, maxNodes };
      const text = dotGraph(treeOf(stacks), options);
      assert.equal(dotGraph(treeOf(stacks.toReversed()), options), text);
      const boxes = new Set(Array.from(text.matchAll(/^(N\d+) \[/gm), ([, box]) => box));
      for (const [, from, to] of text.matchAll(/^(N\d+) -> (N\d+) \[/gm)) {
        assert.ok(boxes.has(from) && boxes.has(to));
      }
      if (maxNodes > 0) assert.ok(boxes.size <= maxNodes);
    }),
  );
});

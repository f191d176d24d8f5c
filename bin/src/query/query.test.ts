// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { toFlameGraph } from '@hearthscope/profile/flame-graph';
import { toFlameGraphDiff } from '@hearthscope/profile/flame-graph-diff';
import { buildStackTree, stackSums } from '@hearthscope/profile/stack-tree';
import { profileFromText } from '@hearthscope/profile/testing/text-profile';
import { UsageError } from '../exit-codes.ts';
import { connectionOf } from './connection.ts';
import { collapsedText, diffTableText, functionTableText, treeText } from './flame-text.ts';
import { type FlameGraphMessage, type FlameNode, flameTree, functionSums, nodesOf } from './flame-tree.ts';
import { selections, timeRange } from './request.ts';
import { seriesChart, seriesTable } from './series-text.ts';
import { bar, fit, sparkline, type Terminal, terminalOf } from './terminal.ts';

const PLAIN: Terminal = { columns: 80, paint: (text) => text };

function tree(text: string) {
  return buildStackTree(stackSums(profileFromText(text)));
}

/** A graph as the API says it in JSON. */
function message(graph: { names: readonly string[]; levels: readonly BigInt64Array[] }): FlameGraphMessage {
  return {
    names: graph.names,
    levels: graph.levels.map((level) => ({ values: Array.from(level, String) })),
  };
}

function graphOf(text: string): FlameNode {
  return flameTree(message(toFlameGraph(tree(text), 0)), 1)!;
}

const STACKS = `
main;handle;query 60000000
main;handle;get 20000000
main;record 19999000
main;tiny 1000
recurse;recurse;recurse 100000000
`;

test('levels become the tree that they were made from', () => {
  const root = graphOf(STACKS);
  assert.equal(root.name, 'total');
  assert.deepEqual(root.sides, [{ total: 200_000_000n, self: 0n }]);
  const lines = collapsedText(root).trim().split('\n').sort();
  assert.deepEqual(lines, STACKS.trim().split('\n').sort());
  assert.equal([...nodesOf(root)].length, 10);
});

test('a function that calls itself counts once in its total', () => {
  const sums = functionSums(graphOf(STACKS));
  assert.deepEqual(sums[0], { name: 'recurse', total: [100_000_000n], self: [100_000_000n] });
  const handle = sums.find(({ name }) => name === 'handle')!;
  assert.deepEqual([handle.total, handle.self], [[80_000_000n], [0n]]);
});

test('a tree in a terminal has a bar a frame, and says what it leaves out', () => {
  const text = treeText(graphOf(STACKS), 'nanoseconds', PLAIN);
  const lines = text.split('\n');
  assert.equal(lines[0], '   100%       200ms  ████████████████  total');
  assert.match(text, / {4}50% {7}100ms {2}████████ {10} {2}main\n/);
  assert.match(text, /30% +60ms +████▊ +query \(self 30%\)/);
  assert.doesNotMatch(text, /tiny/);
  assert.match(text, /\n1 frames with less than 0\.5 % are not shown; --format collapsed has all\n$/);
});

test('functions are a table, the most expensive first', () => {
  const lines = functionTableText(graphOf(STACKS), 'nanoseconds').split('\n');
  assert.match(lines[0]!, /^ +SELF +% +TOTAL +% {2}FUNCTION$/);
  assert.match(lines[1]!, /^100ms {2}50% {2}100ms {2}50% {2}recurse$/);
  assert.match(lines[2]!, /query$/);
});

test('a diff is sorted by what changed, and has both sides of functions that only one has', () => {
  const graph = toFlameGraphDiff(tree('main;a 50\nmain;gone 50'), tree('main;a 190\nmain;b 10'), 0);
  const root = flameTree(message(graph), 2)!;
  assert.deepEqual(
    root.sides.map(({ total }) => total),
    [100n, 200n],
  );
  const lines = diffTableText(root, PLAIN).trim().split('\n').slice(1);
  assert.match(lines[0]!, /50\.00% +0\.00% +-50\.00% .* gone$/);
  assert.match(lines[1]!, /50\.00% +95\.00% +\+45\.00% .* a$/);
  assert.match(lines[2]!, /0\.00% +5\.00% +\+5\.00% .* b$/);
});

test('levels that do not fit each other are refused, whatever they are', () => {
  const refused = (graph: FlameGraphMessage) => {
    assert.throws(() => flameTree(graph, 1), HearthscopeError);
  };
  const root = { values: ['0', '10', '0', '0'] };
  refused({ names: ['total'], levels: [{ values: ['0', '10', '0'] }] });
  refused({ names: ['total'], levels: [{ values: ['0', '10', '0', '1'] }] });
  refused({ names: ['total'], levels: [root, { values: ['10', '1', '0', '0'] }] });
  refused({ names: ['total'], levels: [{ values: ['0', '5', '0', '0', '0', '5', '0', '0'] }] });
  refused({ names: ['total'], levels: new Array(10_001).fill(root) });
  assert.equal(flameTree({}, 1), undefined);
  assert.equal(flameTree({ names: ['total'], levels: [root] }, 1)!.sides[0]!.total, 10n);
});

test('bars, sparklines and names fit where they are put', () => {
  assert.equal(bar(0.5, 4), '██  ');
  assert.equal(bar(0.53125, 4), '██▏ ');
  assert.equal(bar(2, 4), '████');
  assert.equal(sparkline([0, 5, 10, undefined]), '▁▅█ ');
  assert.equal(sparkline([0, 0]), '▁▁');
  assert.equal(fit('abcdef', 4), 'abc…');
  assert.equal(fit('a\x1b[31mb', 10), 'a [31mb');
});

test('colours are for terminals whose user wants them', () => {
  const coloured = (stream: object, environment: Record<string, string>) =>
    terminalOf(stream, environment).paint('x', 1) !== 'x';
  assert.equal(coloured({ isTTY: true }, {}), true);
  assert.equal(coloured({ isTTY: true }, { NO_COLOR: '1' }), false);
  assert.equal(coloured({ isTTY: true }, { NO_COLOR: '' }), true);
  assert.equal(coloured({ isTTY: true }, { TERM: 'dumb' }), false);
  assert.equal(coloured({}, {}), false);
});

test('series have a line each, the largest first', () => {
  const series = [
    { labels: [{ name: 'a', value: 'small' }], points: [{ value: 1, timestamp: '60000' }] },
    {
      labels: [{ name: 'a', value: 'large' }],
      points: [
        { value: 2, timestamp: '0' },
        { value: 4, timestamp: '120000' },
      ],
    },
  ];
  const shown = { series, unit: 'count', range: { startMillis: 0, endMillis: 120_000 }, stepSeconds: 60 };
  const lines = seriesChart(shown, PLAIN).trimEnd().split('\n');
  assert.match(lines[1]!, /^\{a="large"\} +6 +4 {2}▅ █$/);
  assert.match(lines[2]!, /^\{a="small"\} +1 +1 {3}█$/);
  const rows = seriesTable(shown).trimEnd().split('\n');
  assert.equal(rows.length, 4);
  assert.match(rows[1]!, /^1970-01-01T00:01:00\.000Z +1 {2}\{a="small"\}$/);
});

test('whom to ask and as whom comes from flags, else from variables', () => {
  const { url, headers, timeoutMillis } = connectionOf(
    { tenant: 'a|b', user: 'me:secret', timeout: '5s' },
    { HEARTHSCOPE_URL: 'https://host/base/' },
  );
  assert.equal(url.href, 'https://host/base/');
  assert.equal(headers['x-scope-orgid'], 'a|b');
  assert.equal(headers.authorization, 'Basic bWU6c2VjcmV0');
  assert.equal(timeoutMillis, 5000);
  assert.equal(connectionOf({ token: 't' }, {}).headers.authorization, 'Bearer t');
  assert.throws(() => connectionOf({ url: 'localhost:4040' }, {}), UsageError);
  assert.throws(() => connectionOf({ user: 'a:b', token: 't' }, {}), UsageError);
  assert.throws(() => connectionOf({ user: 'nobody' }, {}), UsageError);
  assert.throws(() => connectionOf({ timeout: '0s' }, {}), UsageError);
});

test('times and queries that make no sense are refused', () => {
  const range = timeRange({ from: 'now-2h', until: 'now-1h' }, 7_200_000);
  assert.deepEqual(range, { startMillis: 0, endMillis: 3_600_000 });
  assert.throws(
    () => timeRange({ from: 'now', until: 'now-1h' }, Date.now()),
    /--from .* must be before --until/,
  );
  assert.throws(() => selections({ query: '{a=' }), /^UsageError: --query: /);
  assert.equal(selections({}).left.labelSelector, '{}');
});

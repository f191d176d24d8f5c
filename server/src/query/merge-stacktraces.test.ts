// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import {
  readFlameGraph,
  readFlameGraphDiff,
  readTreeBytes,
} from '@hearthscope/profile/testing/flame-graph-reader';
import type { FrameFilter } from './requests.ts';
import { MAX_FRAME_CONDITIONS } from './stack-filter.ts';
import {
  mergeRequest,
  type ProfileInput,
  querierOf,
  seriesRequest,
  TENANT,
} from './testing/query-fixture.ts';

const PROFILES: readonly ProfileInput[] = [
  ['main;work;hot 70\nmain;work 5\nmain;idle 20', { service: 'web' }],
  ['main;work;hot 30\nmain;cold 2', { service: 'db' }],
];
const WEB = { labelSelector: '{service_name="web"}' };
const DB = { labelSelector: '{service_name="db"}' };
const NO_FILTER: FrameFilter = { includeNames: [], excludeNames: [], includeRegexes: [], excludeRegexes: [] };

test('a tree, a graph and tables of the same stacks', async () => {
  const querier = await querierOf(PROFILES);
  const tree = readTreeBytes(await querier.mergeTree([TENANT], mergeRequest()))!;
  assert.deepEqual(
    tree.children[0]!.children.map(({ name, self }) => [name, self]),
    [
      ['cold', 2n],
      ['idle', 20n],
      ['work', 5n],
    ],
  );
  const dot = await querier.mergeDot([TENANT], mergeRequest());
  assert.match(dot, /^digraph "unnamed" \{\n/);
  assert.match(dot, /Type: cpu/);
  assert.match(dot, /N\d+ -> N\d+ \[label=" 100ns"/);
  const functions = await querier.functions([TENANT], mergeRequest({ maxNodes: 2 }));
  assert.deepEqual(functions, {
    functions: [
      { name: 'hot', self: 100n, total: 100n },
      { name: 'idle', self: 20n, total: 20n },
    ],
    total: 127n,
    totalFunctions: 5,
  });
  const middle = await querier.sandwich([TENANT], { ...mergeRequest(), functionName: 'work' });
  assert.deepEqual([middle.total, middle.self], [105n, 5n]);
});

test('nothing that matches is nothing in every form', async () => {
  const querier = await querierOf(PROFILES);
  const none = mergeRequest({ labelSelector: '{service_name="none"}' });
  assert.equal((await querier.mergeStacktraces([TENANT], none)).levels.length, 0);
  assert.equal((await querier.mergeTree([TENANT], none)).length, 0);
  assert.equal(await querier.mergeDot([TENANT], none), '');
  assert.equal((await querier.mergeProfile([TENANT], none)).length, 0);
  assert.equal((await querier.functions([TENANT], none)).totalFunctions, 0);
  const diff = await querier.diff([TENANT], { left: none, right: none });
  assert.equal(readFlameGraphDiff(diff).children.length, 0);
});

test('two selections side by side', async () => {
  const querier = await querierOf(PROFILES);
  const request = { left: mergeRequest(WEB), right: mergeRequest(DB) };
  const diff = await querier.diff([TENANT], request);
  assert.deepEqual([diff.leftTicks, diff.rightTicks], [95n, 32n]);
  const [main] = readFlameGraphDiff(diff).children;
  assert.deepEqual(
    main!.children.map(({ name, total }) => [name, ...total]),
    [
      ['cold', 0n, 2n],
      ['idle', 20n, 0n],
      ['work', 75n, 30n],
    ],
  );
  const table = await querier.diffFunctions([TENANT], request);
  assert.deepEqual(table.functions[0], {
    name: 'hot',
    leftSelf: 70n,
    leftTotal: 70n,
    rightSelf: 30n,
    rightTotal: 30n,
  });
  await assert.rejects(
    querier.diff([TENANT], { left: mergeRequest(), right: mergeRequest({ labelSelector: '' }) }),
    (error) => error instanceof HearthscopeError && error.code === 'invalid_argument',
  );
});

test('frame filters choose whole stacks', async () => {
  const querier = await querierOf(PROFILES);
  const total = async (filter: Partial<FrameFilter>) => {
    const frameFilter = { ...NO_FILTER, ...filter };
    const graph = await querier.mergeStacktraces([TENANT], mergeRequest({ frameFilter }));
    if (graph.levels.length > 0) readFlameGraph(graph);
    // A time series of the same stacks says the same.
    const series = await querier.selectSeries([TENANT], seriesRequest({ frameFilter }));
    const sum = series.reduce(
      (all, { points }) => all + points.reduce((each, { value }) => each + value, 0),
      0,
    );
    assert.equal(BigInt(sum), graph.total);
    return graph.total;
  };
  assert.equal(await total({}), 127n);
  assert.equal(await total({ includeNames: ['work'] }), 105n);
  assert.equal(await total({ includeNames: ['work', 'hot'] }), 100n);
  assert.equal(await total({ excludeNames: ['hot', 'idle'] }), 7n);
  assert.equal(await total({ includeRegexes: ['^(hot|cold)$'] }), 102n);
  assert.equal(await total({ includeRegexes: ['ol'], excludeRegexes: ['ho'] }), 2n);
  assert.equal(await total({ includeNames: ['missing'] }), 0n);
  const invalid = async (filter: Partial<FrameFilter>, message: RegExp) =>
    assert.rejects(
      querier.mergeStacktraces([TENANT], mergeRequest({ frameFilter: { ...NO_FILTER, ...filter } })),
      (error) =>
        error instanceof HearthscopeError && error.code === 'invalid_argument' && message.test(error.message),
    );
  await invalid({ excludeRegexes: ['['] }, /regular expression/);
  const names = Array.from({ length: MAX_FRAME_CONDITIONS + 1 }, () => 'x');
  await invalid({ includeNames: names }, /too long, the limit is 100/);
  assert.equal(await total({ excludeNames: names.slice(1) }), 127n);
});

test('a time series of a call site has the values of its subtree', async () => {
  const querier = await querierOf([
    ['main;work;hot 70\nmain;work 5\nmain;idle 20', { timeMillis: 2000 }],
    ['main;idle 1', { timeMillis: 3000 }],
    ['main;work 3', { timeMillis: 15_000 }],
  ]);
  const [series] = await querier.selectSeries(
    [TENANT],
    seriesRequest({ startMillis: 10_000, callSite: ['main', 'work'] }),
  );
  assert.deepEqual(
    series!.points.map(({ timestampMillis, value }) => [timestampMillis, value]),
    [
      [10_000, 75],
      [20_000, 3],
    ],
  );
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { askPlain } from '../settings/testing/plain-request.ts';
import { tenantByHeader } from '../settings/testing/route-transport.ts';
import { storedQuerier } from '../settings/testing/stored-querier.ts';
import { CPU_TYPE, type StoredProfileOptions, storedProfile } from '../storage/testing/stored-profile.ts';
import { legacyRoutes } from './legacy-routes.ts';

/** A multiple of 15 s. */
const NOW = 1_767_225_600_000;
const MINUTE = 60_000;
const MEMORY_TYPE = 'memory:alloc_objects:count:space:bytes';
const QUERY = `${CPU_TYPE}{service_name="web"}`;
const RENDER = { query: QUERY, from: 'now-15m', until: 'now' };
const DIFF = {
  leftQuery: QUERY,
  leftFrom: 'now-30m',
  leftUntil: 'now-15m',
  rightQuery: QUERY,
  rightFrom: 'now-15m',
  rightUntil: 'now',
};

type Input = readonly [text: string, options: StoredProfileOptions];

const INPUTS: readonly Input[] = [
  ['main;work 10\nmain;idle 2', { timeMillis: NOW - 5 * MINUTE, labels: { region: 'eu', pod: 'a' } }],
  ['main;work 5', { timeMillis: NOW - 2 * MINUTE, labels: { region: 'us', pod: 'b' } }],
  ['main;work 1', { timeMillis: NOW - 2 * MINUTE, labels: { region: 'us', pod: 'c' } }],
  ['main;old 7', { timeMillis: NOW - 20 * MINUTE }],
  ['alloc 3', { timeMillis: NOW - 5 * MINUTE, type: MEMORY_TYPE }],
];

async function routesOf(t: TestContext, inputs = INPUTS) {
  const now = () => NOW;
  const { store, querier } = await storedQuerier(t, now);
  for (const [text, options] of inputs) await store.append('anonymous', [storedProfile(text, options)]);
  return legacyRoutes({ querier, authenticator: tenantByHeader, now });
}

interface Timeline {
  readonly startTime: number;
  readonly samples: number[];
  readonly durationDelta: number;
}

interface Rendered {
  readonly version: number;
  readonly flamebearer: { names: string[]; levels: number[][]; numTicks: number; maxSelf: number };
  readonly metadata: object;
  readonly timeline: Timeline | null;
  readonly groups: Record<string, Timeline> | null;
  readonly heatmap: null;
  readonly leftTicks?: number;
  readonly rightTicks?: number;
}

type Routes = Awaited<ReturnType<typeof routesOf>>;

async function rendered(routes: Routes, path: string, query: Record<string, string>): Promise<Rendered> {
  const { status, contentType, body } = await askPlain(routes, path, query);
  assert.equal(status, 200);
  assert.equal(contentType, 'application/json');
  return JSON.parse(body as string);
}

test('render answers a flame graph with its timeline', async (t) => {
  const routes = await routesOf(t);
  const answer = await rendered(routes, '/pyroscope/render', RENDER);
  assert.equal(answer.version, 1);
  assert.equal(answer.flamebearer.numTicks, 18);
  assert.equal(answer.flamebearer.maxSelf, 16);
  assert.deepEqual([...answer.flamebearer.names].sort(), ['idle', 'main', 'total', 'work']);
  assert.deepEqual(answer.flamebearer.levels[0], [0, 18, 0, 0]);
  assert.deepEqual(answer.metadata, {
    format: 'single',
    spyName: '',
    name: 'cpu',
    sampleRate: 1e9,
    units: 'samples',
  });
  assert.equal(answer.groups, null);
  assert.equal(answer.heatmap, null);
  const { startTime, samples, durationDelta } = answer.timeline!;
  assert.deepEqual([startTime, samples.length, durationDelta], [(NOW - 15 * MINUTE) / 1000, 60, 15]);
  assert.deepEqual([samples[40], samples[52]], [12, 6]);
  assert.equal(
    samples.reduce((sum, sample) => sum + sample, 0),
    18,
  );

  const memory = await rendered(routes, '/pyroscope/render', { ...RENDER, query: `${MEMORY_TYPE}{}` });
  assert.deepEqual(memory.metadata, {
    format: 'single',
    spyName: '',
    name: 'alloc_objects',
    sampleRate: 100,
    units: 'objects',
  });
});

test('sums beyond the exact range of a double keep their digits', async (t) => {
  const value = 2n ** 60n + 1n;
  const routes = await routesOf(t, [[`main ${value}`, { timeMillis: NOW - MINUTE }]]);
  const { body } = await askPlain(routes, '/pyroscope/render', RENDER);
  assert.ok((body as string).includes(`"numTicks":${value},"maxSelf":${value}`), body as string);
});

test('render groups by the first label, and averages', async (t) => {
  const routes = await routesOf(t);
  const query = new URLSearchParams({ ...RENDER, aggregation: 'avg' });
  query.append('groupBy', 'region');
  query.append('groupBy', 'pod');
  const answer = JSON.parse((await askPlain(routes, '/pyroscope/render', query)).body as string) as Rendered;
  assert.deepEqual(Object.keys(answer.groups!).sort(), ['eu', 'us']);
  assert.equal(answer.groups!.us!.samples[52], 3);
  assert.equal(answer.timeline!.samples[40], 12);
  const none = await rendered(routes, '/pyroscope/render', { ...RENDER, groupBy: 'nothing' });
  assert.deepEqual(Object.keys(none.groups!), ['*']);
  assert.equal(none.groups!['*']!.samples[52], 6);
  const hostile = await routesOf(t, [['a 1', { timeMillis: NOW - MINUTE, labels: { x: '__proto__' } }]]);
  const { body } = await askPlain(hostile, '/pyroscope/render', { ...RENDER, groupBy: 'x' });
  assert.ok((body as string).includes('"groups":{"__proto__":{"startTime"'));
});

test('render cuts nodes and draws graphs', async (t) => {
  const routes = await routesOf(t);
  for (const name of ['maxNodes', 'max-nodes']) {
    const cut = await rendered(routes, '/pyroscope/render', { ...RENDER, [name]: '1' });
    assert.deepEqual(cut.flamebearer.names, ['total', 'main', 'other'], name);
    for (const ignored of ['0', 'invalid', '', '1.5', '99999999999999999999']) {
      const whole = await rendered(routes, '/pyroscope/render', { ...RENDER, [name]: ignored });
      assert.equal(whole.flamebearer.names.length, 4, ignored);
    }
  }
  const dot = await askPlain(routes, '/pyroscope/render', { ...RENDER, format: 'dot' });
  assert.match(dot.contentType, /^text\/plain/);
  assert.match(dot.body as string, /^digraph/);
  const nothing = { ...RENDER, query: `${CPU_TYPE}{service_name="nobody"}` };
  assert.equal((await askPlain(routes, '/pyroscope/render', { ...nothing, format: 'dot' })).body, '');
  const empty = await rendered(routes, '/pyroscope/render', nothing);
  assert.deepEqual(empty.flamebearer, { names: ['total'], levels: [[0, 0, 0, 0]], numTicks: 0, maxSelf: 0 });
});

test('render-diff compares two queries', async (t) => {
  const routes = await routesOf(t);
  const answer = await rendered(routes, '/pyroscope/render-diff', DIFF);
  assert.deepEqual([answer.leftTicks, answer.rightTicks, answer.flamebearer.numTicks], [7, 18, 25]);
  assert.deepEqual(answer.flamebearer.levels[0], [0, 7, 0, 0, 18, 0, 0]);
  assert.deepEqual(answer.metadata, {
    format: 'double',
    spyName: '',
    name: 'cpu',
    sampleRate: 1e9,
    units: 'samples',
  });
  assert.equal(answer.timeline, null);
});

test('one query can hold both sides, a type by its short name, and how far back a side lies', async (t) => {
  const routes = await routesOf(t);
  const range = { from: 'now-15m', until: 'now' };
  const eu = await rendered(routes, '/pyroscope/render-diff', {
    ...range,
    query: '{region="eu"}{type="cpu"} vs {region="us"}',
  });
  assert.deepEqual([eu.leftTicks, eu.rightTicks], [12, 6]);
  const before = await rendered(routes, '/pyroscope/render-diff', {
    ...range,
    query: `${QUERY} vs {service_name="web", offset=15m}`,
  });
  assert.deepEqual([before.leftTicks, before.rightTicks], [18, 7]);
  const single = await rendered(routes, '/pyroscope/render', {
    ...range,
    query: '{region="eu"}{type="cpu"}',
  });
  assert.equal(single.flamebearer.numTicks, 12);
  const matcher = `{__name__="${CPU_TYPE}", region="eu"}`;
  assert.equal(
    (await rendered(routes, '/pyroscope/render', { ...range, query: matcher })).flamebearer.numTicks,
    12,
  );
});

test('label-values answers profile types, and values of labels', async (t) => {
  const routes = await routesOf(t);
  const values = async (query: Record<string, string>) =>
    JSON.parse((await askPlain(routes, '/pyroscope/label-values', query)).body as string);
  assert.deepEqual(await values({ label: '__name__' }), [MEMORY_TYPE, CPU_TYPE]);
  assert.deepEqual(await values({ label: 'region' }), ['eu', 'us']);
  assert.deepEqual(await values({ label: 'pod', query: '{region="us"}' }), ['b', 'c']);
  assert.deepEqual(await values({ label: 'pod', from: 'now-3m', until: 'now' }), ['b', 'c']);
  assert.deepEqual(await values({ label: 'nothing' }), []);
});

test('mistakes are told', async (t) => {
  const routes = await routesOf(t);
  const cases: [path: string, query: Record<string, string>, text: RegExp][] = [
    ['render', { ...RENDER, from: '0', until: '0' }, /missing time range/],
    ['render', { ...RENDER, from: '0' }, /missing time range/],
    ['render', { ...RENDER, until: '0' }, /missing time range/],
    ['render', { ...RENDER, from: '0', until: '0', format: 'dot' }, /missing time range/],
    ['render', { ...RENDER, from: 'now', until: 'now-1h' }, /start time is after end time/],
    ['render', { from: 'now-15m' }, /^"query" is required$/],
    ['render', { ...RENDER, query: '' }, /^"query" is required$/],
    ['render', { ...RENDER, query: 'bad_query' }, /^failed to parse "query": /],
    [
      'render',
      { ...RENDER, query: '{service_name="test"}' },
      /"query" must contain a profile-type selection/,
    ],
    [
      'render',
      { ...RENDER, query: 'invalid_format{service_name="test"}' },
      /must contain a profile-type selection/,
    ],
    ['render', { ...RENDER, query: `${CPU_TYPE}{a=~"("}` }, /./],
    ['render', { ...RENDER, query: `${QUERY} vs ${QUERY}` }, /render-diff/],
    ['render', { ...RENDER, query: '{}{type="nothing"}' }, /no profile type is called "nothing"/],
    ['render', { ...RENDER, maxNodes: '-1' }, /max flamegraph nodes limit/],
    ['render', { ...RENDER, query: `${CPU_TYPE}{a="${'x'.repeat(40_000)}"}` }, /too long/],
    ['render-diff', { ...DIFF, leftQuery: '' }, /^"leftQuery" is required$/],
    ['render-diff', { ...DIFF, rightQuery: '' }, /^"rightQuery" is required$/],
    ['render-diff', { ...DIFF, leftQuery: 'bad_query' }, /failed to parse "leftQuery"/],
    ['render-diff', { ...DIFF, rightQuery: 'bad_query' }, /failed to parse "rightQuery"/],
    ['render-diff', { ...DIFF, leftQuery: '{service_name="test"}' }, /"leftQuery" must contain/],
    ['render-diff', { ...DIFF, rightQuery: 'invalid_format{a="b"}' }, /"rightQuery" must contain/],
    ['render-diff', { ...DIFF, rightQuery: `${MEMORY_TYPE}{}` }, /^profile types must match$/],
    ['render-diff', { ...DIFF, leftQuery: `${QUERY} vs ${QUERY}` }, /is one side of the comparison/],
    ['render-diff', { ...DIFF, leftFrom: '0' }, /missing time range/],
    ['render-diff', { ...DIFF, leftUntil: '0' }, /missing time range/],
    ['render-diff', { ...DIFF, rightFrom: '0' }, /missing time range/],
    ['render-diff', { ...DIFF, rightUntil: '0' }, /missing time range/],
    ['render-diff', { query: QUERY }, /must compare two selections/],
    ['render-diff', {}, /^"leftQuery" is required$/],
    ['label-values', {}, /^label parameter is required$/],
    ['label-values', { label: 'a', query: '{' }, /./],
  ];
  for (const [path, query, text] of cases) {
    await assert.rejects(askPlain(routes, `/pyroscope/${path}`, query), (error: unknown) => {
      assert.ok(error instanceof HearthscopeError, String(error));
      assert.equal(error.code, 'invalid_argument', JSON.stringify(query));
      assert.match(error.message, text);
      return true;
    });
  }
});

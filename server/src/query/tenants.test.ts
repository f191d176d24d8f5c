// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { HearthscopeError } from '@hearthscope/profile/errors';
import {
  heatmapRequest,
  mergeRequest,
  NOW,
  querierOf,
  RANGE,
  seriesRequest,
} from './testing/query-fixture.ts';

const BOTH = ['a', 'b'];

test('the data of several tenants is merged exactly', async () => {
  const querier = await querierOf([
    ['main;work 70\nmain 1', { tenant: 'a', service: 'web', labels: { pod: '1' } }],
    ['main;work 30\nmain;idle 2', { tenant: 'b', service: 'web', labels: { pod: '2' } }],
    ['main 1000', { tenant: 'c' }],
  ]);
  const graph = await querier.mergeStacktraces(BOTH, mergeRequest());
  assert.equal(graph.total, 103n);
  assert.deepEqual(
    graph.levels.map((level) => [...level]),
    [
      [0n, 103n, 0n, 0n],
      [0n, 103n, 1n, 1n],
      [1n, 2n, 2n, 2n, 0n, 100n, 100n, 3n],
    ],
  );
  const [series] = await querier.selectSeries(
    BOTH,
    seriesRequest({ groupBy: ['service_name'], stepSeconds: 9999 }),
  );
  assert.deepEqual(
    series!.points.map(({ value }) => value),
    [103],
  );
  assert.deepEqual(await querier.labelValues(BOTH, { ...RANGE, name: 'pod', matchers: [] }), ['1', '2']);
  const [heatmap] = await querier.selectHeatmap(BOTH, heatmapRequest());
  assert.equal(
    heatmap!.slots[0]!.counts.reduce((sum, count) => sum + count, 0),
    2,
  );
  assert.equal((await querier.profileStats(BOTH)).dataIngested, true);
  const { profiles } = await querier.analyzeQuery(BOTH, { ...RANGE, query: '{}' });
  assert.equal(profiles, 2);
});

test('service means service_name, unless the tenant has a label of that name', async () => {
  const querier = await querierOf([
    ['main 1', { tenant: 'a', service: 'web' }],
    ['main 2', { tenant: 'b', service: 'x', labels: { service: 'web' } }],
    ['main 4', { tenant: 'b', service: 'web' }],
  ]);
  const request = mergeRequest({ labelSelector: '{service="web"}' });
  const total = async (tenants: string[]) => (await querier.mergeStacktraces(tenants, request)).total;
  assert.equal(await total(['a']), 1n);
  assert.equal(await total(['b']), 2n);
  assert.equal(await total(BOTH), 3n);
  const values = (tenants: string[]) =>
    querier.labelValues(tenants, { ...RANGE, name: 'service', matchers: [] });
  assert.deepEqual(await values(['a']), ['web']);
  assert.deepEqual(await values(['b']), ['web']);
  const [grouped] = await querier.selectSeries(['a'], seriesRequest({ groupBy: ['service'] }));
  assert.deepEqual(grouped!.labels, [{ name: 'service_name', value: 'web' }]);
});

test('queries see as far back as the tenant may look', async () => {
  const limitsOf = (tenant: string) =>
    tenantLimits(tenant === 'a' ? { maxQueryLookbackMillis: 1_000_000 } : { maxQueryLookbackMillis: 0 });
  const old = { timeMillis: NOW - 1_000_001 };
  const recent = { timeMillis: NOW - 1_000_000 };
  const querier = await querierOf(
    [
      ['main 1', { tenant: 'a', ...old }],
      ['main 2', { tenant: 'a', ...recent }],
      ['main 4', { tenant: 'b', ...old }],
    ],
    { limitsOf },
  );
  const total = async (tenants: string[], range: object = {}) =>
    (await querier.mergeStacktraces(tenants, mergeRequest(range))).total;
  assert.equal(await total(['a']), 2n);
  assert.equal(await total(['b']), 4n);
  assert.equal(await total(BOTH), 2n, 'the strictest limit holds for all');
  const beyond = { startMillis: 1, endMillis: NOW - 1_000_001 };
  assert.equal(await total(['a'], beyond), 0n);
  assert.deepEqual(await querier.selectSeries(['a'], seriesRequest(beyond)), []);
  assert.deepEqual(await querier.labelNames(['a'], { ...beyond, matchers: [] }), []);
  const withoutRange = { startMillis: 0, endMillis: 0, matchers: [] };
  assert.ok((await querier.labelNames(['a'], withoutRange)).includes('service_name'));
  await assert.rejects(
    querier.series(['a'], { ...withoutRange, labelNames: [] }),
    (error) => error instanceof HearthscopeError && error.message === 'missing time range in the query',
  );
});

test('profiles of which sampling kept the totals alone count when the tenant says so', async () => {
  const inputs = [
    ['main 1', {}],
    ['main 10', { labels: { __sampled__: 'true' } }],
  ] as const;
  const sum = async (includeStrippedProfiles: boolean) => {
    const querier = await querierOf(inputs, { limitsOf: () => tenantLimits({ includeStrippedProfiles }) });
    const [series] = await querier.selectSeries(['a'], seriesRequest({ stepSeconds: 9999 }));
    const graph = await querier.mergeStacktraces(['a'], mergeRequest());
    return [series!.points[0]!.value, graph.total];
  };
  assert.deepEqual(await sum(false), [1, 1n]);
  assert.deepEqual(await sum(true), [11, 1n], 'they have no stacks to show');
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { ProfileBuilder } from '@hearthscope/profile/profile-builder';
import fc from 'fast-check';
import { HeadStore } from '../storage/testing/head-store.ts';
import { CPU_TYPE, seriesLabels } from '../storage/testing/stored-profile.ts';
import { StoreQuerier } from './querier.ts';
import { DEFAULT_QUERY_LIMITS } from './query-limits.ts';
import type { HeatmapRequest } from './requests.ts';
import { heatmapRequest, NOW, querierOf, RANGE, TENANT } from './testing/query-fixture.ts';

const id = (digit: string) => digit.repeat(32);
const span = (digit: string) => digit.repeat(16);

/** Values of samples by span; '' for those in none. */
type SpanValues = readonly (readonly [spanId: string, traceId: string, value: bigint])[];

async function spanQuerier(profiles: readonly { timeMillis: number; spans: SpanValues }[], maxSpans = 100) {
  const store = new HeadStore();
  for (const { timeMillis, spans } of profiles) {
    const builder = new ProfileBuilder({
      timeUnixNanos: BigInt(timeMillis) * 1_000_000n,
      durationNanos: 0n,
      sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
      periodType: { type: 'cpu', unit: 'nanoseconds' },
      period: 1n,
    });
    spans.forEach(([spanId, traceId, value], i) => {
      const lines = [{ function: builder.function({ name: `f${i}` }) }];
      const stack = builder.stack([builder.location({ mapping: 0, address: 0n, lines })]);
      builder.addSample(stack, [value], { link: builder.link(traceId, spanId) });
    });
    await store.append(TENANT, [{ labels: seriesLabels('web', CPU_TYPE), profile: builder.build() }]);
  }
  return new StoreQuerier(store, { now: () => NOW, limits: { ...DEFAULT_QUERY_LIMITS, maxSpans } });
}

test('profiles are counted by step and by twentieth of the range of their values', async () => {
  const querier = await querierOf([
    ['main 100', { timeMillis: 1000, id: id('1') }],
    ['main 300', { timeMillis: 1001, id: id('2') }],
    ['main 290', { timeMillis: 11_000, id: id('3') }],
    ['main 301', { timeMillis: 11_000, id: id('4'), labels: { pod: 'x' } }],
    ['main 500', { timeMillis: 11_001, id: id('5') }],
  ]);
  const [heatmap, ...others] = await querier.selectHeatmap(
    [TENANT],
    heatmapRequest({ exemplars: 'individual' }),
  );
  assert.equal(others.length, 0);
  assert.deepEqual(heatmap!.labels, []);
  assert.deepEqual(
    heatmap!.slots.map(({ timestampMillis }) => timestampMillis),
    [1000, 11_000, 21_000],
  );
  const yMin = Array.from({ length: 20 }, (_, i) => 100 + i * 20);
  const counts = heatmap!.slots.map((slot) => {
    assert.deepEqual(slot.yMin, yMin);
    return slot.counts.flatMap((count, bucket) => (count > 0 ? [[bucket, count]] : []));
  });
  assert.deepEqual(counts, [
    [[0, 1]],
    [
      [9, 1],
      [10, 2],
    ],
    [[19, 1]],
  ]);
  const exemplars = heatmap!.slots[1]!.exemplars;
  assert.deepEqual(
    exemplars.map(({ profileId, value, spanId, timestampMillis }) => [
      profileId,
      value,
      spanId,
      timestampMillis,
    ]),
    [
      [id('3'), 290n, '', 11_000],
      [id('4'), 301n, '', 11_000],
    ],
  );
  assert.ok(exemplars[1]!.labels.some(({ name, value }) => name === 'pod' && value === 'x'));
});

test('one value is at the bottom of a range of one', async () => {
  const querier = await querierOf([['main 7', { timeMillis: 2000 }]]);
  const [heatmap] = await querier.selectHeatmap([TENANT], heatmapRequest());
  const [slot] = heatmap!.slots;
  assert.deepEqual(slot!.yMin, new Array(20).fill(7));
  assert.equal(slot!.counts[19], 1);
  assert.deepEqual(slot!.exemplars, []);
  assert.deepEqual(await querier.selectHeatmap(['other'], heatmapRequest()), []);
});

test('series are grouped, and limited to those with the most points', async () => {
  const querier = await querierOf([
    ['main 1000', { timeMillis: 2000, service: 'large' }],
    ['main 1', { timeMillis: 2000, service: 'many' }],
    ['main 2', { timeMillis: 2000, service: 'many' }],
  ]);
  const services = async (limit: number) => {
    const answer = await querier.selectHeatmap(
      [TENANT],
      heatmapRequest({ groupBy: ['service_name'], limit }),
    );
    return answer.map(({ labels }) => labels[0]!.value);
  };
  assert.deepEqual(await services(0), ['large', 'many']);
  assert.deepEqual(await services(1), ['many']);
});

test('the points of spans are what each span adds up to in each profile', async () => {
  const querier = await spanQuerier([
    {
      timeMillis: 2000,
      spans: [
        [span('1'), id('a'), 3n],
        [span('1'), id('a'), 4n],
        [span('2'), '', 1n],
        ['', '', 100n],
      ],
    },
    { timeMillis: 12_000, spans: [[span('1'), id('a'), 21n]] },
  ]);
  const request = heatmapRequest({ of: 'span', exemplars: 'span' });
  const [heatmap] = await querier.selectHeatmap([TENANT], request);
  assert.deepEqual(
    heatmap!.slots.map(({ counts }) =>
      counts.flatMap((count, bucket) => (count > 0 ? [[bucket, count]] : [])),
    ),
    [
      [
        [0, 1],
        [6, 1],
      ],
      [[19, 1]],
    ],
  );
  assert.deepEqual(
    heatmap!.slots[0]!.exemplars.map(({ spanId, traceId, profileId, value }) => [
      spanId,
      traceId,
      profileId,
      value,
    ]),
    [
      [span('2'), '', '', 1n],
      [span('1'), id('a'), '', 7n],
    ],
  );
});

test('requests that make no heatmap are refused', async () => {
  const querier = await spanQuerier(
    [
      {
        timeMillis: 2000,
        spans: [
          [span('1'), '', 1n],
          [span('2'), '', 1n],
        ],
      },
    ],
    1,
  );
  const refused = (request: Partial<HeatmapRequest>, code: string, message: RegExp) =>
    assert.rejects(
      querier.selectHeatmap([TENANT], heatmapRequest(request)),
      (error) => error instanceof HearthscopeError && error.code === code && message.test(error.message),
    );
  await refused({ startMillis: NOW }, 'invalid_argument', /^start time must be before end time, got start=/);
  await refused({ stepSeconds: 0 }, 'invalid_argument', /^step must be >= 1ms/);
  await refused({ limit: -1 }, 'invalid_argument', /^limit must be non-negative, got -1$/);
  await refused(
    { exemplars: 'span' },
    'invalid_argument',
    /^span exemplars only available for span query type$/,
  );
  await refused(
    { of: 'span', exemplars: 'individual' },
    'invalid_argument',
    /^individual exemplars only available for individual query type$/,
  );
  await refused({ of: 'span' }, 'resource_exhausted', /more than 1 spans/);
});

test('property: every profile is in one cell, where its time and value are', async () => {
  const point = fc.record({
    timeMillis: fc.integer({ min: 900, max: 30_000 }),
    value: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 2 ** 40 })),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(point, { maxLength: 30 }),
      fc.integer({ min: 1, max: 9 }),
      async (points, stepSeconds) => {
        const querier = await querierOf(
          points.map(({ timeMillis, value }) => [`main ${value}`, { timeMillis }]),
        );
        const [heatmap] = await querier.selectHeatmap([TENANT], heatmapRequest({ stepSeconds }));
        const step = stepSeconds * 1000;
        const inRange = points.filter(({ timeMillis }) => timeMillis > RANGE.startMillis - step);
        const expected = new Map<string, number>();
        const min = Math.min(...inRange.map(({ value }) => value));
        const max = Math.max(...inRange.map(({ value }) => value));
        const size = (max === min ? 1 : max - min) / 20;
        for (const { timeMillis, value } of inRange) {
          let end = RANGE.startMillis;
          while (end < timeMillis) end += step;
          let bucket = 19;
          while (value < min + Math.floor(bucket * size)) bucket--;
          const cell = `${end} ${bucket}`;
          expected.set(cell, (expected.get(cell) ?? 0) + 1);
        }
        const cells = (heatmap?.slots ?? []).flatMap(({ timestampMillis, counts }) =>
          counts.flatMap((count, bucket) =>
            count > 0 ? [[`${timestampMillis} ${bucket}`, count] as const] : [],
          ),
        );
        assert.deepEqual(new Map(cells), expected);
      },
    ),
    { numRuns: 60 },
  );
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { FlameGraph } from '@hearthscope/profile/flame-graph';
import fc from 'fast-check';
import { CPU_TYPE } from '../storage/testing/stored-profile.ts';
import { DEFAULT_QUERY_LIMITS } from './query-limits.ts';
import type { MergeStacktracesRequest, SelectSeriesRequest } from './requests.ts';
import { mergeRequest, NOW, querierOf, RANGE, seriesRequest } from './testing/query-fixture.ts';

const MEMORY_TYPE = 'memory:alloc_space:bytes:space:bytes';

/** `root;leaf total self` for each bar, read as viewers read levels. */
function bars({ names, levels }: FlameGraph): string[] {
  const placed: { path: string; from: bigint; to: bigint }[][] = [];
  return levels.flatMap((level, depth) => {
    const own: { path: string; from: bigint; to: bigint }[] = [];
    placed.push(own);
    const lines: string[] = [];
    let end = 0n;
    for (let i = 0; i < level.length; i += 4) {
      const from = end + level[i]!;
      end = from + level[i + 1]!;
      const to = end;
      const parent =
        depth === 0 ? undefined : placed[depth - 1]!.find((bar) => bar.from <= from && to <= bar.to);
      assert.ok(depth === 0 || parent !== undefined, 'every bar lies within a bar of the level above');
      const name = names[Number(level[i + 3])]!;
      const path = parent === undefined ? name : `${parent.path};${name}`;
      own.push({ path, from, to });
      lines.push(`${path} ${level[i + 1]} ${level[i + 2]}`);
    }
    return lines;
  });
}

function invalid(message: RegExp) {
  return (error: unknown) =>
    error instanceof HearthscopeError && error.code === 'invalid_argument' && message.test(error.message);
}

test('types, names, values and series', async () => {
  const querier = await querierOf([
    ['main 1', { service: 'web', labels: { pod: 'web-1', 'host.name': 'h1' } }],
    ['main 1', { service: 'db', type: MEMORY_TYPE }],
    ['main 1', { service: 'old', timeMillis: 500 }],
  ]);
  const types = await querier.profileTypes(['a'], RANGE);
  assert.deepEqual(
    types.map(({ id }) => id),
    [MEMORY_TYPE, CPU_TYPE],
  );
  assert.deepEqual(types[0], {
    id: MEMORY_TYPE,
    name: 'memory',
    sampleType: { type: 'alloc_space', unit: 'bytes' },
    periodType: { type: 'space', unit: 'bytes' },
  });
  assert.deepEqual(await querier.profileTypes(['a'], { startMillis: 1000, endMillis: 4000 }), []);
  assert.deepEqual(await querier.labelNames(['a'], { ...RANGE, matchers: [] }), [
    '__name__',
    '__period_type__',
    '__period_unit__',
    '__profile_type__',
    '__type__',
    '__unit__',
    'host.name',
    'pod',
    'service_name',
  ]);
  const names = await querier.labelNames(['a'], {
    ...RANGE,
    matchers: ['{service_name="db"}', '{service_name="none"}'],
  });
  assert.ok(!names.includes('pod') && names.includes('service_name'));
  const values = (name: string, matchers: string[] = []) =>
    querier.labelValues(['a'], { ...RANGE, name, matchers });
  assert.deepEqual(await values('service_name'), ['db', 'web']);
  assert.deepEqual(await values('service_name', [`${MEMORY_TYPE}{}`]), ['db']);
  assert.deepEqual(await values('nothing'), []);
  await assert.rejects(values(''), invalid(/^name is required$/));
  const series = (labelNames: string[]) => querier.series(['a'], { ...RANGE, matchers: [], labelNames });
  assert.deepEqual(await series(['service_name', '__profile_type__']), [
    [
      { name: '__profile_type__', value: MEMORY_TYPE },
      { name: 'service_name', value: 'db' },
    ],
    [
      { name: '__profile_type__', value: CPU_TYPE },
      { name: 'service_name', value: 'web' },
    ],
  ]);
  assert.deepEqual(await series(['pod']), [[{ name: 'pod', value: 'web-1' }]]);
  assert.equal((await series([])).length, 2);
  assert.deepEqual(await querier.series(['other tenant'], { ...RANGE, matchers: [], labelNames: [] }), []);
});

test('a profile type query without a range is about the last hour', async () => {
  const querier = await querierOf([
    ['main 1', { timeMillis: NOW - 3_600_000 }],
    ['main 1', { timeMillis: NOW - 3_600_001, type: MEMORY_TYPE }],
  ]);
  const types = await querier.profileTypes(['a'], { startMillis: 0, endMillis: 0 });
  assert.deepEqual(
    types.map(({ id }) => id),
    [CPU_TYPE],
  );
});

test('checks come in the order range, type, selector, nodes, in the words that clients know', async () => {
  const day = 86_400_000;
  const limitsOf = () => tenantLimits({ maxQueryLengthMillis: day });
  const querier = await querierOf([], { limitsOf });
  const wrong = { profileTypeId: 'x', labelSelector: '{', maxNodes: -1 };
  const cases: readonly [Partial<MergeStacktracesRequest>, RegExp][] = [
    [{ ...wrong, startMillis: 0 }, /^missing time range in the query$/],
    [{ ...wrong, endMillis: 0 }, /^missing time range in the query$/],
    [{ ...wrong, startMillis: 20, endMillis: 10 }, /^query start time is after end time$/],
    [
      { ...wrong, startMillis: NOW - day - 3_600_000, endMillis: NOW + 3_600_000 },
      /^the query time range exceeds the limit \(max_query_length, actual: 25h0m0s, limit: 1d\)$/,
    ],
    [
      wrong,
      /^profile-type selection must be of the form <name>:<sample-type>:<sample-unit>:<period-type>:<period-unit>\(:delta\), got\(1\): "x"$/,
    ],
    [{ ...wrong, profileTypeId: CPU_TYPE }, /^label selector: /],
    [{ labelSelector: '' }, /a label selector is required/],
    [{ maxNodes: -1 }, /^max flamegraph nodes limit must be set \(max allowed 1048576\)$/],
    [{ maxNodes: 1_048_577 }, /^max flamegraph nodes limit 1048577 is greater than allowed 1048576$/],
    [{ spanIds: ['1'] }, /invalid span id "1": 16 hex digits are needed/],
    [{ profileIds: ['zz'] }, /invalid profile id "zz"/],
    [
      { spanIds: ['1'.repeat(16)], traceIds: ['1'.repeat(32)] },
      /^span_selector and trace_id_selector cannot be combined$/,
    ],
  ];
  for (const [request, message] of cases) {
    await assert.rejects(querier.mergeStacktraces(['a'], mergeRequest(request)), invalid(message));
  }
  const accepted = [{ startMillis: 1, endMillis: 1 + day }, { startMillis: -5 }, { maxNodes: 1_048_576 }];
  for (const request of accepted) await querier.mergeStacktraces(['a'], mergeRequest(request));
});

test('stacks of all profiles in the range are merged exactly, then cut', async () => {
  const querier = await querierOf([
    ['main;work;hot 70\nmain;work 5\nmain;idle 20', { timeMillis: 2000 }],
    ['main;work;hot 30\nmain;cold 1\nother 2', { timeMillis: 3000, service: 'db' }],
    ['main;late 1000', { timeMillis: NOW + 1 }],
    ['main;memory 7', { type: MEMORY_TYPE }],
  ]);
  const graph = await querier.mergeStacktraces(['a'], mergeRequest());
  assert.deepEqual(bars(graph), [
    'total 128 0',
    'total;main 126 0',
    'total;other 2 2',
    'total;main;cold 1 1',
    'total;main;idle 20 20',
    'total;main;work 105 5',
    'total;main;work;hot 100 100',
  ]);
  assert.equal(graph.total, 128n);
  assert.equal(graph.maxSelf, 100n);
  assert.deepEqual(bars(await querier.mergeStacktraces(['a'], mergeRequest({ maxNodes: 3 }))), [
    'total 128 0',
    'total;main 126 0',
    'total;other 2 2',
    'total;main;work 105 5',
    'total;main;other 21 21',
    'total;main;work;hot 100 100',
  ]);
  const web = await querier.mergeStacktraces(['a'], mergeRequest({ labelSelector: '{service_name="web"}' }));
  assert.equal(web.total, 95n);
  assert.deepEqual(
    await querier.mergeStacktraces(['a'], mergeRequest({ labelSelector: '{service_name="x"}' })),
    {
      names: [],
      levels: [],
      total: 0n,
      maxSelf: 0n,
    },
  );
});

test('the ends of a range are part of it', async () => {
  const querier = await querierOf(
    [1000, 2000, 3000].map((timeMillis) => ['main 1', { timeMillis }] as const),
  );
  const total = async (startMillis: number, endMillis: number) =>
    (await querier.mergeStacktraces(['a'], mergeRequest({ startMillis, endMillis }))).total;
  assert.equal(await total(1000, 3000), 3n);
  assert.equal(await total(1001, 2999), 1n);
  assert.equal(await total(2000, 2000), 1n);
});

test('a call site keeps the stacks that begin with it, inlined functions counted as frames', async () => {
  const querier = await querierOf([['main;a;b 1\nmain;b;a 2\nmain 4\nmain;leaf<a;x 8\nx;main;a 16']]);
  const total = async (...callSite: string[]) =>
    (await querier.mergeStacktraces(['a'], mergeRequest({ callSite }))).total;
  assert.equal(await total('main'), 15n);
  assert.equal(await total('main', 'a'), 9n);
  assert.equal(await total('main', 'a', 'leaf'), 8n);
  assert.equal(await total('main', 'a', 'b', 'c'), 0n);
  assert.equal(await total('a'), 0n);
});

test('profile ids may have dashes', async () => {
  const id = '0123456789abcdef0123456789abcdef';
  const querier = await querierOf([['main 1', { id }], ['main 2']]);
  const request = mergeRequest({ profileIds: ['01234567-89AB-cdef-0123-456789abcdef'] });
  assert.equal((await querier.mergeStacktraces(['a'], request)).total, 1n);
});

test('a point sums the profiles after the point before, up to its own time', async () => {
  const times = [89_999, 90_000, 90_001, 100_000, 100_001, 110_000, 110_001, 125_000];
  const querier = await querierOf(times.map((timeMillis, i) => [`main ${2 ** i}`, { timeMillis }] as const));
  const request = seriesRequest({ startMillis: 100_000, endMillis: 125_000 });
  const [series, ...more] = await querier.selectSeries(['a'], request);
  assert.deepEqual(more, []);
  assert.deepEqual(series!.labels, []);
  assert.deepEqual(
    series!.points.map(({ timestampMillis, value }) => [timestampMillis, value]),
    // What comes after the last point that fits is left out, as is what comes before the first interval.
    [
      [100_000, 4 + 8],
      [110_000, 16 + 32],
      [120_000, 64],
    ],
  );
});

test('series are grouped, sorted, limited to the largest, and may be averaged', async () => {
  const querier = await querierOf([
    ['main 1', { labels: { pod: 'b' } }],
    ['main 10', { labels: { pod: 'a', zone: 'z' } }],
    ['main 20', { labels: { pod: 'a' } }],
    ['main 5'],
  ]);
  const series = async (request: Partial<SelectSeriesRequest>) =>
    (await querier.selectSeries(['a'], seriesRequest(request))).map(
      ({ labels, points }) =>
        `${labels.map(({ value }) => value).join()} ${points.map(({ value }) => value)}`,
    );
  assert.deepEqual(await series({ groupBy: ['pod'] }), [' 5', 'a 30', 'b 1']);
  assert.deepEqual(await series({ groupBy: ['pod', 'zone'] }), [' 5', 'a 20', 'a,z 10', 'b 1']);
  assert.deepEqual(await series({ groupBy: ['pod'], limit: 2 }), ['a 30', ' 5']);
  assert.deepEqual(await series({ groupBy: ['pod'], aggregation: 'average' }), [' 5', 'a 15', 'b 1']);
  assert.deepEqual(await series({ labelSelector: '{service_name="none"}' }), []);
});

test('a step below a millisecond, a negative limit and too many points are refused', async () => {
  const querier = await querierOf(
    [1000, 2000, 3000].map((timeMillis) => ['main 1', { timeMillis }] as const),
    { limits: { ...DEFAULT_QUERY_LIMITS, maxPoints: 2 } },
  );
  for (const stepSeconds of [0, 0.0009, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    await assert.rejects(
      querier.selectSeries(['a'], seriesRequest({ stepSeconds })),
      invalid(/^step must be >= 1ms$/),
    );
  }
  await assert.rejects(querier.selectSeries(['a'], seriesRequest({ limit: -1 })), invalid(/limit/));
  await assert.rejects(
    querier.selectSeries(['a'], seriesRequest({ stepSeconds: 0.001 })),
    invalid(/3 points, the limit is 2/),
  );
  assert.equal(
    (await querier.selectSeries(['a'], seriesRequest({ endMillis: 2000, stepSeconds: 0.001 })))[0]!.points
      .length,
    2,
  );
});

test('the exemplar of a point is its largest profile', async () => {
  const id = (digit: string) => digit.repeat(32);
  const querier = await querierOf([
    ['main 1', { timeMillis: 995_000, id: id('1'), labels: { pod: 'a' } }],
    ['main 9', { timeMillis: 996_000, id: id('9'), labels: { pod: 'b' } }],
    ['main 5', { timeMillis: 997_000, id: id('5'), labels: { pod: 'c' } }],
  ]);
  const request = seriesRequest({ exemplars: 'individual', groupBy: ['service_name'] });
  const [series] = await querier.selectSeries(['a'], request);
  const { exemplar } = series!.points[0]!;
  assert.deepEqual(
    { ...exemplar, labels: exemplar!.labels.filter(({ name }) => !name.startsWith('__')) },
    {
      timestampMillis: 996_000,
      profileId: id('9'),
      spanId: '',
      traceId: '',
      value: 9n,
      labels: [{ name: 'pod', value: 'b' }],
    },
  );
  await assert.rejects(
    querier.selectSeries(['a'], seriesRequest({ exemplars: 'span' })),
    (error) => error instanceof HearthscopeError && error.code === 'unimplemented',
  );
});

test('random time series give what a naive sum gives', async () => {
  const time = fc.integer({ min: 1000, max: 1100 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(time, fc.integer({ min: 0, max: 99 }), fc.constantFrom('a', 'b')), { maxLength: 20 }),
      time,
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: 1, max: 30 }),
      async (profiles, startMillis, length, stepMillis) => {
        const endMillis = startMillis + length;
        const querier = await querierOf(
          profiles.map(([timeMillis, value, service]) => [`main ${value}`, { timeMillis, service }] as const),
        );
        const request = { startMillis, endMillis, stepSeconds: stepMillis / 1000, groupBy: ['service_name'] };
        const actual = (await querier.selectSeries(['a'], seriesRequest(request))).flatMap(
          ({ labels, points }) =>
            points.map(({ timestampMillis, value }) => `${labels[0]!.value} ${timestampMillis} ${value}`),
        );
        const expected: string[] = [];
        for (const service of ['a', 'b']) {
          for (let point = startMillis; point <= endMillis; point += stepMillis) {
            const own = profiles.filter(
              ([millis, , of]) => of === service && millis > point - stepMillis && millis <= point,
            );
            if (own.length > 0) {
              expected.push(`${service} ${point} ${own.reduce((sum, [, value]) => sum + value, 0)}`);
            }
          }
        }
        assert.deepEqual(actual, expected);
      },
    ),
    { numRuns: 60 },
  );
});

test('what a tenant has, and what a query would read', async () => {
  const querier = await querierOf([
    ['main;a 1\nmain;b 2', { timeMillis: 5000 }],
    ['main 1', { timeMillis: 4000, service: 'db' }],
  ]);
  assert.deepEqual(await querier.profileStats(['a']), {
    dataIngested: true,
    oldestProfileMillis: 4000,
    newestProfileMillis: 5000,
  });
  assert.deepEqual(await querier.profileStats(['b']), {
    dataIngested: false,
    oldestProfileMillis: 0,
    newestProfileMillis: 0,
  });
  const { series, profiles, samples } = await querier.analyzeQuery(['a'], {
    ...RANGE,
    query: `${CPU_TYPE}{service_name="web"}`,
  });
  assert.deepEqual({ series, profiles, samples }, { series: 1, profiles: 1, samples: 2 });
});

// SPDX-License-Identifier: Apache-2.0
//
// Requests as Grafana, its profiling app and older clients send them, byte by byte, and what they must be answered. The
// spellings are mixed on purpose: that is what is sent.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { DEFAULT_DECODE_LIMITS } from '@hearthscope/profile/codecs/decode-limits';
import { decodePprof } from '@hearthscope/profile/codecs/pprof-decode';
import { ProtobufWriter } from '@hearthscope/profile/wire/protobuf-writer';
import { CPU_TYPE } from '../storage/testing/stored-profile.ts';
import { post, postJson, type QuerierServer, startQuerierServer } from './testing/querier-server.ts';

const RANGE = { start: 1000, end: 2_000_000 };
const SNAKE = { profile_typeID: CPU_TYPE, label_selector: '{service_name="web"}', ...RANGE };
const CAMEL = { profileTypeID: CPU_TYPE, labelSelector: '{service_name="web"}', ...RANGE };
const NOTHING = { ...CAMEL, labelSelector: '{service_name="nothing"}' };

const LEVELS = [
  { values: ['0', '100', '0', '0'] },
  { values: ['0', '100', '0', '1'] },
  { values: ['0', '30', '30', '2', '0', '70', '70', '3'] },
];
const FLAME_GRAPH = {
  flamegraph: { names: ['total', 'main', 'idle', 'work'], levels: LEVELS, total: '100', maxSelf: '70' },
};

interface Pair {
  readonly what: string;
  readonly method: string;
  readonly request: unknown;
  readonly answer: unknown;
}

const PAIRS: readonly Pair[] = [
  {
    what: 'the list of services',
    method: 'Series',
    request: { ...RANGE, labelNames: ['service_name', '__profile_type__'], matchers: [] },
    answer: {
      labelsSet: [
        {
          labels: [
            { name: '__profile_type__', value: CPU_TYPE },
            { name: 'service_name', value: 'web' },
          ],
        },
      ],
    },
  },
  {
    what: 'profile types, times as text',
    method: 'ProfileTypes',
    request: { start: '1000', end: '2000000' },
    answer: {
      profileTypes: [
        {
          ID: CPU_TYPE,
          name: 'process_cpu',
          sampleType: 'cpu',
          sampleUnit: 'nanoseconds',
          periodType: 'cpu',
          periodUnit: 'nanoseconds',
        },
      ],
    },
  },
  {
    what: "values under the filters of Grafana's app",
    method: 'LabelValues',
    request: { name: 'pod', matchers: [`{__profile_type__="${CPU_TYPE}", service_name="web"}`], ...RANGE },
    answer: { names: ['web-1'] },
  },
  {
    what: 'values of a quoted name',
    method: 'LabelValues',
    request: { name: 'host.name', matchers: ['{"host.name"=~"h.*"}'], ...RANGE },
    answer: { names: ['h1'] },
  },
  {
    what: 'values without a range',
    method: 'LabelValues',
    request: { name: 'pod' },
    answer: { names: ['web-1'] },
  },
  {
    what: 'no type of the data source',
    method: 'LabelNames',
    request: { matchers: ['a:b:c:d:e{}'], ...RANGE },
    answer: {},
  },
  {
    what: 'a flame graph, half in each spelling, with what is newer',
    method: 'SelectMergeStacktraces',
    request: {
      profile_typeID: CPU_TYPE,
      labelSelector: '{}',
      start: 1000,
      end: '2000000',
      max_nodes: 100,
      format: 'PROFILE_FORMAT_OF_TOMORROW',
      stackTraceSelector: { call_site: [{ name: 'main', note: 'new' }] },
      somethingNew: { a: [1] },
      span_selector: null,
    },
    answer: FLAME_GRAPH,
  },
  {
    what: 'a flame graph by number',
    method: 'SelectMergeStacktraces',
    request: { ...SNAKE, format: 1 },
    answer: FLAME_GRAPH,
  },
  {
    what: 'stacks by the frames on them',
    method: 'SelectMergeStacktraces',
    request: {
      ...CAMEL,
      stackTraceSelector: {
        frameFilter: { includeFunctionNames: ['main'], excludeFunctionNameRegexes: ['^id'] },
      },
    },
    answer: {
      flamegraph: {
        names: ['total', 'main', 'work'],
        levels: [
          { values: ['0', '70', '0', '0'] },
          { values: ['0', '70', '0', '1'] },
          { values: ['0', '70', '70', '2'] },
        ],
        total: '70',
        maxSelf: '70',
      },
    },
  },
  {
    what: 'functions',
    method: 'SelectMergeStacktraces',
    request: { ...CAMEL, format: 'PROFILE_FORMAT_FUNCTIONS', maxNodes: 2 },
    answer: {
      functions: {
        functions: [
          { name: 'work', self: '70', total: '70' },
          { name: 'idle', self: '30', total: '30' },
        ],
        total: '100',
        totalFunctions: '3',
      },
    },
  },
  {
    what: 'a sandwich',
    method: 'SelectMergeStacktraces',
    request: { ...CAMEL, format: 'PROFILE_FORMAT_SANDWICH', sandwichFunction: 'main', maxNodes: 100 },
    answer: {
      sandwich: {
        names: ['main', 'idle', 'work'],
        callers: { total: '100', self: '100' },
        callees: {
          total: '100',
          children: [
            { nameIndex: 1, total: '30', self: '30' },
            { nameIndex: 2, total: '70', self: '70' },
          ],
        },
        total: '100',
      },
    },
  },
  {
    what: 'a tree in base64',
    method: 'SelectMergeStacktraces',
    request: {
      ...CAMEL,
      format: 'PROFILE_FORMAT_TREE',
      profileIdSelector: ['01234567-89ab-cdef-0123-456789abcdef'],
    },
    answer: {
      tree: Buffer.from('\0\0\x01\x04main\0\x02\x04work\x46\0\x04idle\x1e\0', 'latin1').toString('base64'),
    },
  },
  {
    what: 'spans, of which there are none',
    method: 'SelectMergeSpanProfile',
    request: { ...SNAKE, span_selector: ['0123456789abcdef'] },
    answer: { flamegraph: { names: ['total'], levels: [{ values: ['0', '0', '0', '0'] }] } },
  },
  {
    what: 'a difference with itself',
    method: 'Diff',
    request: { left: SNAKE, right: CAMEL },
    answer: {
      flamegraph: {
        names: ['total', 'main', 'idle', 'work'],
        levels: [
          { values: ['0', '100', '0', '0', '100', '0', '0'] },
          { values: ['0', '100', '0', '0', '100', '0', '1'] },
          { values: ['0', '30', '30', '0', '30', '30', '2', '0', '70', '70', '0', '70', '70', '3'] },
        ],
        total: '200',
        maxSelf: '70',
        leftTicks: '100',
        rightTicks: '100',
      },
    },
  },
  {
    what: 'functions of a difference',
    method: 'Diff',
    request: { left: CAMEL, right: NOTHING, format: 'PROFILE_FORMAT_FUNCTIONS', maxNodes: 1 },
    answer: {
      functions: {
        functions: [{ name: 'work', leftSelf: '70', leftTotal: '70' }],
        leftTotal: '100',
        totalFunctions: '3',
      },
    },
  },
  {
    what: 'a time series',
    method: 'SelectSeries',
    request: { ...SNAKE, step: 1500, group_by: ['pod'], aggregation: 'TIME_SERIES_AGGREGATION_TYPE_SUM' },
    answer: {
      series: [{ labels: [{ name: 'pod', value: 'web-1' }], points: [{ value: 100, timestamp: '1501000' }] }],
    },
  },
  {
    what: 'a heatmap',
    method: 'SelectHeatmap',
    request: { ...CAMEL, step: 1500, query_type: 'HEATMAP_QUERY_TYPE_INDIVIDUAL', limit: '64' },
    answer: {
      series: [
        {
          slots: [
            {
              timestamp: '1501000',
              yMin: new Array<number>(20).fill(100),
              counts: Array.from({ length: 20 }, (_, i) => (i === 19 ? 1 : 0)),
            },
          ],
        },
      ],
    },
  },
  {
    what: 'the onboarding gate',
    method: 'GetProfileStats',
    request: {},
    answer: { dataIngested: true, oldestProfileTime: '1000000', newestProfileTime: '1000000' },
  },
  { what: 'no profile', method: 'SelectMergeProfile', request: NOTHING, answer: {} },
  {
    what: 'no flame graph',
    method: 'SelectMergeStacktraces',
    request: NOTHING,
    answer: { flamegraph: { names: ['total'], levels: [{ values: ['0', '0', '0', '0'] }] } },
  },
  {
    what: 'no graph',
    method: 'SelectMergeStacktraces',
    request: { ...NOTHING, format: 'PROFILE_FORMAT_DOT' },
    answer: {},
  },
  {
    what: 'no pprof',
    method: 'SelectMergeStacktraces',
    request: { ...NOTHING, format: 'PROFILE_FORMAT_PPROF' },
    answer: { pprof: { profile: {} } },
  },
  { what: 'no series', method: 'SelectSeries', request: { ...NOTHING, step: 15 }, answer: {} },
];

test('each request has its answer', async (t) => {
  const { http1 } = await startQuerierServer(t);
  for (const { what, method, request, answer } of PAIRS) {
    const actual = await postJson(http1, method, request);
    assert.deepEqual(actual, { status: 200, body: answer }, what);
  }
});

interface JsonProfile {
  readonly sampleType: { readonly unit: string }[];
  readonly function: { readonly name: string }[];
  readonly sample: { readonly value: string[] }[];
  readonly stringTable: string[];
  readonly period: string;
}

test("function details of Grafana's app: a profile in JSON", async (t) => {
  const { http1 } = await startQuerierServer(t);
  const { status, body } = await postJson(http1, 'SelectMergeProfile', {
    ...SNAKE,
    stackTraceSelector: { call_site: [{ name: 'main' }, { name: 'work' }] },
    maxNodes: 500,
  });
  assert.equal(status, 200);
  const profile = body as unknown as JsonProfile;
  const text = (index = '0') => profile.stringTable[Number(index)];
  assert.equal(text(profile.sampleType[0]!.unit), 'nanoseconds');
  assert.deepEqual(profile.function.map(({ name }) => text(name)).sort(), ['main', 'work']);
  assert.deepEqual(
    profile.sample.map(({ value }) => value),
    [['70']],
  );
  assert.equal(profile.period, '1000000000');
});

/** A selection as the app's own encoder writes it. */
function encodedSelection(request: ProtobufWriter): void {
  request.string(1, CPU_TYPE);
  request.string(2, '{}');
  request.int64(3, BigInt(RANGE.start));
  request.int64(4, BigInt(RANGE.end));
}

async function postBinary({ http1 }: QuerierServer, method: string, request: ProtobufWriter) {
  const bytes = new Uint8Array(request.finish());
  const answer = await post(`${http1}/querier.v1.QuerierService/${method}`, bytes, {
    'content-type': 'application/proto',
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'application/proto');
  const body = new Uint8Array(await answer.arrayBuffer());
  return body[0] === 0x1f ? gunzipSync(body) : body;
}

test('the export: protobuf in, the bytes of a pprof file out', async (t) => {
  const server = await startQuerierServer(t);
  const request = new ProtobufWriter();
  encodedSelection(request);
  request.int64(5, 16_384n);
  const { profile } = decodePprof(
    await postBinary(server, 'SelectMergeProfile', request),
    DEFAULT_DECODE_LIMITS,
  );
  assert.deepEqual([...profile.samples.values[0]!].sort(), [30n, 70n]);
  assert.equal(profile.timeUnixNanos, 2_000_000_000_000n);
});

test('a frame filter in protobuf, and fields that nobody knows', async (t) => {
  const server = await startQuerierServer(t);
  const request = new ProtobufWriter();
  encodedSelection(request);
  request.message(6, () => request.message(3, () => request.string(2, 'idle')));
  request.string(4242, 'unknown');
  const { profile } = decodePprof(
    await postBinary(server, 'SelectMergeProfile', request),
    DEFAULT_DECODE_LIMITS,
  );
  assert.deepEqual([...profile.samples.values[0]!], [70n]);
  const empty = new ProtobufWriter();
  encodedSelection(empty);
  empty.message(6, () => empty.message(3, () => empty.string(1, 'nowhere')));
  assert.equal((await postBinary(server, 'SelectMergeProfile', empty)).length, 0);
});

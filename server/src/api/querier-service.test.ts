// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fromBinary } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { fastifyConnectPlugin } from '@connectrpc/connect-fastify';
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { fastify } from 'fastify';
import { Registry } from 'prom-client';
import { ProfileTypesResponseSchema, QuerierService } from '../../gen/querier/v1/querier_pb.js';
import { StoreQuerier } from '../query/querier.ts';
import { DEFAULT_QUERY_LIMITS } from '../query/query-limits.ts';
import { LocalStore } from '../storage/local-store.ts';
import { CPU_TYPE, RecordingLog, storedProfile } from '../storage/testing/stored-profile.ts';
import { testDirectory } from '../storage/testing/test-directory.ts';
import { querierRoutes } from './querier-service.ts';

const PROFILE_ID = '0123456789abcdef0123456789abcdef';
const RANGE = { start: 1n, end: 2_000_000n };

interface Running {
  /** Speaks HTTP/1.1. */
  readonly http1: string;
  /** Speaks HTTP/2 without TLS. */
  readonly http2: string;
}

async function startServer(t: TestContext): Promise<Running> {
  const store: LocalStore = await LocalStore.open({
    dataDir: testDirectory(t, () => store.close()),
    headMaxBytes: 1 << 28,
    onStateChange: () => undefined,
    registry: new Registry(),
    log: new RecordingLog(),
  });
  const labels = { 'host.name': 'h1', pod: 'web-1' };
  await store.append('anonymous', [
    storedProfile('main;work 70\nmain;idle 30', { timeMillis: 1_000_000, labels, id: PROFILE_ID }),
  ]);
  const routes = querierRoutes(new StoreQuerier(store, DEFAULT_QUERY_LIMITS, () => 1_000_000), {
    tenantOf: (headers) => {
      const tenant = headers.get('x-scope-orgid') ?? 'anonymous';
      if (tenant === 'nobody') throw new HearthscopeError('unauthenticated', 'no org id');
      return tenant;
    },
  });
  const http1 = fastify();
  const http2 = fastify({ http2: true });
  await http1.register(fastifyConnectPlugin, { routes });
  await http2.register(fastifyConnectPlugin, { routes });
  t.after(() => Promise.all([http1.close(), http2.close()]));
  return { http1: await http1.listen({ port: 0 }), http2: await http2.listen({ port: 0 }) };
}

function post(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
}

/** What the tests look at in the JSON of answers. */
interface AnswerBody {
  readonly names: string[];
  readonly labelsSet: { labels: object[] }[];
  readonly code: string;
  readonly message: string;
}

async function postJson(url: string, method: string, body: unknown, headers?: Record<string, string>) {
  const response = await post(`${url}/querier.v1.QuerierService/${method}`, JSON.stringify(body), headers);
  return { status: response.status, body: (await response.json()) as AnswerBody };
}

type QuerierClient = Client<typeof QuerierService>;

async function checkAllMethods(client: QuerierClient): Promise<void> {
  const types = await client.profileTypes(RANGE);
  assert.equal(types.profileTypes.length, 1);
  const { ID, name, sampleType, sampleUnit, periodType, periodUnit } = types.profileTypes[0]!;
  assert.deepEqual(
    { ID, name, sampleType, sampleUnit, periodType, periodUnit },
    {
      ID: CPU_TYPE,
      name: 'process_cpu',
      sampleType: 'cpu',
      sampleUnit: 'nanoseconds',
      periodType: 'cpu',
      periodUnit: 'nanoseconds',
    },
  );
  assert.ok((await client.labelNames(RANGE)).names.includes('service_name'));
  assert.deepEqual((await client.labelValues({ ...RANGE, name: 'pod' })).names, ['web-1']);
  const series = await client.series({ ...RANGE, labelNames: ['service_name'] });
  assert.deepEqual(
    series.labelsSet.map(({ labels }) => labels[0]!.value),
    ['web'],
  );
  const selection = { ...RANGE, profileTypeID: CPU_TYPE, labelSelector: '{service_name="web"}' };
  const points = await client.selectSeries({ ...selection, step: 500, groupBy: ['pod'], exemplarType: 2 });
  const [point] = points.series[0]!.points;
  assert.deepEqual([point!.value, point!.timestamp], [100, 1_000_001n]);
  assert.equal(point!.exemplars[0]!.profileId, '01234567-89ab-cdef-0123-456789abcdef');
  const { flamegraph } = await client.selectMergeStacktraces(selection);
  assert.deepEqual(flamegraph!.names, ['total', 'main', 'idle', 'work']);
  assert.deepEqual(
    flamegraph!.levels.map(({ values }) => values),
    [
      [0n, 100n, 0n, 0n],
      [0n, 100n, 0n, 1n],
      [0n, 30n, 30n, 2n, 0n, 70n, 70n, 3n],
    ],
  );
  assert.deepEqual([flamegraph!.total, flamegraph!.maxSelf], [100n, 70n]);
  const spans = await client.selectMergeSpanProfile({ ...selection, spanSelector: ['0123456789abcdef'] });
  assert.equal(spans.flamegraph!.total, 0n);
  const stats = await client.getProfileStats({});
  assert.deepEqual([stats.dataIngested, stats.oldestProfileTime], [true, 1_000_000n]);
  const analysis = await client.analyzeQuery({ ...RANGE, query: `${CPU_TYPE}{}` });
  assert.equal(analysis.queryScopes[0]!.sampleCount, 2n);
  await assert.rejects(
    client.selectMergeStacktraces({ ...selection, labelSelector: '{' }),
    (error) =>
      error instanceof ConnectError &&
      error.code === Code.InvalidArgument &&
      /label selector/.test(error.rawMessage),
  );
  await assert.rejects(
    client.diff({}),
    (error) => error instanceof ConnectError && error.code === Code.Unimplemented,
  );
}

test('genuine clients of every protocol get the same answers', async (t) => {
  const { http1, http2 } = await startServer(t);
  const gzip = {
    acceptCompression: [compressionGzip],
    sendCompression: compressionGzip,
    compressMinBytes: 1,
  };
  const transports: Record<string, Transport> = {
    'Connect, JSON': createConnectTransport({ baseUrl: http1, httpVersion: '1.1', useBinaryFormat: false }),
    'Connect, protobuf': createConnectTransport({
      baseUrl: http1,
      httpVersion: '1.1',
      useBinaryFormat: true,
    }),
    'Connect, protobuf, gzip': createConnectTransport({
      baseUrl: http1,
      httpVersion: '1.1',
      useBinaryFormat: true,
      ...gzip,
    }),
    'Connect, HTTP/2': createConnectTransport({ baseUrl: http2, httpVersion: '2' }),
    gRPC: createGrpcTransport({ baseUrl: http2 }),
    'gRPC, gzip': createGrpcTransport({ baseUrl: http2, ...gzip }),
    'gRPC-Web': createGrpcWebTransport({ baseUrl: http1, httpVersion: '1.1' }),
  };
  for (const [name, transport] of Object.entries(transports)) {
    await t.test(name, () => checkAllMethods(createClient(QuerierService, transport)));
  }
});

test('JSON may use both spellings of names, numbers or strings, and fields and values that are newer', async (t) => {
  const { http1 } = await startServer(t);
  const { status, body } = await postJson(http1, 'SelectMergeStacktraces', {
    profile_typeID: CPU_TYPE,
    labelSelector: '{}',
    start: 1,
    end: '2000000',
    max_nodes: 100,
    format: 'PROFILE_FORMAT_SANDWICH',
    stackTraceSelector: { call_site: [{ name: 'main', note: 'new' }], frame_filter: { include: ['x'] } },
    somethingNew: { a: [1] },
  });
  assert.equal(status, 200);
  assert.deepEqual(body, {
    flamegraph: {
      names: ['total', 'main', 'idle', 'work'],
      levels: [
        { values: ['0', '100', '0', '0'] },
        { values: ['0', '100', '0', '1'] },
        { values: ['0', '30', '30', '2', '0', '70', '70', '3'] },
      ],
      total: '100',
      maxSelf: '70',
    },
  });
});

test('a type given as the name of the selector, as Grafana does, and an empty answer', async (t) => {
  const { http1 } = await startServer(t);
  const matchers = [`${CPU_TYPE}{service_name="web"}`];
  assert.deepEqual(await postJson(http1, 'LabelValues', { name: 'pod', matchers, start: 1, end: 2000000 }), {
    status: 200,
    body: { names: ['web-1'] },
  });
  // Grafana's health check.
  assert.deepEqual(await postJson(http1, 'ProfileTypes', { start: 1000, end: 4000 }), {
    status: 200,
    body: {},
  });
  assert.deepEqual(await postJson(http1, 'LabelNames', { matchers: ['{a="b"}'], start: 1, end: 9 }), {
    status: 200,
    body: {},
  });
});

test('names that are no identifiers are hidden from clients that do not ask for them', async (t) => {
  const { http1 } = await startServer(t);
  const range = { start: 1, end: 2_000_000 };
  const names = async (accept: string) =>
    (await postJson(http1, 'LabelNames', range, { accept })).body.names.includes('host.name');
  assert.equal(await names('*/*'), false);
  assert.equal(await names('*/*;allow-utf8-labelnames=true'), true);
  const request = { ...range, labelNames: ['host.name', 'pod'] };
  const series = async (accept: string) =>
    (await postJson(http1, 'Series', request, { accept })).body.labelsSet[0]!.labels.length;
  assert.equal(await series('application/json'), 1);
  assert.equal(await series('application/json; allow-utf8-labelnames=true'), 2);
  assert.deepEqual(await postJson(http1, 'LabelNames', range, { accept: 'a b' }), {
    status: 400,
    body: { code: 'invalid_argument', message: 'Invalid header format: Accept: a b' },
  });
});

test('errors have a code, a message and the status that belongs to it', async (t) => {
  const { http1 } = await startServer(t);
  const selection = { profileTypeID: CPU_TYPE, labelSelector: '{}', start: 1, end: 2_000_000 };
  const cases: readonly [
    method: string,
    body: unknown,
    status: number,
    code: string,
    headers?: Record<string, string>,
  ][] = [
    ['SelectSeries', { ...selection, start: 0, step: 1 }, 400, 'invalid_argument'],
    ['SelectSeries', selection, 400, 'invalid_argument'],
    ['SelectSeries', { ...selection, step: 1, exemplarType: 'EXEMPLAR_TYPE_SPAN' }, 501, 'unimplemented'],
    ['SelectMergeStacktraces', { ...selection, format: 'PROFILE_FORMAT_DOT' }, 501, 'unimplemented'],
    [
      'SelectMergeStacktraces',
      { ...selection, async: { type: 'ASYNC_QUERY_TYPE_FORCE' } },
      501,
      'unimplemented',
    ],
    ['SelectHeatmap', {}, 501, 'unimplemented'],
    ['SelectMergeProfile', selection, 501, 'unimplemented'],
    ['LabelValues', { start: 1, end: 2 }, 400, 'invalid_argument'],
    ['ProfileTypes', { start: 'x' }, 400, 'invalid_argument'],
    ['ProfileTypes', {}, 401, 'unauthenticated', { 'x-scope-orgid': 'nobody' }],
  ];
  for (const [method, body, status, code, headers] of cases) {
    const answer = await postJson(http1, method, body, headers);
    assert.deepEqual([answer.status, answer.body.code], [status, code], `${method} ${JSON.stringify(body)}`);
    assert.ok(answer.body.message.length > 0);
  }
});

test('requests without Connect headers, and compressed ones, are taken; other methods and types are not', async (t) => {
  const { http1 } = await startServer(t);
  const url = `${http1}/querier.v1.QuerierService/ProfileTypes`;
  const compressed = await post(url, new Uint8Array(gzipSync('{"start":1,"end":2000000}')), {
    'content-encoding': 'gzip',
  });
  assert.equal(((await compressed.json()) as { profileTypes: unknown[] }).profileTypes.length, 1);
  const binary = await post(url, Uint8Array.of(0x08, 1, 0x10, 0x80, 0x89, 0x7a), {
    'content-type': 'application/proto',
  });
  assert.equal(binary.headers.get('content-type'), 'application/proto');
  const bytes = new Uint8Array(await binary.arrayBuffer());
  const plain = bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
  assert.equal(fromBinary(ProfileTypesResponseSchema, plain).profileTypes[0]!.ID, CPU_TYPE);
  assert.equal((await fetch(url)).status, 405);
  assert.equal((await post(url, 'x', { 'content-type': 'text/plain' })).status, 415);
  assert.equal((await post(`${http1}/querier.v1.QuerierService/Nothing`, '{}')).status, 404);
});

test('a tenant sees only its own', async (t) => {
  const { http1 } = await startServer(t);
  const answer = await postJson(http1, 'GetProfileStats', {}, { 'x-scope-orgid': 'another' });
  assert.deepEqual(answer, { status: 200, body: {} });
});

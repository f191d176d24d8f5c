// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fromBinary } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import {
  type HeatmapQueryType,
  ProfileFormat,
  ProfileTypesResponseSchema,
  QuerierService,
} from '../../gen/querier/v1/querier_pb.js';
import { CPU_TYPE, storedProfile } from '../storage/testing/stored-profile.ts';
import { NOW, post, postJson, startQuerierServer, TENANT_HEADER } from './testing/querier-server.ts';

const RANGE = { start: 1n, end: 2_000_000n };

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
  assert.deepEqual(spans.flamegraph!.names, ['total']);
  assert.deepEqual(spans.flamegraph!.levels[0]!.values, [0n, 0n, 0n, 0n]);
  const pprof = await client.selectMergeProfile(selection);
  assert.deepEqual(
    pprof.sample.map(({ value }) => value[0]),
    [70n, 30n],
  );
  assert.equal(pprof.stringTable[Number(pprof.function[0]!.name)], 'work');
  const inside = await client.selectMergeStacktraces({ ...selection, format: ProfileFormat.PPROF });
  assert.deepEqual(inside.pprof!.profile, pprof);
  const tree = await client.selectMergeStacktraces({ ...selection, format: ProfileFormat.TREE });
  assert.equal(Buffer.from(tree.tree).toString('latin1').includes('work'), true);
  const dot = await client.selectMergeStacktraces({ ...selection, format: ProfileFormat.DOT });
  assert.match(dot.dot, /^digraph/);
  const diff = await client.diff({ left: selection, right: { ...selection, labelSelector: '{pod="none"}' } });
  assert.deepEqual([diff.flamegraph!.leftTicks, diff.flamegraph!.rightTicks], [100n, 0n]);
  const queryType: HeatmapQueryType = 1;
  const heatmap = await client.selectHeatmap({ ...selection, step: 500, queryType, exemplarType: 2 });
  assert.equal(heatmap.series[0]!.slots[0]!.exemplars[0]!.value, 100n);
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
    (error) => error instanceof ConnectError && error.code === Code.InvalidArgument,
  );
}

test('genuine clients of every protocol get the same answers', async (t) => {
  const { http1, http2 } = await startQuerierServer(t);
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

test('a type given as the name of the selector, as Grafana does, and an empty answer', async (t) => {
  const { http1 } = await startQuerierServer(t);
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
  const { http1 } = await startQuerierServer(t);
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
  const { http1 } = await startQuerierServer(t);
  const selection = { profileTypeID: CPU_TYPE, labelSelector: '{}', start: 1, end: 2_000_000 };
  const cases: readonly [method: string, body: unknown, status: number, code: string][] = [
    ['SelectSeries', { ...selection, start: 0, step: 1 }, 400, 'invalid_argument'],
    ['SelectSeries', selection, 400, 'invalid_argument'],
    ['SelectSeries', { ...selection, step: 1, exemplarType: 'EXEMPLAR_TYPE_SPAN' }, 501, 'unimplemented'],
    [
      'SelectMergeStacktraces',
      { ...selection, format: 'PROFILE_FORMAT_FUNCTION_TREE' },
      501,
      'unimplemented',
    ],
    ['SelectMergeStacktraces', { ...selection, format: 'PROFILE_FORMAT_SANDWICH' }, 400, 'invalid_argument'],
    [
      'SelectMergeStacktraces',
      { ...selection, async: { type: 'ASYNC_QUERY_TYPE_FORCE' } },
      501,
      'unimplemented',
    ],
    ['SelectHeatmap', { ...selection, step: 1 }, 400, 'invalid_argument'],
    ['SelectHeatmap', { ...selection, queryType: 'HEATMAP_QUERY_TYPE_SPAN' }, 400, 'invalid_argument'],
    ['SelectMergeProfile', { ...selection, labelSelector: '' }, 400, 'invalid_argument'],
    ['Diff', { left: selection }, 400, 'invalid_argument'],
    ['LabelValues', { start: 1, end: 2 }, 400, 'invalid_argument'],
    ['ProfileTypes', { start: 'x' }, 400, 'invalid_argument'],
  ];
  for (const [method, body, status, code] of cases) {
    const answer = await postJson(http1, method, body);
    assert.deepEqual([answer.status, answer.body.code], [status, code], `${method} ${JSON.stringify(body)}`);
    assert.ok(answer.body.message.length > 0);
  }
});

test('requests without Connect headers, and compressed ones, are taken; other methods and types are not', async (t) => {
  const { http1 } = await startQuerierServer(t);
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

test('a request reads the tenants that it names', async (t) => {
  const profiles = ['a', 'b'].map(
    (tenant, i) => [tenant, storedProfile(`main ${i + 1}`, { timeMillis: NOW })] as const,
  );
  const { http1 } = await startQuerierServer(t, { multitenancyEnabled: true, profiles });
  const selection = { profileTypeID: CPU_TYPE, labelSelector: '{}', start: 1, end: 2_000_000 };
  const total = async (tenants: string) => {
    const answer = await postJson(http1, 'SelectMergeStacktraces', selection, { [TENANT_HEADER]: tenants });
    return answer.body.flamegraph?.total;
  };
  assert.equal(await total('a'), '1');
  assert.equal(await total('a|b'), '3');
  assert.equal(await total('c'), undefined);
  assert.deepEqual(await postJson(http1, 'ProfileTypes', {}), {
    status: 401,
    body: { code: 'unauthenticated', message: 'no org id' },
  });
  const stats = await postJson(http1, 'GetProfileStats', {}, { [TENANT_HEADER]: 'c' });
  assert.deepEqual(stats, { status: 200, body: {} });
  assert.equal((await postJson(http1, 'GetProfileStats', {}, { [TENANT_HEADER]: 'a|b' })).status, 400);
});

test('a query may be left behind and asked for later, when that is enabled', async (t) => {
  const selection = { profileTypeID: CPU_TYPE, labelSelector: '{}', start: 1, end: 2_000_000 };
  const type = 'ASYNC_QUERY_TYPE_FORCE';
  const { http1: without } = await startQuerierServer(t);
  assert.deepEqual(await postJson(without, 'SelectMergeStacktraces', { ...selection, async: { type } }), {
    status: 501,
    body: {
      code: 'unimplemented',
      message: 'async queries are disabled (set -query-frontend.async-queries-enabled=true)',
    },
  });
  const { http1 } = await startQuerierServer(t, { asyncQueriesEnabled: true });
  const submitted = await postJson(http1, 'SelectMergeStacktraces', { ...selection, async: { type } });
  const { requestId, status } = submitted.body.async;
  assert.equal(status, 'ASYNC_QUERY_STATUS_IN_PROGRESS');
  assert.equal(submitted.body.flamegraph, undefined);
  let polled = submitted;
  while (polled.body.async.status === 'ASYNC_QUERY_STATUS_IN_PROGRESS') {
    await new Promise(setImmediate);
    polled = await postJson(http1, 'SelectMergeStacktraces', { async: { type, requestId } });
  }
  assert.deepEqual(polled.body.async, { requestId, status: 'ASYNC_QUERY_STATUS_SUCCESS' });
  assert.equal(polled.body.flamegraph.total, '100');
  const unknown = await postJson(http1, 'SelectMergeStacktraces', { async: { type, requestId: 'x' } });
  assert.deepEqual(unknown, {
    status: 404,
    body: { code: 'not_found', message: 'async query not found' },
  });
  const now = { ...selection, async: { type: 'ASYNC_QUERY_TYPE_DISABLED' } };
  const answer = await postJson(http1, 'SelectMergeStacktraces', now);
  assert.equal(answer.body.flamegraph.total, '100');
});

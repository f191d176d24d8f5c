// SPDX-License-Identifier: Apache-2.0
//
// The status of every route for good and for bad requests. Those of the query API are what Pyroscope answers (its own
// table of status codes has the same cases), but for two that a client needs: label names and values without a time range
// are those of all time.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { encodeTestRequest } from '@hearthscope/collector/testing/otlp-request';
import { type ConformanceServer, startConformanceServer } from '../harness/profiled-service.ts';
import {
  CPU,
  exportJson,
  GOOD_RANGE,
  NO_RANGE,
  pushJson,
  REVERSED_RANGE,
  type StatusCase,
  statusOf,
} from './status-case.ts';

const NOW = Date.now();
const HOUR_MILLIS = 3_600_000;
const MAX_BODY_BYTES = 1024 * 1024;
const TOO_LARGE = 'a'.repeat(MAX_BODY_BYTES + 1);

let server: ConformanceServer;

before(async () => {
  server = await startConformanceServer({ maxBodyBytes: MAX_BODY_BYTES });
  assert.equal(await statusOf(server.url, { path: '/ingest?name=shop', body: 'main;work 1\n' }), 200);
});

after(() => server[Symbol.asyncDispose]());

/** Runs one test for each route. */
function check(route: string, cases: Record<string, StatusCase & { readonly status: number }>): void {
  describe(route, () => {
    for (const [name, { status, ...given }] of Object.entries(cases)) {
      it(`${name}: ${status}`, async () =>
        assert.equal(await statusOf(server.url, { path: route, ...given }), status));
    }
  });
}

type Cases = Record<string, StatusCase & { readonly status: number }>;

/** What every call of a Connect service has: a good request for `good`, and what is no request. */
function callCases(good: object): Cases {
  const body = JSON.stringify(good);
  const json = 'application/json';
  return {
    valid: { status: 200, body, contentType: json },
    'with parameters of the content type': { status: 200, body, contentType: `${json}; charset=utf-8` },
    'with unknown fields': { status: 200, body: JSON.stringify({ ...good, newer: [1] }), contentType: json },
    'no JSON': { status: 400, body: '{"invalid json"', contentType: json },
    'empty body': { status: 400, body: '', contentType: json },
    'no protobuf': { status: 400, body: '\u000a\u007f', contentType: 'application/proto' },
    'wrong content type': { status: 415, body, contentType: 'text/plain' },
    GET: { status: 405, method: 'GET' },
    PUT: { status: 405, method: 'PUT', body, contentType: json },
    DELETE: { status: 405, method: 'DELETE', body, contentType: json },
    PATCH: { status: 405, method: 'PATCH', body, contentType: json },
  };
}

/** Requests in JSON with what they are answered. */
function jsonCases(cases: Record<string, readonly [status: number, request: object]>): Cases {
  return Object.fromEntries(
    Object.entries(cases).map(([name, [status, request]]) => [
      name,
      { status, body: JSON.stringify(request), contentType: 'application/json' },
    ]),
  );
}

/** Cases of requests that have a time range. */
function rangeCases(good: object, withoutRange: 200 | 400): Cases {
  return jsonCases({
    'no time range': [withoutRange, { ...good, ...NO_RANGE }],
    'reversed time range': [400, { ...good, ...REVERSED_RANGE }],
    'text for a time': [400, { ...good, start: 'now-1h' }],
    'negative start': [200, { ...good, start: -1, end: NOW }],
    // Cut to what is kept, and not refused.
    'beyond the longest range': [200, { ...good, start: GOOD_RANGE.end - 32 * 24 * 3_600_000 }],
    'range before all data': [200, { ...good, start: 1000, end: 4000 }],
  });
}

/** Cases of requests that select series of one profile type. */
function selectionCases(good: object): Cases {
  return jsonCases({
    'names of the protobuf file': [200, { ...good, profileTypeID: undefined, profile_typeID: CPU }],
    'other labels': [200, { ...good, labelSelector: '{service_name="none"}' }],
    'no profile type': [400, { ...good, profileTypeID: undefined }],
    'empty profile type': [400, { ...good, profileTypeID: '' }],
    'bad profile type': [400, { ...good, profileTypeID: 'invalid_format' }],
    'no selector': [400, { ...good, labelSelector: undefined }],
    'bad selector': [400, { ...good, labelSelector: '!bad_syntax!' }],
  });
}

/** Cases of requests that may ask for fewer or more nodes. */
function nodeCases(good: object): Cases {
  return jsonCases({
    'some nodes': [200, { ...good, maxNodes: 1024 }],
    'all nodes that may be asked for': [200, { ...good, maxNodes: 1_048_576 }],
    'one node more': [400, { ...good, maxNodes: 1_048_577 }],
    'negative nodes': [400, { ...good, maxNodes: -1 }],
  });
}

const QUERIER = '/querier.v1.QuerierService';
const MATCHED = { ...GOOD_RANGE, matchers: ['{service_name="shop"}'] };
const SELECTION = { ...GOOD_RANGE, profileTypeID: CPU, labelSelector: '{}' };
const badMatcher = (good: object) =>
  jsonCases({ 'bad selector': [400, { ...good, matchers: ['!bad_syntax!'] }] });

check(`${QUERIER}/ProfileTypes`, { ...callCases(GOOD_RANGE), ...rangeCases(GOOD_RANGE, 200) });
check(`${QUERIER}/LabelNames`, {
  ...callCases(MATCHED),
  ...rangeCases(MATCHED, 200),
  ...badMatcher(MATCHED),
});
const NAMED = { ...MATCHED, name: 'service_name' };
check(`${QUERIER}/LabelValues`, {
  ...callCases(NAMED),
  ...rangeCases(NAMED, 200),
  ...badMatcher(NAMED),
  ...jsonCases({
    'several selectors': [200, { ...NAMED, matchers: ['{a="b"}', '{c="d"}'] }],
    'no name': [400, MATCHED],
    'empty name': [400, { ...MATCHED, name: '' }],
  }),
});
check(`${QUERIER}/Series`, {
  ...callCases(MATCHED),
  ...rangeCases(MATCHED, 400),
  ...badMatcher(MATCHED),
  ...jsonCases({
    'no selectors': [200, GOOD_RANGE],
    'some labels': [200, { ...MATCHED, labelNames: ['service_name', 'namespace'] }],
  }),
});
check(`${QUERIER}/SelectMergeStacktraces`, {
  ...callCases(SELECTION),
  ...rangeCases(SELECTION, 400),
  ...selectionCases(SELECTION),
  ...nodeCases(SELECTION),
  ...jsonCases({
    'as a tree': [200, { ...SELECTION, format: 'PROFILE_FORMAT_TREE' }],
    'as DOT': [200, { ...SELECTION, format: 'PROFILE_FORMAT_DOT' }],
    'as pprof': [200, { ...SELECTION, format: 'PROFILE_FORMAT_PPROF' }],
    'a format of the future': [200, { ...SELECTION, format: 'PROFILE_FORMAT_OF_THE_FUTURE' }],
    'bad span id': [400, { ...SELECTION, spanSelector: ['xyz'] }],
    'asynchronous, which is off': [501, { ...SELECTION, async: { type: 'ASYNC_QUERY_TYPE_FORCE' } }],
  }),
});
const OF_SPAN = { ...SELECTION, spanSelector: ['0123456789012345'] };
check(`${QUERIER}/SelectMergeSpanProfile`, {
  ...callCases(OF_SPAN),
  ...rangeCases(OF_SPAN, 400),
  ...selectionCases(OF_SPAN),
  ...nodeCases(OF_SPAN),
});
check(`${QUERIER}/SelectMergeProfile`, {
  ...callCases(SELECTION),
  ...rangeCases(SELECTION, 400),
  ...selectionCases(SELECTION),
});
const STEPPED = { ...SELECTION, step: 15 };
check(`${QUERIER}/SelectSeries`, {
  ...callCases(STEPPED),
  ...rangeCases(STEPPED, 400),
  ...selectionCases(STEPPED),
  ...jsonCases({
    grouped: [200, { ...STEPPED, groupBy: ['service_name'] }],
    limited: [200, { ...STEPPED, limit: 10 }],
    'no step': [400, SELECTION],
    'exemplars of spans': [501, { ...STEPPED, exemplarType: 'EXEMPLAR_TYPE_SPAN' }],
  }),
});
const HEATMAP = { ...STEPPED, queryType: 'HEATMAP_QUERY_TYPE_INDIVIDUAL' };
check(`${QUERIER}/SelectHeatmap`, {
  ...callCases(HEATMAP),
  ...rangeCases(HEATMAP, 400),
  ...selectionCases(HEATMAP),
  ...jsonCases({
    'of spans': [200, { ...HEATMAP, queryType: 'HEATMAP_QUERY_TYPE_SPAN' }],
    'no kind': [400, STEPPED],
    'negative limit': [400, { ...HEATMAP, limit: -1 }],
  }),
});
const DIFF = { left: SELECTION, right: SELECTION };
check(`${QUERIER}/Diff`, {
  ...callCases(DIFF),
  ...jsonCases({
    'some nodes': [200, { left: { ...SELECTION, maxNodes: 1024 }, right: SELECTION }],
    'no left side': [400, { right: SELECTION }],
    'no right side': [400, { left: SELECTION }],
    'no profile type on the left': [400, { ...DIFF, left: { ...SELECTION, profileTypeID: undefined } }],
    'no profile type on the right': [400, { ...DIFF, right: { ...SELECTION, profileTypeID: undefined } }],
    'bad profile type on the left': [400, { ...DIFF, left: { ...SELECTION, profileTypeID: 'bad' } }],
    'bad profile type on the right': [400, { ...DIFF, right: { ...SELECTION, profileTypeID: 'bad' } }],
    'no selector on the left': [400, { ...DIFF, left: { ...SELECTION, labelSelector: undefined } }],
    'no selector on the right': [400, { ...DIFF, right: { ...SELECTION, labelSelector: undefined } }],
    'reversed range on the right': [400, { ...DIFF, right: { ...SELECTION, ...REVERSED_RANGE } }],
  }),
});
check(`${QUERIER}/GetProfileStats`, callCases({}));
const ANALYZED = { ...GOOD_RANGE, query: `${CPU}{}` };
check(`${QUERIER}/AnalyzeQuery`, callCases(ANALYZED));
check(`${QUERIER}/NoSuchMethod`, {
  call: { status: 404, body: '{}', contentType: 'application/json' },
});

const FROM = { from: 'now-15m', until: 'now' };
const QUERY = `${CPU}{service_name="shop"}`;
const render = (status: number, parameters: Record<string, string>, method = 'GET') => ({
  status,
  method,
  query: parameters,
});
const wrongMethods = (parameters: Record<string, string>) =>
  Object.fromEntries(
    ['POST', 'PUT', 'DELETE', 'PATCH'].map((method) => [method, render(405, parameters, method)]),
  );

const RENDER = { query: QUERY, ...FROM };
check('/pyroscope/render', {
  valid: render(200, RENDER),
  'as DOT': render(200, { ...RENDER, format: 'dot' }),
  'as DOT, few nodes': render(200, { ...RENDER, format: 'dot', maxNodes: '50' }),
  'as DOT, few nodes, with a hyphen': render(200, { ...RENDER, format: 'dot', 'max-nodes': '50' }),
  grouped: render(200, { ...RENDER, groupBy: 'service_name' }),
  sum: render(200, { ...RENDER, aggregation: 'sum' }),
  average: render(200, { ...RENDER, aggregation: 'avg' }),
  'no such aggregation': render(200, { ...RENDER, aggregation: 'invalid' }),
  'some nodes': render(200, { ...RENDER, maxNodes: '1024' }),
  'some nodes, with a hyphen': render(200, { ...RENDER, 'max-nodes': '1024' }),
  'no nodes': render(200, { ...RENDER, maxNodes: '0' }),
  'nodes that are no number': render(200, { ...RENDER, maxNodes: 'invalid' }),
  'everything at once': render(200, {
    ...RENDER,
    groupBy: 'service_name',
    aggregation: 'sum',
    maxNodes: '512',
  }),
  'no time at all': render(400, { ...RENDER, from: '0', until: '0' }),
  'no start': render(400, { ...RENDER, from: '0' }),
  'no end': render(400, { ...RENDER, until: '0' }),
  'no end, as DOT': render(400, { ...RENDER, from: '0', until: '0', format: 'dot' }),
  reversed: render(400, { ...RENDER, from: 'now', until: 'now-15m' }),
  'no query': render(400, FROM),
  'empty query': render(400, { ...RENDER, query: '' }),
  'bad query': render(400, { ...RENDER, query: 'bad_query' }),
  'no profile type': render(400, { ...RENDER, query: '{service_name="test"}' }),
  'bad profile type': render(400, { ...RENDER, query: 'invalid_format{service_name="test"}' }),
  ...wrongMethods(RENDER),
});

const sides = (left: Record<string, string>, right: Record<string, string>) =>
  Object.fromEntries([
    ...Object.entries(left).map(([name, value]) => [`left${name}`, value]),
    ...Object.entries(right).map(([name, value]) => [`right${name}`, value]),
  ]);
const SIDE = { Query: QUERY, From: 'now-15m', Until: 'now' };
const EARLIER = { Query: QUERY, From: 'now-30m', Until: 'now-15m' };
const { Query: _, ...NO_QUERY } = SIDE;
const badSides: Cases = Object.fromEntries(
  Object.entries({
    'no query': NO_QUERY,
    'empty query': { ...SIDE, Query: '' },
    'bad query': { ...SIDE, Query: 'bad_query' },
    'no profile type': { ...SIDE, Query: '{service_name="test"}' },
    'bad profile type': { ...SIDE, Query: 'invalid_format{service_name="test"}' },
    'no start': { ...SIDE, From: '0' },
    'no end': { ...SIDE, Until: '0' },
  }).flatMap(([name, bad]) => [
    [`${name} on the left`, render(400, sides(bad as Record<string, string>, SIDE))],
    [`${name} on the right`, render(400, sides(SIDE, bad as Record<string, string>))],
  ]),
);
check('/pyroscope/render-diff', {
  valid: render(200, sides(EARLIER, SIDE)),
  'the same twice': render(200, sides(SIDE, SIDE)),
  ...badSides,
  'two profile types': render(
    400,
    sides(SIDE, { ...SIDE, Query: 'memory:alloc_objects:count:space:bytes{service_name="shop"}' }),
  ),
  'no time at all': render(
    400,
    sides({ ...SIDE, From: '0', Until: '0' }, { ...SIDE, From: '0', Until: '0' }),
  ),
  ...wrongMethods(sides(SIDE, SIDE)),
});
check('/pyroscope/label-values', {
  valid: render(200, { label: '__name__' }),
  'no label': render(400, {}),
  ...wrongMethods({ label: '__name__' }),
});

const text = (status: number, body: string, query: Record<string, string>) => ({ status, body, query });
for (const route of ['/ingest', '/pyroscope/ingest']) {
  const [name, nowSeconds] = ['shop', Math.floor(Date.now() / 1000)];
  const at = (from: number) => ({ name, from: String(from), until: String(from + 10) });
  check(route, {
    text: text(200, 'main;work 1\n', { name }),
    'text, one line a sample': text(200, 'main;work\n', { name, format: 'lines' }),
    labelled: text(200, 'main;work 1\n', { name: 'shop{region=eu}' }),
    'no name': text(400, 'main;work 1\n', {}),
    'bad name': text(400, 'main;work 1\n', { name: 'sh op' }),
    'bad sample rate': text(200, 'main;work 1\n', { name, sampleRate: '-1' }),
    'unknown profile type': text(400, 'main;work 1\n', { name: 'shop.unheard_of' }),
    'no pprof': text(422, 'no pprof', { name, format: 'pprof' }),
    'no JFR': text(422, 'no JFR', { name, format: 'jfr' }),
    'no speedscope': text(422, 'no speedscope', { name, format: 'speedscope' }),
    'no multipart': { ...text(422, 'x', { name }), contentType: 'multipart/form-data; boundary=x' },
    'too old': text(422, 'main;work 1\n', at(nowSeconds - 3 * 3600)),
    'too new': text(422, 'main;work 1\n', at(nowSeconds + 3600)),
    'too large': text(413, TOO_LARGE, { name }),
    'packed in an unknown way': { ...text(415, 'x', { name }), headers: { 'content-encoding': 'br' } },
    GET: { status: 405, method: 'GET' },
    PUT: { status: 405, method: 'PUT', body: 'x' },
  });
}

check('/push.v1.PusherService/Push', {
  ...callCases(pushJson({})),
  ...jsonCases({
    nothing: [400, {}],
    'no labels': [400, pushJson({ labels: [] })],
    'no name': [400, pushJson({ labels: [{ name: 'service_name', value: 'a' }] })],
    'no service': [200, pushJson({ labels: [{ name: '__name__', value: 'process_cpu' }] })],
    'labels twice': [
      400,
      pushJson({
        labels: [
          { name: '__name__', value: 'process_cpu' },
          { name: 'a', value: '1' },
          { name: 'a', value: '2' },
        ],
      }),
    ],
    'no pprof': [400, pushJson({ profile: Buffer.from('no pprof') })],
    'too old': [400, pushJson({ timeMillis: NOW - 3 * HOUR_MILLIS })],
    'too new': [400, pushJson({ timeMillis: NOW + HOUR_MILLIS })],
    'no time': [200, pushJson({ timeMillis: 0 })],
  }),
  'too large': { status: 413, body: TOO_LARGE, contentType: 'application/json' },
});

const OTLP = encodeTestRequest([
  {
    resource: { 'service.name': 'otlp' },
    timeUnixNanos: BigInt(NOW) * 1_000_000n,
    samples: [{ stack: ['main'], value: 1 }],
  },
]);
const OLD_OTLP = encodeTestRequest([
  {
    resource: { 'service.name': 'otlp' },
    timeUnixNanos: BigInt(NOW - 3 * HOUR_MILLIS) * 1_000_000n,
    samples: [{ stack: ['main'], value: 1 }],
  },
]);
const PROTOBUF = 'application/x-protobuf';
check('/v1development/profiles', {
  protobuf: { status: 200, body: OTLP, contentType: PROTOBUF },
  'the other name of protobuf': { status: 200, body: OTLP, contentType: 'application/protobuf' },
  JSON: { status: 200, body: exportJson(NOW), contentType: 'application/json' },
  'no protobuf': { status: 400, body: '\u000a\u007f', contentType: PROTOBUF },
  'no JSON': { status: 400, body: '{', contentType: 'application/json' },
  'too old': { status: 400, body: OLD_OTLP, contentType: PROTOBUF },
  'too large': { status: 413, body: TOO_LARGE, contentType: PROTOBUF },
  'wrong content type': { status: 415, body: OTLP, contentType: 'text/plain' },
  'no gzip': { status: 400, body: OTLP, contentType: PROTOBUF, headers: { 'content-encoding': 'gzip' } },
  GET: { status: 405, method: 'GET' },
});

check('/settings.v1.SettingsService/Get', callCases({}));
check('/settings.v1.SettingsService/Set', callCases({ setting: { name: 'a', value: 'b' } }));
check('/capabilities.v1.FeatureFlagsService/GetFeatureFlags', callCases({}));
check('/version.v1.Version/Version', callCases({}));
check('/adhocprofiles.v1.AdHocProfileService/List', callCases({}));
check(
  '/adhocprofiles.v1.AdHocProfileService/Get',
  jsonCases({ 'bad id': [400, { id: '../a' }], 'no id': [400, {}] }),
);
check('/settings.v1.RecordingRulesService/ListRecordingRules', jsonCases({ 'which is off': [501, {}] }));
check('/debuginfo.v1alpha1.DebuginfoService/ListDebuginfo', callCases({}));

const page = (status: number, method = 'GET') => ({ status, method });
for (const route of ['/ready', '/metrics', '/api/v1/status/buildinfo']) {
  check(route, { GET: page(200), HEAD: page(200, 'HEAD'), POST: page(405, 'POST') });
}
check('/nothing', { GET: page(404), POST: page(404, 'POST') });

describe('with tenants', () => {
  const json = 'application/json';
  const routes: Record<string, StatusCase> = {
    '/ingest?name=shop': { body: 'main;work 1\n' },
    '/push.v1.PusherService/Push': { body: JSON.stringify(pushJson({})), contentType: json },
    '/v1development/profiles': { body: OTLP, contentType: PROTOBUF },
    [`${QUERIER}/ProfileTypes`]: { body: JSON.stringify(GOOD_RANGE), contentType: json },
    [`${QUERIER}/LabelNames`]: { body: JSON.stringify(MATCHED), contentType: json },
    [`${QUERIER}/LabelValues`]: { body: JSON.stringify(NAMED), contentType: json },
    [`${QUERIER}/Series`]: { body: JSON.stringify(MATCHED), contentType: json },
    [`${QUERIER}/SelectMergeStacktraces`]: { body: JSON.stringify(SELECTION), contentType: json },
    [`${QUERIER}/SelectMergeProfile`]: { body: JSON.stringify(SELECTION), contentType: json },
    [`${QUERIER}/SelectMergeSpanProfile`]: { body: JSON.stringify(OF_SPAN), contentType: json },
    [`${QUERIER}/SelectSeries`]: { body: JSON.stringify(STEPPED), contentType: json },
    [`${QUERIER}/SelectHeatmap`]: { body: JSON.stringify(HEATMAP), contentType: json },
    [`${QUERIER}/Diff`]: { body: JSON.stringify(DIFF), contentType: json },
    [`${QUERIER}/GetProfileStats`]: { body: '{}', contentType: json },
    [`${QUERIER}/AnalyzeQuery`]: { body: JSON.stringify(ANALYZED), contentType: json },
    '/pyroscope/render': { method: 'GET', query: RENDER },
    '/pyroscope/render-diff': { method: 'GET', query: sides(SIDE, SIDE) },
    '/settings.v1.SettingsService/Get': { body: '{}', contentType: json },
    '/adhocprofiles.v1.AdHocProfileService/List': { body: '{}', contentType: json },
    '/debuginfo.v1alpha1.DebuginfoService/ListDebuginfo': { body: '{}', contentType: json },
  };
  let tenants: ConformanceServer;

  before(async () => {
    tenants = await startConformanceServer({ multitenancyEnabled: true });
  });

  after(() => tenants[Symbol.asyncDispose]());

  for (const [path, given] of Object.entries(routes)) {
    it(`${path} needs one`, async () => {
      assert.equal(await statusOf(tenants.url, { path, ...given }), 401, 'none');
      const withTenant = (id: string) => ({ path, ...given, headers: { 'x-scope-orgid': id } });
      assert.equal(await statusOf(tenants.url, withTenant('team-a')), 200, 'one');
      assert.equal(await statusOf(tenants.url, withTenant('../a')), 400, 'one that is no name');
    });
  }
});

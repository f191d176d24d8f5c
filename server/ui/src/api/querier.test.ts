// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { connectCall } from './connect.ts';
import { createQuerier } from './querier.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const window = { startMillis: 1_790_000_000_000, endMillis: 1_790_000_060_000 };
const selection = { ...window, profileTypeId: CPU, labelSelector: '{}' };
const signal = new AbortController().signal;

/** What the server was last asked, and what it says. */
let asked: { url: string | undefined; body: unknown };
let answer: { status: number; body: string };
const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  asked = { url: request.url, body: JSON.parse(body) };
  response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
});
const says = (status: number, body: unknown) => {
  answer = { status, body: typeof body === 'string' ? body : JSON.stringify(body) };
};

before(() => new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening)));
after(() => server.close());
const baseUrl = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/behind/a/proxy/`;
const querier = () => createQuerier(connectCall(baseUrl()));

test('the catalogue is the label sets of Series; a label that is not there is empty', async () => {
  says(200, {
    labelsSet: [
      {
        labels: [
          { name: '__profile_type__', value: CPU },
          { name: 'service_name', value: 'web' },
        ],
      },
      { labels: [{ name: '__profile_type__', value: CPU }] },
    ],
  });
  assert.deepEqual(await querier().catalogue(window, signal), [
    { service: 'web', profileTypeId: CPU },
    { service: '', profileTypeId: CPU },
  ]);
  assert.deepEqual(asked, {
    url: '/behind/a/proxy/querier.v1.QuerierService/Series',
    body: {
      start: window.startMillis,
      end: window.endMillis,
      labelNames: ['service_name', '__profile_type__'],
      matchers: [],
    },
  });
});

test('points are numbers, and fields that proto3 JSON leaves out are zero', async () => {
  says(200, {
    series: [{ points: [{ value: 5, timestamp: '1790000000000' }, { timestamp: '1790000010000' }] }],
  });
  assert.deepEqual(await querier().series(selection, 10_000, signal), [
    { timestampMillis: 1_790_000_000_000, value: 5 },
    { timestampMillis: 1_790_000_010_000, value: 0 },
  ]);
  assert.equal((asked.body as { step: number }).step, 10);
});

test('nothing is an empty answer', async () => {
  says(200, {});
  assert.deepEqual(await querier().catalogue(window, signal), []);
  assert.deepEqual(await querier().series(selection, 10_000, signal), []);
  assert.deepEqual(await querier().flameGraph(selection, signal), { names: [], levels: [] });
});

test('an error of the server comes with its code and message', async () => {
  says(400, { code: 'invalid_argument', message: 'bad selector' });
  await assert.rejects(querier().flameGraph(selection, signal), {
    code: 'invalid_argument',
    message: 'bad selector',
  });
});

test('an error page of a proxy is told by its status, and a proxy without its server is unavailable', async () => {
  says(502, '<html>');
  await assert.rejects(querier().flameGraph(selection, signal), { code: 'unavailable', message: /HTTP 502/ });
  says(404, '<html>');
  await assert.rejects(querier().flameGraph(selection, signal), { code: 'internal', message: /HTTP 404/ });
});

test('an answer of another shape is said to be one', async () => {
  const cases: [unknown, RegExp][] = [
    ['not json', /not understood/],
    ['null', /no object to read "flamegraph"/],
    [{ flamegraph: { names: 'x' } }, /"names" is not a list/],
    [{ flamegraph: { names: [1] } }, /"names" is not a list of texts/],
    [{ flamegraph: { names: ['total'], levels: [7] } }, /no object to read "values"/],
  ];
  for (const [body, message] of cases) {
    says(200, body);
    await assert.rejects(querier().flameGraph(selection, signal), { code: 'internal', message });
  }
});

test('a server that is not there is unavailable, and a call given up is canceled', async () => {
  const controller = new AbortController();
  controller.abort();
  says(200, {});
  await assert.rejects(querier().catalogue(window, controller.signal), { code: 'canceled' });
  const nobody = createQuerier(connectCall('http://127.0.0.1:1/'));
  await assert.rejects(nobody.catalogue(window, signal), { code: 'unavailable' });
});

test('a comparison asks for both sides, and its answer has seven values a node', async () => {
  const flamegraph = { names: ['total'], levels: [{ values: ['0', '5', '5', '0', '7', '7', '0'] }] };
  says(200, { flamegraph });
  const baseline = { ...selection, labelSelector: '{a="b"}' };
  assert.deepEqual(await querier().diff(baseline, selection, signal), flamegraph);
  const fields = { profileTypeID: CPU, start: window.startMillis, end: window.endMillis, maxNodes: 16_384 };
  assert.deepEqual(asked, {
    url: '/behind/a/proxy/querier.v1.QuerierService/Diff',
    body: { left: { ...fields, labelSelector: '{a="b"}' }, right: { ...fields, labelSelector: '{}' } },
  });
});

test('one profile or one span is selected by its id', async () => {
  says(200, {});
  await querier().flameGraph({ ...selection, single: { kind: 'profile', id: 'p' } }, signal);
  assert.deepEqual((asked.body as { profileIdSelector: string[] }).profileIdSelector, ['p']);
  await querier().flameGraph({ ...selection, single: { kind: 'span', id: 's' } }, signal, 7);
  const { spanSelector, maxNodes } = asked.body as { spanSelector: string[]; maxNodes: number };
  assert.deepEqual([spanSelector, maxNodes], [['s'], 7]);
});

test('a heat map is asked for with its exemplars', async () => {
  const slot = {
    timestamp: '1790000010000',
    yMin: [0, 5],
    counts: [0, 2],
    exemplars: [{ timestamp: '1790000009000', value: '8', spanId: 's' }],
  };
  says(200, { series: [{ slots: [slot] }] });
  assert.deepEqual(await querier().heatmap(selection, 'spans', 10_000, signal), [
    {
      timestampMillis: 1_790_000_010_000,
      bucketStarts: [0, 5],
      counts: [0, 2],
      exemplars: [{ timestampMillis: 1_790_000_009_000, value: 8, profileId: '', spanId: 's' }],
    },
  ]);
  const { step, queryType, exemplarType } = asked.body as Record<string, unknown>;
  assert.deepEqual([step, queryType, exemplarType], [10, 'HEATMAP_QUERY_TYPE_SPAN', 'EXEMPLAR_TYPE_SPAN']);
});

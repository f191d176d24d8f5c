// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Fetch, FetchBody } from './connect.ts';
import { createExports, fileName, formatsOf } from './exports.ts';
import { createQuerier, type ProfileSelection } from './querier.ts';

const signal = new AbortController().signal;
const selection: ProfileSelection = {
  profileTypeId: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
  labelSelector: '{a="b"}',
  startMillis: 1_790_000_000_000,
  endMillis: 1_790_000_060_000,
};

function exporting(bytes: Uint8Array<ArrayBuffer>, graph: object = {}) {
  const asked: { path: string; body: FetchBody | undefined }[] = [];
  const fetch: Fetch = async (path, _signal, body) => {
    asked.push({ path, body });
    return bytes.buffer;
  };
  const querier = createQuerier(async () => graph);
  return { exports: createExports(querier, fetch), asked };
}

test('pprof is asked for in protobuf and given in gzip', async () => {
  const { exports, asked } = exporting(Uint8Array.of(1, 2, 3));
  const single = { kind: 'profile', id: 'id' } as const;
  const file = await exports.profile({ ...selection, single }, 'pprof', signal);
  assert.equal(file.name, 'cpu-2026-09-21T14-14-20.pb.gz');
  assert.deepEqual([...gunzipSync(await file.content.arrayBuffer())], [1, 2, 3]);
  const [{ path, body }] = asked as [(typeof asked)[0]];
  assert.equal(path, 'querier.v1.QuerierService/SelectMergeProfile');
  assert.equal(body?.contentType, 'application/proto');
  // Fields 1, 2 and 7 are text, 3 and 4 the range.
  const text = Buffer.from(body!.bytes).toString('latin1');
  assert.ok(text.startsWith(`\x0a\x2b${selection.profileTypeId}\x12\x07{a="b"}\x18`));
  assert.ok(text.endsWith('\x3a\x02id'));
});

test('flamebearer JSON and DOT come from the plain endpoints', async () => {
  const { exports, asked } = exporting(new TextEncoder().encode('x'));
  const json = await exports.profile(selection, 'flamebearer', signal);
  const dot = await exports.profile(selection, 'dot', signal);
  const diff = await exports.diff({ ...selection, startMillis: 5 }, selection, signal);
  assert.equal(await json.content.text(), 'x');
  assert.deepEqual(
    [json, dot, diff].map(({ name }) => name.slice('cpu-2026-09-21T14-14-20'.length)),
    ['.json', '.dot', '-diff.json'],
  );
  const queries = asked.map(({ path }) => new URL(path, 'http://x/'));
  assert.deepEqual(
    queries.map(({ pathname }) => pathname),
    ['/pyroscope/render', '/pyroscope/render', '/pyroscope/render-diff'],
  );
  const query = `${selection.profileTypeId}{a="b"}`;
  const [first, second, third] = queries.map(({ searchParams }) => Object.fromEntries(searchParams));
  assert.deepEqual(first, { query, from: '1790000000000', until: '1790000060000', 'max-nodes': '16384' });
  assert.equal(second?.format, 'dot');
  assert.deepEqual([third?.leftQuery, third?.leftFrom, third?.rightFrom], [query, '5', '1790000000000']);
});

test('collapsed stacks are of the flame graph', async () => {
  const flamegraph = {
    names: ['total', 'main'],
    levels: [{ values: ['0', '5', '0', '0'] }, { values: ['0', '5', '5', '1'] }],
  };
  const { exports } = exporting(new Uint8Array(), { flamegraph });
  const file = await exports.profile(selection, 'collapsed', signal);
  assert.equal(await file.content.text(), 'main 5\n');
});

test('of one profile or span there are the formats that can be asked for', () => {
  assert.deepEqual(formatsOf(selection), ['pprof', 'flamebearer', 'dot', 'collapsed']);
  assert.deepEqual(formatsOf({ ...selection, single: { kind: 'profile', id: 'x' } }), ['pprof', 'collapsed']);
  assert.deepEqual(formatsOf({ ...selection, single: { kind: 'span', id: 'x' } }), ['collapsed']);
});

test('a file name has no character of a path', () => {
  assert.match(fileName({ ...selection, profileTypeId: 'x:a/../b:c:d:e' }), /^a_\.\._b-/);
  assert.match(fileName({ ...selection, profileTypeId: '' }), /^profile-/);
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAdhocFiles } from './adhoc.ts';
import type { Call } from './connect.ts';

const signal = new AbortController().signal;
const flamebearer = JSON.stringify({
  flamebearer: { names: ['total'], levels: [[0, 5, 5, 0]], numTicks: 5, maxSelf: 5 },
  metadata: { format: 'single', units: 'samples', sampleRate: 100, name: 'cpu' },
});

/** Answers everything alike, and keeps what it was asked. */
function answering(answer: unknown) {
  const asked: { method: string; request: object }[] = [];
  const call: Call = async (method, request) => {
    asked.push({ method, request });
    return answer;
  };
  return { files: createAdhocFiles(call), asked };
}

test('a file is uploaded and known by its id', async () => {
  const { files, asked } = answering({ id: 'i', name: 'a.pb', uploadedAt: '1790000000000' });
  assert.deepEqual(await files.upload('a.pb', 'AAAA', signal), {
    id: 'i',
    name: 'a.pb',
    uploadedAtMillis: 1_790_000_000_000,
  });
  assert.deepEqual(asked, [
    {
      method: 'adhocprofiles.v1.AdHocProfileService/Upload',
      request: { name: 'a.pb', profile: 'AAAA', maxNodes: 1 },
    },
  ]);
});

test('the files that were uploaded are listed', async () => {
  assert.deepEqual(await answering({}).files.list(signal), []);
  const [file] = await answering({ profiles: [{ id: 'i', name: 'n' }] }).files.list(signal);
  assert.deepEqual(file, { id: 'i', name: 'n', uploadedAtMillis: 0 });
});

test('a file, or two that are compared, come as flamebearer JSON', async () => {
  const { files, asked } = answering({ profileTypes: ['cpu', 'wall'], flamebearerProfile: flamebearer });
  assert.deepEqual(await files.get('i', 'cpu', signal), {
    profileTypes: ['cpu', 'wall'],
    metadata: { name: 'cpu', units: 'samples', sampleRate: 100 },
    graph: { names: ['total'], levels: [{ values: [0, 5, 5, 0] }] },
    isDiff: false,
    flamebearer,
  });
  assert.deepEqual(asked[0]?.request, { id: 'i', profileType: 'cpu', maxNodes: 16_384 });
  await files.diff('base', 'i', '', signal);
  assert.deepEqual(asked[1]?.request, { leftId: 'base', rightId: 'i', maxNodes: 16_384 });
});

test('an answer of another shape is said to be one', async () => {
  const cases: [string, RegExp][] = [
    ['', /its flame graph is not JSON/],
    ['{}', /no object to read "names"|no object to read/],
    [flamebearer.replace('[[0,5,5,0]]', '[7]'), /a level is not a list/],
    [flamebearer.replace('"total"', '1'), /"names" is not a list of texts/],
  ];
  for (const [text, message] of cases) {
    await assert.rejects(answering({ flamebearerProfile: text }).files.get('i', '', signal), {
      code: 'internal',
      message,
    });
  }
});

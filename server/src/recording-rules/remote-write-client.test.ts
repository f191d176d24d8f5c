// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelSet } from '@hearthscope/profile/labels';
import { RemoteWriteClient } from './remote-write-client.ts';
import { encodeWriteRequest } from './remote-write-message.ts';
import { RemoteWriteReceiver } from './testing/remote-write-receiver.ts';

const BODY = encodeWriteRequest(
  [
    { labels: labelSet([{ name: '__name__', value: 'profiles_recorded_a' }]), value: 2 ** 53 },
    {
      labels: labelSet([
        { name: 'service_name', value: 'gärtner' },
        { name: '__name__', value: 'profiles_recorded_a' },
      ]),
      value: 0.5,
    },
  ],
  1_767_225_600_123,
);

function clientOf(url: string, requestTimeoutMillis = 5000): RemoteWriteClient {
  const headers = { Authorization: 'Bearer secret', 'content-type': 'text/plain' };
  return new RemoteWriteClient({ url, headers, requestTimeoutMillis, attempts: 3, firstRetryMillis: 1 });
}

const NEVER = new AbortController().signal;

test('what is sent is what a receiver of the protocol reads', async (t) => {
  const receiver = await RemoteWriteReceiver.start(t);
  assert.deepEqual(await clientOf(receiver.url).send('tenant-a', BODY, NEVER), { result: 'sent' });
  assert.deepEqual(receiver.samples, [
    {
      labels: { __name__: 'profiles_recorded_a', service_name: 'gärtner' },
      timestampMillis: 1_767_225_600_123,
      value: 0.5,
    },
    { labels: { __name__: 'profiles_recorded_a' }, timestampMillis: 1_767_225_600_123, value: 2 ** 53 },
  ]);
  const [headers] = receiver.headers;
  assert.equal(headers?.['content-type'], 'application/x-protobuf');
  assert.equal(headers['content-encoding'], 'snappy');
  assert.equal(headers['x-prometheus-remote-write-version'], '0.1.0');
  assert.equal(headers['user-agent'], 'pyroscope-metrics-exporter');
  assert.equal(headers['x-scope-orgid'], 'tenant-a');
  assert.equal(headers.authorization, 'Bearer secret');
});

test('what may pass is tried again, what will not is not', async (t) => {
  const receiver = await RemoteWriteReceiver.start(t);
  const client = clientOf(receiver.url);
  const attemptsOf = async (...answers: number[]) => {
    receiver.answers.length = 0;
    receiver.answers.push(...answers);
    const before = receiver.headers.length;
    const { result } = await client.send('a', BODY, NEVER);
    return [result, receiver.headers.length - before];
  };
  assert.deepEqual(await attemptsOf(500, 429), ['sent', 3]);
  assert.deepEqual(await attemptsOf(503, 503, 503), ['server_error', 3]);
  assert.deepEqual(await attemptsOf(429, 429, 429), ['throttled', 3]);
  assert.deepEqual(await attemptsOf(400), ['rejected', 1]);
  assert.deepEqual(await attemptsOf(302), ['rejected', 1]);
});

test('a receiver that is not there, and one that never answers', async (t) => {
  const gone = await clientOf('http://127.0.0.1:1/').send('a', BODY, NEVER);
  assert.equal(gone.result, 'unreachable');
  const { createServer } = await import('node:net');
  const silent = createServer().listen(0, '127.0.0.1');
  t.after(() => silent.close());
  await new Promise((resolve) => silent.once('listening', resolve));
  const { port } = silent.address() as { port: number };
  const late = await clientOf(`http://127.0.0.1:${port}/`, 20).send('a', BODY, NEVER);
  assert.equal(late.result, 'unreachable');
  const stopping = AbortSignal.abort();
  assert.equal((await clientOf(`http://127.0.0.1:${port}/`).send('a', BODY, stopping)).result, 'unreachable');
});

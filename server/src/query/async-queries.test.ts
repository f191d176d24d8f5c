// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { Registry } from 'prom-client';
import { AsyncQueries, type AsyncQueryLimits } from './async-queries.ts';

const TENANT = ['a'];

function asyncQueries(limits: Partial<AsyncQueryLimits> = {}, maxConcurrent = 2) {
  const clock = { millis: 1000 };
  const registry = new Registry();
  const queries = new AsyncQueries<string>({
    maxConcurrent: (tenant) => (tenant === 'none' ? 0 : maxConcurrent),
    sizeOf: (answer) => answer.length,
    now: () => clock.millis,
    limits,
    registry,
  });
  return { queries, clock, registry };
}

const refusal = (code: string, message: string) => (error: unknown) =>
  error instanceof HearthscopeError && error.code === code && error.message === message;

const NOT_FOUND = refusal('not_found', 'async query not found');

test('a query is in progress, then it has an answer or a failure', async () => {
  const { queries } = asyncQueries();
  const answer = Promise.withResolvers<string>();
  const id = queries.submit(TENANT, () => answer.promise);
  assert.match(id, /^[0-9a-f]{8}-/);
  assert.deepEqual(queries.poll(TENANT, id), { status: 'in_progress' });
  answer.resolve('done');
  await new Promise(setImmediate);
  assert.deepEqual(queries.poll(TENANT, id), { status: 'success', answer: 'done' });
  const failing = queries.submit(TENANT, async () => {
    throw new HearthscopeError('invalid_argument', 'a bad selector');
  });
  const defective = queries.submit(TENANT, async () => {
    throw new TypeError('secret');
  });
  await new Promise(setImmediate);
  assert.deepEqual(queries.poll(TENANT, failing), { status: 'failure', message: 'a bad selector' });
  assert.deepEqual(queries.poll(TENANT, defective), { status: 'failure', message: 'internal error' });
});

test('only those who may read the same tenants find it', async () => {
  const { queries } = asyncQueries();
  const id = queries.submit(['a', 'b'], async () => 'x');
  await new Promise(setImmediate);
  assert.equal(queries.poll(['a', 'b'], id).status, 'success');
  assert.throws(() => queries.poll(['a'], id), NOT_FOUND);
  assert.throws(() => queries.poll(['a', 'b'], 'unknown'), NOT_FOUND);
});

test('so many run at a time for a tenant', async () => {
  const { queries, registry } = asyncQueries();
  const pending = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  for (const { promise } of pending) queries.submit(TENANT, () => promise);
  assert.throws(
    () => queries.submit(TENANT, async () => 'x'),
    refusal('resource_exhausted', 'tenant a has reached the maximum number of concurrent async queries (2)'),
  );
  assert.match(await registry.metrics(), /pyroscope_async_queries_in_progress\{tenant="a"\} 2/);
  queries.submit(['b'], async () => 'x');
  pending[0]!.resolve('');
  await new Promise(setImmediate);
  queries.submit(TENANT, async () => 'x');
  assert.throws(
    () => queries.submit(['none'], async () => 'x'),
    refusal('resource_exhausted', 'async queries are disabled for tenant none'),
  );
  pending[1]!.resolve('');
  await queries.close();
  assert.match(await registry.metrics(), /pyroscope_async_queries_in_progress\{tenant="a"\} 0/);
});

test('answers are kept for a while, so many, and so many bytes', async () => {
  const { queries, clock, registry } = asyncQueries({ resultMillis: 100, maxResults: 2, maxResultBytes: 10 });
  const answered = async (text: string) => {
    const id = queries.submit(TENANT, async () => text);
    await new Promise(setImmediate);
    return id;
  };
  const isKept = (id: string) => {
    try {
      return queries.poll(TENANT, id).status === 'success';
    } catch {
      return false;
    }
  };
  const first = await answered('1');
  clock.millis += 100;
  assert.ok(isKept(first));
  clock.millis += 1;
  assert.ok(!isKept(first), 'expired');
  const ids = [await answered('1'), await answered('2'), await answered('3')];
  assert.deepEqual(ids.map(isKept), [false, true, true], 'too many');
  const large = [await answered('0123456789'), await answered('x')];
  assert.deepEqual(large.map(isKept), [false, true], 'too large');
  const metrics = await registry.metrics();
  for (const reason of ['expired', 'too_many', 'too_large']) {
    assert.match(
      metrics,
      new RegExp(`hearthscope_async_query_results_dropped_total\\{reason="${reason}"\\} [1-9]`),
    );
  }
});

test('the end of the server gives queries up', async () => {
  const { queries } = asyncQueries();
  let isAborted = false;
  queries.submit(
    TENANT,
    (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          isAborted = true;
          reject(new HearthscopeError('canceled', 'given up'));
        });
      }),
  );
  await queries.close();
  assert.ok(isAborted);
});

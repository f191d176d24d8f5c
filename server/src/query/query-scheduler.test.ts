// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Steps } from '@hearthscope/profile/steps';
import { DEFAULT_QUERY_LIMITS, type QueryLimits } from './query-limits.ts';
import { QueryScheduler } from './query-scheduler.ts';

/** A scheduler whose clock stands still unless it is moved. */
function scheduler(limits: Partial<QueryLimits> = {}) {
  const clock = { millis: 0 };
  return {
    clock,
    queries: new QueryScheduler({ ...DEFAULT_QUERY_LIMITS, ...limits }, () => clock.millis),
  };
}

function code(expected: string) {
  return (error: unknown) => error instanceof HearthscopeError && error.code === expected;
}

test('queries take turns, and the event loop gets one between two slices', async () => {
  const { clock, queries } = scheduler({ querySliceMillis: 10 });
  const order: string[] = [];
  function* work(name: string): Steps<string> {
    for (let step = 0; step < 4; step++) {
      order.push(`${name}${step}`);
      clock.millis += 5;
      yield;
    }
    return name;
  }
  let turns = 0;
  let running = true;
  const count = () => {
    turns++;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  const answers = await Promise.all(['a', 'b'].map((name) => queries.run((pace) => pace.run(work(name)))));
  running = false;
  assert.deepEqual(answers, ['a', 'b']);
  assert.deepEqual(order, ['a0', 'a1', 'b0', 'b1', 'a2', 'a3', 'b2', 'b3']);
  assert.ok(turns >= 4, `${turns} turns`);
});

test('so many are in flight, so many wait, and one more is refused', async () => {
  const { queries } = scheduler({ maxConcurrentQueries: 2, maxQueuedQueries: 1 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const started: number[] = [];
  const query = (number: number) =>
    queries.run(async () => {
      started.push(number);
      await promise;
      return number;
    });
  const accepted = [query(1), query(2), query(3)];
  await assert.rejects(query(4), code('resource_exhausted'));
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.deepEqual(started, [1, 2]);
  assert.deepEqual([queries.inFlight, queries.queued], [2, 1]);
  resolve();
  assert.deepEqual(await Promise.all(accepted), [1, 2, 3]);
  assert.deepEqual([queries.inFlight, queries.queued], [0, 0]);
  assert.equal(await query(5), 5);
});

test('a query that fails gives its place to the next', async () => {
  const { queries } = scheduler({ maxConcurrentQueries: 1 });
  const failing = queries.run(async () => {
    throw new HearthscopeError('invalid_argument', 'no');
  });
  const next = queries.run(async () => 7);
  await assert.rejects(failing, code('invalid_argument'));
  assert.equal(await next, 7);
});

test('the time of a query counts from its arrival, waiting included', async () => {
  const { clock, queries } = scheduler({
    maxConcurrentQueries: 1,
    queryTimeoutMillis: 100,
    querySliceMillis: 10,
  });
  function* endless(): Steps<never> {
    for (;;) {
      clock.millis += 10;
      yield;
    }
  }
  const first = queries.run((pace) => pace.run(endless()));
  const second = queries.run(async () => 'never asked');
  await assert.rejects(first, code('deadline_exceeded'));
  await assert.rejects(second, code('deadline_exceeded'));
  assert.equal(await queries.run(async () => 'in time'), 'in time');
});

test('a query that nobody waits for is given up, running or queued', async () => {
  const { clock, queries } = scheduler({ maxConcurrentQueries: 1, querySliceMillis: 10 });
  const cancellation = new AbortController();
  let steps = 0;
  function* endless(): Steps<never> {
    for (;;) {
      if (++steps === 5) cancellation.abort();
      clock.millis += 10;
      yield;
    }
  }
  const { signal } = cancellation;
  const running = queries.run((pace) => pace.run(endless()), { signal });
  const queued = queries.run(async () => 'never asked', { signal });
  await assert.rejects(running, code('canceled'));
  await assert.rejects(queued, code('canceled'));
  assert.equal(steps, 5);
});

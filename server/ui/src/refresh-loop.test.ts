// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { startRefreshLoop } from './refresh-loop.ts';

/** A loop over loads that the test ends, on a clock that the test moves. */
function testLoop(intervalMillis: () => number) {
  mock.timers.enable({ apis: ['setTimeout'] });
  const loads: { signal: AbortSignal; end: () => Promise<void> }[] = [];
  const page = { isHidden: false };
  const loop = startRefreshLoop({
    load: (signal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const end = async () => {
        resolve();
        await new Promise(setImmediate);
      };
      loads.push({ signal, end });
      return promise;
    },
    intervalMillis,
    isHidden: () => page.isHidden,
  });
  const dispose = () => {
    loop.stop();
    mock.timers.reset();
  };
  return { loop, loads, page, [Symbol.dispose]: dispose };
}

test('the next load waits for the answer and then the interval', async () => {
  using run = testLoop(() => 100);
  assert.equal(run.loads.length, 1);
  mock.timers.tick(1_000);
  assert.equal(run.loads.length, 1, 'a load is under way');
  await run.loads[0]!.end();
  mock.timers.tick(99);
  assert.equal(run.loads.length, 1);
  mock.timers.tick(1);
  assert.equal(run.loads.length, 2);
});

test('a hidden page asks nothing, and once it is seen it asks at once', async () => {
  using run = testLoop(() => 100);
  await run.loads[0]!.end();
  run.page.isHidden = true;
  mock.timers.tick(10_000);
  run.loop.visibilityChanged();
  assert.equal(run.loads.length, 1);
  run.page.isHidden = false;
  run.loop.visibilityChanged();
  run.loop.visibilityChanged();
  assert.equal(run.loads.length, 2);
});

test('a page seen again before anything is due keeps waiting', async () => {
  using run = testLoop(() => 100);
  await run.loads[0]!.end();
  run.loop.visibilityChanged();
  assert.equal(run.loads.length, 1);
});

test('an interval of 0 loads once', async () => {
  using run = testLoop(() => 0);
  await run.loads[0]!.end();
  mock.timers.tick(1e6);
  assert.equal(run.loads.length, 1);
});

test('stopping aborts the load and asks no more', async () => {
  using run = testLoop(() => 100);
  run.loop.stop();
  assert.equal(run.loads[0]!.signal.aborted, true);
  await run.loads[0]!.end();
  mock.timers.tick(1_000);
  run.loop.visibilityChanged();
  assert.equal(run.loads.length, 1);
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';

const limits = { firstDelayMillis: 100, maxDelayMillis: 500, quickRunMillis: 1000, maxQuickCrashes: 6 };

test('the wait doubles up to its limit, and then the supervisor gives up', () => {
  const backoff = new Backoff(limits);
  const waits = Array.from({ length: 6 }, () => backoff.crashed(999));
  assert.deepEqual(waits, [100, 200, 400, 500, 500, undefined]);
});

test('a run that was long enough clears the record', () => {
  const backoff = new Backoff(limits);
  assert.equal(backoff.crashed(10), 100);
  assert.equal(backoff.crashed(10), 200);
  assert.equal(backoff.crashed(1000), 100);
  assert.equal(backoff.crashed(999), 200);
  for (let crash = 0; crash < 20; crash++) assert.equal(backoff.crashed(1000), 100);
});

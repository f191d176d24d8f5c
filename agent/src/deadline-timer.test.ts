// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DeadlineTimer } from './deadline-timer.ts';

describe('DeadlineTimer', () => {
  it('measures from deadline to deadline, not from call to call', async () => {
    const start = performance.now();
    const timer = new DeadlineTimer();
    assert.equal(await timer.waitFor(100), true);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal(await timer.waitFor(100), true);
    assert.ok(performance.now() - start >= 199);
  });

  it('skips and counts deadlines that have passed', async () => {
    const timer = new DeadlineTimer();
    await new Promise((resolve) => setTimeout(resolve, 105));
    await timer.waitFor(10);
    assert.ok(timer.missed >= 10);
  });

  it('ends the wait under way and all later ones when stopped', async () => {
    const timer = new DeadlineTimer();
    const waiting = timer.waitFor(3_600_000);
    timer.stop();
    assert.equal(await waiting, false);
    assert.equal(await timer.waitFor(3_600_000), false);
  });
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { timelineOf, timelineStepSeconds } from './timeline.ts';

const HOUR_SECONDS = 3600;

test('the step follows from the range by the table', () => {
  const steps: [rangeSeconds: number, stepSeconds: number][] = [
    [0, 15],
    [HOUR_SECONDS, 15],
    [6 * HOUR_SECONDS, 15],
    [7 * HOUR_SECONDS, 15],
    [8 * HOUR_SECONDS, 20],
    [24 * HOUR_SECONDS, 60],
    [7 * 24 * HOUR_SECONDS, 300],
    [31 * 24 * HOUR_SECONDS, 1800],
    [1500 * 17.5, 15],
    [1500 * 17.6, 20],
    [1500 * 25, 20],
    [1500 * 45, 30],
    [1500 * 90, 60],
    [1500 * 210, 120],
    [1500 * 450, 300],
    [1500 * 750, 600],
    [1500 * 1050, 900],
    [1500 * 1500, 1200],
    [1500 * 2700, 1800],
    [1500 * 5400, 3600],
    [1500 * 9000, 7200],
    [1500 * 16_200, 10_800],
    [1500 * 32_400, 21_600],
    [1500 * 86_400, 43_200],
    [1500 * 604_800, 86_400],
    [1500 * 1_814_400, 604_800],
    [1500 * 3_628_799, 2_592_000],
    [1500 * 3_628_800, 31_536_000],
  ];
  for (const [range, step] of steps) {
    assert.equal(
      timelineStepSeconds({ startMillis: 1000, endMillis: 1000 + range * 1000 }),
      step,
      `${range} s`,
    );
  }
});

test('samples are where their points are, with zeros between', () => {
  const range = { startMillis: 37_000, endMillis: 100_000 };
  const points = [
    { timestampMillis: 37_000, value: 1.9 },
    { timestampMillis: 67_000, value: 2 ** 60 },
    { timestampMillis: 97_000, value: 5 },
  ];
  assert.deepEqual(timelineOf(points, range, 15), {
    startUnixSeconds: 30,
    stepSeconds: 15,
    samples: [1n, 0n, 2n ** 60n, 0n],
  });
  assert.deepEqual(timelineOf([], { startMillis: 30_000, endMillis: 44_999 }, 15).samples, []);
  assert.deepEqual(timelineOf([], { startMillis: -20_000, endMillis: 20_000 }, 15).startUnixSeconds, -15);
});

test('no range has more samples than can be drawn', () => {
  const millis = fc.integer({ min: 1, max: 9_007_199_254_740_991 });
  fc.assert(
    fc.property(millis, millis, (a, b) => {
      const range = { startMillis: Math.min(a, b), endMillis: Math.max(a, b) };
      assert.ok(timelineOf([], range, timelineStepSeconds(range)).samples.length < 300_000);
    }),
  );
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { timelineColumns, timelineGrid } from './timeline-grid.ts';

test('the steps are whole batches long, not too many, on multiples of the step, and reach over the window', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2e12 }),
      fc.integer({ min: 1_000, max: 4e11 }),
      (startMillis, lengthMillis) => {
        const window = { startMillis, endMillis: startMillis + lengthMillis };
        const grid = timelineGrid(window);
        assert.equal(grid.stepMillis % 10_000, 0);
        assert.equal(grid.startMillis % grid.stepMillis, 0);
        assert.equal(grid.endMillis % grid.stepMillis, 0);
        assert.ok(grid.startMillis > 0 && grid.startMillis <= grid.endMillis);
        assert.ok(grid.startMillis - grid.stepMillis <= window.startMillis);
        assert.ok(grid.endMillis >= window.endMillis);
        assert.ok((grid.endMillis - grid.startMillis) / grid.stepMillis <= 127);
      },
    ),
  );
});

test('a quarter of an hour has a bar for each batch', () => {
  assert.equal(timelineGrid({ startMillis: 1e12, endMillis: 1e12 + 900_000 }).stepMillis, 10_000);
});

test('a step without profiles is 0 between others and unknown before the first and after the last', () => {
  const grid = { startMillis: 100_000, endMillis: 160_000, stepMillis: 10_000 };
  const points = [
    { timestampMillis: 140_000, value: 7 },
    { timestampMillis: 120_000, value: 5 },
    { timestampMillis: 120_000, value: 1 },
  ];
  assert.deepEqual(timelineColumns(grid, points), {
    unixSeconds: [100, 110, 120, 130, 140, 150, 160],
    sum: [null, null, 6, 0, 7, null, null],
  });
  assert.deepEqual(timelineColumns(grid, []).sum, Array(7).fill(null));
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BASELINE_PRESETS,
  type BaselineTime,
  baselineWindow,
  describeBaselineTime,
  formatBaselineTime,
  PREVIOUS,
  parseBaselineTime,
  SAME_TIME,
} from './baseline.ts';
import { absoluteRange, lastMillis } from './time-range.ts';

const NOW = 1_790_000_000_000;
const window = { startMillis: NOW - 900_000, endMillis: NOW };

test('the window follows that of the selection, or is fixed', () => {
  const windowOf = (time: BaselineTime) => {
    const { startMillis, endMillis } = baselineWindow(time, window, NOW);
    return [startMillis - NOW, endMillis - NOW];
  };
  assert.deepEqual(windowOf(PREVIOUS), [-1_800_000, -900_000]);
  assert.deepEqual(windowOf(SAME_TIME), [-900_000, 0]);
  assert.deepEqual(windowOf({ kind: 'shift', millis: 3_600_000 }), [-4_500_000, -3_600_000]);
  assert.deepEqual(windowOf({ kind: 'shift', millis: -60_000 }), [-840_000, 60_000]);
  assert.deepEqual(windowOf({ kind: 'range', range: lastMillis(60_000) }), [-60_000, 0]);
});

test('a shift beyond the epoch gives a window that is not empty and not before it', () => {
  const { startMillis, endMillis } = baselineWindow({ kind: 'shift', millis: 2 * NOW }, window, NOW);
  assert.ok(startMillis >= 1 && endMillis > startMillis);
});

test('times are read back as they were written', () => {
  const times: BaselineTime[] = [
    ...BASELINE_PRESETS.map(({ time }) => time),
    { kind: 'shift', millis: -5_400_000 },
    { kind: 'range', range: absoluteRange(NOW - 5_000, NOW) },
    { kind: 'range', range: lastMillis(3_600_000) },
  ];
  for (const time of times) assert.deepEqual(parseBaselineTime(formatBaselineTime(time)), time);
});

test('what is no time is none', () => {
  for (const text of ['', '0s', '7', '7y', '--7d', 'now/', '/now', 'now-1h', 'yesterday']) {
    assert.equal(parseBaselineTime(text), undefined, text);
  }
});

test('presets have names, others say how far away they are', () => {
  assert.equal(describeBaselineTime({ kind: 'shift', millis: 7 * 86_400_000 }), 'Last week');
  assert.equal(describeBaselineTime({ kind: 'shift', millis: 5_400_000 }), '90m before');
  assert.equal(describeBaselineTime({ kind: 'shift', millis: -3_600_000 }), '1h later');
  assert.equal(describeBaselineTime({ kind: 'range', range: lastMillis(3_600_000) }), 'Last 1 hour');
});

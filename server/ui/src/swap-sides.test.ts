// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BaselineTime, baselineWindow, PREVIOUS, SAME_TIME } from './baseline.ts';
import { swapSides } from './swap-sides.ts';
import { absoluteRange, lastMillis, resolveTimeRange, shiftRange, type TimeRange } from './time-range.ts';
import { type PageState, parsePageState } from './url-state.ts';

const NOW = 1_790_000_000_000;

function windowsOf({ range, baseline }: PageState) {
  const shown = resolveTimeRange(range, NOW);
  return { shown, baseline: baselineWindow(baseline!.time, shown, NOW) };
}

test('both sides change places, whatever their times are', () => {
  const day = 86_400_000;
  const times: [TimeRange, BaselineTime][] = [
    [lastMillis(900_000), PREVIOUS],
    [lastMillis(900_000), SAME_TIME],
    [lastMillis(900_000), { kind: 'shift', millis: 7 * day }],
    [lastMillis(900_000), { kind: 'shift', millis: -day }],
    [shiftRange(lastMillis(900_000), day), { kind: 'shift', millis: -day }],
    [absoluteRange(NOW - 5_500, NOW - 3), PREVIOUS],
    [lastMillis(900_000), { kind: 'range', range: absoluteRange(NOW - day, NOW - 5) }],
  ];
  for (const [range, time] of times) {
    const state: PageState = {
      ...parsePageState('service=web&filter=a'),
      range,
      baseline: { service: 'shop', filter: '', time },
    };
    const swapped = { ...state, ...swapSides(state, NOW) };
    assert.deepEqual([swapped.service, swapped.filter], ['shop', '']);
    assert.deepEqual([swapped.baseline?.service, swapped.baseline?.filter], ['web', 'a']);
    const before = windowsOf(state);
    const after = windowsOf(swapped);
    assert.deepEqual(
      after,
      { shown: before.baseline, baseline: before.shown },
      JSON.stringify([range, time]),
    );
  }
});

test('without a comparison there is nothing to swap', () => {
  assert.deepEqual(swapSides(parsePageState(''), NOW), {});
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  absoluteRange,
  describeTimeRange,
  formatTimeBound,
  isLive,
  lastMillis,
  parseTimeBound,
  resolveTimeRange,
  shiftRange,
  type TimeBound,
} from './time-range.ts';

const boundArbitrary: fc.Arbitrary<TimeBound> = fc.oneof(
  fc.nat(1e9).map((seconds): TimeBound => ({ kind: 'relative', agoMillis: seconds * 1_000 })),
  fc.integer({ min: 0, max: 8.64e15 }).map((unixMillis): TimeBound => ({ kind: 'absolute', unixMillis })),
);

test('a bound is read back as it was written', () => {
  fc.assert(
    fc.property(boundArbitrary, (bound) => {
      assert.deepEqual(parseTimeBound(formatTimeBound(bound)), bound);
    }),
  );
});

test('the forms that people and other programs write are read', () => {
  assert.deepEqual(parseTimeBound('now'), { kind: 'relative', agoMillis: 0 });
  assert.deepEqual(parseTimeBound('now-90s'), { kind: 'relative', agoMillis: 90_000 });
  assert.deepEqual(parseTimeBound('now-1w'), { kind: 'relative', agoMillis: 604_800_000 });
  assert.deepEqual(parseTimeBound('1790000000'), { kind: 'absolute', unixMillis: 1_790_000_000_000 });
  assert.deepEqual(parseTimeBound('1790000000123'), { kind: 'absolute', unixMillis: 1_790_000_000_123 });
  assert.deepEqual(parseTimeBound('2026-09-21T14:13:20Z'), {
    kind: 'absolute',
    unixMillis: 1_790_000_000_000,
  });
});

test('what is no time is none', () => {
  for (const text of [
    '',
    'now+1h',
    'now-',
    'now-5y',
    '-5',
    'yesterday',
    '99999999999999999999',
    'now-999999999999w',
  ]) {
    assert.equal(parseTimeBound(text), undefined, text);
  }
});

test('any range resolves to a window that the server accepts', () => {
  fc.assert(
    fc.property(boundArbitrary, boundArbitrary, fc.integer({ min: 1, max: 8.64e15 }), (from, until, now) => {
      const { startMillis, endMillis } = resolveTimeRange({ from, until }, now);
      assert.ok(startMillis >= 1);
      assert.ok(endMillis >= startMillis + 1_000);
    }),
  );
});

test('a range is described as it was picked', () => {
  assert.equal(describeTimeRange(lastMillis(900_000)), 'Last 15 minutes');
  assert.equal(describeTimeRange(lastMillis(3_600_000)), 'Last 1 hour');
  const day = new Date(2026, 10, 22, 14, 3, 20).getTime();
  assert.equal(describeTimeRange(absoluteRange(day + 60_000, day), 'en-GB'), '22 Nov, 14:03:20 – 14:04:20');
});

test('a range is live when its end moves', () => {
  assert.equal(isLive(lastMillis(1_000)), true);
  assert.equal(isLive(absoluteRange(1, 2)), false);
});

test('a range is shifted at both ends, and never ahead of now where it moves', () => {
  assert.deepEqual(shiftRange(lastMillis(60_000), 60_000), {
    from: { kind: 'relative', agoMillis: 120_000 },
    until: { kind: 'relative', agoMillis: 60_000 },
  });
  assert.deepEqual(shiftRange(shiftRange(lastMillis(60_000), 60_000), -60_000), lastMillis(60_000));
  assert.deepEqual(shiftRange(lastMillis(60_000), -90_000), lastMillis(0));
  assert.deepEqual(shiftRange(absoluteRange(5_000, 9_000), 4_000), absoluteRange(1_000, 5_000));
});

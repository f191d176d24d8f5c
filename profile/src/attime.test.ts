// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAttime } from './attime.ts';

const NOW_MILLIS = Date.UTC(2026, 5, 15, 12, 30, 0, 250);
const NOW = BigInt(NOW_MILLIS) * 1_000_000n;
const SECOND = 1_000_000_000n;
const DAY = 86_400n * SECOND;

const at = (text: string) => parseAttime(text, NOW_MILLIS);

test('digits are seconds, milliseconds, microseconds or nanoseconds by their number', () => {
  assert.equal(at('0'), 0n);
  assert.equal(at('1700000000'), 1_700_000_000n * SECOND);
  assert.equal(at('1700000000123'), 1_700_000_000_123_000_000n);
  assert.equal(at('1700000000123456'), 1_700_000_000_123_456_000n);
  assert.equal(at('1700000000123456789'), 1_700_000_000_123_456_789n);
  assert.equal(at('00000000001'), SECOND);
});

test('eight digits are a day where the calendar has it', () => {
  assert.equal(at('20240229'), BigInt(Date.UTC(2024, 1, 29)) * 1_000_000n);
  assert.equal(at('20230229'), 20_230_229n * SECOND);
  assert.equal(at('20241301'), 20_241_301n * SECOND);
  assert.equal(at('19001231'), 19_001_231n * SECOND);
  assert.equal(at('19010101'), BigInt(Date.UTC(1901, 0, 1)) * 1_000_000n);
});

test('offsets from now', () => {
  const offsets: Record<string, bigint> = {
    now: 0n,
    'now-1s': -SECOND,
    'now+1sec': SECOND,
    'now-2m': -120n * SECOND,
    'now-2min': -120n * SECOND,
    'now-1h': -3600n * SECOND,
    'now-1d': -DAY,
    'now-1w': -7n * DAY,
    'now-1mon': -30n * DAY,
    'now-1M': -30n * DAY,
    'now-1y': -365n * DAY,
    'now-3h30m': -12_600n * SECOND,
    'now-1h+30m': -1800n * SECOND,
    '-5m': -300n * SECOND,
    ' now - 1_0 m ': -600n * SECOND,
  };
  for (const [text, offset] of Object.entries(offsets)) assert.equal(at(text), NOW + offset, text);
});

test('what cannot be read means now', () => {
  for (const text of ['', 'yesterday', 'now-', 'now-5', 'now-5q', '2026-01-01T00:00:00Z', '+', '--']) {
    assert.equal(at(text), NOW, text);
  }
});

test('times beyond int64 become its ends', () => {
  assert.equal(at('9'.repeat(18)), 2n ** 63n - 1n);
  assert.equal(at(`now-${'9'.repeat(30)}y`), -(2n ** 63n));
});

test('property: any text gives an int64', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^(now)?[-+0-9a-zM ,_]{0,30}$/)), (text) => {
      const nanos = at(text);
      assert.equal(BigInt.asIntN(64, nanos), nanos);
    }),
  );
});

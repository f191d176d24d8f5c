// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDurationMillis } from './duration.ts';

test('durations', () => {
  assert.equal(parseDurationMillis('10s'), 10_000);
  assert.equal(parseDurationMillis('500ms'), 500);
  assert.equal(parseDurationMillis('1h30m'), 5_400_000);
  assert.equal(parseDurationMillis('1.5s'), 1500);
  assert.equal(parseDurationMillis('7d'), 604_800_000);
  assert.equal(parseDurationMillis('1w'), 604_800_000);
  assert.equal(parseDurationMillis('1y'), 31_536_000_000);
  for (const wrong of ['', '10', 's', '10 s', '-1s', '10s!', '1mo', '99999999999999999d']) {
    assert.equal(parseDurationMillis(wrong), undefined, wrong);
  }
});

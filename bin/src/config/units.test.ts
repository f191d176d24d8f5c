// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, parseSizeBytes } from './units.ts';

test('sizes', () => {
  assert.equal(parseSizeBytes('512MiB'), 536_870_912);
  assert.equal(parseSizeBytes('512 MiB'), 536_870_912);
  assert.equal(parseSizeBytes('1kB'), 1000);
  assert.equal(parseSizeBytes('1.5KiB'), 1536);
  assert.equal(parseSizeBytes('4096'), 4096);
  assert.equal(parseSizeBytes(4096), 4096);
  for (const wrong of ['', 'MiB', '10 potatoes', '-1', '1mib', '9007199254740993', -1, 1.5, Number.NaN]) {
    assert.equal(parseSizeBytes(wrong), undefined, String(wrong));
  }
});

test('sizes are printed with one decimal', () => {
  assert.equal(formatBytes(10), '10 B');
  assert.equal(formatBytes(1536), '1.5 KiB');
  assert.equal(formatBytes(3 * 2 ** 30), '3.0 GiB');
});

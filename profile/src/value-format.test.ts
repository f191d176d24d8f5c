// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatValue, percentage } from './value-format.ts';

test('values take the largest unit that is not larger than they are', () => {
  const cases: readonly [value: bigint, unit: string, text: string][] = [
    [0n, 'nanoseconds', '0'],
    [999n, 'nanoseconds', '999ns'],
    [1500n, 'nanoseconds', '1.5us'],
    [10_000_000n, 'nanoseconds', '10ms'],
    [90_000_000_000n, 'nanoseconds', '1.5mins'],
    [7200n, 'seconds', '2hrs'],
    [250n, 'milliseconds', '250ms'],
    [-2_000_000_000n, 'nanoseconds', '-2s'],
    [1023n, 'bytes', '1023B'],
    [1536n, 'bytes', '1.5kB'],
    [1n << 30n, 'bytes', '1GB'],
    [7n, 'count', '7'],
    [7n, '', '7'],
    [7n, 'objects', '7objects'],
  ];
  for (const [value, unit, text] of cases) assert.equal(formatValue(value, unit), text);
});

test('parts of a whole', () => {
  const cases: readonly [part: bigint, whole: bigint, text: string][] = [
    [1n, 3n, '33.33%'],
    [1n, 2n, '50%'],
    [9999n, 10_000n, '100%'],
    [10n, 1000n, '1%'],
    [0n, 5n, '0%'],
    [0n, 0n, '0%'],
  ];
  for (const [part, whole, text] of cases) assert.equal(percentage(part, whole), text);
});

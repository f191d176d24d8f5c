// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { int64Signs, int64Sum } from './int64-sum.ts';

const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, 1n, -1n, 2n ** 32n, 2n ** 32n - 1n, -(2n ** 32n), -(2n ** 63n), 2n ** 63n - 1n),
);

test('sums and signs are those of bigints', () => {
  fc.assert(
    fc.property(fc.array(int64, { maxLength: 50 }), fc.nat(3), (values, skipped) => {
      const column = BigInt64Array.from(values).subarray(skipped);
      const rest = values.slice(skipped);
      assert.equal(
        int64Sum(column),
        rest.reduce((sum, value) => sum + value, 0n),
      );
      assert.deepEqual(
        [...int64Signs(column)],
        rest.map((value) => (value > 0n ? 1 : value < 0n ? -1 : 0)),
      );
    }),
  );
});

test('a sum of millions of the largest values is exact', () => {
  const length = 2 ** 22 + 3;
  assert.equal(int64Sum(new BigInt64Array(length).fill(2n ** 63n - 1n)), BigInt(length) * (2n ** 63n - 1n));
  assert.equal(int64Sum(new BigInt64Array(length).fill(-(2n ** 63n))), BigInt(length) * -(2n ** 63n));
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AddressIndexBuilder } from './address-index.ts';
import { ProblemCounts } from './dwarf-limits.ts';

function indexOf(units: readonly (readonly number[])[], maxRanges = 1000) {
  const problems = new ProblemCounts();
  const builder = new AddressIndexBuilder(maxRanges, problems);
  for (const [unit, ranges] of units.entries()) builder.add(unit, ranges);
  return { index: builder.build(), problems: problems.counts };
}

test('an address belongs to a unit that covers it, and to none only where none does', () => {
  const ranges = fc
    .array(fc.tuple(fc.nat(50), fc.integer({ min: 0, max: 20 })), { maxLength: 6 })
    .map((pairs) => pairs.flatMap(([low, length]) => [low, low + length]));
  fc.assert(
    fc.property(fc.array(ranges, { maxLength: 8 }), (units) => {
      const { index } = indexOf(units);
      for (let address = 0; address < 75; address++) {
        const covering = units.flatMap((flat, unit) =>
          flat.some((low, i) => i % 2 === 0 && low <= address && address < flat[i + 1]!) ? [unit] : [],
        );
        const found = index.find(address);
        if (covering.length === 0) assert.equal(found, -1);
        else assert.ok(covering.includes(found), `${address}: ${found} of ${covering}`);
      }
    }),
  );
});

test('where units overlap, the range before goes on, else the first unit wins', () => {
  const { index } = indexOf([
    [30, 50],
    [0, 40],
    [30, 60],
  ]);
  assert.deepEqual(
    [0, 29, 30, 39, 40, 49, 50, 59, 60].map((address) => index.find(address)),
    [1, 1, 1, 1, 0, 0, 2, 2, -1],
  );
});

test('more ranges than may be kept are left out and counted', () => {
  const { index, problems } = indexOf([[0, 10, 20, 30, 40, 50]], 2);
  assert.deepEqual(
    [5, 25, 45].map((address) => index.find(address)),
    [0, 0, -1],
  );
  assert.deepEqual(problems, { too_many_ranges: 1 });
  assert.deepEqual(indexOf([[0, 10, 20, 30]], 2).problems, {});
});

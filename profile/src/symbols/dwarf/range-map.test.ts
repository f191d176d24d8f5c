// SPDX-License-Identifier: Apache-2.0
//
// The blocks of ranges against the ordered map that LLVM uses, word for word, also where ranges overlap without nesting.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RangeMapBuilder } from './range-map.ts';

/** LLVM's `AddrDieMap` as a plain sorted list. */
class OrderedMap {
  readonly entries: { low: number; high: number; value: number }[] = [];

  add(low: number, high: number, value: number): void {
    const before = this.#before(low);
    if (before !== undefined && low < before.high) {
      const { high: outerHigh, value: outerValue } = before;
      if (high < outerHigh) this.#set(high, outerHigh, outerValue);
      if (low > before.low) before.high = low;
    }
    this.#set(low, high, value);
  }

  find(address: number): number {
    const before = this.#before(address);
    return before !== undefined && address < before.high ? before.value : -1;
  }

  #before(key: number) {
    return this.entries.findLast(({ low }) => low <= key);
  }

  #set(low: number, high: number, value: number): void {
    const at = this.entries.findIndex((entry) => entry.low >= low);
    const entry = { low, high, value };
    if (at < 0) this.entries.push(entry);
    else this.entries.splice(at, this.entries[at]!.low === low ? 1 : 0, entry);
  }
}

function check(ranges: readonly (readonly [number, number])[], limit: number): void {
  const builder = new RangeMapBuilder();
  const expected = new OrderedMap();
  for (const [i, [low, length]] of ranges.entries()) {
    builder.add(low, low + length, i);
    expected.add(low, low + length, i);
  }
  const map = builder.finish();
  for (let address = 0; address < limit; address++) {
    assert.equal(map.find(address), expected.find(address), `address ${address}`);
  }
}

test('the latest range wins, as in an ordered map', () => {
  const range = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 40 }));
  fc.assert(fc.property(fc.array(range, { maxLength: 30 }), (ranges) => check(ranges, 110)));
});

test('more ranges than a block holds, in any order', () => {
  const range = fc.tuple(fc.nat(6000), fc.integer({ min: 1, max: 20 }));
  fc.assert(
    fc.property(fc.array(range, { minLength: 1500, maxLength: 2000 }), (ranges) => check(ranges, 6100)),
    { numRuns: 5 },
  );
});

test('an inner range splits the outer one', () => {
  const builder = new RangeMapBuilder();
  builder.add(10, 50, 1);
  builder.add(20, 30, 2);
  const map = builder.finish();
  assert.deepEqual(
    [9, 10, 19, 20, 29, 30, 49, 50].map((address) => map.find(address)),
    [-1, 1, 1, 2, 2, 1, 1, -1],
  );
});

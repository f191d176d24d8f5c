// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CodeRanges, codeRangeLimits } from './code-ranges.ts';

test('what is written over older code takes its place, and nothing of the older stays', () => {
  const operation = fc.record({
    start: fc.integer({ min: 0, max: 300 }),
    size: fc.integer({ min: 1, max: 40 }),
    isRemoval: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 2500 }), (operations) => {
      const ranges = new CodeRanges();
      let model: { start: number; end: number; name: string }[] = [];
      for (const [i, { start, size, isRemoval }] of operations.entries()) {
        const end = start + size;
        model = model.filter((range) => range.end <= start || range.start >= end);
        if (isRemoval && i % 7 === 0) ranges.removeWithin(start, end);
        else {
          model.push({ start, end, name: `${i}` });
          assert.ok(ranges.add(start, end, { name: `${i}` }));
        }
      }
      assert.equal(ranges.size, model.length);
      for (let address = -1; address < 350; address++) {
        const expected = model.find(({ start, end }) => start <= address && address < end);
        const found = ranges.find(address);
        assert.equal(found?.code.name, expected?.name);
        assert.equal(found?.start, expected?.start);
      }
    }),
    { numRuns: 30 },
  );
});

test('chunks of many ranges stay in order', () => {
  const ranges = new CodeRanges();
  // Neither ascending nor descending: a permutation.
  for (let i = 0; i < 20_000; i++) {
    const at = (i * 7919) % 20_000;
    ranges.add(at * 10, at * 10 + 8, { name: `f${at}` });
  }
  assert.equal(ranges.size, 20_000);
  for (let at = 0; at < 20_000; at++) {
    assert.equal(ranges.find(at * 10 + 7)?.code.name, `f${at}`);
    assert.equal(ranges.find(at * 10 + 8), undefined);
  }
});

test('the limits hold, and room that becomes free is used again', () => {
  const ranges = new CodeRanges();
  const name = 'x'.repeat(4096);
  const fitting = Math.floor(codeRangeLimits.maxBytes / name.length);
  for (let i = 0; i < fitting; i++) assert.ok(ranges.add(i, i + 1, { name }));
  assert.ok(!ranges.add(fitting, fitting + 1, { name }));
  assert.ok(ranges.add(0, 1, { name }), 'in place of another');
  const many = new CodeRanges();
  for (let i = 0; i < codeRangeLimits.maxRanges; i++) assert.ok(many.add(i, i + 1, { name: 'y' }));
  assert.ok(!many.add(codeRangeLimits.maxRanges, codeRangeLimits.maxRanges + 1, { name: 'y' }));
});

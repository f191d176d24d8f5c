// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import fc from 'fast-check';
import { MemoryBudget } from './memory-budget.ts';
import { StringTable } from './string-table.ts';

test('equal strings have one row, others have others', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 300 }), (values) => {
      const table = new StringTable(new MemoryBudget(1 << 20));
      const rowOf = new Map<string, number>([['', 0]]);
      for (const value of [...values, ...values]) {
        const row = table.intern(value);
        assert.equal(row, rowOf.get(value) ?? rowOf.size);
        rowOf.set(value, row);
        assert.equal(table.get(row), value);
      }
      assert.equal(table.length, rowOf.size);
    }),
  );
});

test('a full budget refuses new strings and still finds the old ones', () => {
  const table = new StringTable(new MemoryBudget(20_000));
  const stored: string[] = [];
  assert.throws(
    () => {
      for (let i = 0; ; i++) {
        const value = `name ${i}`;
        table.intern(value);
        stored.push(value);
      }
    },
    (error) => error instanceof HearthscopeError && error.code === 'unavailable',
  );
  assert.ok(stored.length > 10);
  assert.equal(table.length, stored.length + 1);
  stored.forEach((value, i) => {
    assert.equal(table.intern(value), i + 1);
  });
});

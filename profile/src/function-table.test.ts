// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { functionTable, functionTableDiffInSteps } from './function-table.ts';
import { sandwich } from './sandwich.ts';
import { finish } from './steps.ts';
import { randomStacks, sumsOf, sumWhere } from './testing/random-stacks.ts';

test('a function that calls itself counts once a stack', () => {
  const sums = sumsOf([
    [['main', 'f', 'f'], 3n],
    [['main', 'f', 'g'], 2n],
    [['main'], 1n],
  ]);
  assert.deepEqual(functionTable(sums, 0), {
    functions: [
      { name: 'f', self: 3n, total: 5n },
      { name: 'g', self: 2n, total: 2n },
      { name: 'main', self: 1n, total: 6n },
    ],
    total: 6n,
    totalFunctions: 3,
  });
  const limited = functionTable(sums, 1);
  assert.deepEqual([limited.functions.length, limited.total, limited.totalFunctions], [1, 6n, 3]);
});

test('two tables are joined by name', () => {
  const left = sumsOf([[['a', 'b'], 2n]]);
  const right = sumsOf([[['a', 'c'], 3n]]);
  const table = finish(functionTableDiffInSteps(left, right, 2));
  assert.deepEqual(table, {
    functions: [
      { name: 'c', leftSelf: 0n, leftTotal: 0n, rightSelf: 3n, rightTotal: 3n },
      { name: 'b', leftSelf: 2n, leftTotal: 2n, rightSelf: 0n, rightTotal: 0n },
    ],
    leftTotal: 2n,
    rightTotal: 3n,
    totalFunctions: 3,
  });
});

test('property: tables are what naive sums say, and a sandwich agrees with them', () => {
  fc.assert(
    fc.property(randomStacks, (stacks) => {
      const sums = sumsOf(stacks);
      const table = functionTable(sums, 0);
      assert.equal(
        table.total,
        sumWhere(stacks, () => true),
      );
      for (const { name, self, total } of table.functions) {
        assert.equal(
          self,
          sumWhere(stacks, (frames) => frames.at(-1) === name),
        );
        assert.equal(
          total,
          sumWhere(stacks, (frames) => frames.includes(name)),
        );
        const middle = sandwich(sums, name, 0);
        assert.deepEqual([middle.self, middle.total], [self, total]);
      }
    }),
  );
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Sandwich, type SandwichHalf, sandwich } from './sandwich.ts';
import { type RandomStack, randomStacks, sumsOf } from './testing/random-stacks.ts';

/** `path total self` of each row. */
function rows({ names }: Sandwich, half: SandwichHalf): string[] {
  const paths: string[] = [];
  return Array.from(half.name, (name, row) => {
    const path = row === 0 ? names[name]! : `${paths[half.parent[row]!]};${names[name]}`;
    paths.push(path);
    return `${path} ${half.total[row]} ${half.self[row]}${half.truncated[row] === 1 ? ' cut' : ''}`;
  });
}

test('callers are above the function and callees below it', () => {
  const middle = sandwich(
    sumsOf([
      [['main', 'a', 'f', 'x'], 4n],
      [['main', 'b', 'f'], 2n],
      [['main'], 1n],
    ]),
    'f',
    0,
  );
  assert.deepEqual(rows(middle, middle.callers), [
    'f 6 0',
    'f;a 4 0',
    'f;b 2 0',
    'f;a;main 4 4',
    'f;b;main 2 2',
  ]);
  assert.deepEqual(rows(middle, middle.callees), ['f 6 2', 'f;x 4 4']);
  assert.deepEqual([middle.total, middle.self], [6n, 2n]);
});

test('a function that calls itself is on both sides; its total counts stacks once', () => {
  const middle = sandwich(sumsOf([[['f', 'f'], 3n]]), 'f', 0);
  assert.deepEqual(rows(middle, middle.callers), ['f 6 3', 'f;f 3 3']);
  assert.deepEqual(rows(middle, middle.callees), ['f 6 3', 'f;f 3 3']);
  assert.deepEqual([middle.total, middle.self], [3n, 3n]);
});

test('a function that is nowhere has no value', () => {
  const middle = sandwich(sumsOf([[['main'], 1n]]), 'f', 0);
  assert.deepEqual(rows(middle, middle.callers), ['f 0 0']);
  assert.deepEqual(rows(middle, middle.callees), ['f 0 0']);
  assert.equal(middle.total, 0n);
});

test('each half is cut on its own, and says so', () => {
  const stacks: RandomStack[] = Array.from({ length: 20 }, (_, i) => [
    ['main', 'f', `callee ${i}`],
    BigInt(i + 1),
  ]);
  const middle = sandwich(sumsOf(stacks), 'f', 3);
  assert.deepEqual(rows(middle, middle.callers), ['f 210 0', 'f;main 210 210']);
  assert.deepEqual(rows(middle, middle.callees), [
    'f 210 0',
    'f;callee 18 19 19',
    'f;callee 19 20 20',
    'f;other 171 171 cut',
  ]);
});

test('property: the direct callers and callees together are all places of the function', () => {
  fc.assert(
    fc.property(randomStacks, fc.constantFrom('a', 'main', 'other'), (stacks, name) => {
      const middle = sandwich(sumsOf(stacks), name, 0);
      const places = stacks.reduce(
        (sum, [frames, value]) => sum + value * BigInt(frames.filter((frame) => frame === name).length),
        0n,
      );
      for (const half of [middle.callers, middle.callees]) {
        assert.equal(half.total[0], places);
        const below = half.total.reduce(
          (sum, total, row) => (row > 0 && half.parent[row] === 0 ? sum + total : sum),
          0n,
        );
        assert.equal(below + half.self[0]!, places);
      }
    }),
  );
});

// SPDX-License-Identifier: Apache-2.0
//
// Stacks for property tests: few names, so that they meet again and again, some of them awkward.

import fc from 'fast-check';
import type { StackSums } from '../stack-tree.ts';

const NAMES = ['a', 'b', 'main', 'other', '', '\u{1f525}', '\uff5e', 'x"y\\z'];

/** Leaf last, with a value. */
export type RandomStack = readonly [frames: readonly string[], value: bigint];

export const randomStacks: fc.Arbitrary<RandomStack[]> = fc.array(
  fc.tuple(
    fc.array(fc.constantFrom(...NAMES), { maxLength: 6 }),
    fc.oneof(fc.bigInt({ min: 0n, max: 9n }), fc.bigInt({ min: 0n, max: 2n ** 55n })),
  ),
  { maxLength: 30 },
);

export function sumsOf(stacks: readonly RandomStack[]): StackSums {
  const names = [...new Set(stacks.flatMap(([frames]) => frames))];
  const start = new Uint32Array(stacks.length + 1);
  const frame: number[] = [];
  stacks.forEach(([frames], stack) => {
    for (const name of frames.toReversed()) frame.push(names.indexOf(name));
    start[stack + 1] = frame.length;
  });
  return {
    names,
    start,
    frame: Uint32Array.from(frame),
    value: BigInt64Array.from(stacks, ([, value]) => value),
  };
}

/** The sum of the values of the stacks that a test chooses. */
export function sumWhere(
  stacks: readonly RandomStack[],
  chosen: (frames: readonly string[]) => boolean,
): bigint {
  return stacks.reduce((sum, [frames, value]) => (chosen(frames) ? sum + value : sum), 0n);
}

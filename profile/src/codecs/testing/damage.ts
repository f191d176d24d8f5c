// SPDX-License-Identifier: Apache-2.0
//
// Ways to damage bytes: flipped, cut off, repeated, and replaced by what numbers and structure look like.

import fc from 'fast-check';

export interface Damage {
  /** As a part of the length, so that it shrinks well. */
  readonly at: number;
  readonly remove: number;
  readonly insert: readonly number[];
  readonly repeat: number;
}

const HUGE_COUNTS = [
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [...new TextEncoder().encode('9223372036854775807')],
  [...new TextEncoder().encode('1e308')],
];

const byte = fc.oneof(fc.nat(255), fc.constantFrom(...new TextEncoder().encode(';\n\t ,[]{}":-0123456789')));

export const damages: fc.Arbitrary<Damage[]> = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.oneof({ weight: 6, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.constant(100_000) }),
    insert: fc.oneof(fc.array(byte, { maxLength: 4 }), fc.constantFrom(...HUGE_COUNTS)),
    repeat: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(2000) }),
  }),
  { minLength: 1, maxLength: 4 },
);

export function damaged(bytes: Uint8Array, edits: readonly Damage[]): Uint8Array {
  return edits.reduce<Uint8Array>((whole, { at, remove, insert, repeat }) => {
    const position = Math.floor(at * whole.length);
    const added = Array.from({ length: repeat }, () => insert).flat();
    return Uint8Array.from([...whole.subarray(0, position), ...added, ...whole.subarray(position + remove)]);
  }, bytes);
}

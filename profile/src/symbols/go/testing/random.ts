// SPDX-License-Identifier: Apache-2.0
//
// Numbers that look random and are the same in each run, for samples of addresses and for damage.

/** Gives integers from 0 up to, without, the limit it is called with. */
export type Random = (limit: number) => number;

export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return (limit) => {
    // Steele and Vigna's mix of a Weyl sequence, in 32 bits.
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * limit);
  };
}

// SPDX-License-Identifier: Apache-2.0
//
// Many int64 at once without a BigInt for each: by their two 32-bit halves.

const TWO_32 = 2 ** 32;
/** Halves are added as doubles, which count to 2^53. */
const VALUES_PER_PART = 2 ** 20;

/** Exact whatever the values are; it may not fit into an int64. */
export function int64Sum(values: BigInt64Array): bigint {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  let sum = 0n;
  for (let from = 0; from < words.length; from += VALUES_PER_PART * 2) {
    const to = Math.min(words.length, from + VALUES_PER_PART * 2);
    let low = 0;
    let high = 0;
    for (let at = from; at < to; at += 2) {
      low += words[at]!;
      high += words[at + 1]! | 0;
    }
    sum += BigInt(high) * BigInt(TWO_32) + BigInt(low);
  }
  return sum;
}

/** The sign of each value: -1, 0 or 1. */
export function int64Signs(values: BigInt64Array): Int8Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  const signs = new Int8Array(values.length);
  for (let row = 0; row < signs.length; row++) {
    const high = words[row * 2 + 1]! | 0;
    signs[row] = high < 0 ? -1 : (high | words[row * 2]!) === 0 ? 0 : 1;
  }
  return signs;
}

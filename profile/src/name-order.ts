// SPDX-License-Identifier: Apache-2.0
//
// Names are ordered by their UTF-8 bytes, as servers and clients in other languages order them. JavaScript compares
// UTF-16 code units, which differs for characters beyond the basic plane: their surrogates sort before U+E000.

const FIRST_SURROGATE = 0xd800;
const AFTER_SURROGATES = 0xe000;

/** Negative, zero or positive, by the bytes of the UTF-8 forms. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x >= FIRST_SURROGATE && y >= FIRST_SURROGATE) {
      const isSurrogateX = x < AFTER_SURROGATES;
      if (isSurrogateX !== y < AFTER_SURROGATES) return isSurrogateX ? 1 : -1;
    }
    return x - y;
  }
  return a.length - b.length;
}

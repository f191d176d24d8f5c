// SPDX-License-Identifier: Apache-2.0
//
// Punycode (RFC 3492), in which Rust writes identifiers beyond ASCII. Rust's separator is `_`.

/** Longer encodings are not decoded: each character is an insertion into those before it. */
const maxPunycodeLength = 1024;

const base = 36;
const smallestThreshold = 1;
const largestThreshold = 26;
const skew = 38;
const damp = 700;
const initialBias = 72;
const initialCodePoint = 0x80;

/** The identifier, or undefined when the encoding is damaged or too long. */
export function decodePunycode(encoded: string): string | undefined {
  if (encoded.length > maxPunycodeLength) return undefined;
  const separator = encoded.lastIndexOf('_');
  const characters = separator > 0 ? [...encoded.slice(0, separator)] : [];
  let position = separator + 1;
  let codePoint = initialCodePoint;
  let index = 0;
  let bias = initialBias;
  while (position < encoded.length) {
    const oldIndex = index;
    let weight = 1;
    for (let k = base; ; k += base) {
      const digit = digitValue(encoded.charCodeAt(position++));
      if (digit === undefined) return undefined;
      index += digit * weight;
      if (!Number.isSafeInteger(index)) return undefined;
      const threshold = Math.min(Math.max(k - bias, smallestThreshold), largestThreshold);
      if (digit < threshold) break;
      weight *= base - threshold;
    }
    const length = characters.length + 1;
    bias = adaptedBias(index - oldIndex, length, oldIndex === 0);
    codePoint += Math.floor(index / length);
    index %= length;
    if (codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) return undefined;
    characters.splice(index++, 0, String.fromCodePoint(codePoint));
  }
  return characters.join('');
}

function digitValue(code: number): number | undefined {
  if (code >= 0x61 && code <= 0x7a) return code - 0x61;
  if (code >= 0x30 && code <= 0x39) return code - 0x30 + 26;
  return undefined;
}

function adaptedBias(delta: number, length: number, first: boolean): number {
  let rest = first ? Math.floor(delta / damp) : delta >> 1;
  rest += Math.floor(rest / length);
  let k = 0;
  while (rest > ((base - smallestThreshold) * largestThreshold) >> 1) {
    rest = Math.floor(rest / (base - smallestThreshold));
    k += base;
  }
  return k + Math.floor(((base - smallestThreshold + 1) * rest) / (rest + skew));
}

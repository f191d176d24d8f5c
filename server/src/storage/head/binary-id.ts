// SPDX-License-Identifier: Apache-2.0
//
// Profile, trace and span ids are hex digits outside and 32-bit words in tables: a span id of each sample as a string
// would cost more than the sample.

/** Words of an id of 32 hex digits. */
export const ID_WORDS = 4;
/** Words of a span id, which has 16 hex digits. */
export const SPAN_ID_WORDS = 2;

/** The words of 32 hex digits; all zero stands for "no id". */
export type Hex128 = Uint32Array;

/** The words of lower-case hex digits, eight to a word; '' gives zeroes. */
export function wordsOfHex(hex: string, words: number): Uint32Array {
  return Uint32Array.from({ length: words }, (_, i) =>
    hex === '' ? 0 : Number.parseInt(hex.slice(i * 8, i * 8 + 8), 16),
  );
}

/** The hex digits of words, eight for each, or '' when all are zero. */
export function hexOfWords(words: Uint32Array): string {
  if (words.every((word) => word === 0)) return '';
  return Array.from(words, (word) => word.toString(16).padStart(8, '0')).join('');
}

/** The 16 hex digits of 64 bits. */
export function hexOfNumber(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

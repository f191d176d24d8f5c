// SPDX-License-Identifier: Apache-2.0
//
// ULIDs: 48 bits of time and 80 random ones in Crockford's base 32, so that their order as text is that of time.

import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_DIGITS = 10;
const RANDOM_BYTES = 10;
const BITS_PER_DIGIT = 5n;
const DIGITS = 26;

/** 26 digits, of which the first cannot be more than 7: there are 128 bits. */
export const ULID_PATTERN = '[0-7][0-9A-HJKMNP-TV-Z]{25}';

/** @param unixMillis below 2^48 */
export function newUlid(unixMillis: number): string {
  const random = BigInt(`0x${randomBytes(RANDOM_BYTES).toString('hex')}`);
  let rest = (BigInt(unixMillis) << 80n) | random;
  let text = '';
  for (let digit = 0; digit < DIGITS; digit++) {
    text = ALPHABET[Number(rest & 31n)]! + text;
    rest >>= BITS_PER_DIGIT;
  }
  return text;
}

/** Milliseconds since the Unix epoch. @param ulid a valid one */
export function ulidTime(ulid: string): number {
  let time = 0;
  for (const digit of ulid.slice(0, TIME_DIGITS)) time = time * ALPHABET.length + ALPHABET.indexOf(digit);
  return time;
}

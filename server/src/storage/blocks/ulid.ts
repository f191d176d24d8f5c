// SPDX-License-Identifier: Apache-2.0
//
// ULIDs: 48 bits of milliseconds and 80 random bits in Crockford's base 32, so that names sort by the time they were made.

import { randomBytes } from 'node:crypto';

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_DIGITS = 10;
const RANDOM_DIGITS = 16;

/** @param unixMillis below 2^48 */
export function newUlid(unixMillis: number): string {
  let time = '';
  for (let rest = unixMillis, i = 0; i < TIME_DIGITS; i++) {
    time = DIGITS[rest % 32]! + time;
    rest = Math.floor(rest / 32);
  }
  let random = '';
  // Five bits of each byte are used.
  for (const byte of randomBytes(RANDOM_DIGITS)) random += DIGITS[byte & 31]!;
  return time + random;
}

/** When the ULID was made, in milliseconds since the Unix epoch. */
export function ulidMillis(ulid: string): number {
  let millis = 0;
  for (const digit of ulid.slice(0, TIME_DIGITS)) millis = millis * 32 + DIGITS.indexOf(digit);
  return millis;
}

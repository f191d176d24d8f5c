// SPDX-License-Identifier: Apache-2.0
//
// Points in time as people and clients write them in query strings: `now-1h`, `20260801`, `1767225600`, and the same in
// milli-, micro- and nanoseconds. There is no text that is refused, as the clients of this syntax know no such answer:
// what cannot be read means now.

const NANOS_PER_MICRO = 1_000n;
const NANOS_PER_MILLI = 1_000_000n;
const NANOS_PER_SECOND = 1_000_000_000n;

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

const FIRST_YEAR_OF_DATES = 1901;

const MINUTE_SECONDS = 60n;
const HOUR_SECONDS = 60n * MINUTE_SECONDS;
const DAY_SECONDS = 24n * HOUR_SECONDS;

/** The first prefix that fits decides, so `mon` stands before `m`. */
const UNITS: readonly (readonly [prefix: string, seconds: bigint])[] = [
  ['s', 1n],
  ['mon', 30n * DAY_SECONDS],
  ['M', 30n * DAY_SECONDS],
  ['m', MINUTE_SECONDS],
  ['h', HOUR_SECONDS],
  ['d', DAY_SECONDS],
  ['w', 7n * DAY_SECONDS],
  ['y', 365n * DAY_SECONDS],
];

/** A sign, or a number with the unit behind it. */
const OFFSET_PART = /[+-]|(\d+)([^\d+-]*)/g;

/** Digits alone are a date (`YYYYMMDD`), or time since the Unix epoch: 13 of them milliseconds, 16 microseconds, 19
 * nanoseconds, else seconds. Anything else is now plus an offset, which is a sign and numbers with units (`-1h`,
 * `-3h30m`); the unit is told by its first letters: s, m or min, h, d, w, M or mon (30 days), y (365 days); a number
 * without unit adds nothing. Spaces, `_` and `,` are ignored.
 * @param nowMillis what `now` means, in milliseconds since the Unix epoch
 * @returns nanoseconds since the Unix epoch; what does not fit in an int64 becomes its nearest end */
export function parseAttime(text: string, nowMillis: number): bigint {
  const compact = text.trim().replace(/[_, ]/g, '');
  const nanos = /^\d+$/.test(compact)
    ? digitsAsNanos(compact)
    : BigInt(Math.trunc(nowMillis)) * NANOS_PER_MILLI + offsetSeconds(compact) * NANOS_PER_SECOND;
  if (nanos > MAX_INT64) return MAX_INT64;
  return nanos < MIN_INT64 ? MIN_INT64 : nanos;
}

function digitsAsNanos(digits: string): bigint {
  const date = digits.length === 8 ? dateAsNanos(digits) : undefined;
  if (date !== undefined) return date;
  const value = BigInt(digits);
  switch (digits.length) {
    case 13:
      return value * NANOS_PER_MILLI;
    case 16:
      return value * NANOS_PER_MICRO;
    case 19:
      return value;
    default:
      return value * NANOS_PER_SECOND;
  }
}

/** Midnight of the day in UTC; undefined when the eight digits are no day of the calendar. */
function dateAsNanos(digits: string): bigint | undefined {
  const year = Number(digits.slice(0, 4));
  const month = Number(digits.slice(4, 6));
  const day = Number(digits.slice(6));
  if (year < FIRST_YEAR_OF_DATES) return undefined;
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  return BigInt(date.getTime()) * NANOS_PER_MILLI;
}

function offsetSeconds(text: string): bigint {
  const start = text.search(/[+-]/);
  if (start < 0) return 0n;
  let seconds = 0n;
  let sign = 1n;
  for (const [part, number, unit] of text.slice(start).matchAll(OFFSET_PART)) {
    if (number === undefined) sign = part === '-' ? -1n : 1n;
    else seconds += sign * BigInt(number) * unitSeconds(unit!);
  }
  return seconds;
}

function unitSeconds(unit: string): bigint {
  return UNITS.find(([prefix]) => unit.startsWith(prefix))?.[1] ?? 0n;
}

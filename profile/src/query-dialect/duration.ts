// SPDX-License-Identifier: Apache-2.0
//
// Durations as people write them: "10s", "1m30s", "7d". A year is 365 days, as Prometheus has it;
// a month has no fixed length and is no unit.

const MILLIS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 365 * 86_400_000,
};

export const DURATION_EXPECTED = 'a duration such as "500ms", "10s", "5m", "1h30m" or "7d"';

/** Milliseconds, or undefined when the text is not a duration or not a safe integer of milliseconds. */
export function parseDurationMillis(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d|w|y))+$/.test(text)) return undefined;
  let millis = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)/g)) {
    millis += Number(amount) * MILLIS_PER_UNIT[unit!]!;
  }
  return Number.isSafeInteger(Math.round(millis)) ? Math.round(millis) : undefined;
}

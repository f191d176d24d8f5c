// SPDX-License-Identifier: Apache-2.0
//
// The timeline beside a flame graph: one number a step, zeros where nothing was measured. The width of a step follows
// from the range by the table that Grafana and Pyroscope have, so that all of them draw the same bars.

import type { TimeRange } from '../storage/store.ts';

export interface Timeline {
  /** Of the first sample; a multiple of the step. */
  readonly startUnixSeconds: number;
  readonly stepSeconds: number;
  readonly samples: readonly bigint[];
}

/** Steps that a range would ideally have. */
const RESOLUTION = 1500;
const MIN_STEP_SECONDS = 15;

/** Up to so many seconds an interval is rounded to the step. */
const ROUNDED: readonly (readonly [maxSeconds: number, stepSeconds: number])[] = [
  [17.5, 15],
  [25, 20],
  [45, 30],
  [90, 60],
  [210, 120],
  [450, 300],
  [750, 600],
  [1050, 900],
  [1500, 1200],
  [2700, 1800],
  [5400, 3600],
  [9000, 7200],
  [16_200, 10_800],
  [32_400, 21_600],
  [86_400, 43_200],
  [604_800, 86_400],
  [1_814_400, 604_800],
];
const MONTHS_BELOW_SECONDS = 3_628_800;
const MONTH_SECONDS = 2_592_000;
const YEAR_SECONDS = 31_536_000;

export function timelineStepSeconds({ startMillis, endMillis }: TimeRange): number {
  const interval = (endMillis - startMillis) / RESOLUTION / 1000;
  if (interval < MIN_STEP_SECONDS) return MIN_STEP_SECONDS;
  for (const [maxSeconds, stepSeconds] of ROUNDED) if (interval <= maxSeconds) return stepSeconds;
  return interval < MONTHS_BELOW_SECONDS ? MONTH_SECONDS : YEAR_SECONDS;
}

/** @param points of one series, at the start of the range and every step after it */
export function timelineOf(
  points: readonly { readonly timestampMillis: number; readonly value: number }[],
  { startMillis, endMillis }: TimeRange,
  stepSeconds: number,
): Timeline {
  const stepMillis = stepSeconds * 1000;
  const firstMillis = Math.trunc(startMillis / stepMillis) * stepMillis;
  const length = Math.max(0, Math.trunc(endMillis / stepMillis) - firstMillis / stepMillis);
  const samples = new Array<bigint>(length).fill(0n);
  for (const { timestampMillis, value } of points) {
    const index = Math.floor((timestampMillis - firstMillis) / stepMillis);
    if (index >= 0 && index < length) samples[index] = BigInt(Math.trunc(value));
  }
  return { startUnixSeconds: firstMillis / 1000, stepSeconds, samples };
}

// SPDX-License-Identifier: Apache-2.0
//
// Steps of time, by which totals are summed. They end at start, start + step, … and a step belongs to its end: what is at t
// with end - step < t <= end. All that is before start belongs to the first one.

/** Whole milliseconds. */
export interface TimeSteps {
  readonly startMillis: number;
  readonly stepMillis: number;
}

/** The number of the step, from 0. */
export function stepOf(timeMillis: number, { startMillis, stepMillis }: TimeSteps): number {
  return Math.max(0, Math.ceil((timeMillis - startMillis) / stepMillis));
}

/** Without what a class may have besides, for another thread. */
export function plainSteps({ startMillis, stepMillis }: TimeSteps): TimeSteps {
  return { startMillis, stepMillis };
}

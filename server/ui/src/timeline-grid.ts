// SPDX-License-Identifier: Apache-2.0
//
// The steps of the timeline. Agents send a batch every ten seconds, so every step is a multiple of ten seconds: else
// steps would hold now one batch and now two, and a steady load would look like a saw.

import type { SeriesPoint } from './api/querier.ts';
import type { TimeWindow } from './time-range.ts';

const STEP_SECONDS = [
  10, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400,
] as const;
const MAX_STEPS = 125;

/** The steps cover the window and end on multiples of the step, so that they stay where they are when it moves. */
export interface TimelineGrid extends TimeWindow {
  readonly stepMillis: number;
}

export function timelineGrid(window: TimeWindow): TimelineGrid {
  const lengthMillis = window.endMillis - window.startMillis;
  const fitting = STEP_SECONDS.find((seconds) => lengthMillis / (seconds * 1_000) <= MAX_STEPS);
  const stepMillis = (fitting ?? Math.ceil(lengthMillis / MAX_STEPS / 86_400_000) * 86_400) * 1_000;
  return {
    stepMillis,
    // The server's first step ends at the start it is asked for.
    startMillis: Math.max(stepMillis, Math.ceil(window.startMillis / stepMillis) * stepMillis),
    endMillis: Math.max(stepMillis, Math.ceil(window.endMillis / stepMillis) * stepMillis),
  };
}

/** Columns for the chart: the end of each step in Unix seconds, and its sum. */
export interface TimelineColumns {
  readonly unixSeconds: number[];
  /** null before the first profile and after the last: nothing is known there. Between them, no profile is 0. */
  readonly sum: (number | null)[];
}

export function timelineColumns(grid: TimelineGrid, points: readonly SeriesPoint[]): TimelineColumns {
  const byStep = new Map<number, number>();
  for (const { timestampMillis, value } of points) {
    const step = Math.round((timestampMillis - grid.startMillis) / grid.stepMillis);
    byStep.set(step, (byStep.get(step) ?? 0) + value);
  }
  const firstStep = Math.min(...byStep.keys());
  const lastStep = Math.max(...byStep.keys());
  const stepCount = Math.floor((grid.endMillis - grid.startMillis) / grid.stepMillis) + 1;
  const unixSeconds: number[] = [];
  const sum: (number | null)[] = [];
  for (let step = 0; step < stepCount; step++) {
    unixSeconds.push((grid.startMillis + step * grid.stepMillis) / 1_000);
    sum.push(step < firstStep || step > lastStep ? null : (byStep.get(step) ?? 0));
  }
  return { unixSeconds, sum };
}

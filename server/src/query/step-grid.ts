// SPDX-License-Identifier: Apache-2.0
//
// How the points in time of an answer lie: see ../storage/time-steps.ts.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { TimeRange } from '../storage/store.ts';
import { stepOf, type TimeSteps } from '../storage/time-steps.ts';

/** The length of a step.
 * @throws HearthscopeError invalid_argument */
export function checkStep(stepSeconds: number): number {
  if (!(stepSeconds >= 0.001) || stepSeconds > Number.MAX_SAFE_INTEGER / 1000) {
    throw new HearthscopeError('invalid_argument', 'step must be >= 1ms');
  }
  return Math.floor(stepSeconds * 1000);
}

/** @throws HearthscopeError invalid_argument */
export function checkLimit(limit: number): void {
  if (!(limit >= 0)) {
    throw new HearthscopeError('invalid_argument', `limit must be non-negative, got ${limit}`);
  }
}

export class StepGrid implements TimeSteps {
  readonly startMillis: number;
  readonly stepMillis: number;

  constructor({ startMillis }: TimeRange, stepMillis: number) {
    this.startMillis = startMillis;
    this.stepMillis = stepMillis;
  }

  /** The number of the step, from 0. */
  stepOf(timeMillis: number): number {
    return stepOf(timeMillis, this);
  }

  endOf(step: number): number {
    return this.startMillis + step * this.stepMillis;
  }
}

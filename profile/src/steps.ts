// SPDX-License-Identifier: Apache-2.0
//
// Long computations that can be interrupted. They are generators, so that they stay pure and synchronous: when to go on
// is up to the caller, who may have a thread to share.

/** Work that yields every few milliseconds at most, and returns its result. What it reads may grow while it is
 * interrupted, and must not change in any other way. */
export type Steps<Result> = Generator<void, Result, void>;

/** All steps at once. */
export function finish<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

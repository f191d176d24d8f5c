// SPDX-License-Identifier: Apache-2.0
//
// Runs long work in slices, so that a thread which answers others stays able to.

import type { Steps } from '@hearthscope/profile/steps';
import type { Pace } from './store.ts';

const SLICE_MILLIS = 10;

export class SlicePace implements Pace {
  readonly #signal: AbortSignal | undefined;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  async run<Result>(steps: Steps<Result>): Promise<Result> {
    let sliceEnd = performance.now() + SLICE_MILLIS;
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      if (performance.now() < sliceEnd) continue;
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#signal?.throwIfAborted();
      sliceEnd = performance.now() + SLICE_MILLIS;
    }
  }
}

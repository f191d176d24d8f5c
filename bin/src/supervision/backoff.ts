// SPDX-License-Identifier: Apache-2.0
//
// Decides how long to wait before a crashed component is started again, and when to stop trying. A component that ran
// well for a while starts with a clean record.

export interface BackoffLimits {
  /** Wait after the first quick crash; doubled with each further one. */
  readonly firstDelayMillis: number;
  readonly maxDelayMillis: number;
  /** A run shorter than this is a quick crash. */
  readonly quickRunMillis: number;
  /** After so many quick crashes in a row the supervisor gives up. */
  readonly maxQuickCrashes: number;
}

export const DEFAULT_BACKOFF: BackoffLimits = {
  firstDelayMillis: 500,
  maxDelayMillis: 30_000,
  quickRunMillis: 60_000,
  maxQuickCrashes: 5,
};

export class Backoff {
  readonly #limits: BackoffLimits;
  #quickCrashes = 0;

  constructor(limits: BackoffLimits) {
    this.#limits = limits;
  }

  get quickCrashes(): number {
    return this.#quickCrashes;
  }

  /** Notes a crash after a run of this length.
   * @returns milliseconds to wait, or undefined to give up */
  crashed(runMillis: number): number | undefined {
    const { firstDelayMillis, maxDelayMillis, quickRunMillis, maxQuickCrashes } = this.#limits;
    this.#quickCrashes = runMillis < quickRunMillis ? this.#quickCrashes + 1 : 1;
    if (this.#quickCrashes >= maxQuickCrashes) return undefined;
    return Math.min(maxDelayMillis, firstDelayMillis * 2 ** (this.#quickCrashes - 1));
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Waits for points in time that are a given distance apart, however long the work between them takes: no drift, and no
// two at once.

export class DeadlineTimer {
  #deadlineMillis = performance.now();
  #stopped = false;
  #wake: (() => void) | undefined;
  #missed = 0;

  /** Deadlines that had passed before anybody waited for them. */
  get missed(): number {
    return this.#missed;
  }

  /**
   * Waits until `intervalMillis` after the last deadline (the first time: after construction). Deadlines that have passed
   * already are skipped and counted. Resolves to false, at once, when the timer is stopped.
   */
  async waitFor(intervalMillis: number): Promise<boolean> {
    if (this.#stopped) return false;
    this.#deadlineMillis += intervalMillis;
    const now = performance.now();
    if (this.#deadlineMillis < now) {
      const skipped = Math.ceil((now - this.#deadlineMillis) / intervalMillis);
      this.#missed += skipped;
      this.#deadlineMillis += skipped * intervalMillis;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#deadlineMillis - now);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
    return !this.#stopped;
  }

  /** Ends the wait under way and all later ones. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }
}

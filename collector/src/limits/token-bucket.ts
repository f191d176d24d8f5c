// SPDX-License-Identifier: Apache-2.0
//
// The classic token bucket: what comes in a second is limited on average, and what may come at once is limited too.

/** Full at first. */
export class TokenBucket {
  #tokens: number;
  #updatedMillis: number;

  constructor(burst: number, nowMillis: number) {
    this.#tokens = burst;
    this.#updatedMillis = nowMillis;
  }

  /** Takes tokens if they are all there, else none. Rate and burst may change from call to call.
   * @param ratePerSecond tokens that come in a second
   * @param burst tokens that fit; an amount above is never there
   * @param nowMillis a clock that runs back counts as one that stands */
  take(amount: number, ratePerSecond: number, burst: number, nowMillis: number): boolean {
    const elapsedMillis = Math.max(0, nowMillis - this.#updatedMillis);
    this.#updatedMillis = Math.max(this.#updatedMillis, nowMillis);
    this.#tokens = Math.min(burst, this.#tokens + (ratePerSecond * elapsedMillis) / 1000);
    if (amount > this.#tokens) return false;
    this.#tokens -= amount;
    return true;
  }
}

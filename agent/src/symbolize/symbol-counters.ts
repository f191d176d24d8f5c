// SPDX-License-Identifier: Apache-2.0
//
// Counts of one worker, taken over by the main thread with each answer; the metrics registry lives there.

import type { SymbolCounterName, SymbolCounts } from './symbol-request.ts';

export class SymbolCounters {
  #counts: Partial<SymbolCounts> = {};

  add(counter: SymbolCounterName, reason: string, count = 1): void {
    if (count === 0) return;
    this.#counts[counter] ??= {};
    const byReason = this.#counts[counter];
    byReason[reason] = (byReason[reason] ?? 0) + count;
  }

  /** The counts since the last call. */
  take(): Partial<SymbolCounts> {
    const counts = this.#counts;
    this.#counts = {};
    return counts;
  }
}

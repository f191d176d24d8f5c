// SPDX-License-Identifier: Apache-2.0
//
// The samples of one chunk, summed while its events are read: no object is made for an event. A sample is known by the
// profile it belongs to, its stack trace (a row of the chunk's pool) and its correlation (a row that lasts for the whole
// recording).

import { UintListTable } from '../../uint-list-table.ts';

/** Sums are exact up to here; events that would lead beyond are refused by the caller. */
const MAX_SUM = Number.MAX_SAFE_INTEGER;

const ROW_ITEMS = 3;

export class ChunkSamples {
  /** [profile kind, stack trace, correlation] */
  readonly #rows = new UintListTable();
  readonly #row = new Uint32Array(ROW_ITEMS);
  readonly #counts: number[] = [];
  readonly #amounts: number[] = [];

  get length(): number {
    return this.#rows.length;
  }

  /** @returns false, and nothing is added, when a sum would not be exact any more */
  add(profile: number, stack: number, correlation: number, count: number, amount: number): boolean {
    if (!(count <= MAX_SUM && amount <= MAX_SUM)) return false;
    this.#row[0] = profile;
    this.#row[1] = stack;
    this.#row[2] = correlation;
    const before = this.#rows.length;
    const row = this.#rows.intern(this.#row);
    if (row === before) {
      this.#counts.push(count);
      this.#amounts.push(amount);
      return true;
    }
    const countSum = this.#counts[row]! + count;
    const amountSum = this.#amounts[row]! + amount;
    if (countSum > MAX_SUM || amountSum > MAX_SUM) return false;
    this.#counts[row] = countSum;
    this.#amounts[row] = amountSum;
    return true;
  }

  profile(row: number): number {
    return this.#rows.items[row * ROW_ITEMS]!;
  }

  stack(row: number): number {
    return this.#rows.items[row * ROW_ITEMS + 1]!;
  }

  correlation(row: number): number {
    return this.#rows.items[row * ROW_ITEMS + 2]!;
  }

  count(row: number): number {
    return this.#counts[row]!;
  }

  /** In the unit of the event's field. */
  amount(row: number): number {
    return this.#amounts[row]!;
  }
}

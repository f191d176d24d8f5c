// SPDX-License-Identifier: Apache-2.0
//
// From the ids of a pprof table to rows. Ids are any uint64 but 0. Nearly all producers count from 1, so small ids are
// looked up in an array; ids beyond it (some producers use addresses or hashes) in a Map, exactly.

/** Ids up to twice the number of rows and this many more are dense. */
const DENSE_SLACK = 1024;
/** Below this, high and low half make an exact number. */
const MAX_SAFE_HIGH = 2 ** 21;

export class IdTable {
  /** row + 1 by id, 0 where there is none: for loops too hot for a call. */
  readonly dense: Uint32Array;
  readonly #sparse = new Map<number | bigint, number>();

  /** @param rows how many ids will be added */
  constructor(rows: number) {
    this.dense = new Uint32Array(rows === 0 ? 0 : rows * 2 + DENSE_SLACK);
  }

  /** @param low @param high halves of the id, signed or not @returns false when the id is there already */
  add(low: number, high: number, row: number): boolean {
    if (high === 0 && low >>> 0 < this.dense.length) {
      if (this.dense[low] !== 0) return false;
      this.dense[low] = row + 1;
      return true;
    }
    const key = sparseKey(low, high);
    if (this.#sparse.has(key)) return false;
    this.#sparse.set(key, row);
    return true;
  }

  /** The row, or -1. */
  find(low: number, high: number): number {
    if (high === 0 && low >>> 0 < this.dense.length) return this.dense[low]! - 1;
    return this.#sparse.size === 0 ? -1 : (this.#sparse.get(sparseKey(low, high)) ?? -1);
  }
}

function sparseKey(low: number, high: number): number | bigint {
  if (high >>> 0 < MAX_SAFE_HIGH) return (high >>> 0) * 2 ** 32 + (low >>> 0);
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

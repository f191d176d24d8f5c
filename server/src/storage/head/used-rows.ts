// SPDX-License-Identifier: Apache-2.0
//
// Renumbers the rows of a table that something uses, so that it can be written without the rest.

/** Gives the rows of a table that are used new numbers, in the order of their first use. */
export class UsedRows {
  readonly used: number[] = [];
  readonly #numberOf: Uint32Array;
  readonly #first: number;

  /** @param first the number of the first used row; below it is row 0, "none", which stays 0 */
  constructor(rows: number, first = 1) {
    this.#numberOf = new Uint32Array(rows);
    this.#first = first;
  }

  /** Rows of the new table. */
  get length(): number {
    return this.used.length + this.#first;
  }

  renumber(row: number): number {
    if (row === 0) return 0;
    let number = this.#numberOf[row]!;
    if (number === 0) {
      this.used.push(row);
      // Kept one higher than it is, so that 0 means "not seen yet" even where numbers start at 0.
      number = this.used.length;
      this.#numberOf[row] = number;
    }
    return number - 1 + this.#first;
  }
}

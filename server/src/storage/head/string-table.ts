// SPDX-License-Identifier: Apache-2.0
//
// The strings of a tenant, each kept once. Row 0 is ''.

import type { MemoryBudget } from './memory-budget.ts';

export class StringTable {
  readonly #budget: MemoryBudget;
  readonly #values: string[] = [''];
  readonly #rowOf = new Map<string, number>([['', 0]]);

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  get length(): number {
    return this.#values.length;
  }

  get(row: number): string {
    return this.#values[row]!;
  }

  /** @throws HearthscopeError unavailable when the budget is used up */
  intern(value: string): number {
    const known = this.#rowOf.get(value);
    if (known !== undefined) return known;
    this.#budget.takeString(value);
    const row = this.#values.length;
    this.#values.push(value);
    this.#rowOf.set(value, row);
    return row;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Collects unwind rows of Go functions: addresses in ascending order, rules shared, equal neighbours merged.

import { cfaKind, fpKind, raKind, type UnwindRule } from './unwind-rule.ts';
import { maxUnwindRules, unwindCommand } from './unwind-table.ts';

/** A rule of which only some fields differ from nothing. */
export type SparseUnwindRule = Partial<UnwindRule>;

const emptyRule: UnwindRule = {
  cfaKind: cfaKind.register,
  cfaRegister: 0,
  cfaOffset: 0,
  cfaAdd: 0,
  fpKind: fpKind.same,
  fpRegister: 0,
  fpOffset: 0,
  raKind: raKind.atCfa,
  raRegister: 0,
  raOffset: 0,
};
const initialRows = 4096;

/** See the head of the file. `problems` counts what could not be written, by reason. */
export class GoRowWriter {
  readonly problems: Record<string, number> = {};
  readonly #maxRows: number;
  readonly #rules: UnwindRule[] = [];
  readonly #ruleIndexes = new Map<number, number>();
  #addresses = new Float64Array(initialRows);
  #rowRules = new Uint16Array(initialRows);
  #count = 0;

  constructor(maxRows: number) {
    this.#maxRows = maxRows;
  }

  get rules(): readonly UnwindRule[] {
    return this.#rules;
  }

  get addresses(): Float64Array {
    return this.#addresses.slice(0, this.#count);
  }

  get rowRules(): Uint16Array {
    return this.#rowRules.slice(0, this.#count);
  }

  /**
   * Index of the rule that `make` gives. `key` is a number that no other rule of this writer has, so that a rule is made
   * once.
   */
  rule(key: number, make: () => SparseUnwindRule): number {
    let index = this.#ruleIndexes.get(key);
    if (index === undefined) {
      if (this.#rules.length >= maxUnwindRules) {
        this.countProblem('rules_over_limit');
        return unwindCommand.unsupported;
      }
      index = this.#rules.length;
      this.#rules.push({ ...emptyRule, ...make() });
      this.#ruleIndexes.set(key, index);
    }
    return index;
  }

  /** From `address` on, `rule` holds. An address before the last one's takes back what was said from there on. */
  add(address: number, rule: number): void {
    while (this.#count > 0 && this.#addresses[this.#count - 1]! >= address) this.#count--;
    if (this.#count > 0 && this.#rowRules[this.#count - 1] === rule) return;
    if (this.#count >= this.#maxRows) {
      this.countProblem('rows_over_limit');
      return;
    }
    if (this.#count === this.#addresses.length) this.#grow();
    this.#addresses[this.#count] = address;
    this.#rowRules[this.#count] = rule;
    this.#count++;
  }

  countProblem(problem: string): void {
    this.problems[problem] = (this.problems[problem] ?? 0) + 1;
  }

  #grow(): void {
    const addresses = new Float64Array(this.#count * 2);
    const rowRules = new Uint16Array(this.#count * 2);
    addresses.set(this.#addresses);
    rowRules.set(this.#rowRules);
    this.#addresses = addresses;
    this.#rowRules = rowRules;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Makes an UnwindTable from rows that come in ascending order of address. Rows live in typed arrays that double; a row
// waits until a later address is known, because the same address may be said again and the last word counts.

import { encodeUnwindRule, type UnwindRule } from './unwind-rule.ts';
import {
  maxUnwindRules,
  type UnwindMachine,
  type UnwindTable,
  unwindCommand,
  unwindPageBytes,
} from './unwind-table.ts';

/** Limits of one table. What lies beyond is left out, or `unsupported`, and counted in `problems`. */
export interface UnwindTableLimits {
  /** 4 bytes each. */
  readonly maxRows: number;
  /** Pages between the first and the last address; 6 bytes each, so that far-apart segments cannot cost much. */
  readonly maxPages: number;
  readonly maxRules: number;
}

export const unwindTableLimits: UnwindTableLimits = {
  maxRows: 1 << 24,
  maxPages: 1 << 20,
  maxRules: maxUnwindRules,
};

/** See the head of the file. `problems` counts what limits left out, by reason. */
export class UnwindTableBuilder {
  readonly problems: Record<string, number> = {};
  readonly #machine: UnwindMachine;
  readonly #limits: UnwindTableLimits;
  #rowOffset = new Uint16Array(1024);
  #rowRule = new Uint16Array(1024);
  #rowCount = 0;
  #pageFirstRow = new Uint32Array(64);
  #pageRule = new Uint16Array(64);
  #pageCount = 0;
  #firstPage = 0;
  /** Four words a rule. */
  #ruleWords = new Int32Array(256);
  #ruleCount = 0;
  /** Open addressing, a power of two long: rule index + 1, 0 for a free slot. */
  #ruleSlots = new Int32Array(256);
  readonly #words = new Int32Array(4);
  /** The row that waits, and the rule in effect before it. */
  #address = -1;
  #rule: number = unwindCommand.unknown;
  #ruleBefore: number = unwindCommand.unknown;
  #isFull = false;

  constructor(machine: UnwindMachine, limits: Partial<UnwindTableLimits> = {}) {
    this.#machine = machine;
    this.#limits = { ...unwindTableLimits, ...limits };
  }

  /** The rule or command that was added last; `unknown` before any. */
  get lastRule(): number {
    return this.#rule;
  }

  /**
   * Index of the rule among this table's rules; equal rules share one. The command `unsupported` when a value does not
   * fit its field (counted as rule_out_of_range) or there are too many rules (rules_over_limit).
   */
  rule(rule: UnwindRule): number {
    if (!encodeUnwindRule(rule, this.#words)) {
      this.#count('rule_out_of_range');
      return unwindCommand.unsupported;
    }
    return this.ruleOfWords(this.#words[0]!, this.#words[1]!, this.#words[2]!, this.#words[3]!);
  }

  /** Like `rule`, for callers that encode rules themselves: the four words of `encodeUnwindRule`. */
  ruleOfWords(word0: number, word1: number, word2: number, word3: number): number {
    const mask = this.#ruleSlots.length - 1;
    const words = this.#ruleWords;
    let slot = hashOf(word0, word1, word2, word3) & mask;
    for (;;) {
      const found = this.#ruleSlots[slot]! - 1;
      if (found < 0) break;
      const at = found * 4;
      if (
        words[at] === word0 &&
        words[at + 1] === word1 &&
        words[at + 2] === word2 &&
        words[at + 3] === word3
      ) {
        return found;
      }
      slot = (slot + 1) & mask;
    }
    if (this.#ruleCount >= this.#limits.maxRules) {
      this.#count('rules_over_limit');
      return unwindCommand.unsupported;
    }
    return this.#insertRule(slot, word0, word1, word2, word3);
  }

  /**
   * From `address` (an ELF virtual address, an integer below 2^53) on, `rule` (an index or a command) holds. Addresses
   * ascend, else a RangeError; a later call with the same address replaces the earlier. Equal neighbours merge. After
   * the last function the caller says `unknown`. Rows over a limit are left out and counted (rows_over_limit,
   * pages_over_limit).
   */
  add(address: number, rule: number): void {
    if (address !== this.#address) {
      if (!(address > this.#address && Number.isSafeInteger(address))) {
        throw new RangeError(`unwind rows must ascend: ${address} after ${this.#address}`);
      }
      this.#commit();
      this.#address = address;
    }
    this.#rule = rule;
  }

  /** The table of all rows. The builder is done afterwards. */
  finish(): UnwindTable {
    this.#commit();
    return {
      machine: this.#machine,
      firstPage: this.#firstPage,
      pageFirstRow: concluded(this.#pageFirstRow, this.#pageCount, this.#rowCount),
      pageRule: this.#pageRule.slice(0, this.#pageCount),
      rowOffset: this.#rowOffset.slice(0, this.#rowCount),
      rowRule: this.#rowRule.slice(0, this.#rowCount),
      rules: new Uint8Array(this.#ruleWords.slice(0, this.#ruleCount * 4).buffer),
    };
  }

  #commit(): void {
    const rule = this.#rule;
    if (rule === this.#ruleBefore) return;
    const ruleBefore = this.#ruleBefore;
    this.#ruleBefore = rule;
    if (this.#isFull) {
      this.#count('rows_over_limit');
      return;
    }
    const page = Math.floor(this.#address / unwindPageBytes);
    if (this.#pageCount === 0) this.#firstPage = page;
    if (page - this.#firstPage >= this.#limits.maxPages) {
      this.#count('pages_over_limit');
      return;
    }
    this.#openPages(page - this.#firstPage + 1, ruleBefore);
    const offset = this.#address - page * unwindPageBytes;
    // What begins with the page needs no row.
    if (offset === 0) this.#pageRule[page - this.#firstPage] = rule;
    else this.#pushRow(offset, rule);
  }

  #pushRow(offset: number, rule: number): void {
    // The last row that fits says where knowledge ends.
    this.#isFull = this.#rowCount + 1 >= this.#limits.maxRows;
    if (this.#rowCount === this.#rowOffset.length) {
      this.#rowOffset = grown(this.#rowOffset, Uint16Array);
      this.#rowRule = grown(this.#rowRule, Uint16Array);
    }
    this.#rowOffset[this.#rowCount] = offset;
    this.#rowRule[this.#rowCount++] = this.#isFull ? unwindCommand.unknown : rule;
    if (this.#isFull && rule !== unwindCommand.unknown) this.#count('rows_over_limit');
  }

  /** Begins the pages up to `pageCount`: `rule` holds at their first bytes. */
  #openPages(pageCount: number, rule: number): void {
    while (this.#pageCount < pageCount) {
      if (this.#pageCount === this.#pageRule.length) {
        this.#pageRule = grown(this.#pageRule, Uint16Array);
        this.#pageFirstRow = grown(this.#pageFirstRow, Uint32Array);
      }
      this.#pageRule[this.#pageCount] = rule;
      this.#pageFirstRow[this.#pageCount++] = this.#rowCount;
    }
  }

  #insertRule(slot: number, word0: number, word1: number, word2: number, word3: number): number {
    const index = this.#ruleCount++;
    if (index * 4 === this.#ruleWords.length) this.#ruleWords = grown(this.#ruleWords, Int32Array);
    this.#ruleWords.set([word0, word1, word2, word3], index * 4);
    this.#ruleSlots[slot] = index + 1;
    if (this.#ruleCount * 2 > this.#ruleSlots.length) this.#growSlots();
    return index;
  }

  #growSlots(): void {
    const slots = new Int32Array(this.#ruleSlots.length * 2);
    const mask = slots.length - 1;
    const words = this.#ruleWords;
    for (let index = 0; index < this.#ruleCount; index++) {
      const at = index * 4;
      let slot = hashOf(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = index + 1;
    }
    this.#ruleSlots = slots;
  }

  #count(reason: string): void {
    this.problems[reason] = (this.problems[reason] ?? 0) + 1;
  }
}

function hashOf(word0: number, word1: number, word2: number, word3: number): number {
  let hash = Math.imul(word0, 0x9e3779b1);
  hash = Math.imul(hash ^ word1 ^ (hash >>> 15), 0x85ebca77);
  hash = Math.imul(hash ^ word2 ^ (hash >>> 13), 0xc2b2ae3d);
  hash = Math.imul(hash ^ word3 ^ (hash >>> 16), 0x27d4eb2f);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function grown<T extends Uint16Array | Uint32Array | Int32Array>(
  column: T,
  make: new (length: number) => T,
): T {
  const larger = new make(column.length * 2);
  larger.set(column);
  return larger;
}

function concluded(firstRow: Uint32Array, pageCount: number, rowCount: number): Uint32Array {
  const all = new Uint32Array(pageCount + 1);
  all.set(firstRow.subarray(0, pageCount));
  all[pageCount] = rowCount;
  return all;
}

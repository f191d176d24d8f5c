// SPDX-License-Identifier: Apache-2.0
//
// What is known of samples and profiles beside their series (pid, thread, …) and the spans they ran in. These values have
// no bound, so they are columns and never labels; each distinct set is kept once.

import type { Attribute, AttributeValue, Link } from '@hearthscope/profile/profile';
import { ID_WORDS, SPAN_ID_WORDS, wordsOfHex } from './binary-id.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { StringTable } from './string-table.ts';
import { TupleTable } from './tuple-table.ts';

const ValueKind = { string: 0, integer: 1, double: 2, boolean: 3 } as const;

const LOW_32_BITS = 0xffff_ffffn;

export class AttributeTable {
  readonly #strings: StringTable;
  /** key, kind, two words of value, unit. */
  readonly #attributes: TupleTable;
  /** Chains: row of the rest, attribute. Sets are sorted, so equal sets are equal chains. */
  readonly #sets: TupleTable;
  /** Trace id, span id. */
  readonly links: TupleTable;
  readonly #double = new Float64Array(1);
  readonly #doubleWords = new Uint32Array(this.#double.buffer);

  constructor(strings: StringTable, budget: MemoryBudget) {
    this.#strings = strings;
    this.#attributes = new TupleTable(5, budget);
    this.#sets = new TupleTable(2, budget);
    this.links = new TupleTable(ID_WORDS + SPAN_ID_WORDS, budget);
  }

  /** The row of an attribute, for {@link internSet}.
   * @throws HearthscopeError unavailable when the budget is used up */
  intern({ key, value, unit }: Attribute): number {
    const strings = this.#strings;
    const [kind, low, high] = this.#words(value);
    return this.#attributes.intern(strings.intern(key), kind, low, high, strings.intern(unit));
  }

  /** The row of a set of attributes, in any order; 0 for the empty set.
   * @param attributes rows that `intern` gave; sorted in place
   * @throws HearthscopeError unavailable when the budget is used up */
  internSet(attributes: Uint32Array): number {
    attributes.sort();
    let set = 0;
    for (let i = 0; i < attributes.length; i++) {
      if (i === 0 || attributes[i] !== attributes[i - 1]) set = this.#sets.intern(set, attributes[i]!);
    }
    return set;
  }

  /** Rows of sets, that of the empty set included. */
  get setCount(): number {
    return this.#sets.length;
  }

  /** The attributes of a set. */
  attributes(set: number): Attribute[] {
    const list: Attribute[] = [];
    for (let row = set; row !== 0; row = this.#sets.get(row, 0))
      list.push(this.#attribute(this.#sets.get(row, 1)));
    return list.reverse();
  }

  /** @returns 0 for no link
   * @throws HearthscopeError unavailable when the budget is used up */
  internLink({ traceId, spanId }: Link): number {
    if (traceId === '' && spanId === '') return 0;
    const [a, b, c, d] = wordsOfHex(traceId, ID_WORDS);
    const [e, f] = wordsOfHex(spanId, SPAN_ID_WORDS);
    return this.links.intern(a!, b!, c, d, e, f);
  }

  #words(value: AttributeValue): [kind: number, low: number, high: number] {
    switch (typeof value) {
      case 'string':
        return [ValueKind.string, this.#strings.intern(value), 0];
      case 'bigint':
        return [ValueKind.integer, Number(value & LOW_32_BITS), Number(BigInt.asUintN(64, value) >> 32n)];
      case 'number':
        this.#double[0] = value;
        return [ValueKind.double, this.#doubleWords[0]!, this.#doubleWords[1]!];
      case 'boolean':
        return [ValueKind.boolean, value ? 1 : 0, 0];
    }
  }

  #attribute(row: number): Attribute {
    const [key, kind, low, high, unit] = [0, 1, 2, 3, 4].map((field) => this.#attributes.get(row, field)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    return {
      key: this.#strings.get(key),
      value: this.#value(kind, low, high),
      unit: this.#strings.get(unit),
    };
  }

  #value(kind: number, low: number, high: number): AttributeValue {
    switch (kind) {
      case ValueKind.string:
        return this.#strings.get(low);
      case ValueKind.integer:
        return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
      case ValueKind.double:
        this.#doubleWords[0] = low;
        this.#doubleWords[1] = high;
        return this.#double[0]!;
      default:
        return low !== 0;
    }
  }
}

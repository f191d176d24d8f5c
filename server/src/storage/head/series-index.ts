// SPDX-License-Identifier: Apache-2.0
//
// The series of a tenant and the inverted index over their labels. A regular expression is tried once per distinct value
// of its label, not once per series.

import { type LabelSet, labelSetKey } from '@hearthscope/profile/labels';
import type { LabelMatcher } from '@hearthscope/profile/selector/label-matcher';
import { type MemoryBudget, stringBytes } from './memory-budget.ts';

/** The objects, array entries and hash map entries that a label of a series costs beside its strings. */
const LABEL_OVERHEAD_BYTES = 256;

export class SeriesIndex {
  readonly #budget: MemoryBudget;
  readonly #labels: LabelSet[] = [];
  readonly #idOf = new Map<string, number>();
  /** name → value → ids of the series that have it. */
  readonly #postings = new Map<string, Map<string, number[]>>();

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  get length(): number {
    return this.#labels.length;
  }

  labels(series: number): LabelSet {
    return this.#labels[series]!;
  }

  /** @throws HearthscopeError unavailable when the budget is used up */
  intern(labels: LabelSet): number {
    const key = labelSetKey(labels);
    const known = this.#idOf.get(key);
    if (known !== undefined) return known;
    this.#budget.take(
      labels.reduce(
        (bytes, { name, value }) => bytes + LABEL_OVERHEAD_BYTES + stringBytes(name) + stringBytes(value),
        stringBytes(key),
      ),
    );
    const series = this.#labels.length;
    this.#labels.push(labels.map(({ name, value }) => ({ name, value })));
    this.#idOf.set(key, series);
    for (const { name, value } of labels) {
      let byValue = this.#postings.get(name);
      if (byValue === undefined) {
        byValue = new Map();
        this.#postings.set(name, byValue);
      }
      const ids = byValue.get(value);
      if (ids === undefined) byValue.set(value, [series]);
      else ids.push(series);
    }
    return series;
  }

  /** A flag per series: 1 when it matches all matchers of one of the alternatives, or when there are none. */
  matching(alternatives: readonly (readonly LabelMatcher[])[]): Uint8Array {
    if (alternatives.length === 0) return new Uint8Array(this.length).fill(1);
    const selected = new Uint8Array(this.length);
    for (const matchers of alternatives) {
      const all = new Uint8Array(this.length).fill(1);
      for (const matcher of matchers) {
        const passing = this.#passing(matcher);
        for (let series = 0; series < all.length; series++) all[series]! &= passing[series]!;
      }
      for (let series = 0; series < all.length; series++) selected[series]! |= all[series]!;
    }
    return selected;
  }

  #passing(matcher: LabelMatcher): Uint8Array {
    const passing = new Uint8Array(this.length).fill(matcher.matches('') ? 1 : 0);
    const byValue = this.#postings.get(matcher.name);
    if (byValue === undefined) return passing;
    if (matcher.operator === '=' && matcher.value !== '') {
      for (const series of byValue.get(matcher.value) ?? []) passing[series] = 1;
      return passing;
    }
    for (const [value, ids] of byValue) {
      const flag = matcher.matches(value) ? 1 : 0;
      for (const series of ids) passing[series] = flag;
    }
    return passing;
  }
}

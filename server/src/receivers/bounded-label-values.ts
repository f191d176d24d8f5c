// SPDX-License-Identifier: Apache-2.0
//
// Keeps the labels of metrics from growing without end where clients choose their values.

const OTHER = 'other';

export class BoundedLabelValues {
  readonly #maxValues: number;
  readonly #known = new Set<string>();

  constructor(maxValues: number) {
    this.#maxValues = maxValues;
  }

  /** The value itself for the first ones that come, `other` for those that come when there are enough. */
  labelOf(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size === this.#maxValues) return OTHER;
    this.#known.add(value);
    return value;
  }
}

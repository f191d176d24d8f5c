// SPDX-License-Identifier: Apache-2.0
//
// The attribute sets of a profile that is being decoded. Samples give their attributes as lists, in any order and with
// repetitions, but most of them repeat the list of a sample before; so a list is sorted once.

import type { AttributeSetTable } from '../profile.ts';
import { UintListTable } from '../uint-list-table.ts';

export class AttributeSets {
  /** Lists as they came; the set of each is in `#setOfList`. */
  readonly #lists = new UintListTable();
  readonly #setOfList: number[] = [];
  readonly #sets = new UintListTable();

  constructor() {
    this.#sets.intern([]);
  }

  /** The row of the set with the attributes `list`. */
  row(list: readonly number[]): number {
    if (list.length === 0) return 0;
    const row = this.#lists.intern(list);
    if (row === this.#setOfList.length) {
      this.#setOfList.push(this.#sets.intern([...new Set(list)].sort((a, b) => a - b)));
    }
    return this.#setOfList[row]!;
  }

  finish(): AttributeSetTable {
    return {
      length: this.#sets.length,
      attributeStart: this.#sets.finishStart(),
      attribute: this.#sets.finishItems(),
    };
  }
}

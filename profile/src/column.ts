// SPDX-License-Identifier: Apache-2.0
//
// Columns that grow: typed arrays with `push`, for tables whose length is known only at the end. They double, so a
// push costs O(1) on average; `finish` gives an array of exactly the right length that shares no memory with the column.

const INITIAL_CAPACITY = 64;

/** Growable Uint32Array. `data` may be longer than `length` and is replaced by growth: do not keep it. */
export class Uint32Column {
  data = new Uint32Array(INITIAL_CAPACITY);
  length = 0;

  push(value: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  /** Makes room for `extra` more values, so that a hot loop may write to `data` itself and then set `length`. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.data.length) return;
    const grown = new Uint32Array(Math.max(needed, this.data.length * 2));
    grown.set(this.data.subarray(0, this.length));
    this.data = grown;
  }

  finish(): Uint32Array {
    return this.data.slice(0, this.length);
  }
}

/** Growable BigUint64Array. */
export class BigUint64Column {
  data = new BigUint64Array(INITIAL_CAPACITY);
  length = 0;

  push(value: bigint): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  /** Makes room for `extra` more values. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.data.length) return;
    const grown = new BigUint64Array(Math.max(needed, this.data.length * 2));
    grown.set(this.data.subarray(0, this.length));
    this.data = grown;
  }

  finish(): BigUint64Array {
    return this.data.slice(0, this.length);
  }
}

/** Growable BigInt64Array. */
export class BigInt64Column {
  data = new BigInt64Array(INITIAL_CAPACITY);
  length = 0;

  push(value: bigint): void {
    if (this.length === this.data.length) {
      const grown = new BigInt64Array(this.data.length * 2);
      grown.set(this.data);
      this.data = grown;
    }
    this.data[this.length++] = value;
  }

  finish(): BigInt64Array {
    return this.data.slice(0, this.length);
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// The stored profiles of a tenant: what is known of each without looking at its samples. Time series are answered from
// here alone.

import { type Hex128, hexOfWords, ID_WORDS } from './binary-id.ts';

const INITIAL_PROFILES = 64;

/** series, first row, row count, attribute set: 4 bytes each; time in ms, time, duration, total: 8 each; id: 16. */
export const PROFILE_BYTES = 64;

export interface ProfileEntry {
  readonly series: number;
  readonly timeUnixNanos: bigint;
  readonly durationNanos: bigint;
  /** Sum of the values of its samples. */
  readonly total: bigint;
  readonly firstRow: number;
  readonly rowCount: number;
  /** Row of the tenant's attribute sets: attributes of the profile as a whole. */
  readonly attributeSet: number;
  readonly id: Hex128;
}

export class ProfileTable {
  #length = 0;
  #series = new Uint32Array(INITIAL_PROFILES);
  #firstRow = new Uint32Array(INITIAL_PROFILES);
  #rowCount = new Uint32Array(INITIAL_PROFILES);
  #attributeSet = new Uint32Array(INITIAL_PROFILES);
  #timeUnixMillis = new Float64Array(INITIAL_PROFILES);
  #timeUnixNanos = new BigUint64Array(INITIAL_PROFILES);
  #durationNanos = new BigUint64Array(INITIAL_PROFILES);
  #total = new BigInt64Array(INITIAL_PROFILES);
  #id = new Uint32Array(INITIAL_PROFILES * ID_WORDS);

  get length(): number {
    return this.#length;
  }
  get series(): Uint32Array {
    return this.#series;
  }
  get firstRow(): Uint32Array {
    return this.#firstRow;
  }
  get rowCount(): Uint32Array {
    return this.#rowCount;
  }
  get attributeSet(): Uint32Array {
    return this.#attributeSet;
  }
  /** Rounded down, as every range and step is in milliseconds. */
  get timeUnixMillis(): Float64Array {
    return this.#timeUnixMillis;
  }
  get timeUnixNanos(): BigUint64Array {
    return this.#timeUnixNanos;
  }
  get durationNanos(): BigUint64Array {
    return this.#durationNanos;
  }
  get total(): BigInt64Array {
    return this.#total;
  }

  /** 32 hex digits, or '' when the producer gave none. */
  id(profile: number): string {
    return hexOfWords(this.#id.subarray(profile * ID_WORDS, (profile + 1) * ID_WORDS));
  }

  /** Memory was accounted by the caller, so this does not fail. */
  append(entry: ProfileEntry): number {
    if (this.#length === this.#series.length) this.#grow();
    const profile = this.#length++;
    this.#series[profile] = entry.series;
    this.#firstRow[profile] = entry.firstRow;
    this.#rowCount[profile] = entry.rowCount;
    this.#attributeSet[profile] = entry.attributeSet;
    this.#timeUnixMillis[profile] = Number(entry.timeUnixNanos / 1_000_000n);
    this.#timeUnixNanos[profile] = entry.timeUnixNanos;
    this.#durationNanos[profile] = entry.durationNanos;
    this.#total[profile] = entry.total;
    this.#id.set(entry.id, profile * ID_WORDS);
    return profile;
  }

  #grow(): void {
    const capacity = this.#series.length * 2;
    this.#series = enlarged(this.#series, new Uint32Array(capacity));
    this.#firstRow = enlarged(this.#firstRow, new Uint32Array(capacity));
    this.#rowCount = enlarged(this.#rowCount, new Uint32Array(capacity));
    this.#attributeSet = enlarged(this.#attributeSet, new Uint32Array(capacity));
    this.#timeUnixMillis = enlarged(this.#timeUnixMillis, new Float64Array(capacity));
    this.#timeUnixNanos = enlarged(this.#timeUnixNanos, new BigUint64Array(capacity));
    this.#durationNanos = enlarged(this.#durationNanos, new BigUint64Array(capacity));
    this.#total = enlarged(this.#total, new BigInt64Array(capacity));
    this.#id = enlarged(this.#id, new Uint32Array(capacity * ID_WORDS));
  }
}

function enlarged<Column extends { set(values: Column): void }>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}

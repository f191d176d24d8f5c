// SPDX-License-Identifier: Apache-2.0
//
// What was parsed and may be wanted again, within a number of bytes: the least recently used is dropped first.

export interface Sized {
  /** Memory held, about; it may grow while the state is in use. */
  readonly byteSize: number;
}

/** States by key. */
export class StateCache {
  readonly #maxBytes: number;
  /** In the order of use, the latest last. */
  readonly #states = new Map<string, Entry>();
  /** Used since bytes were last counted, and possibly grown. */
  readonly #touched = new Set<Entry>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get byteSize(): number {
    this.#measure();
    return this.#bytes;
  }

  /** The state with that key, made when there is none. A key belongs to one kind of state. */
  get<T extends Sized>(key: string, make: () => T): T {
    const known = this.#states.get(key);
    if (known !== undefined) {
      this.#states.delete(key);
      this.#states.set(key, known);
      this.#touched.add(known);
      return known.state as T;
    }
    const state = make();
    const entry = { state, byteSize: 0 };
    this.#states.set(key, entry);
    this.#touched.add(entry);
    this.#measure();
    for (const [oldest, { byteSize }] of this.#states) {
      if (this.#bytes <= this.#maxBytes || oldest === key) break;
      this.#states.delete(oldest);
      this.#bytes -= byteSize;
    }
    return state;
  }

  #measure(): void {
    for (const entry of this.#touched) {
      const { byteSize } = entry.state;
      this.#bytes += byteSize - entry.byteSize;
      entry.byteSize = byteSize;
    }
    this.#touched.clear();
  }
}

interface Entry {
  readonly state: Sized;
  byteSize: number;
}

// SPDX-License-Identifier: Apache-2.0
//
// Which unit an address belongs to: disjoint ranges in ascending order, made from the ranges that units state, which may
// overlap. Where they do, the range that began before goes on if its unit still covers it, else the first unit of
// the file wins; that is how LLVM decides.

import type { ProblemCounts } from './dwarf-limits.ts';

/** Collects the ranges of units; `build` makes them disjoint. */
export class AddressIndexBuilder {
  readonly #maxRanges: number;
  readonly #problems: ProblemCounts;
  readonly #lows: number[] = [];
  readonly #highs: number[] = [];
  readonly #units: number[] = [];

  constructor(maxRanges: number, problems: ProblemCounts) {
    this.#maxRanges = maxRanges;
    this.#problems = problems;
  }

  /** Adds flat ranges (low, high, low, high, …) of a unit. Empty ones count for nothing. */
  add(unit: number, ranges: readonly number[]): void {
    for (let i = 0; i + 1 < ranges.length; i += 2) {
      const low = ranges[i]!;
      const high = ranges[i + 1]!;
      if (!(low < high)) continue;
      if (this.#lows.length >= this.#maxRanges) {
        this.#problems.add('too_many_ranges');
        return;
      }
      this.#lows.push(low);
      this.#highs.push(high);
      this.#units.push(unit);
    }
  }

  build(): AddressIndex {
    const starts = sortedBy(this.#lows);
    const ends = sortedBy(this.#highs);
    const covering = new CoveringUnits();
    const lows: number[] = [];
    const highs: number[] = [];
    const units: number[] = [];
    let previous = Number.NEGATIVE_INFINITY;
    for (let s = 0, e = 0; e < ends.length; ) {
      const isStart = s < starts.length && this.#lows[starts[s]!]! <= this.#highs[ends[e]!]!;
      const address = isStart ? this.#lows[starts[s]!]! : this.#highs[ends[e]!]!;
      const first = previous < address ? covering.first() : -1;
      if (first >= 0) {
        const last = highs.length - 1;
        if (last >= 0 && highs[last] === previous && covering.has(units[last]!)) highs[last] = address;
        else {
          lows.push(previous);
          highs.push(address);
          units.push(first);
        }
      }
      if (isStart) covering.enter(this.#units[starts[s++]!]!);
      else covering.leave(this.#units[ends[e++]!]!);
      previous = address;
    }
    return new AddressIndex(Float64Array.from(lows), Float64Array.from(highs), Uint32Array.from(units));
  }
}

/** Disjoint ranges of units. */
export class AddressIndex {
  readonly #lows: Float64Array;
  readonly #highs: Float64Array;
  readonly #units: Uint32Array;

  constructor(lows: Float64Array, highs: Float64Array, units: Uint32Array) {
    this.#lows = lows;
    this.#highs = highs;
    this.#units = units;
  }

  get byteSize(): number {
    return this.#lows.length * 20;
  }

  /** Number of the unit that covers the address, -1 when none does. */
  find(address: number): number {
    let low = 0;
    let high = this.#lows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#lows[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low > 0 && address < this.#highs[low - 1]! ? this.#units[low - 1]! : -1;
  }
}

/** Units that cover the current address, each as often as it does so. */
class CoveringUnits {
  readonly #counts = new Map<number, number>();
  /** A binary heap of units; those that have left since are dropped when they come to its top. */
  readonly #heap: number[] = [];

  has(unit: number): boolean {
    return this.#counts.has(unit);
  }

  /** The lowest number among them, -1 when there is none. */
  first(): number {
    while (this.#heap.length > 0 && !this.#counts.has(this.#heap[0]!)) this.#dropTop();
    return this.#heap[0] ?? -1;
  }

  enter(unit: number): void {
    const count = this.#counts.get(unit) ?? 0;
    this.#counts.set(unit, count + 1);
    if (count > 0) return;
    const heap = this.#heap;
    let at = heap.length;
    for (; at > 0; at = (at - 1) >>> 1) {
      const parent = heap[(at - 1) >>> 1]!;
      if (parent <= unit) break;
      heap[at] = parent;
    }
    heap[at] = unit;
  }

  leave(unit: number): void {
    const count = this.#counts.get(unit) ?? 0;
    if (count > 1) this.#counts.set(unit, count - 1);
    else this.#counts.delete(unit);
  }

  #dropTop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function sortedBy(keys: readonly number[]): Uint32Array {
  const order = new Uint32Array(keys.length);
  for (let i = 0; i < order.length; i++) order[i] = i;
  return order.sort((a, b) => keys[a]! - keys[b]!);
}

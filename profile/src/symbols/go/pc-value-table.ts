// SPDX-License-Identifier: Apache-2.0
//
// A pc-value table: which value (a line, a file, a stack depth, an index into the tree of inlined calls) holds at which
// program counter of a function. Go writes it as pairs of varints until a value difference of 0, which only the first
// pair may have:
//
//   value difference (zigzag) · pc difference in quanta      value starts at -1, pc at the function's entry

import type { FileWindows } from './file-windows.ts';

/** Why a table could not be read to its end. What was read before is kept. */
export type PcValueDamage = 'table_cut_short' | 'table_varint' | 'table_too_long' | 'table_step_limit';

/** Steps that go nowhere are possible but useless; this many are tolerated above what the function's size explains. */
const spareSteps = 16;
const maxVarintBytes = 5;

/** One decoded table, reused for the next. */
export class PcValueTable {
  /** Per step: the offset from the function's entry at which its value ends. */
  ends = new Uint32Array(256);
  values = new Int32Array(256);
  count = 0;

  /**
   * Decodes the table at `offset` of the file, before `limit`, of a function of `size` bytes. `maxSteps` bounds the
   * work. Values are right up to the damage that is returned.
   */
  decode(
    windows: FileWindows,
    offset: number,
    limit: number,
    size: number,
    quantum: number,
    maxSteps: number,
  ): PcValueDamage | undefined {
    this.count = 0;
    const explained = Math.ceil(size / quantum) + spareSteps;
    const stepLimit = Math.min(explained, maxSteps);
    let window = windows.from(offset);
    let start = offset;
    let at = 0;
    let value = -1;
    let pc = 0;
    let isValue = true;
    let varint = 0;
    let shift = 0;
    for (;;) {
      if (at >= window.length) {
        start += at;
        at = 0;
        window = windows.from(start);
        if (window.length === 0) return 'table_cut_short';
      }
      if (start + at >= limit) return 'table_cut_short';
      const byte = window[at++]!;
      varint |= (byte & 0x7f) << shift;
      if (byte >= 0x80) {
        shift += 7;
        if (shift >= maxVarintBytes * 7) return 'table_varint';
        continue;
      }
      if (isValue) {
        if (varint === 0 && this.count > 0) return undefined;
        // Zigzag: the lowest bit is the sign.
        value = (value + ((varint >>> 1) ^ -(varint & 1))) | 0;
      } else {
        pc += (varint >>> 0) * quantum;
        if (pc > size || this.count >= stepLimit) {
          // Padding behind a function's last instruction belongs to no table, but none reaches into the next function.
          if (this.count >= stepLimit) return stepLimit < explained ? 'table_step_limit' : 'table_too_long';
          this.#add(size, value);
          return 'table_too_long';
        }
        this.#add(pc, value);
      }
      isValue = !isValue;
      varint = 0;
      shift = 0;
    }
  }

  /** The value at an offset from the function's entry; -1 where the table says nothing, as Go does. */
  valueAt(pcOffset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ends[middle]! <= pcOffset) low = middle + 1;
      else high = middle;
    }
    return low < this.count ? this.values[low]! : -1;
  }

  #add(end: number, value: number): void {
    if (this.count === this.ends.length) {
      const ends = new Uint32Array(this.count * 2);
      const values = new Int32Array(this.count * 2);
      ends.set(this.ends);
      values.set(this.values);
      this.ends = ends;
      this.values = values;
    }
    this.ends[this.count] = end;
    this.values[this.count] = value;
    this.count++;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Sums of int64 values per stack, exactly and without a BigInt per sample: the halves of each value are added as
// doubles, and before a double could lose a bit the low half's carry moves to the high half.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { RowSlice } from './row-table.ts';

const TWO_32 = 2 ** 32;
/** A low half grows by less than 2^32 a row, and a double counts to 2^53. */
const ROWS_BETWEEN_CARRIES = 2 ** 20;

export class StackSums {
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  #rowsSinceCarry = 0;

  /** @param stacks rows of the stack table */
  constructor(stacks: number) {
    this.#low = new Float64Array(stacks);
    this.#high = new Float64Array(stacks);
  }

  /** Adds rows `slice.from .. slice.to`, or those of them whose link has its flag set. */
  add({ stack, valueWords, link, from, to }: RowSlice, linkFlags?: Uint8Array): void {
    const low = this.#low;
    const high = this.#high;
    for (let row = from; row < to; row++) {
      if (linkFlags !== undefined && linkFlags[link[row]!] === 0) continue;
      const at = stack[row]!;
      low[at]! += valueWords[row * 2]!;
      high[at]! += valueWords[row * 2 + 1]! | 0;
    }
    this.#rowsSinceCarry += to - from;
    if (this.#rowsSinceCarry >= ROWS_BETWEEN_CARRIES) this.#carry();
  }

  /** The stacks whose sum is not zero, and the sums.
   * @throws HearthscopeError failed_precondition when a sum leaves int64 */
  nonZero(): { stack: Uint32Array; value: BigInt64Array } {
    this.#carry();
    const low = this.#low;
    const high = this.#high;
    let count = 0;
    for (let i = 0; i < low.length; i++) if (low[i] !== 0 || high[i] !== 0) count++;
    const stack = new Uint32Array(count);
    const value = new BigInt64Array(count);
    for (let i = 0, at = 0; i < low.length; i++) {
      if (low[i] === 0 && high[i] === 0) continue;
      if (high[i]! < -(2 ** 31) || high[i]! >= 2 ** 31) {
        throw new HearthscopeError(
          'failed_precondition',
          'the sum of a stack does not fit into an int64; narrow the time range or the selector',
        );
      }
      stack[at] = i;
      value[at++] = (BigInt(high[i]!) << 32n) + BigInt(low[i]!);
    }
    return { stack, value };
  }

  #carry(): void {
    const low = this.#low;
    const high = this.#high;
    for (let i = 0; i < low.length; i++) {
      const carry = Math.floor(low[i]! / TWO_32);
      if (carry === 0) continue;
      low[i]! -= carry * TWO_32;
      high[i]! += carry;
    }
    this.#rowsSinceCarry = 0;
  }
}

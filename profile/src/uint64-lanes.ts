// SPDX-License-Identifier: Apache-2.0
//
// A uint64 as two 32-bit lanes, low half first, as interned lists hold it.

export function low32(value: bigint): number {
  return Number(value & 0xffff_ffffn);
}

/** @param value uint64 */
export function high32(value: bigint): number {
  return Number(value >> 32n);
}

/** The uint64 in `items[at]` and `items[at + 1]`. */
export function uint64Of(items: Uint32Array, at: number): bigint {
  return (BigInt(items[at + 1]!) << 32n) | BigInt(items[at]!);
}

// SPDX-License-Identifier: Apache-2.0
//
// Addresses as numbers. ELF addresses have 64 bits and a number is exact up to 2^53 only, which a kernel's addresses
// exceed; so addresses count from where the file's code begins. Numbers make sorting and searching plain and fast.

import type { SectionCursor } from './section.ts';

/** What linkers write where code was dropped (all bits set): no address. */
export const deadAddress = Number.POSITIVE_INFINITY;

/** Converts addresses of one file, from the bytes of a section or from the caller. */
export class AddressSpace {
  /** The address 0, counted from the base. */
  readonly zero: number;
  readonly #baseLow: number;
  readonly #baseHigh: number;

  /** Addresses count from `base`, rounded down to a page so that its difference to 0 is exact. */
  constructor(base: bigint) {
    const rounded = BigInt.asUintN(64, base) & ~0xfffn;
    this.#baseLow = Number(rounded & 0xffff_ffffn);
    this.#baseHigh = Number(rounded >> 32n);
    this.zero = this.of(0, 0);
  }

  /** The address whose halves these are. */
  of(high: number, low: number): number {
    return (high - this.#baseHigh) * 0x1_0000_0000 + (low - this.#baseLow);
  }

  /** Reads an address of 4 or 8 bytes; `deadAddress` when all its bits are set. */
  read(cursor: SectionCursor, size: number): number {
    const low = cursor.u32();
    if (size === 4) return low === 0xffff_ffff ? deadAddress : this.of(0, low);
    const high = cursor.u32();
    return low === 0xffff_ffff && high === 0xffff_ffff ? deadAddress : this.of(high, low);
  }

  /** All of the caller's addresses. */
  fromBigInts(addresses: BigUint64Array): Float64Array {
    const converted = new Float64Array(addresses.length);
    for (let i = 0; i < addresses.length; i++) {
      const address = addresses[i]!;
      converted[i] = this.of(Number(address >> 32n), Number(address & 0xffff_ffffn));
    }
    return converted;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// The index of a package of split units (.dwp): a hash table from a unit's id to where its part of each section lies.
// Version 2 is GNU's for DWARF 4, version 5 the standard's; they differ in the width of the version and in the
// numbers of sections behind .debug_abbrev.
//
//   version │ columns │ units │ slots │ u64 id per slot │ u32 row per slot │ u32 section per column │ u32 offsets │ sizes

import { FormatError } from '../../errors.ts';
import { packageSection } from './dwarf-constants.ts';
import { type Section, SectionCursor } from './section.ts';
import type { UnitContribution } from './unit.ts';

const maxColumns = 16;
const headerBytes = 16;

/** Parts of split units by id. */
export class PackageIndex {
  readonly #section: Section;
  readonly #columns: readonly number[];
  readonly #unitCount: number;
  readonly #slotCount: number;

  /** Throws FormatError when the index does not fit its section. */
  constructor(section: Section) {
    this.#section = section;
    const cursor = new SectionCursor(section);
    const version = cursor.u32();
    if (version !== 2 && (version & 0xffff) !== 5) {
      throw new FormatError(section.name, 0, `unknown version ${version}`);
    }
    const columnCount = cursor.u32();
    this.#unitCount = cursor.u32();
    this.#slotCount = cursor.u32();
    if (columnCount > maxColumns) throw new FormatError(section.name, 4, `${columnCount} columns`);
    const tableBytes = this.#slotCount * 12 + columnCount * 4 + this.#unitCount * columnCount * 8;
    if (headerBytes + tableBytes > section.size) {
      throw new FormatError(section.name, 8, `${this.#unitCount} units do not fit`);
    }
    if (this.#slotCount > 0 && !Number.isInteger(Math.log2(this.#slotCount))) {
      throw new FormatError(section.name, 12, `the number of slots, ${this.#slotCount}, is no power of two`);
    }
    cursor.seek(headerBytes + this.#slotCount * 12);
    this.#columns = Array.from({ length: columnCount }, () => cursor.u32());
  }

  /** Where the parts of the unit with that id begin; undefined when it is not in the package. */
  find(id: bigint): UnitContribution | undefined {
    const mask = this.#slotCount - 1;
    let slot = Number(id & 0xffff_ffffn) & mask;
    const step = (Number(id >> 32n) & mask) | 1;
    const cursor = new SectionCursor(this.#section);
    for (let probe = 0; probe < this.#slotCount; probe++) {
      cursor.seek(headerBytes + slot * 8);
      const found = cursor.bigU64();
      cursor.seek(headerBytes + this.#slotCount * 8 + slot * 4);
      const row = cursor.u32();
      if (row === 0) return undefined;
      if (found === id) return row <= this.#unitCount ? this.#row(row - 1) : undefined;
      slot = (slot + step) & mask;
    }
    return undefined;
  }

  #row(row: number): UnitContribution | undefined {
    const columnCount = this.#columns.length;
    const first = headerBytes + this.#slotCount * 12 + columnCount * 4 + row * columnCount * 4;
    const cursor = new SectionCursor(this.#section, first);
    const offsets = new Map(this.#columns.map((section) => [section, cursor.u32()]));
    const info = offsets.get(packageSection.info);
    if (info === undefined) return undefined;
    return {
      info,
      abbrev: offsets.get(packageSection.abbrev) ?? 0,
      strOffsets: offsets.get(packageSection.strOffsets) ?? 0,
      rnglists: offsets.get(packageSection.rnglists) ?? 0,
    };
  }
}

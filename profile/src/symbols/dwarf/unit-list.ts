// SPDX-License-Identifier: Apache-2.0
//
// Where the units of a .debug_info section begin. Units of types hold no code and are left out.

import { FormatError } from '../../errors.ts';
import { unitType } from './dwarf-constants.ts';
import type { ProblemCounts } from './dwarf-limits.ts';
import { type Section, SectionCursor } from './section.ts';
import { headerReadAhead, readUnitHeader, type UnitHeader } from './unit-header.ts';

/** Units by their number in the section, and by the offset of any of their entries. */
export class UnitList {
  readonly #section: Section;
  readonly #offsets: Float64Array;

  private constructor(section: Section, offsets: Float64Array) {
    this.#section = section;
    this.#offsets = offsets;
  }

  /** Reads all headers, and tells `visit` of each as it comes. */
  static scan(
    section: Section,
    maxUnits: number,
    problems: ProblemCounts,
    visit?: (header: UnitHeader, unit: number) => void,
  ): UnitList {
    const offsets: number[] = [];
    const cursor = new SectionCursor(section, 0, section.size, headerReadAhead);
    for (let at = 0; at < section.size; ) {
      if (offsets.length >= maxUnits) {
        problems.add('too_many_units');
        break;
      }
      let header: ReturnType<typeof readUnitHeader>;
      try {
        cursor.seek(at);
        header = readUnitHeader(cursor);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        problems.add('unit_header_damaged');
        break;
      }
      if ('unknownUnitEnd' in header) {
        problems.add('unit_version_unknown');
        at = header.unknownUnitEnd;
        continue;
      }
      at = header.end;
      if (header.type === unitType.type || header.type === unitType.splitType) continue;
      offsets.push(header.offset);
      visit?.(header, offsets.length - 1);
    }
    return new UnitList(section, Float64Array.from(offsets));
  }

  get count(): number {
    return this.#offsets.length;
  }

  get byteSize(): number {
    return this.#offsets.byteLength;
  }

  /** Header of the unit with that number. */
  header(unit: number): UnitHeader {
    const offset = this.#offsets[unit]!;
    const header = readUnitHeader(
      new SectionCursor(this.#section, offset, this.#section.size, headerReadAhead),
    );
    if ('unknownUnitEnd' in header) throw new FormatError(this.#section.name, offset, 'the unit has changed');
    return header;
  }

  /** Number of the unit that holds the byte at `offset`, or of the one before when none does; -1 before the first. */
  find(offset: number): number {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#offsets[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

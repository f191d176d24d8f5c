// SPDX-License-Identifier: Apache-2.0
//
// The header of a unit in .debug_info, of DWARF 2 to 5, in 32-bit and 64-bit DWARF.
//
//   2–4: length │ version │ abbreviations │ address size
//   5:   length │ version │ unit type │ address size │ abbreviations │ dwo id (skeleton, split) or type signature, offset

import { FormatError } from '../../errors.ts';
import { unitType } from './dwarf-constants.ts';
import type { SectionCursor } from './section.ts';

export interface UnitHeader {
  readonly version: number;
  readonly addressSize: number;
  readonly offsetSize: number;
  /** Offset of the header in .debug_info; references of the unit count from here. */
  readonly offset: number;
  /** Offset behind the unit. */
  readonly end: number;
  /** Offset of the first entry. */
  readonly firstEntry: number;
  readonly type: number;
  readonly abbreviationsOffset: number;
  /** The id that a skeleton and its split unit share (version 5); 0 when there is none. */
  readonly dwoId: bigint;
}

/** Bytes to read ahead for a header and the unit's first entry, which mostly fits. */
export const headerReadAhead = 256;

/** Length of a unit, list or table: 4 bytes, or 12 in 64-bit DWARF. */
export function readInitialLength(cursor: SectionCursor): {
  readonly length: number;
  readonly offsetSize: number;
} {
  const length = cursor.u32();
  if (length < 0xffff_fff0) return { length, offsetSize: 4 };
  if (length !== 0xffff_ffff) {
    throw new FormatError(cursor.section.name, cursor.offset - 4, `the length ${length} is reserved`);
  }
  return { length: cursor.u64(), offsetSize: 8 };
}

/**
 * The header at the cursor, which is left at the first entry; where the version is unknown, only the end of the unit.
 *
 * @throws FormatError where there is none; then no later unit can be found either
 */
export function readUnitHeader(cursor: SectionCursor): UnitHeader | { readonly unknownUnitEnd: number } {
  const offset = cursor.offset;
  const { length, offsetSize } = readInitialLength(cursor);
  const end = cursor.offset + length;
  if (!(end <= cursor.section.size)) {
    throw new FormatError(cursor.section.name, offset, `a unit of ${length} bytes does not fit the section`);
  }
  if (length < 7)
    throw new FormatError(cursor.section.name, offset, `a unit of ${length} bytes has no header`);
  const version = cursor.u16();
  if (version < 2 || version > 5) return { unknownUnitEnd: end };
  let type: number = unitType.compile;
  let addressSize: number;
  let abbreviationsOffset: number;
  let dwoId = 0n;
  if (version >= 5) {
    type = cursor.u8();
    addressSize = cursor.u8();
    abbreviationsOffset = cursor.offsetOf(offsetSize);
    if (type === unitType.skeleton || type === unitType.splitCompile) dwoId = cursor.bigU64();
    else if (type === unitType.type || type === unitType.splitType) cursor.skip(8 + offsetSize);
  } else {
    abbreviationsOffset = cursor.offsetOf(offsetSize);
    addressSize = cursor.u8();
  }
  if (addressSize !== 4 && addressSize !== 8) return { unknownUnitEnd: end };
  const firstEntry = cursor.offset;
  if (firstEntry > end)
    throw new FormatError(cursor.section.name, offset, 'a unit is shorter than its header');
  return {
    version,
    addressSize,
    offsetSize,
    offset,
    end,
    firstEntry,
    type,
    abbreviationsOffset,
    dwoId,
  };
}

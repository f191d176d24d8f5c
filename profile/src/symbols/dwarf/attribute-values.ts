// SPDX-License-Identifier: Apache-2.0
//
// Values of attributes by their form. A function reads one class of values (constant, address, text, reference); an
// attribute whose form is of another class is skipped and has no value, as debuggers treat it.

import type { AbbreviationTable } from './abbreviation-table.ts';
import type { AddressSpace } from './address-space.ts';
import { form } from './dwarf-constants.ts';
import { type Section, SectionCursor } from './section.ts';

/** What forms of one unit refer to. */
export interface FormContext {
  readonly abbreviations: AbbreviationTable;
  /** Where the unit begins and ends in .debug_info. */
  readonly offset: number;
  readonly end: number;
  readonly space: AddressSpace;
  readonly strings: Section;
  readonly lineStrings: Section;
  /** Strings of the file that dwz shares among several; empty when it is not there. */
  readonly alternateStrings: Section;
  readonly stringOffsets: Section;
  readonly stringOffsetsBase: number;
  readonly addresses: Section;
  readonly addressesBase: number;
}

/** An unsigned constant or flag; undefined for other forms, signed ones included. */
export function readConstant(
  cursor: SectionCursor,
  formCode: number,
  implicitConstant: number,
  unit: FormContext,
): number | undefined {
  switch (formCode) {
    case form.implicitConst:
      return implicitConstant;
    case form.data1:
    case form.flag:
      return cursor.u8();
    case form.data2:
      return cursor.u16();
    case form.data4:
      return cursor.u32();
    case form.data8:
      return cursor.u64();
    case form.udata:
      return cursor.uleb();
    case form.flagPresent:
      return 1;
    case form.indirect:
      return readConstant(cursor, innerForm(cursor), 0, unit);
    default:
      unit.abbreviations.skipForm(formCode, cursor);
      return undefined;
  }
}

/** An offset into another section, which DWARF 2 and 3 wrote as a constant. */
export function readSectionOffset(
  cursor: SectionCursor,
  formCode: number,
  unit: FormContext,
): number | undefined {
  switch (formCode) {
    case form.secOffset:
      return cursor.offsetOf(unit.abbreviations.encoding.offsetSize);
    case form.data4:
      return cursor.u32();
    case form.data8:
      return cursor.u64();
    case form.indirect:
      return readSectionOffset(cursor, innerForm(cursor), unit);
    default:
      unit.abbreviations.skipForm(formCode, cursor);
      return undefined;
  }
}

export function isAddressForm(formCode: number): boolean {
  return (
    formCode === form.addr ||
    formCode === form.addrx ||
    formCode === form.gnuAddrIndex ||
    (formCode >= form.addrx1 && formCode <= form.addrx4)
  );
}

/** An address, counted from the file's base; `deadAddress` where the code was dropped. */
export function readAddress(cursor: SectionCursor, formCode: number, unit: FormContext): number | undefined {
  switch (formCode) {
    case form.addr:
      return unit.space.read(cursor, unit.abbreviations.encoding.addressSize);
    case form.addrx:
    case form.gnuAddrIndex:
      return addressAt(unit, cursor.uleb());
    case form.addrx1:
      return addressAt(unit, cursor.u8());
    case form.addrx2:
      return addressAt(unit, cursor.u16());
    case form.addrx3:
      return addressAt(unit, cursor.u24());
    case form.addrx4:
      return addressAt(unit, cursor.u32());
    case form.indirect:
      return readAddress(cursor, innerForm(cursor), unit);
    default:
      unit.abbreviations.skipForm(formCode, cursor);
      return undefined;
  }
}

/** The address with that index in the unit's part of .debug_addr; undefined outside of the section. */
export function addressAt(unit: FormContext, index: number): number | undefined {
  const { addressSize } = unit.abbreviations.encoding;
  const offset = unit.addressesBase + index * addressSize;
  if (!(offset + addressSize <= unit.addresses.size)) return undefined;
  return unit.space.read(new SectionCursor(unit.addresses, offset), addressSize);
}

/** Text of any string section; undefined where it points nowhere. */
export function readText(cursor: SectionCursor, formCode: number, unit: FormContext): string | undefined {
  const { offsetSize } = unit.abbreviations.encoding;
  switch (formCode) {
    case form.string:
      return cursor.section.string(cursor.skipString());
    case form.strp:
      return unit.strings.string(cursor.offsetOf(offsetSize));
    case form.lineStrp:
      return unit.lineStrings.string(cursor.offsetOf(offsetSize));
    case form.strpSup:
    case form.gnuStrpAlt:
      return unit.alternateStrings.string(cursor.offsetOf(offsetSize));
    case form.strx:
    case form.gnuStrIndex:
      return indexedText(unit, cursor.uleb());
    case form.strx1:
      return indexedText(unit, cursor.u8());
    case form.strx2:
      return indexedText(unit, cursor.u16());
    case form.strx3:
      return indexedText(unit, cursor.u24());
    case form.strx4:
      return indexedText(unit, cursor.u32());
    case form.indirect:
      return readText(cursor, innerForm(cursor), unit);
    default:
      unit.abbreviations.skipForm(formCode, cursor);
      return undefined;
  }
}

function indexedText(unit: FormContext, index: number): string | undefined {
  const { offsetSize } = unit.abbreviations.encoding;
  const offset = unit.stringOffsetsBase + index * offsetSize;
  if (!(offset + offsetSize <= unit.stringOffsets.size)) return undefined;
  return unit.strings.string(new SectionCursor(unit.stringOffsets, offset).offsetOf(offsetSize));
}

/**
 * Offset in .debug_info of the entry that is referred to; in the alternate file where it is negative: -1 - offset.
 * Undefined for references to types by signature, and for those that leave their unit although they may not.
 */
export function readReference(
  cursor: SectionCursor,
  formCode: number,
  unit: FormContext,
): number | undefined {
  const { version, addressSize, offsetSize } = unit.abbreviations.encoding;
  switch (formCode) {
    case form.ref1:
      return inUnit(unit, cursor.u8());
    case form.ref2:
      return inUnit(unit, cursor.u16());
    case form.ref4:
      return inUnit(unit, cursor.u32());
    case form.ref8:
      return inUnit(unit, cursor.u64());
    case form.refUdata:
      return inUnit(unit, cursor.uleb());
    case form.refAddr:
      return cursor.offsetOf(version <= 2 ? addressSize : offsetSize);
    case form.gnuRefAlt:
      return -1 - cursor.offsetOf(offsetSize);
    case form.refSup4:
      return -1 - cursor.u32();
    case form.refSup8:
      return -1 - cursor.u64();
    case form.indirect:
      return readReference(cursor, innerForm(cursor), unit);
    default:
      unit.abbreviations.skipForm(formCode, cursor);
      return undefined;
  }
}

function inUnit({ offset, end }: FormContext, distance: number): number | undefined {
  return offset + distance < end ? offset + distance : undefined;
}

/** The form that an indirect one names. Indirect and implicit ones are refused there, so that this ends. */
function innerForm(cursor: SectionCursor): number {
  const formCode = cursor.uleb();
  return formCode === form.indirect || formCode === form.implicitConst ? 0 : formCode;
}

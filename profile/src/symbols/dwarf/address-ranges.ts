// SPDX-License-Identifier: Apache-2.0
//
// Address ranges of an entry: one, from low to high address, or a list of them in .debug_ranges (DWARF 2 to 4) or
// .debug_rnglists (DWARF 5). Ranges are appended to a flat array: low, high, low, high, …

import { FormatError } from '../../errors.ts';
import { abbreviationFlag } from './abbreviation-table.ts';
import { deadAddress } from './address-space.ts';
import {
  addressAt,
  isAddressForm,
  readAddress,
  readConstant,
  readSectionOffset,
} from './attribute-values.ts';
import { attribute, form, rangeListEntry } from './dwarf-constants.ts';
import { SectionCursor } from './section.ts';
import type { Unit } from './unit.ts';

/** Address ranges of the whole unit. Throws FormatError. */
export function unitRanges(unit: Unit): number[] {
  const ranges: number[] = [];
  const cursor = unit.firstEntryCursor();
  const code = cursor.uleb();
  if (code !== 0) readEntryRanges(unit, cursor, unit.abbreviations.find(code), ranges);
  return ranges;
}

/**
 * Appends the address ranges of an entry whose attributes begin at the cursor, and leaves the cursor behind them.
 * Throws FormatError when the entry itself is damaged; a damaged list of ranges is counted and gives none.
 */
export function readEntryRanges(unit: Unit, cursor: SectionCursor, index: number, into: number[]): void {
  const { attributes, attributeStart, flags } = unit.abbreviations;
  if ((flags[index]! & abbreviationFlag.hasCode) === 0) {
    unit.abbreviations.skipAttributes(index, cursor);
    return;
  }
  let low: number | undefined;
  let high: number | undefined;
  let length: number | undefined;
  let list: number | undefined;
  let listIndex: number | undefined;
  for (let i = attributeStart[index]!; i < attributeStart[index + 1]!; i += 3) {
    const formCode = attributes[i + 1]!;
    switch (attributes[i]) {
      case attribute.lowPc:
        low = readAddress(cursor, formCode, unit);
        break;
      case attribute.highPc:
        if (isAddressForm(formCode)) high = readAddress(cursor, formCode, unit);
        else length = readConstant(cursor, formCode, attributes[i + 2]!, unit);
        break;
      case attribute.ranges:
        if (formCode === form.rnglistx) listIndex = cursor.uleb();
        else list = readSectionOffset(cursor, formCode, unit);
        break;
      default:
        unit.abbreviations.skipForm(formCode, cursor);
    }
  }
  if (low !== undefined && low !== deadAddress && (high !== undefined || length !== undefined)) {
    into.push(low, high ?? low + length!);
    return;
  }
  if (list === undefined && listIndex === undefined) return;
  const before = into.length;
  try {
    readRangeList(unit, list ?? rangeListOffset(unit, listIndex!), into);
  } catch (error) {
    if (!unit.file.isDamage(error, 'ranges_damaged')) throw error;
    into.length = before;
  }
}

/** Appends the ranges of the list at `offset` (as DW_AT_ranges gives it). */
function readRangeList(unit: Unit, offset: number, into: number[]): void {
  if (unit.header.version >= 5) readVersion5(unit, offset, into);
  else readVersion4(unit, offset + unit.rangesBase, into);
}

/** Offset of the list with that index (DW_FORM_rnglistx). */
function rangeListOffset(unit: Unit, index: number): number {
  const { offsetSize } = unit.header;
  const entry = new SectionCursor(unit.rangeLists, unit.rangeListsBase + index * offsetSize);
  return unit.rangeListsBase + entry.offsetOf(offsetSize);
}

function readVersion4(unit: Unit, offset: number, into: number[]): void {
  const { addressSize } = unit.header;
  const cursor = new SectionCursor(unit.ranges, offset);
  const isWide = addressSize === 8;
  let base = unit.baseAddress;
  for (;;) {
    unit.file.budget.spend(2 * addressSize);
    const startLow = cursor.u32();
    const startHigh = isWide ? cursor.u32() : 0;
    const endLow = cursor.u32();
    const endHigh = isWide ? cursor.u32() : 0;
    if (startLow === 0 && startHigh === 0 && endLow === 0 && endHigh === 0) return;
    const isTop = isWide ? startHigh === 0xffff_ffff : true;
    if (isTop && startLow === 0xffff_ffff) {
      base = baseOf(unit, unit.space.of(endHigh, endLow));
      continue;
    }
    // The largest address chooses the base, so linkers mark dropped code with the one below.
    if (isTop && startLow === 0xffff_fffe) continue;
    if (base === deadAddress) continue;
    if (base === undefined) into.push(unit.space.of(startHigh, startLow), unit.space.of(endHigh, endLow));
    else into.push(base + startHigh * 0x1_0000_0000 + startLow, base + endHigh * 0x1_0000_0000 + endLow);
  }
}

function readVersion5(unit: Unit, offset: number, into: number[]): void {
  const { addressSize } = unit.header;
  const { space } = unit;
  const cursor = new SectionCursor(unit.rangeLists, offset);
  let base = unit.baseAddress;
  for (;;) {
    unit.file.budget.spend(4);
    const kind = cursor.u8();
    let start: number | undefined;
    let end: number | undefined;
    switch (kind) {
      case rangeListEntry.endOfList:
        return;
      case rangeListEntry.baseAddressx:
        base = baseOf(unit, addressAt(unit, cursor.uleb()));
        continue;
      case rangeListEntry.baseAddress:
        base = baseOf(unit, space.read(cursor, addressSize));
        continue;
      case rangeListEntry.offsetPair:
        start = (base ?? space.zero) + cursor.uleb();
        end = (base ?? space.zero) + cursor.uleb();
        break;
      case rangeListEntry.startxEndx:
        start = addressAt(unit, cursor.uleb());
        end = addressAt(unit, cursor.uleb());
        break;
      case rangeListEntry.startxLength:
        start = addressAt(unit, cursor.uleb());
        end = (start ?? 0) + cursor.uleb();
        break;
      case rangeListEntry.startEnd:
        start = space.read(cursor, addressSize);
        end = space.read(cursor, addressSize);
        break;
      case rangeListEntry.startLength:
        start = space.read(cursor, addressSize);
        end = start + cursor.uleb();
        break;
      default:
        throw new FormatError(cursor.section.name, cursor.offset - 1, `unknown range list entry ${kind}`);
    }
    if (start !== undefined && end !== undefined && start !== deadAddress) into.push(start, end);
  }
}

/** A base of 0 is none: what is added to it are addresses, which must be converted as such. */
function baseOf(unit: Unit, address: number | undefined): number | undefined {
  return address === unit.space.zero ? undefined : address;
}

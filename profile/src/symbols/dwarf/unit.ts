// SPDX-License-Identifier: Apache-2.0
//
// A unit: its header, its abbreviations and what its first entry says of the whole unit, which the forms and lists of
// all its entries depend on. Its other entries are not read here.

import type { AbbreviationTable } from './abbreviation-table.ts';
import type { AddressSpace } from './address-space.ts';
import { type FormContext, readAddress, readSectionOffset, readText } from './attribute-values.ts';
import { attribute, form } from './dwarf-constants.ts';
import type { DwarfFile } from './dwarf-file.ts';
import { type Section, SectionCursor } from './section.ts';
import { headerReadAhead, type UnitHeader } from './unit-header.ts';

/** Where a unit's parts of other sections begin, in a package of split units (.dwp). */
export interface UnitContribution {
  readonly info: number;
  readonly abbrev: number;
  readonly strOffsets: number;
  readonly rnglists: number;
}

/** A unit of `file`. Throws FormatError from the constructor when its first entry cannot be read. */
export class Unit implements FormContext {
  readonly file: DwarfFile;
  readonly header: UnitHeader;
  readonly abbreviations: AbbreviationTable;
  readonly offset: number;
  readonly end: number;
  readonly space: AddressSpace;
  readonly strings: Section;
  readonly lineStrings: Section;
  readonly alternateStrings: Section;
  readonly stringOffsets: Section;
  stringOffsetsBase: number;
  readonly addresses: Section;
  addressesBase: number;
  readonly ranges: Section;
  readonly rangesBase: number;
  readonly rangeLists: Section;
  rangeListsBase: number;
  /** What range lists count from; undefined when that is the address 0. */
  baseAddress: number | undefined;
  /** Offset of its line table, -1 when it has none. */
  lineTable = -1;
  compDir = '';
  /** Name of the .dwo file with this unit's functions; '' when they are here. */
  dwoName = '';
  dwoId: bigint;
  /** Where the range lists of this skeleton's split unit begin in .debug_ranges (DWARF 4). */
  splitRangesBase = 0;
  readonly #skeleton: Unit | undefined;

  /** A split unit gets addresses and ranges from its `skeleton`. */
  constructor(file: DwarfFile, header: UnitHeader, skeleton?: Unit, contribution?: UnitContribution) {
    const { sections } = file;
    this.file = file;
    this.header = header;
    this.offset = header.offset;
    this.end = header.end;
    this.space = file.space;
    this.#skeleton = skeleton;
    this.abbreviations = file.abbreviationsAt(
      header.abbreviationsOffset + (contribution?.abbrev ?? 0),
      header,
    );
    this.abbreviations.unitCount++;
    this.strings = sections.get('str');
    this.lineStrings = sections.get('line_str');
    this.alternateStrings = file.alternateStrings;
    this.stringOffsets = sections.get('str_offsets');
    this.rangeLists = sections.get('rnglists');
    this.addresses = skeleton?.addresses ?? sections.get('addr');
    this.ranges = skeleton?.ranges ?? sections.get('ranges');
    this.addressesBase = skeleton?.addressesBase ?? 0;
    this.rangesBase = skeleton?.splitRangesBase ?? 0;
    // Split units have no attribute for these: they begin behind the header of the section, or of their part of it.
    const isSplit5 = file.isSplit && header.version >= 5;
    this.stringOffsetsBase = (contribution?.strOffsets ?? 0) + (isSplit5 ? 2 * header.offsetSize : 0);
    this.rangeListsBase = (contribution?.rnglists ?? 0) + (isSplit5 ? 8 + header.offsetSize : 0);
    this.baseAddress = skeleton?.baseAddress;
    this.dwoId = header.dwoId;
    this.#readFirstEntry();
  }

  /** With its share of the abbreviations, which it keeps alive. */
  get byteSize(): number {
    return 600 + this.abbreviations.tableBytes / this.abbreviations.unitCount;
  }

  /** At the unit's first entry. */
  firstEntryCursor(): SectionCursor {
    return new SectionCursor(
      this.file.sections.get('info'),
      this.header.firstEntry,
      this.end,
      headerReadAhead,
    );
  }

  #readFirstEntry(): void {
    const { attributes, attributeStart } = this.abbreviations;
    const cursor = this.firstEntryCursor();
    const code = cursor.uleb();
    if (code === 0) return;
    const index = this.abbreviations.find(code);
    const start = cursor.offset;
    // Text and addresses may be given by index, and what the index counts from may come after them.
    for (let i = attributeStart[index]!; i < attributeStart[index + 1]!; i += 3) {
      const formCode = attributes[i + 1]!;
      switch (attributes[i]) {
        case attribute.strOffsetsBase:
          this.stringOffsetsBase = readSectionOffset(cursor, formCode, this) ?? this.stringOffsetsBase;
          break;
        case attribute.addrBase:
        case attribute.gnuAddrBase:
          this.addressesBase = readSectionOffset(cursor, formCode, this) ?? this.addressesBase;
          break;
        case attribute.rnglistsBase:
          this.rangeListsBase = readSectionOffset(cursor, formCode, this) ?? this.rangeListsBase;
          break;
        case attribute.gnuRangesBase:
          this.splitRangesBase = readSectionOffset(cursor, formCode, this) ?? 0;
          break;
        case attribute.stmtList:
          this.lineTable = readSectionOffset(cursor, formCode, this) ?? -1;
          break;
        case attribute.gnuDwoId:
          if (formCode === form.data8) this.dwoId = cursor.bigU64();
          else this.abbreviations.skipForm(formCode, cursor);
          break;
        default:
          this.abbreviations.skipForm(formCode, cursor);
      }
    }
    let lowPc: number | undefined;
    let entryPc: number | undefined;
    cursor.seek(start, this.end);
    for (let i = attributeStart[index]!; i < attributeStart[index + 1]!; i += 3) {
      const formCode = attributes[i + 1]!;
      switch (attributes[i]) {
        case attribute.lowPc:
          lowPc = readAddress(cursor, formCode, this);
          break;
        case attribute.entryPc:
          entryPc = readAddress(cursor, formCode, this);
          break;
        case attribute.compDir:
          this.compDir = readText(cursor, formCode, this) ?? '';
          break;
        case attribute.dwoName:
        case attribute.gnuDwoName:
          this.dwoName = readText(cursor, formCode, this) ?? '';
          break;
        default:
          this.abbreviations.skipForm(formCode, cursor);
      }
    }
    if (this.#skeleton === undefined) {
      const base = lowPc ?? entryPc;
      this.baseAddress = base === this.space.zero ? undefined : base;
    }
  }
}

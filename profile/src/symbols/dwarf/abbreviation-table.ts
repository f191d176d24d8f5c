// SPDX-License-Identifier: Apache-2.0
//
// .debug_abbrev: the shapes of a unit's entries. A table is read only as far as its entries are asked for, since the
// index of a file wants one entry of each unit. Next to the attributes it keeps how an entry of that shape is skipped:
// neighbouring attributes of known size become one step.

import { FormatError } from '../../errors.ts';
import { attribute, form, tag } from './dwarf-constants.ts';
import { dwarfBounds, type WorkBudget } from './dwarf-limits.ts';
import { type Section, SectionCursor } from './section.ts';

/** What the size of a form depends on. */
export interface Encoding {
  readonly version: number;
  readonly addressSize: number;
  /** 4 in 32-bit DWARF, 8 in 64-bit DWARF. */
  readonly offsetSize: number;
}

/** Facts of an abbreviation that the entry reader asks for at each entry. */
export const abbreviationFlag = {
  hasChildren: 1,
  isSubprogram: 2,
  isInlinedSubroutine: 4,
  /** It can have machine code: it has a low address or a list of ranges. */
  hasCode: 8,
  /** A type that says where it ends, and never has functions inside. */
  isPlainType: 16,
  /** A class that says where it ends. */
  isClass: 32,
} as const;

/** Steps of skipping: a count of bytes, or one of these. */
const skip = { leb: -1, string: -2, block1: -3, block2: -4, block4: -5, block: -6, indirect: -7 } as const;

const plainTypeTags: ReadonlySet<number> = new Set([tag.enumerationType, tag.arrayType, tag.subroutineType]);
const classTags: ReadonlySet<number> = new Set([tag.classType, tag.structureType, tag.unionType]);

/** Abbreviations of one table, by index in the order of the table. */
export class AbbreviationTable {
  readonly encoding: Encoding;
  /** Units that were opened with this table. */
  unitCount = 0;
  /** Of the table's place in the cache alone. */
  readonly byteSize = 200;
  /** Per abbreviation: `abbreviationFlag` bits, and where its attributes and skip steps begin. */
  readonly flags: number[] = [];
  readonly attributeStart: number[] = [0];
  /** Three per attribute: name, form, implicit constant. */
  readonly attributes: number[] = [];
  readonly #skipStart: number[] = [0];
  readonly #skipSteps: number[] = [];
  readonly #codes: number[] = [];
  readonly #indexByCode = new Map<number, number>();
  readonly #cursor: SectionCursor;
  readonly #budget: WorkBudget;
  #isComplete = false;

  constructor(section: Section, offset: number, encoding: Encoding, budget: WorkBudget) {
    this.encoding = encoding;
    this.#cursor = new SectionCursor(section, offset);
    this.#budget = budget;
  }

  /** What the entries read so far take; units account for it. */
  get tableBytes(): number {
    return 1000 + this.attributes.length * 12 + this.#codes.length * 100;
  }

  /** Index of the abbreviation with that code. Throws FormatError when there is none. */
  find(code: number): number {
    // Codes almost always count from 1.
    if (this.#codes[code - 1] === code) return code - 1;
    const known = this.#indexByCode.get(code);
    if (known !== undefined) return known;
    while (!this.#isComplete) {
      const index = this.#readNext();
      if (index >= 0 && this.#codes[index] === code) return index;
    }
    throw new FormatError('.debug_abbrev', this.#cursor.offset, `there is no abbreviation ${code}`);
  }

  /** Goes over the attributes of an entry. */
  skipAttributes(index: number, cursor: SectionCursor): void {
    const end = this.#skipStart[index + 1]!;
    for (let i = this.#skipStart[index]!; i < end; i++) this.#skipStep(this.#skipSteps[i]!, cursor);
  }

  /** Goes over one attribute. */
  skipForm(formCode: number, cursor: SectionCursor): void {
    this.#skipStep(skipStepOf(formCode, this.encoding), cursor);
  }

  #skipStep(step: number, cursor: SectionCursor): void {
    if (step >= 0) {
      cursor.skip(step);
      return;
    }
    switch (step) {
      case skip.leb:
        cursor.uleb();
        return;
      case skip.string:
        cursor.skipString();
        return;
      case skip.block1:
        cursor.skip(cursor.u8());
        return;
      case skip.block2:
        cursor.skip(cursor.u16());
        return;
      case skip.block4:
        cursor.skip(cursor.u32());
        return;
      case skip.block:
        cursor.skip(cursor.uleb());
        return;
      default: {
        const inner = skipStepOf(cursor.uleb(), this.encoding);
        if (inner === skip.indirect)
          throw new FormatError('.debug_info', cursor.offset, 'indirect form twice');
        this.#skipStep(inner, cursor);
      }
    }
  }

  /** Reads one abbreviation and returns its index, or -1 at the end of the table. */
  #readNext(): number {
    const cursor = this.#cursor;
    const from = cursor.offset;
    // Nothing behind a damaged abbreviation can be read.
    this.#isComplete = true;
    const code = cursor.uleb();
    if (code === 0) return -1;
    const tagCode = cursor.uleb();
    let flags = cursor.u8() !== 0 ? abbreviationFlag.hasChildren : 0;
    if (tagCode === tag.subprogram) flags |= abbreviationFlag.isSubprogram;
    if (tagCode === tag.inlinedSubroutine) flags |= abbreviationFlag.isInlinedSubroutine;
    let pendingBytes = 0;
    const first = this.attributes.length;
    for (;;) {
      const name = cursor.uleb();
      const formCode = cursor.uleb();
      if (name === 0 && formCode === 0) break;
      this.attributes.push(name, formCode, formCode === form.implicitConst ? cursor.sleb() : 0);
      if (name === attribute.lowPc || name === attribute.ranges) flags |= abbreviationFlag.hasCode;
      if (name === attribute.sibling) {
        if (plainTypeTags.has(tagCode)) flags |= abbreviationFlag.isPlainType;
        if (classTags.has(tagCode)) flags |= abbreviationFlag.isClass;
      }
      const step = skipStepOf(formCode, this.encoding);
      if (step >= 0) pendingBytes += step;
      else {
        if (pendingBytes > 0) this.#skipSteps.push(pendingBytes);
        pendingBytes = 0;
        this.#skipSteps.push(step);
      }
      if (
        this.attributes.length - first > 3 * dwarfBounds.maxAbbreviationAttributes ||
        this.attributes.length > 3 * dwarfBounds.maxTableAttributes
      ) {
        throw new FormatError(cursor.section.name, from, `abbreviation ${code} has too many attributes`);
      }
    }
    if (pendingBytes > 0) this.#skipSteps.push(pendingBytes);
    const index = this.#codes.length;
    this.#codes.push(code);
    this.flags.push(flags);
    this.attributeStart.push(this.attributes.length);
    this.#skipStart.push(this.#skipSteps.length);
    if (code !== index + 1 && !this.#indexByCode.has(code)) this.#indexByCode.set(code, index);
    this.#isComplete = false;
    this.#budget.spend(cursor.offset - from);
    return index;
  }
}

function skipStepOf(formCode: number, { version, addressSize, offsetSize }: Encoding): number {
  switch (formCode) {
    case form.flagPresent:
    case form.implicitConst:
      return 0;
    case form.data1:
    case form.flag:
    case form.ref1:
    case form.strx1:
    case form.addrx1:
      return 1;
    case form.data2:
    case form.ref2:
    case form.strx2:
    case form.addrx2:
      return 2;
    case form.strx3:
    case form.addrx3:
      return 3;
    case form.data4:
    case form.ref4:
    case form.strx4:
    case form.addrx4:
    case form.refSup4:
      return 4;
    case form.data8:
    case form.ref8:
    case form.refSig8:
    case form.refSup8:
      return 8;
    case form.data16:
      return 16;
    case form.addr:
      return addressSize;
    case form.refAddr:
      return version <= 2 ? addressSize : offsetSize;
    case form.strp:
    case form.lineStrp:
    case form.secOffset:
    case form.strpSup:
    case form.gnuRefAlt:
    case form.gnuStrpAlt:
      return offsetSize;
    case form.sdata:
    case form.udata:
    case form.refUdata:
    case form.strx:
    case form.addrx:
    case form.loclistx:
    case form.rnglistx:
    case form.gnuAddrIndex:
    case form.gnuStrIndex:
      return skip.leb;
    case form.string:
      return skip.string;
    case form.block1:
      return skip.block1;
    case form.block2:
      return skip.block2;
    case form.block4:
      return skip.block4;
    case form.block:
    case form.exprloc:
      return skip.block;
    case form.indirect:
      return skip.indirect;
    default:
      throw new FormatError('.debug_abbrev', 0, `unknown form 0x${formCode.toString(16)}`);
  }
}

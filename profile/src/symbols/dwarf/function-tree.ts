// SPDX-License-Identifier: Apache-2.0
//
// Functions of one unit and what was inlined into them, by address. All entries of the unit are walked once, in order
// and without recursion, but only those of functions are looked at, and of these only where their code lies. Names,
// lines and calls are read for the few functions that are asked for, from the offset that is kept of each.

import { FormatError } from '../../errors.ts';
import { abbreviationFlag } from './abbreviation-table.ts';
import { readEntryRanges } from './address-ranges.ts';
import { readReference } from './attribute-values.ts';
import { attribute } from './dwarf-constants.ts';
import { dwarfBounds } from './dwarf-limits.ts';
import { type RangeMap, RangeMapBuilder } from './range-map.ts';
import { SectionCursor, sequentialReadAhead } from './section.ts';
import type { Unit } from './unit.ts';

const noFunction = -1;

/** Functions by number. The numbers are in the order of the entries; a caller's is below those inlined into it. */
export class FunctionTree {
  readonly #ranges: RangeMap;
  readonly #entries: Float64Array | Uint32Array;
  readonly #parents: Int32Array;
  readonly #isInlined: Uint8Array;

  private constructor(
    ranges: RangeMap,
    entries: Float64Array | Uint32Array,
    parents: Int32Array,
    isInlined: Uint8Array,
  ) {
    this.#ranges = ranges;
    this.#entries = entries;
    this.#parents = parents;
    this.#isInlined = isInlined;
  }

  /** Walks the unit. Damage ends the walk, which is counted; what was found before is kept. */
  static read(unit: Unit): FunctionTree {
    const walk = new FunctionWalk(unit);
    try {
      walk.run();
    } catch (error) {
      if (!unit.file.isDamage(error, 'unit_damaged')) throw error;
    }
    const last = walk.entries.at(-1) ?? 0;
    return new FunctionTree(
      walk.ranges.finish(),
      last <= 0xffff_ffff ? Uint32Array.from(walk.entries) : Float64Array.from(walk.entries),
      Int32Array.from(walk.parents),
      Uint8Array.from(walk.isInlined),
    );
  }

  get byteSize(): number {
    return 300 + this.#ranges.byteSize + this.#entries.byteLength + this.#parents.length * 5;
  }

  /** The innermost function at an address, -1 when there is none. */
  find(address: number): number {
    return this.#ranges.find(address);
  }

  /** Offset in .debug_info of a function's entry. */
  entryOffset(functionNumber: number): number {
    return this.#entries[functionNumber]!;
  }

  /** The function that it was inlined into; -1 for one that was not. */
  caller(functionNumber: number): number {
    return this.#isInlined[functionNumber] === 1 ? this.#parents[functionNumber]! : noFunction;
  }
}

/** The walk over the entries of a unit. */
class FunctionWalk {
  readonly ranges = new RangeMapBuilder();
  readonly entries: number[] = [];
  readonly parents: number[] = [];
  readonly isInlined: number[] = [];
  readonly #unit: Unit;
  readonly #entryRanges: number[] = [];
  #isFull = false;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  run(): void {
    const unit = this.#unit;
    const { abbreviations, file } = unit;
    file.budget.spend(unit.end - unit.offset);
    const { flags } = abbreviations;
    const info = file.sections.get('info');
    const cursor = new SectionCursor(info, unit.header.firstEntry, unit.end, sequentialReadAhead);
    // The nearest function around the entries of each depth.
    const enclosing = [noFunction];
    const anyFunction = abbreviationFlag.isSubprogram | abbreviationFlag.isInlinedSubroutine;
    // GCC puts code into a class only where that is local to a function; else it refers to the class.
    const anyType = abbreviationFlag.isPlainType | abbreviationFlag.isClass;
    while (cursor.offset < unit.end) {
      const offset = cursor.offset;
      const code = cursor.uleb();
      if (code === 0) {
        enclosing.pop();
        if (enclosing.length <= 1) return;
        continue;
      }
      const index = abbreviations.find(code);
      const flag = flags[index]!;
      let inner = enclosing.at(-1)!;
      if ((flag & anyFunction) !== 0) inner = this.#readFunction(cursor, offset, index, inner);
      else if ((flag & (inner === noFunction ? anyType : abbreviationFlag.isPlainType)) !== 0) {
        if (this.#skipToSibling(cursor, index)) continue;
      } else abbreviations.skipAttributes(index, cursor);
      if ((flag & abbreviationFlag.hasChildren) !== 0) {
        if (enclosing.length > dwarfBounds.maxDieDepth) {
          throw new FormatError(cursor.section.name, offset, 'entries are nested too deep');
        }
        enclosing.push(inner);
      } else if (enclosing.length === 1) return;
    }
  }

  /** Reads a function's entry and returns its number; that of the one around it when it is not kept. */
  #readFunction(cursor: SectionCursor, offset: number, index: number, enclosing: number): number {
    const { abbreviations, file } = this.#unit;
    const flag = abbreviations.flags[index]!;
    const isInlined = (flag & abbreviationFlag.isInlinedSubroutine) !== 0;
    file.budget.spend((abbreviations.attributeStart[index + 1]! - abbreviations.attributeStart[index]!) / 3);
    const ranges = this.#entryRanges;
    ranges.length = 0;
    readEntryRanges(this.#unit, cursor, index, ranges);
    // One without code is a declaration or the pattern that inlined calls refer to, and can only matter as a caller.
    if (ranges.length === 0 && (flag & abbreviationFlag.hasChildren) === 0) return enclosing;
    const { maxFunctionsPerUnit } = file.context.limits;
    if (
      this.entries.length >= maxFunctionsPerUnit ||
      this.ranges.count + ranges.length / 2 > maxFunctionsPerUnit
    ) {
      if (!this.#isFull) file.context.problems.add('too_many_functions');
      this.#isFull = true;
      return enclosing;
    }
    const number = this.entries.length;
    this.entries.push(offset);
    this.parents.push(enclosing);
    this.isInlined.push(isInlined ? 1 : 0);
    for (let i = 0; i < ranges.length; i += 2) {
      if (ranges[i]! < ranges[i + 1]!) this.ranges.add(ranges[i]!, ranges[i + 1]!, number);
    }
    return number;
  }

  /** Goes behind a type and all in it. False when it does not say where it ends; then the cursor is at its children. */
  #skipToSibling(cursor: SectionCursor, index: number): boolean {
    const { abbreviations, end } = this.#unit;
    const { attributes, attributeStart } = abbreviations;
    let sibling: number | undefined;
    for (let i = attributeStart[index]!; i < attributeStart[index + 1]!; i += 3) {
      if (attributes[i] === attribute.sibling)
        sibling = readReference(cursor, attributes[i + 1]!, this.#unit);
      else abbreviations.skipForm(attributes[i + 1]!, cursor);
    }
    if (sibling === undefined || !(sibling >= cursor.offset)) return false;
    cursor.seek(sibling, end);
    return true;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// What the entry of a function says about it. An inlined call says where it was called and refers to the function for the
// rest; that may refer to a declaration in turn (a method to its class), also in another unit or file. Names are
// searched along these references in LLVM's order, specifications before abstract origins.

import { readConstant, readReference, readText } from './attribute-values.ts';
import { attribute } from './dwarf-constants.ts';
import type { DwarfFile } from './dwarf-file.ts';
import { dwarfBounds } from './dwarf-limits.ts';
import { SectionCursor } from './section.ts';
import type { Unit } from './unit.ts';

/** Which name of a function is wanted: the one of the linker where there is one, or always the plain one. */
export type FunctionNameKind = 'linkage' | 'short';

/** Name and line of a function's declaration. */
export interface FunctionName {
  readonly name: string;
  /** 0 unknown. */
  readonly declLine: number;
}

/** What one entry says of itself. */
interface EntryFacts {
  linkageName: string | undefined;
  name: string | undefined;
  declLine: number | undefined;
  abstractOrigin: number | undefined;
  specification: number | undefined;
  callFile: number;
  callLine: number;
  callColumn: number;
}

/** A function in the chain of an address, and where it was called if it was inlined. */
export interface FunctionFrame extends FunctionName {
  readonly callFile: number;
  readonly callLine: number;
  readonly callColumn: number;
}

/** Reads names of functions, and keeps those that inlined calls refer to. */
export class FunctionNames {
  readonly #kind: FunctionNameKind;
  /** Names of the functions that inlined calls refer to, by the offset of their entry in `#recentFile`. */
  readonly #recent = new Map<number, FunctionName>();
  #recentFile: DwarfFile | undefined;
  #recentBytes = 0;

  constructor(kind: FunctionNameKind) {
    this.#kind = kind;
  }

  get byteSize(): number {
    return this.#recentBytes;
  }

  /** The function whose entry is at `offset` of the unit's file. Throws FormatError when that entry is damaged. */
  read(unit: Unit, offset: number): FunctionFrame {
    const facts = readFacts(unit, offset);
    const { abstractOrigin, callFile, callLine, callColumn } = facts;
    const isPlainCall =
      abstractOrigin !== undefined &&
      facts.specification === undefined &&
      facts.linkageName === undefined &&
      facts.name === undefined &&
      facts.declLine === undefined;
    // All calls of one function share what it is called; a negative reference leads into the alternate file.
    const { name, declLine } = isPlainCall
      ? this.#recall(unit, abstractOrigin, () => this.#search(unit, facts, offset))
      : this.#search(unit, facts, offset);
    return { name, declLine, callFile, callLine, callColumn };
  }

  #recall(unit: Unit, reference: number, search: () => FunctionName): FunctionName {
    if (this.#recentFile !== unit.file || this.#recentBytes > dwarfBounds.maxRecentNameBytes) {
      this.#recent.clear();
      this.#recentFile = unit.file;
      this.#recentBytes = 0;
    }
    let known = this.#recent.get(reference);
    if (known === undefined) {
      known = search();
      this.#recent.set(reference, known);
      this.#recentBytes += 150 + known.name.length;
    }
    return known;
  }

  /** Follows the references of an entry until name and line are known. */
  #search(unit: Unit, facts: EntryFacts, offset: number): FunctionName {
    const pending: { unit: Unit; facts: EntryFacts }[] = [{ unit, facts }];
    const seen = new Set([placeOf(unit.file, offset)]);
    let linkageName: string | undefined;
    let name: string | undefined;
    let declLine: number | undefined;
    while (pending.length > 0) {
      const { unit: from, facts: found } = pending.pop()!;
      linkageName ??= found.linkageName;
      name ??= found.name;
      declLine ??= found.declLine;
      const hasName = name !== undefined && (this.#kind === 'short' || linkageName !== undefined);
      if (hasName && declLine !== undefined) break;
      // The specification is pushed last and so looked at first.
      for (const reference of [found.abstractOrigin, found.specification]) {
        if (reference === undefined || seen.size > dwarfBounds.maxReferenceHops) continue;
        const next = followReference(from, reference);
        if (next === undefined) continue;
        const place = placeOf(next.unit.file, next.offset);
        if (seen.has(place)) continue;
        seen.add(place);
        pending.push({ unit: next.unit, facts: readFacts(next.unit, next.offset) });
      }
    }
    const chosen = (this.#kind === 'linkage' ? (linkageName ?? name) : name) ?? '';
    return { name: chosen, declLine: declLine ?? 0 };
  }
}

function placeOf(file: DwarfFile, offset: number): string {
  return `${file.key} ${offset}`;
}

/** The unit and offset of what a reference points at; undefined where nothing is. Damage there is counted. */
function followReference(
  unit: Unit,
  reference: number,
): { readonly unit: Unit; readonly offset: number } | undefined {
  if (reference >= unit.offset && reference < unit.end) return { unit, offset: reference };
  try {
    const target = unit.file.unitOfReference(reference);
    return target && { unit: target, offset: reference < 0 ? -1 - reference : reference };
  } catch (error) {
    if (!unit.file.isDamage(error, 'name_damaged')) throw error;
    return undefined;
  }
}

/** Reads the entry at `offset`; damage is counted and leaves what was read before it. */
function readFacts(unit: Unit, offset: number): EntryFacts {
  const facts: EntryFacts = {
    linkageName: undefined,
    name: undefined,
    declLine: undefined,
    abstractOrigin: undefined,
    specification: undefined,
    callFile: 0,
    callLine: 0,
    callColumn: 0,
  };
  try {
    readInto(facts, unit, offset);
  } catch (error) {
    if (!unit.file.isDamage(error, 'name_damaged')) throw error;
  }
  return facts;
}

function readInto(facts: EntryFacts, unit: Unit, offset: number): void {
  const { abbreviations, file } = unit;
  const cursor = new SectionCursor(file.sections.get('info'), offset, unit.end);
  const code = cursor.uleb();
  if (code === 0) return;
  const index = abbreviations.find(code);
  const { attributes, attributeStart } = abbreviations;
  for (let i = attributeStart[index]!; i < attributeStart[index + 1]!; i += 3) {
    const formCode = attributes[i + 1]!;
    const implicitConstant = attributes[i + 2]!;
    switch (attributes[i]) {
      case attribute.mipsLinkageName:
      case attribute.linkageName:
        facts.linkageName ??= readText(cursor, formCode, unit);
        break;
      case attribute.name:
        facts.name ??= readText(cursor, formCode, unit);
        break;
      case attribute.declLine:
        facts.declLine = readConstant(cursor, formCode, implicitConstant, unit);
        break;
      case attribute.abstractOrigin:
        facts.abstractOrigin = readReference(cursor, formCode, unit);
        break;
      case attribute.specification:
        facts.specification = readReference(cursor, formCode, unit);
        break;
      case attribute.callFile:
        facts.callFile = readConstant(cursor, formCode, implicitConstant, unit) ?? 0;
        break;
      case attribute.callLine:
        facts.callLine = readConstant(cursor, formCode, implicitConstant, unit) ?? 0;
        break;
      case attribute.callColumn:
        facts.callColumn = readConstant(cursor, formCode, implicitConstant, unit) ?? 0;
        break;
      default:
        abbreviations.skipForm(formCode, cursor);
    }
  }
  file.budget.spend(cursor.offset - offset + (facts.name?.length ?? 0) + (facts.linkageName?.length ?? 0));
}

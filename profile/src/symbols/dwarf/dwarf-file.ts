// SPDX-License-Identifier: Apache-2.0
//
// One ELF file with debug information: the binary or its separate debug file, the file that dwz shares among several,
// or a split one (.dwo, .dwp). All files of one binary share limits, counts and the cache.

import { FormatError } from '../../errors.ts';
import type { ElfFile } from '../elf.ts';
import { AbbreviationTable, type Encoding } from './abbreviation-table.ts';
import type { AddressSpace } from './address-space.ts';
import { DebugSections, type Inflater } from './debug-sections.ts';
import type { DwarfLimits, DwarfProblem, ProblemCounts, WorkBudget } from './dwarf-limits.ts';
import { Section } from './section.ts';
import type { StateCache } from './state-cache.ts';
import { Unit } from './unit.ts';
import { UnitList } from './unit-list.ts';

/** What all files of one `DwarfSymbols` share. */
export interface DwarfContext {
  readonly space: AddressSpace;
  readonly limits: Required<DwarfLimits>;
  readonly problems: ProblemCounts;
  readonly budget: WorkBudget;
  readonly cache: StateCache;
  readonly inflater: Inflater;
}

const noSection = Section.ofBytes('none', new Uint8Array(0));

/** Sections, units and abbreviations of one file. */
export class DwarfFile {
  /** Distinguishes the files of one binary in keys of the cache. */
  readonly key: string;
  readonly context: DwarfContext;
  readonly sections: DebugSections;
  readonly isSplit: boolean;
  readonly #alternate: DwarfFile | undefined;
  #units: UnitList | undefined;

  constructor(key: string, elf: ElfFile, context: DwarfContext, isSplit: boolean, alternate?: DwarfFile) {
    this.key = key;
    this.context = context;
    this.isSplit = isSplit;
    const { inflater, problems, budget } = context;
    this.sections = new DebugSections(elf, isSplit ? '.dwo' : '', inflater, problems, budget);
    this.#alternate = alternate;
  }

  get space(): AddressSpace {
    return this.context.space;
  }

  get budget(): WorkBudget {
    return this.context.budget;
  }

  get alternateStrings(): Section {
    return this.#alternate?.sections.get('str') ?? noSection;
  }

  get byteSize(): number {
    return this.sections.byteSize + (this.#units?.byteSize ?? 0);
  }

  get units(): UnitList {
    const { limits, problems } = this.context;
    this.#units ??= UnitList.scan(this.sections.get('info'), limits.maxUnits, problems);
    return this.#units;
  }

  set units(units: UnitList) {
    this.#units = units;
  }

  /** The unit with that number. Throws FormatError. */
  unit(number: number): Unit {
    return this.context.cache.get(
      `unit ${this.key} ${number}`,
      () => new Unit(this, this.units.header(number)),
    );
  }

  /** The unit with the entry at a reference, which is negative for the alternate file (see `readReference`). */
  unitOfReference(reference: number): Unit | undefined {
    if (reference < 0) {
      if (this.#alternate === undefined) this.context.problems.add('alternate_file_missing');
      return this.#alternate?.unitOfReference(-1 - reference);
    }
    // A split unit's references to other units mean the whole that the compiler had, not this file.
    if (this.isSplit) return undefined;
    const number = this.units.find(reference);
    if (number < 0) return undefined;
    const unit = this.unit(number);
    return reference < unit.end ? unit : undefined;
  }

  abbreviationsAt(offset: number, { version, addressSize, offsetSize }: Encoding): AbbreviationTable {
    const key = `abbrev ${this.key} ${offset} ${version} ${addressSize} ${offsetSize}`;
    return this.context.cache.get(
      key,
      () =>
        new AbbreviationTable(
          this.sections.get('abbrev'),
          offset,
          { version, addressSize, offsetSize },
          this.budget,
        ),
    );
  }

  /** True for damage that only costs the piece at hand, which is counted; anything else must be thrown on. */
  isDamage(error: unknown, problem: DwarfProblem): boolean {
    if (!(error instanceof FormatError) || this.budget.isSpent) return false;
    this.context.problems.add(problem);
    return true;
  }
}

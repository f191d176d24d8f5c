// SPDX-License-Identifier: Apache-2.0
//
// The door of this folder: functions, inlined calls, files and lines of the addresses of one binary, as LLVM's
// symbolizer gives them. Opening reads the header and first entry of each unit, which say what addresses it has; a
// unit's entries and its line table are read when an address falls into it, and kept as long as there is room.

import { FormatError } from '../../errors.ts';
import type { ElfFile } from '../elf.ts';
import type { SourceFrames } from '../source-frames.ts';
import { type AddressIndex, AddressIndexBuilder } from './address-index.ts';
import { unitRanges } from './address-ranges.ts';
import { AddressSpace } from './address-space.ts';
import type { Inflate } from './debug-sections.ts';
import { type DwarfContext, DwarfFile } from './dwarf-file.ts';
import {
  type DwarfLimits,
  defaultDwarfLimits,
  dwarfBounds,
  ProblemCounts,
  WorkBudget,
} from './dwarf-limits.ts';
import { FrameCollector } from './frame-collector.ts';
import { type FunctionNameKind, FunctionNames } from './function-names.ts';
import { FunctionTree } from './function-tree.ts';
import { readLineTable } from './line-program.ts';
import type { LineTable } from './line-table.ts';
import { type OpenDwo, SplitUnits } from './split-units.ts';
import { StateCache } from './state-cache.ts';
import { Unit } from './unit.ts';
import { UnitList } from './unit-list.ts';

/** The files with the debug information of one binary. */
export interface DwarfFiles {
  /** The file with .debug_info: the binary itself or its separate debug file. */
  readonly debug: ElfFile;
  /** The file that .gnu_debugaltlink names: what dwz took out of several files. */
  readonly alternate?: ElfFile;
  /** The package with the binary's split units. */
  readonly dwp?: ElfFile;
  /** Opens a .dwo file when the package has none for a unit. */
  readonly openDwo?: OpenDwo;
}

export interface DwarfOptions {
  /** Unpacks compressed sections; without it they are left out, which is counted. */
  readonly inflate?: Inflate;
  /** `linkage` by default. */
  readonly functionNames?: FunctionNameKind;
}

/** What a unit needs when addresses fall into it. */
interface OpenUnit {
  readonly unit: Unit;
  readonly functions: UnitFunctions;
  readonly lines: LineTable | undefined;
}

/** Functions of a unit, and the unit whose entries they are: the split one, else the unit itself. */
interface UnitFunctions {
  readonly unit: Unit;
  readonly tree: FunctionTree;
  readonly byteSize: number;
}

/** Source places of the addresses of one binary. */
export class DwarfSymbols {
  readonly #file: DwarfFile;
  readonly #alternate: DwarfFile | undefined;
  readonly #context: DwarfContext;
  readonly #index: AddressIndex;
  readonly #names: FunctionNames;
  readonly #split: SplitUnits;
  readonly #fileBytes: number;

  private constructor(files: DwarfFiles, limits: Required<DwarfLimits>, options: DwarfOptions) {
    const { debug, alternate, dwp, openDwo } = files;
    const problems = new ProblemCounts();
    const context: DwarfContext = {
      space: new AddressSpace(lowestCodeAddress(debug)),
      limits,
      problems,
      budget: new WorkBudget(problems),
      cache: new StateCache(limits.maxBytes),
      inflater: { inflate: options.inflate, maxBytes: limits.maxInflatedBytes, usedBytes: 0 },
    };
    this.#context = context;
    this.#fileBytes = [debug, alternate, dwp].reduce((sum, elf) => sum + (elf?.access.byteLength ?? 0), 0);
    this.#alternate = alternate && new DwarfFile('alternate', alternate, context, false);
    this.#file = new DwarfFile('main', debug, context, false, this.#alternate);
    this.#names = new FunctionNames(options.functionNames ?? 'linkage');
    this.#grantWork(0);
    this.#index = indexUnits(this.#file);
    this.#split = new SplitUnits(context, dwp, openDwo);
  }

  /**
   * Opens the debug information of a binary; undefined when there is none. What is there but cannot be read is counted
   * in `problems`.
   *
   * @throws FormatError when the file's table of sections is damaged
   */
  static open(
    files: DwarfFiles,
    limits: DwarfLimits = {},
    options: DwarfOptions = {},
  ): DwarfSymbols | undefined {
    const symbols = new DwarfSymbols(files, { ...defaultDwarfLimits, ...limits }, options);
    const isEmpty = !symbols.#file.sections.has('info');
    return isEmpty && Object.keys(symbols.problems).length === 0 ? undefined : symbols;
  }

  /** What was left out, by reason (see `DwarfProblem`). */
  get problems(): Readonly<Record<string, number>> {
    return this.#context.problems.counts;
  }

  /** Memory held, about: index, parsed units and line tables, windows, unpacked sections. */
  get byteSize(): number {
    return (
      this.#index.byteSize +
      this.#context.cache.byteSize +
      this.#names.byteSize +
      this.#file.byteSize +
      (this.#alternate?.byteSize ?? 0) +
      this.#split.byteSize
    );
  }

  /** Frames of ELF virtual addresses, in any order. Damage costs the addresses that need what is damaged. */
  lookUp(addresses: BigUint64Array): SourceFrames {
    this.#grantWork(addresses.length);
    const numbers = this.#context.space.fromBigInts(addresses);
    const units = Int32Array.from(numbers, (address) => this.#index.find(address));
    const frames = new FrameCollector(addresses.length);
    // Unit by unit, so that each is read once however many of them take turns in memory.
    const order = Uint32Array.from(units.keys()).filter((position) => units[position]! >= 0);
    order.sort((a, b) => units[a]! - units[b]! || numbers[a]! - numbers[b]!);
    for (let from = 0, to = 0; from < order.length; from = to) {
      const number = units[order[from]!]!;
      while (to < order.length && units[order[to]!] === number) to++;
      try {
        const unit = this.#openUnit(number);
        for (const position of order.subarray(from, to)) {
          frames.begin(position);
          this.#addFrames(unit, numbers[position]!, frames);
          frames.end(position);
        }
      } catch (error) {
        if (this.#context.budget.isSpent && error instanceof FormatError) break;
        if (!this.#file.isDamage(error, 'unit_damaged')) throw error;
      }
    }
    return frames.finish();
  }

  #grantWork(addressCount: number): void {
    const { budget, inflater } = this.#context;
    budget.grant(addressCount, this.#fileBytes + inflater.usedBytes);
  }

  #openUnit(number: number): OpenUnit {
    const { cache } = this.#context;
    const unit = this.#file.unit(number);
    const functions = cache.get(`functions ${number}`, () => this.#readFunctions(unit));
    if (unit.lineTable < 0) return { unit, functions, lines: undefined };
    const { lines } = cache.get(`lines ${unit.lineTable}`, () => this.#readLines(unit.lineTable));
    return { unit, functions, lines };
  }

  #readFunctions(skeleton: Unit): UnitFunctions {
    const unit = skeleton.dwoName === '' ? skeleton : (this.#split.find(skeleton) ?? skeleton);
    const tree = FunctionTree.read(unit);
    return {
      unit,
      tree,
      // A .dwo file is only kept for the functions of its unit.
      get byteSize() {
        return tree.byteSize + unit.byteSize + (unit.file.isSplit ? unit.file.byteSize : 0);
      },
    };
  }

  #readLines(offset: number): { readonly lines: LineTable | undefined; readonly byteSize: number } {
    try {
      const lines = readLineTable(this.#file, offset);
      return { lines, byteSize: lines.byteSize };
    } catch (error) {
      if (!this.#file.isDamage(error, 'line_table_damaged')) throw error;
      return { lines: undefined, byteSize: 100 };
    }
  }

  /** Adds the frames of an address, innermost first: its line is the table's, those of callers are the calls'. */
  #addFrames({ unit, functions, lines }: OpenUnit, address: number, frames: FrameCollector): void {
    const { tree } = functions;
    const row = lines?.find(address) ?? -1;
    let file = row < 0 ? undefined : lines!.names.path(lines!.files[row]!, unit.compDir);
    let line = file === undefined ? 0 : lines!.lines[row]!;
    let column = file === undefined ? 0 : lines!.columns[row]!;
    let current = tree.find(address);
    if (current < 0) {
      if (file !== undefined) frames.add('', 0, file, line, column);
      return;
    }
    for (let count = 0; current >= 0; count++) {
      if (count === this.#context.limits.maxInlineFrames) {
        this.#context.problems.add('inline_chain_cut');
        return;
      }
      this.#context.budget.spend(dwarfBounds.workBytesPerFrame);
      const frame = this.#names.read(functions.unit, tree.entryOffset(current));
      frames.add(frame.name, frame.declLine, file ?? '', line, column);
      file = lines?.names.path(frame.callFile, unit.compDir);
      line = frame.callLine;
      column = frame.callColumn;
      current = tree.caller(current);
    }
  }
}

/** Where code begins: other segments may lie far away, as a kernel's variables of each processor do, at 0. */
function lowestCodeAddress({ segments, base }: ElfFile): bigint {
  const code = segments.filter(({ isExecutable }) => isExecutable);
  return BigUint64Array.from(code, ({ address }) => address).sort()[0] ?? base;
}

/** Reads headers and first entries of all units. A damaged unit is counted and has no addresses. */
function indexUnits(file: DwarfFile): AddressIndex {
  const { limits, problems } = file.context;
  const builder = new AddressIndexBuilder(limits.maxUnitRanges, problems);
  file.units = UnitList.scan(file.sections.get('info'), limits.maxUnits, problems, (header, number) => {
    try {
      builder.add(number, unitRanges(new Unit(file, header)));
    } catch (error) {
      if (!file.isDamage(error, 'unit_damaged') && !file.budget.isSpent) throw error;
    }
  });
  return builder.build();
}

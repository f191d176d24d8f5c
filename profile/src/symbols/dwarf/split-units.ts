// SPDX-License-Identifier: Apache-2.0
//
// Split DWARF: the units of the binary are skeletons, which know lines and addresses; their functions are in .dwo files
// of the compiler, or in one package (.dwp) of them. Found by the id that skeleton and split unit share.

import type { ElfFile } from '../elf.ts';
import { type DwarfContext, DwarfFile } from './dwarf-file.ts';
import { dwarfBounds } from './dwarf-limits.ts';
import { PackageIndex } from './package-index.ts';
import { SectionCursor } from './section.ts';
import { Unit, type UnitContribution } from './unit.ts';
import { headerReadAhead, readUnitHeader } from './unit-header.ts';

/** Opens a .dwo file, as a skeleton names it; undefined when it is not there. */
export type OpenDwo = (name: string, compDir: string, id: bigint) => ElfFile | undefined;

/** Split units of one binary. */
export class SplitUnits {
  readonly #context: DwarfContext;
  readonly #openDwo: OpenDwo | undefined;
  readonly #package: DwarfFile | undefined;
  #index: PackageIndex | undefined;
  readonly #opened = new Map<string, DwarfFile | undefined>();

  constructor(context: DwarfContext, dwp: ElfFile | undefined, openDwo: OpenDwo | undefined) {
    this.#context = context;
    this.#openDwo = openDwo;
    if (dwp === undefined) return;
    this.#package = new DwarfFile('dwp', dwp, context, true);
    try {
      this.#index = new PackageIndex(this.#package.sections.get('cu_index'));
    } catch (error) {
      if (!this.#package.isDamage(error, 'split_file_damaged')) throw error;
    }
  }

  get byteSize(): number {
    let bytes = this.#package?.byteSize ?? 0;
    for (const file of this.#opened.values()) bytes += file?.byteSize ?? 0;
    return bytes;
  }

  /** The split unit of a skeleton. When it cannot be found or read, that is counted. */
  find(skeleton: Unit): Unit | undefined {
    try {
      const unit = this.#findInPackage(skeleton) ?? this.#findInFile(skeleton);
      if (unit === undefined) this.#context.problems.add('split_unit_missing');
      return unit;
    } catch (error) {
      if (!skeleton.file.isDamage(error, 'split_file_damaged')) throw error;
      return undefined;
    }
  }

  #findInPackage(skeleton: Unit): Unit | undefined {
    const contribution = this.#index?.find(skeleton.dwoId);
    if (contribution === undefined) return undefined;
    return openUnit(this.#package!, contribution.info, skeleton, contribution);
  }

  #findInFile(skeleton: Unit): Unit | undefined {
    const file = this.#open(skeleton);
    if (file === undefined) return undefined;
    for (let number = 0; number < file.units.count; number++) {
      const unit = openUnit(file, file.units.header(number).offset, skeleton);
      if (unit?.dwoId === skeleton.dwoId) return unit;
    }
    return undefined;
  }

  #open({ dwoName, compDir, dwoId }: Unit): DwarfFile | undefined {
    const key = `dwo ${compDir} ${dwoName} ${dwoId}`;
    if (this.#opened.has(key)) return this.#opened.get(key);
    const elf = this.#openDwo?.(dwoName, compDir, dwoId);
    const file = elf && new DwarfFile(key, elf, this.#context, true);
    this.#opened.set(key, file);
    if (elf !== undefined) this.#context.budget.extend(elf.access.byteLength);
    if (this.#opened.size > dwarfBounds.maxOpenSplitFiles) {
      this.#opened.delete(this.#opened.keys().next().value!);
    }
    return file;
  }
}

function openUnit(
  file: DwarfFile,
  offset: number,
  skeleton: Unit,
  contribution?: UnitContribution,
): Unit | undefined {
  const info = file.sections.get('info');
  const header = readUnitHeader(new SectionCursor(info, offset, info.size, headerReadAhead));
  return 'unknownUnitEnd' in header ? undefined : new Unit(file, header, skeleton, contribution);
}

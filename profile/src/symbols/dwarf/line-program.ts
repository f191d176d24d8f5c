// SPDX-License-Identifier: Apache-2.0
//
// Runs the program of a line table (.debug_line), which gives its rows.

import type { AddressSpace } from './address-space.ts';
import { deadAddress } from './address-space.ts';
import { lineExtended, lineStandard } from './dwarf-constants.ts';
import type { DwarfFile } from './dwarf-file.ts';
import { type LineFiles, type LineParameters, readFile4, readLineHeader } from './line-header.ts';
import { type LineTable, LineTableBuilder } from './line-table.ts';
import { SectionCursor, sequentialReadAhead } from './section.ts';

/** About what compilers need for a row that is kept. */
const programBytesPerRow = 4;

/**
 * The line table at an offset of .debug_line. A damaged program is counted and leaves the sequences before the damage.
 *
 * @throws FormatError when there is no header
 */
export function readLineTable(file: DwarfFile, offset: number): LineTable {
  const line = file.sections.get('line');
  const cursor = new SectionCursor(line, offset, line.size, sequentialReadAhead);
  const { parameters, files } = readLineHeader(cursor, file);
  file.budget.spend(parameters.programEnd - offset);
  const machine = new LineMachine(parameters, files, file);
  try {
    cursor.seek(parameters.programStart, parameters.programEnd);
    machine.run(cursor);
  } catch (error) {
    if (!file.isDamage(error, 'line_table_damaged')) throw error;
  }
  return machine.rows.finish(files);
}

/** Registers of the state machine (DWARF 5, 6.2.2), those only that rows are made of. */
class LineMachine {
  readonly rows: LineTableBuilder;
  readonly #parameters: LineParameters;
  readonly #files: LineFiles;
  readonly #space: AddressSpace;
  readonly #maxRows: number;
  readonly #dwarfFile: DwarfFile;
  #address: number;
  #operation = 0;
  #file = 1;
  #line = 1;
  #column = 0;

  constructor(parameters: LineParameters, files: LineFiles, file: DwarfFile) {
    const programBytes = parameters.programEnd - parameters.programStart;
    this.#maxRows = file.context.limits.maxLineRows;
    this.rows = new LineTableBuilder(Math.min(this.#maxRows, Math.ceil(programBytes / programBytesPerRow)));
    this.#parameters = parameters;
    this.#files = files;
    this.#dwarfFile = file;
    this.#space = file.space;
    this.#address = file.space.zero;
  }

  run(cursor: SectionCursor): void {
    const { opcodeBase, lineBase, lineRange, programEnd } = this.#parameters;
    while (cursor.offset < programEnd) {
      const opcode = cursor.u8();
      if (opcode >= opcodeBase) {
        const adjusted = opcode - opcodeBase;
        if (lineRange > 0) {
          this.#advance(Math.floor(adjusted / lineRange));
          this.#line = (this.#line + lineBase + (adjusted % lineRange)) >>> 0;
        } else this.#line = (this.#line + lineBase) >>> 0;
        this.#emit();
      } else if (opcode === 0) this.#runExtended(cursor);
      else this.#runStandard(opcode, cursor);
      if (this.rows.rowCount > this.#maxRows) {
        this.rows.dropSequence();
        this.#dwarfFile.context.problems.add('too_many_line_rows');
        return;
      }
    }
  }

  #runStandard(opcode: number, cursor: SectionCursor): void {
    switch (opcode) {
      case lineStandard.copy:
        this.#emit();
        return;
      case lineStandard.advancePc:
        this.#advance(cursor.uleb());
        return;
      case lineStandard.advanceLine:
        this.#line = (this.#line + cursor.sleb()) >>> 0;
        return;
      case lineStandard.setFile:
        this.#file = cursor.uleb() >>> 0;
        return;
      case lineStandard.setColumn:
        this.#column = cursor.uleb() & 0xffff;
        return;
      case lineStandard.negateStmt:
      case lineStandard.setBasicBlock:
      case lineStandard.setPrologueEnd:
      case lineStandard.setEpilogueBegin:
        return;
      case lineStandard.constAddPc: {
        const { opcodeBase, lineRange } = this.#parameters;
        if (lineRange > 0) this.#advance(Math.floor((255 - opcodeBase) / lineRange));
        return;
      }
      case lineStandard.fixedAdvancePc:
        this.#address += cursor.u16();
        this.#operation = 0;
        return;
      case lineStandard.setIsa:
        cursor.uleb();
        return;
      default:
        for (let i = this.#parameters.opcodeLengths[opcode] ?? 0; i > 0; i--) cursor.uleb();
    }
  }

  #runExtended(cursor: SectionCursor): void {
    const length = cursor.uleb();
    if (length === 0) return;
    const end = cursor.offset + length;
    switch (cursor.u8()) {
      case lineExtended.endSequence:
        if (this.#address === deadAddress) this.rows.dropSequence();
        else this.rows.endSequence(this.#address);
        this.#address = this.#space.zero;
        this.#operation = 0;
        this.#file = 1;
        this.#line = 1;
        this.#column = 0;
        break;
      case lineExtended.setAddress:
        if (length - 1 === 4 || length - 1 === 8) {
          this.#address = this.#space.read(cursor, length - 1);
          this.#operation = 0;
        }
        break;
      case lineExtended.defineFile:
        if (this.#files.count < this.#dwarfFile.context.limits.maxLineFiles) {
          readFile4(cursor, this.#files, cursor.skipString());
        }
        break;
    }
    cursor.seek(end, this.#parameters.programEnd);
  }

  #advance(operations: number): void {
    const { minInstructionLength, maxOperations } = this.#parameters;
    if (maxOperations === 1) {
      this.#address += operations * minInstructionLength;
      return;
    }
    const total = this.#operation + operations;
    this.#address += Math.floor(total / maxOperations) * minInstructionLength;
    this.#operation = total % maxOperations;
  }

  #emit(): void {
    if (this.#address !== deadAddress) this.rows.addRow(this.#address, this.#file, this.#line, this.#column);
  }
}

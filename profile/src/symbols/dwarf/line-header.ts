// SPDX-License-Identifier: Apache-2.0
//
// The header of a line table (DWARF 2 to 5): how its program is read, and the tables of directories and files. Names
// are kept as places in a string section and read for the files that are asked for.

import { FormatError } from '../../errors.ts';
import { form, lineContent } from './dwarf-constants.ts';
import type { DwarfFile } from './dwarf-file.ts';
import { dwarfBounds } from './dwarf-limits.ts';
import { isAbsolutePath, joinPath } from './file-path.ts';
import type { Section, SectionCursor } from './section.ts';
import { readInitialLength } from './unit-header.ts';

/** What the program of a line table depends on. */
export interface LineParameters {
  readonly version: number;
  readonly offsetSize: number;
  readonly minInstructionLength: number;
  readonly maxOperations: number;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** Count of arguments by standard opcode. */
  readonly opcodeLengths: readonly number[];
  readonly programStart: number;
  readonly programEnd: number;
}

/** Texts by number, as places in string sections. */
class TextTable {
  readonly #sections: (Section | undefined)[] = [];
  readonly #offsets: number[] = [];

  get count(): number {
    return this.#offsets.length;
  }

  add(section: Section | undefined, offset: number): void {
    this.#sections.push(section);
    this.#offsets.push(offset);
  }

  get(number: number): string | undefined {
    return this.#sections[number]?.string(this.#offsets[number]!);
  }
}

/** Files of a line table by their number in it. */
export class LineFiles {
  readonly #version: number;
  readonly #directories = new TextTable();
  readonly #names = new TextTable();
  readonly #directoryOf: number[] = [];
  readonly #paths: (string | undefined)[] = [];
  #compDir = '';

  constructor(version: number) {
    this.#version = version;
  }

  get byteSize(): number {
    return 200 + (this.#directories.count + this.#names.count) * 24 + this.#paths.length * 80;
  }

  get count(): number {
    return this.#names.count;
  }

  get directoryCount(): number {
    return this.#directories.count;
  }

  addDirectory(section: Section | undefined, offset: number): void {
    this.#directories.add(section, offset);
  }

  addFile(section: Section | undefined, offset: number, directory: number): void {
    this.#names.add(section, offset);
    this.#directoryOf.push(directory);
  }

  /** Path of the file with that number for a unit compiled in `compDir`; undefined when there is no such file. */
  path(file: number, compDir: string): string | undefined {
    // Before version 5 files are counted from 1, and so are directories, of which 0 is where the unit was compiled.
    const index = this.#version >= 5 ? file : file - 1;
    if (!(index >= 0 && index < this.#names.count)) return undefined;
    if (compDir !== this.#compDir) {
      this.#paths.length = 0;
      this.#compDir = compDir;
    }
    const known = this.#paths[index];
    if (known !== undefined) return known;
    const path = this.#join(index, compDir);
    if (path !== undefined) {
      for (let i = this.#paths.length; i < index; i++) this.#paths[i] = undefined;
      this.#paths[index] = path;
    }
    return path;
  }

  #join(index: number, compDir: string): string | undefined {
    const name = this.#names.get(index);
    if (name === undefined || isAbsolutePath(name)) return name;
    const number = this.#directoryOf[index]!;
    const directory = this.#directories.get(this.#version >= 5 ? number : number - 1) ?? '';
    const isBelowCompDir = (this.#version < 5 || number !== 0) && !isAbsolutePath(directory);
    return joinPath(isBelowCompDir ? compDir : '', directory, name);
  }
}

/**
 * Reads the header at the cursor. A damaged table of files is counted and leaves the files before the damage.
 *
 * @throws FormatError when the program cannot be found
 */
export function readLineHeader(
  cursor: SectionCursor,
  dwarfFile: DwarfFile,
): { readonly parameters: LineParameters; readonly files: LineFiles } {
  const { section } = cursor;
  const start = cursor.offset;
  const { length, offsetSize } = readInitialLength(cursor);
  // A table that goes beyond the section is read as far as it is there.
  const programEnd = Math.min(cursor.offset + length, section.size);
  const version = cursor.u16();
  if (version < 2 || version > 5) throw new FormatError(section.name, start, `unknown version ${version}`);
  if (version >= 5) cursor.skip(2);
  const headerLength = cursor.offsetOf(offsetSize);
  const programStart = cursor.offset + headerLength;
  if (!(programStart <= programEnd))
    throw new FormatError(section.name, start, 'the header is longer than the table');
  cursor.seek(cursor.offset, programStart);
  const minInstructionLength = cursor.u8();
  const maxOperations = version >= 4 ? Math.max(1, cursor.u8()) : 1;
  cursor.skip(1);
  const lineBase = cursor.s8();
  const lineRange = cursor.u8();
  const opcodeBase = cursor.u8();
  const opcodeLengths = [0];
  for (let opcode = 1; opcode < opcodeBase; opcode++) opcodeLengths.push(cursor.u8());
  const files = new LineFiles(version);
  try {
    if (version >= 5) readTables5(cursor, files, dwarfFile, offsetSize);
    else readTables4(cursor, files, dwarfFile);
  } catch (error) {
    if (!dwarfFile.isDamage(error, 'line_table_damaged')) throw error;
  }
  const parameters = {
    version,
    offsetSize,
    minInstructionLength,
    maxOperations,
    lineBase,
    lineRange,
    opcodeBase,
    opcodeLengths,
    programStart,
    programEnd,
  };
  return { parameters, files };
}

function readTables4(cursor: SectionCursor, files: LineFiles, dwarfFile: DwarfFile): void {
  const { section } = cursor;
  for (;;) {
    const at = cursor.skipString();
    if (cursor.offset === at + 1) break;
    checkCount(files.directoryCount, dwarfFile, at);
    files.addDirectory(section, at);
  }
  for (;;) {
    const at = cursor.skipString();
    if (cursor.offset === at + 1) break;
    checkCount(files.count, dwarfFile, at);
    readFile4(cursor, files, at);
  }
}

/** Reads what follows the name of a file, which lies at `nameAt`: directory, time and size. */
export function readFile4(cursor: SectionCursor, files: LineFiles, nameAt: number): void {
  const directory = cursor.uleb();
  cursor.uleb();
  cursor.uleb();
  files.addFile(cursor.section, nameAt, directory);
}

function readTables5(
  cursor: SectionCursor,
  files: LineFiles,
  dwarfFile: DwarfFile,
  offsetSize: number,
): void {
  for (const isFiles of [false, true]) {
    const formatCount = cursor.u8();
    if (formatCount > dwarfBounds.maxLineEntryFormats) {
      throw new FormatError(cursor.section.name, cursor.offset, `${formatCount} fields of a file`);
    }
    const formats: { content: number; formCode: number }[] = [];
    for (let i = 0; i < formatCount; i++) formats.push({ content: cursor.uleb(), formCode: cursor.uleb() });
    const count = cursor.uleb();
    if (formatCount === 0 && count > 0) {
      throw new FormatError(cursor.section.name, cursor.offset, 'files without a field');
    }
    for (let i = 0; i < count; i++) {
      checkCount(isFiles ? files.count : files.directoryCount, dwarfFile, cursor.offset);
      readEntry5(cursor, formats, files, dwarfFile, offsetSize, isFiles);
    }
  }
}

function readEntry5(
  cursor: SectionCursor,
  formats: readonly { readonly content: number; readonly formCode: number }[],
  files: LineFiles,
  dwarfFile: DwarfFile,
  offsetSize: number,
  isFile: boolean,
): void {
  let section: Section | undefined;
  let offset = 0;
  let directory = 0;
  for (const { content, formCode } of formats) {
    const isPath = content === lineContent.path;
    switch (formCode) {
      case form.string: {
        const at = cursor.skipString();
        if (isPath) [section, offset] = [cursor.section, at];
        break;
      }
      case form.lineStrp:
      case form.strp: {
        const at = cursor.offsetOf(offsetSize);
        if (isPath)
          [section, offset] = [dwarfFile.sections.get(formCode === form.strp ? 'str' : 'line_str'), at];
        break;
      }
      default: {
        const value = readLineConstant(cursor, formCode);
        if (content === lineContent.directoryIndex) directory = value;
      }
    }
  }
  if (isFile) files.addFile(section, offset, directory);
  else files.addDirectory(section, offset);
}

/** A number, or 0 for a block. Only forms that take bytes are known, so that a count of entries is bounded by bytes. */
function readLineConstant(cursor: SectionCursor, formCode: number): number {
  switch (formCode) {
    case form.udata:
      return cursor.uleb();
    case form.data1:
      return cursor.u8();
    case form.data2:
      return cursor.u16();
    case form.data4:
      return cursor.u32();
    case form.data8:
      return cursor.u64();
    case form.data16:
      cursor.skip(16);
      return 0;
    case form.block:
      cursor.skip(cursor.uleb());
      return 0;
    case form.block1:
      cursor.skip(cursor.u8());
      return 0;
    case form.block2:
      cursor.skip(cursor.u16());
      return 0;
    case form.block4:
      cursor.skip(cursor.u32());
      return 0;
    default:
      throw new FormatError(
        cursor.section.name,
        cursor.offset,
        `form 0x${formCode.toString(16)} in a line header`,
      );
  }
}

function checkCount(count: number, { context }: DwarfFile, offset: number): void {
  if (count >= context.limits.maxLineFiles) throw new FormatError('.debug_line', offset, 'too many files');
}

// SPDX-License-Identifier: Apache-2.0
//
// What the reader may use. Debug information belongs to whoever is profiled, so each size that a file states is
// checked against one of these before it costs memory or time, and what is left out is counted with a reason.

import { FormatError } from '../../errors.ts';

/** Limits of one `DwarfSymbols`; what is left out takes its default. */
export interface DwarfLimits {
  /** Bytes of parsed units and line tables that are kept for later look-ups; the least recently used go first. */
  readonly maxBytes?: number;
  /** Bytes of all compressed sections together, once they are unpacked. They must be unpacked whole. */
  readonly maxInflatedBytes?: number;
  readonly maxUnits?: number;
  /** Address ranges of all units together. */
  readonly maxUnitRanges?: number;
  /** Functions, inlined calls and their address ranges that are read of one unit. */
  readonly maxFunctionsPerUnit?: number;
  readonly maxLineRows?: number;
  readonly maxLineFiles?: number;
  /** Frames of one address; the outermost are left out. */
  readonly maxInlineFrames?: number;
}

export const defaultDwarfLimits: Required<DwarfLimits> = {
  maxBytes: 32 * 1024 * 1024,
  maxInflatedBytes: 512 * 1024 * 1024,
  maxUnits: 1024 * 1024,
  maxUnitRanges: 2 * 1024 * 1024,
  maxFunctionsPerUnit: 1024 * 1024,
  maxLineRows: 4 * 1024 * 1024,
  maxLineFiles: 256 * 1024,
  maxInlineFrames: 256,
};

/** Bounds of the format itself, far beyond what compilers write. */
export const dwarfBounds = {
  /** Longer names and paths are cut. */
  maxStringBytes: 16 * 1024,
  maxAbbreviationAttributes: 256,
  /** Attributes of all abbreviations of one table. */
  maxTableAttributes: 1024 * 1024,
  maxDieDepth: 4096,
  /** Entries followed from a function to the one that names it. */
  maxReferenceHops: 16,
  /** What a frame counts for in the work of a call, so that answers are bounded as well. */
  workBytesPerFrame: 256,
  /** Names of inlined functions that are remembered at a time. */
  maxRecentNameBytes: 2 * 1024 * 1024,
  /** Fields that a version 5 line header may give each file. */
  maxLineEntryFormats: 32,
  /** .dwo files that are kept besides those whose functions are. */
  maxOpenSplitFiles: 4,
} as const;

/** Why something was left out, and how often. */
export type DwarfProblem =
  | 'section_damaged'
  | 'section_too_large'
  | 'section_compressed'
  | 'unit_header_damaged'
  | 'unit_version_unknown'
  | 'unit_damaged'
  | 'too_many_units'
  | 'too_many_ranges'
  | 'too_many_functions'
  | 'ranges_damaged'
  | 'name_damaged'
  | 'line_table_damaged'
  | 'too_many_line_rows'
  | 'inline_chain_cut'
  | 'split_unit_missing'
  | 'split_file_damaged'
  | 'alternate_file_missing'
  | 'work_limit';

/** Counts what was left out; shared by all parts of one `DwarfSymbols`. */
export class ProblemCounts {
  readonly counts: Record<string, number> = {};

  add(problem: DwarfProblem): void {
    this.counts[problem] = (this.counts[problem] ?? 0) + 1;
  }
}

/** Work of one call besides what the addresses and the files' size explain. */
const baseWorkBytes = 16 * 1024 * 1024;
const workBytesPerAddress = 4096;
/** How often one call may look at each byte of the files. */
const looksPerByte = 4;

/**
 * Bytes that one call may still look at. Units, line tables, abbreviations and range lists may share and overlap in a
 * hostile file, so that each alone is small and all together would take hours.
 */
export class WorkBudget {
  #left = 0;
  #isCounted = true;
  readonly #problems: ProblemCounts;

  constructor(problems: ProblemCounts) {
    this.#problems = problems;
  }

  /** Starts a call for so many addresses, over files of so many bytes. */
  grant(addressCount: number, fileBytes: number): void {
    this.#left = baseWorkBytes + addressCount * workBytesPerAddress;
    this.#isCounted = false;
    this.extend(fileBytes);
  }

  /** More bytes have come to light: a file was opened, or a section unpacked. */
  extend(fileBytes: number): void {
    this.#left += fileBytes * looksPerByte;
  }

  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** Throws FormatError when the budget is used up; once a call has hit it, each further step of it throws as well. */
  spend(bytes: number): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    if (!this.#isCounted) this.#problems.add('work_limit');
    this.#isCounted = true;
    throw new FormatError('dwarf', 0, 'units, tables and lists overlap too much');
  }
}

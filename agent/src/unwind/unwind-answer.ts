// SPDX-License-Identifier: Apache-2.0
//
// What is asked of the worker about one mapped file before stacks can be walked through it, and what it answers.

import type { UnwindTable } from '@hearthscope/profile/unwind/unwind-table';
import type { BinaryRef } from '../symbolize/symbol-request.ts';

export interface UnwindQuestion {
  /** `fileOffsets` is not looked at. */
  readonly ref: BinaryRef;
  /** Contents whose tables are loaded already: they are named in the answer, not sent. */
  readonly loadedContents: readonly string[];
}

/** An executable segment of the file: exact below 2^53, as all of it. */
export interface TextSegment {
  readonly fileOffset: number;
  readonly fileSize: number;
  readonly address: number;
}

export interface UnwindAnswer {
  /** Tells one state of the file from another; '' when it could not be opened. */
  readonly identity: string;
  /** Equal for files with equal unwind information; '' when there is none. */
  readonly content: string;
  readonly segments: readonly TextSegment[];
  /** Absent when it is loaded already, or when there is none. */
  readonly table?: UnwindTable;
  /** '' or why there is no table: a reason of `hearthscope_agent_unwind_tables_total`. */
  readonly failure: string;
  /** Where the table came from. */
  readonly source: 'built' | 'cache' | 'loaded' | 'none';
}

/** The part of the worker's handle that is needed here. */
export interface UnwindSource {
  /**
   * Never rejects.
   *
   * @param loadedContents asked when the worker gets to the question
   */
  unwindTable(ref: BinaryRef, loadedContents: () => readonly string[]): Promise<UnwindAnswer>;
}

/** The memory of the table's columns: handed over between threads instead of being copied. */
export function tableBuffers(table: UnwindTable): ArrayBuffer[] {
  const { pageFirstRow, pageRule, rowOffset, rowRule, rules } = table;
  const buffers = [pageFirstRow, pageRule, rowOffset, rowRule, rules].map(
    ({ buffer }) => buffer as ArrayBuffer,
  );
  return [...new Set(buffers)];
}

/** The answer for a file that could not be read. */
export function failedUnwindAnswer(failure: string): UnwindAnswer {
  return { identity: '', content: '', segments: [], failure, source: 'none' };
}

// SPDX-License-Identifier: Apache-2.0
//
// The functions of .eh_frame or .debug_frame as ranges of addresses: sorted, cut apart, and their rows on demand. The
// programs of functions run in order of address, straight into the table.

import { FormatError } from '../errors.ts';
import { startsBeforeSigreturn } from './c-library-stubs.ts';
import { CallFrameCursor } from './call-frame-cursor.ts';
import {
  CallFrameEntryReader,
  type CallFrameFunctions,
  type CallFrameLimits,
  type CallFrameSection,
  callFrameLimits,
} from './call-frame-entries.ts';
import { CallFrameProgram } from './call-frame-program.ts';
import type { ExecutableAddresses } from './executable-addresses.ts';
import type { UnwindProblems } from './unwind-problems.ts';
import type { UnwindRanges } from './unwind-ranges.ts';
import { type UnwindMachine, unwindCommand } from './unwind-table.ts';
import type { UnwindTableBuilder } from './unwind-table-builder.ts';

/** Real binaries have one; each costs a look at its code. */
const maxSignalFrames = 1024;

/** See the head of the file. Damaged functions are counted in `problems`. */
export class CallFrameRanges implements UnwindRanges {
  readonly starts: Float64Array;
  readonly limits: Float64Array;
  readonly #functions: CallFrameFunctions;
  /** Per range: its function. */
  readonly #order: Uint32Array;
  readonly #cursor: CallFrameCursor;
  readonly #program: CallFrameProgram;
  readonly #problems: UnwindProblems;
  /** Bytes of instructions that may still be run. */
  #workLeft: number;

  /** Reads all entries of a section. */
  constructor(
    section: CallFrameSection,
    machine: UnwindMachine,
    code: ExecutableAddresses,
    problems: UnwindProblems,
    limits: CallFrameLimits = callFrameLimits,
  ) {
    this.#problems = problems;
    this.#workLeft = section.bytes.byteLength * limits.maxRunsPerByte;
    this.#cursor = new CallFrameCursor(section.bytes, section.format, section.fileOffset);
    this.#program = new CallFrameProgram(this.#cursor, section.address, machine);
    const reader = new CallFrameEntryReader(section, this.#cursor, this.#program, code, problems, limits);
    this.#functions = reader.readAll();
    this.#order = orderByStart(this.#functions);

    const count = this.#order.length;
    const starts = new Float64Array(count);
    const ends = new Float64Array(count);
    const kept = this.#cutApart(starts, ends, code, machine);
    this.starts = starts.subarray(0, kept);
    this.limits = ends.subarray(0, kept);
  }

  addRows(index: number, start: number, limit: number, builder: UnwindTableBuilder): void {
    const functions = this.#functions;
    const fn = this.#order[index]!;
    const common = functions.commons[functions.common[fn]!]!;
    if (common.isSignalFrame) {
      builder.add(start, unwindCommand.signal);
      return;
    }
    const cursor = this.#cursor;
    cursor.at = functions.programAt[fn]!;
    cursor.limit = functions.programLimit[fn]!;
    this.#workLeft -= cursor.limit - cursor.at;
    if (this.#workLeft < 0) {
      this.#problems.count('work_over_limit');
      builder.add(start, unwindCommand.unknown);
      return;
    }
    try {
      this.#program.addRows(common, functions.start[fn]!, start, limit, builder);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.#problems.count('damaged_function');
    }
  }

  /** A function ends where the next one begins, as for unwinders that search for the last start. Gives their number. */
  #cutApart(
    starts: Float64Array,
    ends: Float64Array,
    code: ExecutableAddresses,
    machine: UnwindMachine,
  ): number {
    const { start, limit, common, commons } = this.#functions;
    const order = this.#order;
    let kept = 0;
    let signalFrames = 0;
    for (const fn of order) {
      let from = start[fn]!;
      // Callers are looked up one byte before the return address, which is the first byte of a trampoline.
      const isSignalFrame = commons[common[fn]!]!.isSignalFrame && ++signalFrames <= maxSignalFrames;
      if (isSignalFrame && !startsBeforeSigreturn(code, from, machine)) from -= 1;
      if (kept > 0 && from < ends[kept - 1]!) {
        this.#problems.count('overlapping_functions');
        // Of several that begin together the first in the section counts.
        if (from <= starts[kept - 1]!) continue;
        ends[kept - 1] = from;
      }
      starts[kept] = from;
      ends[kept] = limit[fn]!;
      order[kept++] = fn;
    }
    return kept;
  }
}

/** Keys stay below this, so that dividing them is exact enough to take them apart. */
const maxSortKey = 2 ** 52;

/** Numbers of all functions, by ascending start; those that begin together in the order of the section. */
function orderByStart({ start, count }: CallFrameFunctions): Uint32Array {
  const order = new Uint32Array(count);
  let isAscending = true;
  let lowest = Number.POSITIVE_INFINITY;
  let highest = 0;
  for (let fn = 0; fn < count; fn++) {
    order[fn] = fn;
    if (start[fn]! < highest) isAscending = false;
    lowest = Math.min(lowest, start[fn]!);
    highest = Math.max(highest, start[fn]!);
  }
  if (isAscending) return order;
  if ((highest - lowest + 1) * count > maxSortKey) {
    return order.sort((a, b) => start[a]! - start[b]! || a - b);
  }
  // Plain numbers sort many times faster than through a comparison: start and number share one where they fit.
  const keys = new Float64Array(count);
  for (let fn = 0; fn < count; fn++) keys[fn] = (start[fn]! - lowest) * count + fn;
  keys.sort();
  for (let i = 0; i < count; i++) order[i] = keys[i]! - Math.floor(keys[i]! / count) * count;
  return order;
}

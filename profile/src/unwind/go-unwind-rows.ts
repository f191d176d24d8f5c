// SPDX-License-Identifier: Apache-2.0
//
// Unwind rows of Go code. Go writes no .eh_frame for it, and .debug_frame is stripped away, but the runtime needs the
// depth of the stack at each instruction for its own tracebacks and keeps it in pclntab. Rows by depth are right at every
// instruction, which steps by the frame pointer are not: not in prologues, epilogues and functions without a frame.

import { FormatError } from '../errors.ts';
import type { ElfFile } from '../symbols/elf.ts';
import { elfMachine } from '../symbols/elf.ts';
import { FileWindows } from '../symbols/go/file-windows.ts';
import { PcValueTable } from '../symbols/go/pc-value-table.ts';
import { type GoFunction, Pclntab } from '../symbols/go/pclntab.ts';
import { writeArm64Rows } from './go-frames-arm64.ts';
import { type ReadCode, writeX8664Rows } from './go-frames-x86-64.ts';
import { GoRowWriter } from './go-row-writer.ts';
import { goSpecialFunction, mayBeSpecial } from './go-special-functions.ts';
import type { UnwindRule } from './unwind-rule.ts';
import { unwindCommand } from './unwind-table.ts';

export const goUnwindLimits = {
  /** 10 bytes each while the table is built. */
  maxRows: 16_777_216,
} as const;

/** Rows for all Go functions of one binary. */
export interface GoUnwindRows {
  /** ELF virtual addresses: of the first row, and the end of Go's code. The last row says `unknown` there. */
  readonly start: number;
  readonly limit: number;
  /** ELF virtual addresses, ascending. */
  readonly addresses: Float64Array;
  /** Per address: an index into `rules`, or a command of `unwindCommand`. */
  readonly rowRules: Uint16Array;
  readonly rules: readonly UnwindRule[];
  /** How often something could not be read or said, by reason. */
  readonly problems: Readonly<Record<string, number>>;
}

/** All tables are walked through once, function after function: larger windows than lookups need, for a moment. */
const tableWindows = { windowBytes: 65_536, windowCount: 128 } as const;
const codeWindows = { windowBytes: 65_536, windowCount: 4 } as const;

/**
 * The rows of a Go binary for x86-64 or arm64; undefined for any other file. Damage in one function leaves it `unknown`
 * and is counted. Throws FormatError when the file is a Go binary whose tables cannot be read.
 */
export function goUnwindRows(elf: ElfFile): GoUnwindRows | undefined {
  const pclntab = Pclntab.open(elf, tableWindows);
  if (pclntab === undefined) return undefined;
  const writer = new GoRowWriter(goUnwindLimits.maxRows);
  const code = new FileWindows(elf.access, 'elf', codeWindows);
  const depths = new PcValueTable();
  for (let i = 0; i < pclntab.functionCount; i++) {
    const entry = pclntab.textStart + pclntab.entries[i]!;
    if (pclntab.entries[i] === pclntab.entries[i + 1]) continue;
    try {
      writeFunction(writer, pclntab, pclntab.function(i), depths, code);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      writer.countProblem('function_unreadable');
      writer.add(entry, unwindCommand.unknown);
    }
  }
  const limit = pclntab.textStart + pclntab.entries.at(-1)!;
  writer.add(limit, unwindCommand.unknown);
  const addresses = writer.addresses;
  return {
    start: addresses[0]!,
    limit,
    addresses,
    rowRules: writer.rowRules,
    rules: writer.rules,
    problems: writer.problems,
  };
}

function writeFunction(
  writer: GoRowWriter,
  pclntab: Pclntab,
  fn: GoFunction,
  depths: PcValueTable,
  code: FileWindows,
): void {
  const { header } = pclntab;
  const hasFlags = header.version >= 18;
  const special = mayBeSpecial(fn.flags, hasFlags)
    ? goSpecialFunction(pclntab.name(fn.nameOffset), fn.flags, hasFlags)
    : undefined;
  if (special === 'start') {
    writer.add(fn.entry, unwindCommand.end);
    return;
  }
  if (special === 'signalReturn') {
    // A walk looks up the byte before a return address, and this one is the function's first.
    writer.add(fn.entry - 1, unwindCommand.signal);
    return;
  }
  if (fn.stackDepthTable === 0) {
    writer.countProblem('no_stack_depths');
    writer.add(fn.entry, unwindCommand.unknown);
    return;
  }
  const size = fn.end - fn.entry;
  const damage = depths.decode(
    pclntab.windows,
    header.pcTable + fn.stackDepthTable,
    header.limit,
    size,
    header.quantum,
    Number.MAX_SAFE_INTEGER,
  );
  const entryOffset = pclntab.memory.offsetOf(fn.entry);
  const readCode: ReadCode = (pcOffset, length) => {
    if (entryOffset < 0 || entryOffset + pcOffset + length > code.byteLength) return new Uint8Array(0);
    return code.bytes(entryOffset + pcOffset, length, 'code');
  };
  const writeRows = pclntab.memory.elf.machine === elfMachine.arm64 ? writeArm64Rows : writeX8664Rows;
  const isFound = writeRows(writer, fn, depths, special, readCode);
  // Releases without flags have ordinary functions of the same names.
  if (!isFound && hasFlags) writer.countProblem('switch_not_found');
  if (damage !== undefined) {
    writer.countProblem(damage);
    const known = depths.count > 0 ? depths.ends[depths.count - 1]! : 0;
    if (known < size) writer.add(fn.entry + known, unwindCommand.unknown);
  }
}

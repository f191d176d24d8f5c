// SPDX-License-Identifier: Apache-2.0
//
// From an ELF file to its unwind table. Sources are laid over each other, and the first that describes an address wins:
// .eh_frame, Go's pclntab, .debug_frame, and last what the bytes of known stubs tell.

import { FormatError } from '../errors.ts';
import { type ElfFile, elfMachine } from '../symbols/elf.ts';
import { arm64VdsoFunctions } from './arm64-vdso.ts';
import { stubsInGaps } from './c-library-stubs.ts';
import { type CallFrameLimits, type CallFrameSection, callFrameLimits } from './call-frame-entries.ts';
import { CallFrameRanges } from './call-frame-ranges.ts';
import { debugFrameOf, ehFrameOf } from './call-frame-sources.ts';
import { entryStubs } from './entry-stub.ts';
import { ExecutableAddresses } from './executable-addresses.ts';
import { rangeOfGoRows } from './go-unwind-range.ts';
import { goUnwindRows } from './go-unwind-rows.ts';
import { pltStubs } from './plt-stubs.ts';
import { UnwindProblems } from './unwind-problems.ts';
import {
  fillPieces,
  noPieces,
  rangesOfRules,
  type UnwindPieces,
  type UnwindRanges,
} from './unwind-ranges.ts';
import {
  isUnwindCommand,
  type UnwindMachine,
  type UnwindTable,
  unwindCommand,
  unwindPageBytes,
} from './unwind-table.ts';
import { UnwindTableBuilder, type UnwindTableLimits, unwindTableLimits } from './unwind-table-builder.ts';

/** Limits of building one table: of the sections read and of the table made. */
export interface BuildUnwindTableLimits extends CallFrameLimits, UnwindTableLimits {}

export const buildUnwindTableLimits: BuildUnwindTableLimits = { ...callFrameLimits, ...unwindTableLimits };

/** A table, and what of the file's unwind information could not be used, by reason. */
export interface BuiltUnwindTable {
  readonly table: UnwindTable;
  readonly problems: Readonly<Record<string, number>>;
}

/** A gap of so few bytes between functions is padding, over which the last rule may as well hold. */
const maxPaddingBytes = 15;
/** Pages of the index: some for any file, more with its code, so that segments far apart cannot cost much. */
const minPages = 1024;
const pagesPerCodePage = 16;

/**
 * Everything that a file says about unwinding, for 64-bit x86-64 and arm64; undefined when it says nothing.
 *
 * @param debugFile its separate debug file, which may have .debug_frame
 * @throws FormatError when nothing of what is there can be read
 */
export function buildUnwindTable(
  elf: ElfFile,
  debugFile?: ElfFile,
  limits: BuildUnwindTableLimits = buildUnwindTableLimits,
): BuiltUnwindTable | undefined {
  const machine = machineOf(elf);
  if (machine === undefined) return undefined;
  const problems = new UnwindProblems();
  const code = new ExecutableAddresses(elf);
  const codePages = Math.ceil(code.byteLength / unwindPageBytes);
  const builder = new UnwindTableBuilder(machine, {
    ...limits,
    maxPages: Math.min(limits.maxPages, minPages + codePages * pagesPerCodePage),
  });

  const sources: UnwindRanges[] = [];
  let pieces = noPieces;
  let firstError: FormatError | undefined;
  const lay = (open: () => UnwindRanges | undefined): void => {
    try {
      const ranges = open();
      if (ranges === undefined) return;
      pieces = fillPieces(pieces, ranges, sources.length);
      sources.push(ranges);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      problems.count('unreadable_source');
      firstError ??= error;
    }
  };
  const callFrames = (section: CallFrameSection | undefined): UnwindRanges | undefined =>
    section && new CallFrameRanges(section, machine, code, problems, limits);

  lay(() => callFrames(ehFrameOf(elf, limits)));
  lay(() => {
    const rows = goUnwindRows(elf);
    if (rows === undefined) return undefined;
    problems.addAll(rows.problems);
    return rangeOfGoRows(rows);
  });
  lay(() => callFrames(debugFrameOf(elf, limits) ?? (debugFile && debugFrameOf(debugFile, limits))));
  if (pieces.count === 0 && firstError !== undefined) throw firstError;
  lay(() =>
    rangesOfRules([
      ...pltStubs(elf, code, machine),
      ...entryStubs(elf, code, machine),
      ...(machine === 'arm64' ? arm64VdsoFunctions(elf, code) : []),
      ...stubsInGaps(code, pieces, machine),
    ]),
  );
  if (pieces.count === 0) return undefined;
  addPieces(pieces, sources, builder);
  problems.addAll(builder.problems);
  return { table: builder.finish(), problems: problems.counts };
}

function machineOf({ machine, is64 }: ElfFile): UnwindMachine | undefined {
  if (!is64) return undefined;
  if (machine === elfMachine.x86_64) return 'x86-64';
  return machine === elfMachine.arm64 ? 'arm64' : undefined;
}

function addPieces(
  pieces: UnwindPieces,
  sources: readonly UnwindRanges[],
  builder: UnwindTableBuilder,
): void {
  let end = 0;
  for (let piece = 0; piece < pieces.count; piece++) {
    const start = pieces.starts[piece]!;
    const limit = pieces.limits[piece]!;
    const isGap = start - end > maxPaddingBytes || (start > end && isUnwindCommand(builder.lastRule));
    if (isGap && piece > 0) builder.add(end, unwindCommand.unknown);
    sources[pieces.sources[piece]!]!.addRows(pieces.indexes[piece]!, start, limit, builder);
    end = limit;
  }
  builder.add(end, unwindCommand.unknown);
}

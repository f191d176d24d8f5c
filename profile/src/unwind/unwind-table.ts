// SPDX-License-Identifier: Apache-2.0
//
// The unwind table of one binary: which rule leads from a frame to its caller, for each address of the binary's code.
// The kernel side reads it row by row, so the layout is plain typed arrays:
//
//   page      0      1      2    …            one entry for each 4096 bytes of ELF virtual addresses
//   pageRule  r      r      r                 what holds at the first byte of the page
//   first row 0      17     40   …  rowCount
//             │      └──────┐
//   rowOffset 010 013 …     004 0a0 …         low 12 bits, ascending inside a page
//   rowRule   r   r   …     r   r   …         an index into `rules`, or a command
//   rules     16 bytes each, see unwind-rule.ts

/** The instruction sets that tables exist for. */
export type UnwindMachine = 'x86-64' | 'arm64';

/** See the drawing above. Addresses are virtual addresses of the ELF file, not of a process. */
export interface UnwindTable {
  readonly machine: UnwindMachine;
  /** ELF virtual address of page 0, divided by 4096. */
  readonly firstPage: number;
  /** Per page: index of its first row; `pageCount + 1` entries, ascending. A page has at most 4096 rows. */
  readonly pageFirstRow: Uint32Array;
  /** Per page: the rule or command in effect at its first byte, unless a row has offset 0. */
  readonly pageRule: Uint16Array;
  /** Per row, ascending within a page: low 12 bits of the address from which `rowRule` holds. */
  readonly rowOffset: Uint16Array;
  /** Index into `rules` (below 0x8000), or a command (0x8000 and up). */
  readonly rowRule: Uint16Array;
  /** 16 bytes each, at most `maxUnwindRules` of them. */
  readonly rules: Uint8Array;
}

export const unwindPageBytes = 4096;

/** Indexes of rules have 15 bits; the sixteenth marks a command. */
export const maxUnwindRules = 32_768;

/** What a row says where no rule does. */
export const unwindCommand = {
  /** No unwind information (between functions, assembly without any): the walker takes a validated frame-pointer step. */
  unknown: 0x8000,
  /** The outermost frame: there is no caller. */
  end: 0x8001,
  /** A signal trampoline: registers are reloaded from the ucontext at the stack pointer. */
  signal: 0x8002,
  /** A frame-pointer step that is known to be right: cfa = fp + 16. */
  framePointer: 0x8003,
  /** Go's switch to the system stack: depth and g lie at the stack pointer. */
  goAsmcgocall: 0x8004,
  /** There is unwind information, but no rule can express it. */
  unsupported: 0x8005,
} as const;

/** Any value of `unwindCommand`. */
export type UnwindCommand = (typeof unwindCommand)[keyof typeof unwindCommand];

/** True for a command, false for an index into `rules`. */
export function isUnwindCommand(rule: number): boolean {
  return rule >= maxUnwindRules;
}

/**
 * The rule index or command that holds at an ELF virtual address; `unknown` outside of the table. This is what the
 * kernel side does, said once more for tests and tools.
 */
export function lookUpUnwindRule(table: UnwindTable, address: number): number {
  const addressPage = Math.floor(address / unwindPageBytes);
  const page = addressPage - table.firstPage;
  if (!(page >= 0 && page < table.pageRule.length)) return unwindCommand.unknown;
  const offset = address - addressPage * unwindPageBytes;
  const first = table.pageFirstRow[page]!;
  let low = first;
  let high = table.pageFirstRow[page + 1]!;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (table.rowOffset[middle]! <= offset) low = middle + 1;
    else high = middle;
  }
  return low === first ? table.pageRule[page]! : table.rowRule[low - 1]!;
}

/** Bytes that the table's arrays hold. */
export function unwindTableBytes(table: UnwindTable): number {
  return (
    table.pageFirstRow.byteLength +
    table.pageRule.byteLength +
    table.rowOffset.byteLength +
    table.rowRule.byteLength +
    table.rules.byteLength
  );
}

// SPDX-License-Identifier: Apache-2.0
//
// What user stacks are walked by, as columns: unwind tables of files and mappings of processes. The addon copies them; it
// checks what is in them, the types and lengths are checked here.

import { checkedInteger, NativeError } from './native-error.ts';

/**
 * Which rule says how to get from a frame to its caller, for each address of a file. Covers pages of 4,096 bytes of the
 * ELF's virtual addresses. A rule's 16 bytes are laid out in `bpf/include/unwind_table.h`.
 */
export interface UnwindTable {
  readonly machine: 'x86-64' | 'arm64';
  /** Per page the index of its first row; pages + 1 ascending entries. A page has at most 4,096 rows. */
  readonly pageFirstRow: Uint32Array;
  /** Per page the rule in effect at its first byte. */
  readonly pageRule: Uint16Array;
  /** Per row, ascending within its page: low 12 bits of the address from which `rowRule` holds. */
  readonly rowOffset: Uint16Array;
  /** Index into `rules` (below 0x8000), or a command: `enum unwind_command` of `bpf/include/unwind_table.h`. */
  readonly rowRule: Uint16Array;
  /** 16 bytes each, at most 32,768. */
  readonly rules: Uint8Array;
}

/** Executable mappings of a process, ascending by start, page-aligned, at most 4,096. */
export interface ProcessMappings {
  readonly starts: BigUint64Array;
  /** Of 4,096 bytes. */
  readonly pageCounts: Uint32Array;
  /**
   * Id of the table; or -1: no file behind it (JIT code: frame pointers), -2: not built yet (asked for when a stack leads there),
   * -3: the file has no unwind information (frame pointers).
   */
  readonly tables: Int32Array;
  /** Index of the table's page that the start lies on. May be negative or beyond the table: such pages have no information. */
  readonly firstPages: Int32Array;
}

export interface UnwindUsage {
  /** Memory in use by tables and mappings, within `maxUnwindBytes`. */
  tableBytes: number;
  /** Distinct rules of all tables, of at most 32,768. */
  ruleCount: number;
  tables: number;
  processes: number;
  /** Stacks that wait to be walked, within `maxCapturedBytes`. */
  capturedBytes: number;
  /** Memory of all BPF maps as the kernel accounts for it, tables included. 0 after `stop()`. */
  bpfMapBytes: number;
}

const MAX_MAPPINGS = 4096;

function checkedLength(name: string, actual: number, expected: number): void {
  if (actual !== expected) throw new NativeError(`${name} has ${actual} entries, not ${expected}`, 'EINVAL');
}

function checkedType(name: string, value: unknown, type: abstract new (...args: never[]) => object): void {
  if (!(value instanceof type)) throw new NativeError(`${name} must be a ${type.name}`, 'EINVAL');
}

/** Throws `NativeError` "EINVAL" for columns of wrong types or lengths, and for a table of another machine. */
export function checkUnwindTable(table: UnwindTable): void {
  const machine = process.arch === 'arm64' ? 'arm64' : 'x86-64';
  if (table.machine !== machine) {
    throw new NativeError(`the unwind table is for ${table.machine}, this host is ${machine}`, 'EINVAL');
  }
  checkedType('pageFirstRow', table.pageFirstRow, Uint32Array);
  checkedType('pageRule', table.pageRule, Uint16Array);
  checkedType('rowOffset', table.rowOffset, Uint16Array);
  checkedType('rowRule', table.rowRule, Uint16Array);
  checkedType('rules', table.rules, Uint8Array);
  checkedLength('pageFirstRow', table.pageFirstRow.length, table.pageRule.length + 1);
  checkedLength('rowOffset', table.rowOffset.length, table.rowRule.length);
}

/** Throws `NativeError` "EINVAL" for columns of wrong types or lengths, and for too many mappings. */
export function checkProcessMappings(mappings: ProcessMappings): void {
  const { starts, pageCounts, tables, firstPages } = mappings;
  checkedType('starts', starts, BigUint64Array);
  checkedType('pageCounts', pageCounts, Uint32Array);
  checkedType('tables', tables, Int32Array);
  checkedType('firstPages', firstPages, Int32Array);
  checkedInteger('number of mappings', starts.length, 0, MAX_MAPPINGS);
  checkedLength('pageCounts', pageCounts.length, starts.length);
  checkedLength('tables', tables.length, starts.length);
  checkedLength('firstPages', firstPages.length, starts.length);
}

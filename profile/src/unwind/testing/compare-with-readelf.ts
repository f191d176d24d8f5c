// SPDX-License-Identifier: Apache-2.0
//
// Compares an unwind table with what readelf says, row by row: each rule is said in readelf's words, and looked up at
// the first, the middle and the last byte for which a row holds.

import {
  cfaKind,
  decodeUnwindRule,
  fpKind,
  lostRbxSlot,
  raKind,
  type UnwindRule,
  usesFpRegister,
} from '../unwind-rule.ts';
import { lookUpUnwindRule, type UnwindMachine, type UnwindTable, unwindCommand } from '../unwind-table.ts';
import type { ReadelfFunction, ReadelfRow } from './readelf-frames.ts';

/** Outcome of a comparison; `different` describes each row that is. */
export interface Comparison {
  readonly equal: number;
  /** Rows that no rule can express, by what readelf says. */
  readonly unsupported: ReadonlyMap<string, number>;
  readonly different: readonly string[];
}

const registerNames: Readonly<Record<UnwindMachine, (register: number) => string>> = {
  'x86-64': (register) =>
    ['rax', 'rdx', 'rcx', 'rbx', 'rsi', 'rdi', 'rbp', 'rsp'][register] ?? `r${register}`,
  arm64: (register) => (register === 31 ? 'sp' : `x${register}`),
};

/** Compares the rows of all functions; `functions` must be sorted, and not overlap. */
export function compareWithReadelf(table: UnwindTable, functions: readonly ReadelfFunction[]): Comparison {
  const different: string[] = [];
  const unsupported = new Map<string, number>();
  let equal = 0;
  // Millions of rows have a few hundred rules, and most functions have no expressions that would have to be asked.
  const known = new Map<string, boolean>();
  const isSameCached = (rule: number, row: ReadelfRow, fn: ReadelfFunction): boolean => {
    if (fn.instructions.size > 0 || fn.isSignal) return isSame(table, rule, row, fn);
    const key = `${rule} ${row.cfa} ${row.framePointer} ${row.returnAddress} ${row.stackPointer} ${row.rbx}`;
    const result = known.get(key) ?? isSame(table, rule, row, fn);
    known.set(key, result);
    return result;
  };
  for (const fn of functions) {
    for (const [i, row] of fn.rows.entries()) {
      const limit = fn.rows[i + 1]?.address ?? fn.limit;
      // Rows that the next one replaces at once hold nowhere.
      if (row.address >= limit) continue;
      const middle = Math.floor((row.address + limit) / 2);
      const found = new Set([row.address, middle, limit - 1].map((at) => lookUpUnwindRule(table, at)));
      for (const rule of found) {
        if (isSameCached(rule, row, fn)) equal++;
        else if (rule === unwindCommand.unsupported) {
          const what = `cfa ${row.cfa} fp ${row.framePointer} ra ${row.returnAddress} ${[...fn.instructions].join(' | ')}`;
          unsupported.set(what, (unsupported.get(what) ?? 0) + 1);
        } else
          different.push(`0x${row.address.toString(16)}: ${JSON.stringify(row)} is ${said(table, rule)}`);
      }
    }
  }
  return { equal, unsupported, different };
}

function said(table: UnwindTable, rule: number): string {
  return rule >= 0x8000
    ? `command ${rule.toString(16)}`
    : JSON.stringify(decodeUnwindRule(table.rules, rule));
}

function isSame(table: UnwindTable, found: number, row: ReadelfRow, fn: ReadelfFunction): boolean {
  const name = registerNames[table.machine];
  const isUndefined = (register: string): boolean =>
    [...fn.instructions].some((i) => i.startsWith('DW_CFA_undefined') && i.endsWith(`(${register})`));
  if (found === unwindCommand.signal) return fn.isSignal;
  if (found === unwindCommand.end) {
    const returnAddress = table.machine === 'x86-64' ? 'rip' : 'x30';
    return row.returnAddress === 'u' && isUndefined(returnAddress);
  }
  if (found >= 0x8000) return false;
  const rule = decodeUnwindRule(table.rules, found);
  return (
    isSameCfa(rule, row, fn, name) &&
    isSameFramePointer(rule, row.framePointer, fn, name, isUndefined) &&
    isSameReturnAddress(rule, row.returnAddress, name) &&
    (table.machine === 'arm64' || usesFpRegister(rule.fpKind) || isSameRbx(rule.fpRegister, row.rbx))
  );
}

function isSameCfa(
  rule: UnwindRule,
  { cfa, stackPointer }: ReadelfRow,
  { instructions }: ReadelfFunction,
  name: (register: number) => string,
): boolean {
  const register = name(rule.cfaRegister);
  const base = `DW_OP_breg${rule.cfaRegister} (${register}): ${rule.cfaOffset}`;
  const plus = (add: number): string => (add === 0 ? '' : `; DW_OP_plus_uconst: ${add}`);
  switch (rule.cfaKind) {
    case cfaKind.register:
      // Where the caller's stack pointer is in a register (longjmp), nothing else matters.
      return stackPointer === 'u'
        ? cfa === `${register}${signed(rule.cfaOffset)}`
        : stackPointer === dwarfName(rule.cfaRegister, name) && rule.cfaOffset === 0;
    case cfaKind.dereference:
      return (
        cfa === 'exp' &&
        instructions.has(`DW_CFA_def_cfa_expression (${base}; DW_OP_deref${plus(rule.cfaAdd)})`)
      );
    case cfaKind.plt:
      return (
        cfa === 'exp' &&
        instructions.has(
          'DW_CFA_def_cfa_expression (DW_OP_breg7 (rsp): 8; DW_OP_breg16 (rip): 0; DW_OP_lit15; DW_OP_and; ' +
            `DW_OP_lit${rule.cfaOffset}; DW_OP_ge; DW_OP_lit3; DW_OP_shl; DW_OP_plus)`,
        )
      );
    case cfaKind.indexed: {
      const index = rule.cfaAdd & 0xff;
      return (
        cfa === 'exp' &&
        instructions.has(
          `DW_CFA_def_cfa_expression (${base}; DW_OP_breg${index} (${name(index)}): 0; DW_OP_lit8; DW_OP_mul; ` +
            `DW_OP_plus; DW_OP_deref${plus(rule.cfaAdd >> 8)})`,
        )
      );
    }
  }
}

function isSameFramePointer(
  rule: UnwindRule,
  cell: string,
  { instructions }: ReadelfFunction,
  name: (register: number) => string,
  isUndefined: (register: string) => boolean,
): boolean {
  const register = name(rule.fpRegister);
  switch (rule.fpKind) {
    case fpKind.same:
      return cell === 'u' || cell === 's';
    case fpKind.atCfa:
      return cell === `c${signed(rule.fpOffset)}`;
    case fpKind.atRegister:
      if (isOfCfaRegister(rule, rule.fpRegister))
        return cell === `c${signed(rule.fpOffset - rule.cfaOffset)}`;
      return (
        cell === 'exp' &&
        instructions.has(
          `DW_CFA_expression: r6 (rbp) (DW_OP_breg${rule.fpRegister} (${register}): ${rule.fpOffset})`,
        )
      );
    case fpKind.inRegister:
      return cell === dwarfName(rule.fpRegister, name);
    case fpKind.unknown:
      return cell === 'u' && isUndefined('rbp');
  }
}

function isSameReturnAddress(rule: UnwindRule, cell: string, name: (register: number) => string): boolean {
  switch (rule.raKind) {
    case raKind.atCfa:
      return cell === `c${signed(rule.raOffset)}`;
    case raKind.inRegister:
      // arm64: the link register, about which nothing is said, or that it has its value still.
      return rule.raRegister === 30 ? 'us'.includes(cell) : cell === dwarfName(rule.raRegister, name);
    case raKind.atRegister:
      return isOfCfaRegister(rule, rule.raRegister) && cell === `c${signed(rule.raOffset - rule.cfaOffset)}`;
  }
}

function isSameRbx(slot: number, cell: string): boolean {
  const signedSlot = (slot << 24) >> 24;
  if (signedSlot === 0) return 'us'.includes(cell);
  const saved = /^c([+-]\d+)$/.exec(cell);
  if (signedSlot !== lostRbxSlot) return saved !== null && Number(saved[1]) === signedSlot * 8;
  // Lost: anywhere but within reach below the CFA.
  return saved === null || Number(saved[1]) >= 0 || Number(saved[1]) <= lostRbxSlot * 8;
}

/** Offsets from the CFA that do not fit are offsets from the register of the CFA. */
function isOfCfaRegister(rule: UnwindRule, register: number): boolean {
  const offset = rule.fpOffset - rule.cfaOffset;
  return (
    rule.cfaKind === cfaKind.register && rule.cfaRegister === register && (offset << 16) >> 16 !== offset
  );
}

/** readelf writes a register in a register as `r5 (rdi)`, of which the number is left. */
function dwarfName(register: number, name: (register: number) => string): string {
  return name(register).startsWith('x') ? name(register) : `r${register}`;
}

function signed(value: number): string {
  return value < 0 ? `${value}` : `+${value}`;
}

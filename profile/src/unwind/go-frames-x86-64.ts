// SPDX-License-Identifier: Apache-2.0
//
// Frames of Go functions on x86-64. Depth is what pclntab tells: bytes between the stack pointer and the return address.
//
//   cfa ─▶ ├────────────────┤
//   cfa-8  │ return address │
//   cfa-16 │ saved rbp      │ ◀─ rbp       where there is a frame at all
//          │ …              │
//   rsp ─▶ └────────────────┘ = cfa - 8 - depth
//
// Go 1.21 and later set it up by `push rbp; mov rbp, rsp; sub rsp, n`. Earlier releases say `sub rsp, n; mov [rsp+n-8],
// rbp; lea rbp, [rsp+n-8]`, so that for one instruction there is depth and rbp is not yet saved. Assembly with the C
// calling convention saves it in the same way at a place of its own.

import type { PcValueTable } from '../symbols/go/pc-value-table.ts';
import type { GoFunction } from '../symbols/go/pclntab.ts';
import type { GoRowWriter } from './go-row-writer.ts';
import type { GoSpecialFunction } from './go-special-functions.ts';
import { fpKind } from './unwind-rule.ts';
import { unwindCommand } from './unwind-table.ts';

const rbp = 6;
const rsp = 7;
const pushRbp = 0x55;
const ret = 0xc3;
const popRbp = 0x5d;
/** Keys of rules: the fp slot and the depth, which has 32 bits. */
const depthKeys = 0x1_0000_0000;
const slotSame = 0;
const framePointerRuleKey = -1;

/** Reads code: up to `length` bytes at an offset from the function's entry. */
export type ReadCode = (pcOffset: number, length: number) => Uint8Array;

/**
 * Writes the rows of one function. `depths` are its unpacked stack depths. False when the function is special and the
 * instruction that makes it so is not found, so that it has the rows of an ordinary one.
 */
export function writeX8664Rows(
  writer: GoRowWriter,
  fn: GoFunction,
  depths: PcValueTable,
  special: GoSpecialFunction | undefined,
  readCode: ReadCode,
): boolean {
  const saved = findSavedFramePointer(depths, readCode);
  const savedFrom = saved?.from ?? Number.POSITIVE_INFINITY;
  const slot = saved?.slot ?? slotSame;
  if (special === undefined) {
    let from = 0;
    for (let i = 0; i < depths.count; i++) {
      const depth = depths.values[i]!;
      const end = depths.ends[i]!;
      if (from < savedFrom) writer.add(fn.entry + from, depthRule(writer, depth, slotSame));
      if (end > savedFrom && depth > 0) {
        writer.add(fn.entry + Math.max(from, savedFrom), depthRule(writer, depth, slot));
      } else if (from >= savedFrom) {
        writer.add(fn.entry + from, depthRule(writer, depth, slotSame));
      }
      from = end;
    }
    return true;
  }
  const code = readCode(0, Math.min(fn.end - fn.entry, maxSpecialCode)).slice();
  const rules = Uint16Array.from(code, (_, i) => {
    const depth = depths.valueAt(i);
    return depthRule(writer, Math.max(depth, 0), i >= savedFrom && depth > 0 ? slot : slotSame);
  });
  const isFound = specialRules(writer, special, depths, saved !== undefined, code, rules);
  rules.forEach((rule, i) => {
    writer.add(fn.entry + i, rule);
  });
  return isFound;
}

function depthRule(writer: GoRowWriter, depth: number, slot: number): number {
  if (depth < 0) {
    writer.countProblem('negative_stack_depth');
    return unwindCommand.unsupported;
  }
  return writer.rule(depth - slot * depthKeys, () => ({
    cfaRegister: rsp,
    cfaOffset: depth + 8,
    raOffset: -8,
    ...(slot === slotSame ? {} : { fpKind: fpKind.atCfa, fpOffset: slot }),
  }));
}

/** cfa = rbp + 16. */
function framePointerRule(writer: GoRowWriter): number {
  return writer.rule(framePointerRuleKey, () => ({
    cfaRegister: rbp,
    cfaOffset: 16,
    raOffset: -8,
    fpKind: fpKind.atCfa,
    fpOffset: -16,
  }));
}

/** Functions of the runtime that switch stacks have some hundred bytes. */
const maxSpecialCode = 4096;

interface SavedFramePointer {
  /** Offset from the entry from which on rbp is on the stack, in each instruction with depth. */
  readonly from: number;
  /** Where, relative to the cfa. */
  readonly slot: number;
}

/** Looks at the instruction around which the function first has depth. */
function findSavedFramePointer(depths: PcValueTable, readCode: ReadCode): SavedFramePointer | undefined {
  let first = 0;
  while (first < depths.count && depths.values[first]! <= 0) first++;
  if (first === depths.count || first === 0) return undefined;
  const pc = depths.ends[first - 1]!;
  const depth = depths.values[first]!;
  const code = readCode(pc - 1, 9);
  if (code.length < 9) return undefined;
  if (code[0] === pushRbp && depth === 8) return { from: pc, slot: -16 };
  // mov [rsp + displacement], rbp with a displacement of 0, 1 or 4 bytes
  if (code[1] !== 0x48 || code[2] !== 0x89) return undefined;
  const isShort = code[3] === 0x6c;
  const isLong = code[3] === 0xac;
  if (code[4] !== 0x24 || !(isShort || isLong || code[3] === 0x2c)) return undefined;
  const displacement = isShort
    ? (code[5]! << 24) >> 24
    : isLong
      ? code[5]! | (code[6]! << 8) | (code[7]! << 16) | (code[8]! << 24)
      : 0;
  const slot = displacement - depth - 8;
  // Anything else is no frame of Go's, and would not fit a rule either.
  if (slot > -16 || slot < -0x8000) return undefined;
  return { from: pc + (isShort ? 5 : isLong ? 8 : 4), slot };
}

/**
 * Rules of a special function, one for each byte of its code; `rules` has those of its stack depths. False when the
 * function does not do what its name says.
 */
function specialRules(
  writer: GoRowWriter,
  special: GoSpecialFunction,
  depths: PcValueTable,
  hasFrame: boolean,
  code: Uint8Array,
  rules: Uint16Array,
): boolean {
  const switched = findStackPointerWrite(code, 0);
  if (switched < 0) return false;
  if (special === 'leaves' || special === 'unknown') {
    rules.fill(special === 'leaves' ? unwindCommand.end : unwindCommand.unknown, switched);
    return true;
  }
  // Before Go 1.21 these have no frame: rbp is the caller's, and a step by it leaves the caller out.
  if (!hasFrame) writer.countProblem('switch_without_frame');
  const byFramePointer = framePointerRule(writer);
  for (let i = switched; i < rules.length; i++) {
    if (!hasFrame || depths.valueAt(i) > 0) rules[i] = byFramePointer;
  }
  if (special === 'asmcgocall') markDepthAndG(code, switched, rules);
  for (let i = switched; hasFrame && i + 2 <= code.length; i++) {
    // The frame is gone behind `pop rbp`; depths do not know that the stack pointer was written back.
    if (code[i] === popRbp && code[i + 1] === ret) rules[i + 1] = depthRule(writer, 0, slotSame);
  }
  return true;
}

/**
 * Go 1.22 and later keep depth and g at the stack pointer, from `mov [rsp], rdi` (or rdx, when the stack was the system
 * stack already) until rsp is written again.
 */
function markDepthAndG(code: Uint8Array, switched: number, rules: Uint16Array): void {
  for (let i = switched; i + 4 <= code.length; i++) {
    const isStore =
      code[i] === 0x48 &&
      code[i + 1] === 0x89 &&
      (code[i + 2] === 0x3c || code[i + 2] === 0x14) &&
      code[i + 3] === 0x24;
    if (!isStore) continue;
    const end = findStackPointerWrite(code, i + 4);
    if (end < 0) return;
    rules.fill(unwindCommand.goAsmcgocall, i + 4, end);
  }
}

/**
 * The end of the first instruction at or behind `from` that writes rsp from memory or a register, or aligns it; -1 for
 * none. Only used on functions that do.
 */
function findStackPointerWrite(code: Uint8Array, from: number): number {
  for (let i = from; i + 3 <= code.length; i++) {
    const prefix = code[i]!;
    if (prefix !== 0x48 && prefix !== 0x49 && prefix !== 0x4c) continue;
    const modRm = code[i + 2]!;
    // mov rsp, register
    if (code[i + 1] === 0x89 && prefix !== 0x49 && (modRm & 0xc7) === 0xc4) return i + 3;
    // and rsp, byte
    if (code[i + 1] === 0x83 && prefix === 0x48 && modRm === 0xe4) return i + 4;
    // mov rsp, [register + displacement]
    if (code[i + 1] === 0x8b && prefix !== 0x4c && (modRm & 0x38) === 0x20) {
      const mode = modRm >>> 6;
      const sib = mode !== 3 && (modRm & 7) === 4 ? 1 : 0;
      return i + 3 + sib + (mode === 1 ? 1 : mode === 2 ? 4 : 0);
    }
  }
  return -1;
}

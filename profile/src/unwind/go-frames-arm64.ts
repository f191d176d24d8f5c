// SPDX-License-Identifier: Apache-2.0
//
// Frames of Go functions on arm64. Depth is what pclntab tells: bytes between the stack pointer and the caller's.
//
//   cfa ─▶ ├────────────┤
//          │ …          │
//   sp ──▶ │ saved lr   │ = cfa - depth
//   sp-8   │ saved x29  │ ◀─ x29           below the stack pointer, unlike in C
//          └────────────┘
//
// The prologue is `str x30, [sp, #-n]!; stur x29, [sp, #-8]; sub x29, sp, #8`, or for large frames `sub x20, sp, #n;
// stp x29, x30, [x20, #-8]; mov sp, x20; sub x29, sp, #8`. Without depth the return address is in lr.

import type { PcValueTable } from '../symbols/go/pc-value-table.ts';
import type { GoFunction } from '../symbols/go/pclntab.ts';
import type { ReadCode } from './go-frames-x86-64.ts';
import type { GoRowWriter } from './go-row-writer.ts';
import type { GoSpecialFunction } from './go-special-functions.ts';
import { fpKind, raKind } from './unwind-rule.ts';
import { unwindCommand } from './unwind-table.ts';

const fp = 29;
const lr = 30;
const sp = 31;
/** Frames that a rule can say: the place of x29, 8 bytes further away than lr, has 16 bits. */
const maxDepth = 0x7ff8;
const maxSpecialCode = 4096;
/** Instructions in which a function with the C calling convention saves x29 and x30. */
const searchedInstructions = 48;
/** Keys of rules: depth (below 2^31), then the form of the rule, then the slot. */
const formKeys = 0x8000_0000;
const form = { saved: 0, notYetSaved: 1, byFramePointer: 2, own: 3 } as const;

const storeFramePointer = 0xf81f_83fd;

/**
 * Writes the rows of one function. `depths` are its unpacked stack depths. False when the function is special and the
 * instruction that makes it so is not found, so that it has the rows of an ordinary one.
 */
export function writeArm64Rows(
  writer: GoRowWriter,
  fn: GoFunction,
  depths: PcValueTable,
  special: GoSpecialFunction | undefined,
  readCode: ReadCode,
): boolean {
  const frame = findFrame(depths, readCode);
  if (special === undefined) {
    let from = 0;
    for (let i = 0; i < depths.count; i++) {
      const depth = depths.values[i]!;
      const end = depths.ends[i]!;
      if (from < frame.from) writer.add(fn.entry + from, depthRule(writer, depth, frame.before));
      if (end > frame.from) {
        writer.add(fn.entry + Math.max(from, frame.from), depthRule(writer, depth, frame.after));
      }
      from = end;
    }
    return true;
  }
  const code = wordsOf(readCode(0, Math.min(fn.end - fn.entry, maxSpecialCode)));
  const rules = Uint16Array.from(code, (_, i) =>
    depthRule(writer, Math.max(depths.valueAt(i * 4), 0), i * 4 >= frame.from ? frame.after : frame.before),
  );
  const isFound = specialRules(writer, special, depths, code, rules);
  rules.forEach((rule, i) => {
    writer.add(fn.entry + i * 4, rule);
  });
  return isFound;
}

/** Where lr and x29 are while there is depth. */
interface FrameLayout {
  readonly form: typeof form.saved | typeof form.notYetSaved | typeof form.own;
  /** Of form `own`: lr's place relative to the stack pointer, with x29 8 bytes below it. -1: still in the register. */
  readonly returnAddressAt: number;
}

interface Frame {
  readonly before: FrameLayout;
  /** Offset from the entry from which `after` holds. */
  readonly from: number;
  readonly after: FrameLayout;
}

const savedLayout: FrameLayout = { form: form.saved, returnAddressAt: 0 };
const notYetSavedLayout: FrameLayout = { form: form.notYetSaved, returnAddressAt: 0 };

/** Looks at the instructions around which the function first has depth. */
function findFrame(depths: PcValueTable, readCode: ReadCode): Frame {
  const regular: Frame = { before: savedLayout, from: 0, after: savedLayout };
  let first = 0;
  while (first < depths.count && depths.values[first]! <= 0) first++;
  if (first === depths.count || first === 0) return regular;
  const pc = depths.ends[first - 1]!;
  const code = wordsOf(readCode(pc - 8, 8 + searchedInstructions * 4));
  const [earlier = 0, before = 0, at = 0] = code;
  if (at === storeFramePointer) return { before: notYetSavedLayout, from: pc + 4, after: savedLayout };
  // str x30, [sp, #-n]! or mov sp, x20, or sub sp, sp, #n behind stur x30, [sp, #-n]
  const isStoredBefore = (before & 0xffe0_0fff) >>> 0 === 0xf800_0ffe || isStackPointerMove(before);
  const isStoredEarlier = (earlier & 0xffe0_0fff) >>> 0 === 0xf800_03fe;
  if (isStoredBefore || isStoredEarlier) return regular;
  // stp x29, x30, [sp, #n]: assembly with the C calling convention
  for (let i = 2; i < code.length; i++) {
    if ((code[i]! & 0xffc0_7fff) >>> 0 !== 0xa900_7bfd) continue;
    const place = ((code[i]! << 10) >> 25) * 8 + 8;
    return {
      before: { form: form.own, returnAddressAt: -1 },
      from: pc + (i - 1) * 4,
      after: { form: form.own, returnAddressAt: place },
    };
  }
  return regular;
}

function depthRule(writer: GoRowWriter, depth: number, layout: FrameLayout): number {
  if (depth < 0 || depth > maxDepth) {
    writer.countProblem(depth < 0 ? 'negative_stack_depth' : 'frame_too_large');
    return unwindCommand.unsupported;
  }
  if (depth === 0 || layout.returnAddressAt < 0) {
    return writer.rule(depth + formKeys * form.own * 2, () => ({
      cfaRegister: sp,
      cfaOffset: depth,
      raKind: raKind.inRegister,
      raRegister: lr,
    }));
  }
  const raOffset = layout.returnAddressAt - depth;
  const key = depth + formKeys * (layout.form + 8 + layout.returnAddressAt * 8);
  return writer.rule(key, () => ({
    cfaRegister: sp,
    cfaOffset: depth,
    raOffset,
    ...(layout.form === form.notYetSaved ? {} : { fpKind: fpKind.atCfa, fpOffset: raOffset - 8 }),
  }));
}

/** x29 points 8 bytes below what the stack pointer was: cfa = x29 + 8 + depth. */
function framePointerRule(writer: GoRowWriter, depth: number): number {
  return writer.rule(depth + formKeys * form.byFramePointer, () => ({
    cfaRegister: fp,
    cfaOffset: depth + 8,
    raOffset: -depth,
    fpKind: fpKind.atCfa,
    fpOffset: -depth - 8,
  }));
}

/**
 * Rules of a special function, one for each instruction; `rules` has those of its stack depths. False when the function
 * does not do what its name says.
 */
function specialRules(
  writer: GoRowWriter,
  special: GoSpecialFunction,
  depths: PcValueTable,
  code: Uint32Array,
  rules: Uint16Array,
): boolean {
  const switched = code.findIndex(isStackPointerMove) + 1;
  if (switched === 0) return false;
  if (special === 'leaves' || special === 'unknown') {
    rules.fill(special === 'leaves' ? unwindCommand.end : unwindCommand.unknown, switched);
    return true;
  }
  if (special === 'asmcgocall') {
    markDepthAndG(code, rules);
    return true;
  }
  // Before Go 1.25 systemstack took the system stack's frame pointer: nothing leads back from there.
  let isLost = false;
  for (let i = switched; i < rules.length; i++) {
    const depth = depths.valueAt(i * 4);
    if (depth > 0 && depth <= maxDepth) {
      rules[i] = isLost ? unwindCommand.unsupported : framePointerRule(writer, depth);
    }
    if (isFramePointerLoad(code[i]!)) isLost = true;
    if (isCall(code[i]!) && !isLost) return true;
  }
  if (isLost) writer.countProblem('switch_without_frame');
  return true;
}

/** g and depth are at the stack pointer from `str …, [sp, #8]` until the stack pointer is written again. */
function markDepthAndG(code: Uint32Array, rules: Uint16Array): void {
  let isStored = false;
  code.forEach((instruction, i) => {
    if (isStored) rules[i] = unwindCommand.goAsmcgocall;
    // str x, [sp, #8]
    if ((instruction & 0xffff_ffe0) >>> 0 === 0xf900_07e0) isStored = true;
    if (isStackPointerMove(instruction)) isStored = false;
  });
}

/** mov sp, x (but not mov x, sp). */
function isStackPointerMove(instruction: number): boolean {
  return (instruction & 0xffff_fc1f) >>> 0 === 0x9100_001f;
}

/** ldr x29, [x28, #n] */
function isFramePointerLoad(instruction: number): boolean {
  return (instruction & 0xffc0_03ff) >>> 0 === 0xf940_039d;
}

/** blr x */
function isCall(instruction: number): boolean {
  return (instruction & 0xffff_fc1f) >>> 0 === 0xd63f_0000;
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: bytes.byteLength >>> 2 }, (_, i) => view.getUint32(i * 4, true));
}

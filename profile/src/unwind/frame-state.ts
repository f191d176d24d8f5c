// SPDX-License-Identifier: Apache-2.0
//
// What call frame information says at one address, as far as walking a stack needs it: the CFA, and where the caller's
// frame pointer, return address, stack pointer and (x86-64) rbx are. Integers, so that remembering and restoring is a copy:
//
//   0 how the CFA is found   1 offset   2 add          cfaKind | register << 8, or below 0
//   3 how the frame pointer is found    4 offset   5 register
//   6 how the return address is found   7 offset   8 register
//   9 how the stack pointer is found   10 offset  11 register
//  12 how rbx is found                 13 offset  14 register
//  15 register and 16 offset that the CFA had last: an expression does not make instructions forget them

import { cfaBase, type FrameValue } from './frame-expression.ts';
import { cfaKind, fpKind, lostRbxSlot, raKind, usesFpRegister } from './unwind-rule.ts';
import { type UnwindMachine, unwindCommand } from './unwind-table.ts';
import type { UnwindTableBuilder } from './unwind-table-builder.ts';

export const frameStateLength = 17;
/** Positions of the registers' entries in a state. */
export const framePointerAt = 3;
export const returnAddressAt = 6;
export const stackPointerAt = 9;
export const rbxAt = 12;
const lastCfaAt = 15;

/** How a register of the caller is found. */
export const registerRule = {
  unspecified: 0,
  sameValue: 1,
  undefined: 2,
  /** *(CFA + offset) */
  atCfa: 3,
  /** *(R[register] + offset) */
  atRegister: 4,
  /** R[register] */
  inRegister: 5,
  /** CFA + offset */
  cfaOffset: 6,
  notExpressible: 7,
} as const;

const cfaUndefined = -1;
const cfaNotExpressible = -2;
/** A register and an offset that do not fit. */
const cfaOutOfRange = -3;

/** DWARF numbers of the registers that are followed. The return address has a column that the CIE names. */
export interface FrameRegisters {
  readonly framePointer: number;
  readonly stackPointer: number;
  /** Of x86-64, -1 elsewhere: the CFA of glibc's lazy binding is relative to it. */
  readonly rbx: number;
  /** Where the return address is if nothing is said about it; -1 when that is nowhere. */
  readonly link: number;
}

/** System V ABI, x86-64 figure 3.36; DWARF for the Arm 64-bit architecture, section 4.1. */
export const frameRegisters: Readonly<Record<UnwindMachine, FrameRegisters>> = {
  'x86-64': { framePointer: 6, stackPointer: 7, rbx: 3, link: -1 },
  arm64: { framePointer: 29, stackPointer: 31, rbx: -1, link: 30 },
};

/** A state before the first instruction. */
export function newFrameState(): Int32Array {
  const state = new Int32Array(frameStateLength);
  state[0] = cfaUndefined;
  return state;
}

/** CFA = R[register] + offset. */
export function setCfa(state: Int32Array, register: number, offset: number): void {
  const isExpressible = register <= 0xff && (offset | 0) === offset;
  state[0] = isExpressible ? cfaKind.register | (register << 8) : cfaOutOfRange;
  state[1] = isExpressible ? offset : 0;
  state[2] = 0;
  state[lastCfaAt] = register;
  state[lastCfaAt + 1] = offset;
}

/** CFA = R[register] + the offset of last time. */
export function setCfaRegister(state: Int32Array, register: number): void {
  setCfa(state, register, state[lastCfaAt + 1]!);
}

/** CFA = the register of last time + offset; a CFA that is an expression stays one. */
export function setCfaOffset(state: Int32Array, offset: number): void {
  const cfa = state[0]!;
  const isRegister = cfa === cfaOutOfRange || (cfa >= 0 && (cfa & 0xff) === cfaKind.register);
  if (isRegister) setCfa(state, state[lastCfaAt]!, offset);
  else state[lastCfaAt + 1] = offset;
}

/** CFA = sp + 8 + ((pc & 15) >= threshold) * 8. */
export function setPltCfa(state: Int32Array, threshold: number, stackPointer: number): void {
  state[0] = cfaKind.plt | (stackPointer << 8);
  state[1] = threshold;
  state[2] = 0;
}

/** The CFA is the value of an expression, or cannot be expressed when that is undefined. */
export function setCfaValue(state: Int32Array, value: FrameValue | undefined): void {
  state[0] = cfaNotExpressible;
  state[1] = 0;
  state[2] = 0;
  if (
    value === undefined ||
    !(value.base >= 0 && value.base <= 0xff) ||
    (value.offset | 0) !== value.offset
  ) {
    return;
  }
  if (!value.isDereferenced) {
    if (value.index < 0) setCfa(state, value.base, value.offset);
    return;
  }
  const add = value.index < 0 ? value.add : packedIndex(value.index, value.add);
  if (add === undefined || !isInt16(add)) return;
  state[0] = (value.index < 0 ? cfaKind.dereference : cfaKind.indexed) | (value.base << 8);
  state[1] = value.offset;
  state[2] = add;
}

/** Sets the entry at `at`. */
export function setRegisterRule(state: Int32Array, at: number, rule: number, offset = 0, register = 0): void {
  const isExpressible = (offset | 0) === offset && register <= 0xff;
  state[at] = isExpressible ? rule : registerRule.notExpressible;
  state[at + 1] = isExpressible ? offset : 0;
  state[at + 2] = isExpressible ? register : 0;
}

/** The register at `at` is saved at an address, or, with `isValue`, is the value itself. */
export function setRegisterValue(
  state: Int32Array,
  at: number,
  value: FrameValue | undefined,
  isValue: boolean,
): void {
  const isDereferenced = value?.isDereferenced ?? false;
  if (value === undefined || value.index >= 0 || value.add !== 0 || isDereferenced !== isValue) {
    const isPlain =
      value !== undefined && isValue && value.index < 0 && value.offset === 0 && value.base >= 0;
    setRegisterRule(
      state,
      at,
      isPlain ? registerRule.inRegister : registerRule.notExpressible,
      0,
      isPlain ? value.base : 0,
    );
  } else if (value.base === cfaBase) {
    setRegisterRule(state, at, registerRule.atCfa, value.offset);
  } else if (value.base >= 0) {
    setRegisterRule(state, at, registerRule.atRegister, value.offset, value.base);
  } else {
    setRegisterRule(state, at, registerRule.notExpressible);
  }
}

/** The rule or command that a state amounts to. */
export function ruleOfState(
  state: Int32Array,
  registers: FrameRegisters,
  builder: UnwindTableBuilder,
): number {
  const cfa = state[0]!;
  const returnAddress = state[returnAddressAt]!;
  if (returnAddress === registerRule.undefined || cfa === cfaUndefined) return unwindCommand.end;
  if (!stackPointerIsCfa(state)) {
    return stackPointerIsFree(state)
      ? ruleOf(cfaKind.register | (state[stackPointerAt + 2]! << 8), 0, 0, state, registers, builder)
      : unwindCommand.unsupported;
  }
  if (cfa < 0) return unwindCommand.unsupported;
  return ruleOf(cfa, state[1]!, state[2]!, state, registers, builder);
}

function stackPointerIsCfa(state: Int32Array): boolean {
  const rule = state[stackPointerAt]!;
  return (
    rule <= registerRule.sameValue || (rule === registerRule.cfaOffset && state[stackPointerAt + 1] === 0)
  );
}

/** The caller's stack pointer is in another register, and nothing is saved relative to the real CFA: longjmp. */
function stackPointerIsFree(state: Int32Array): boolean {
  return (
    state[stackPointerAt] === registerRule.inRegister &&
    state[framePointerAt] !== registerRule.atCfa &&
    state[returnAddressAt] === registerRule.inRegister
  );
}

/** Index of the rule with this CFA and the state's registers, or `unsupported`. */
function ruleOf(
  cfa: number,
  cfaOffset: number,
  cfaAdd: number,
  state: Int32Array,
  registers: FrameRegisters,
  builder: UnwindTableBuilder,
): number {
  const cfaRegister = (cfa & 0xff) === cfaKind.register ? cfa >> 8 : -1;
  const returnAddress = packedReturnAddress(state, cfaRegister, cfaOffset, registers.link);
  if (returnAddress < 0) return unwindCommand.unsupported;
  const framePointer = packedFramePointer(state, cfaRegister, cfaOffset);
  const ownRegister = usesFpRegister(kindOf(framePointer)) ? registerOf(framePointer) : rbxSlot(state);
  return builder.ruleOfWords(
    cfa | (kindOf(framePointer) << 16) | (kindOf(returnAddress) << 24),
    cfaOffset,
    (cfaAdd & 0xffff) | (framePointer << 16),
    (returnAddress & 0xffff) | (ownRegister << 16) | (registerOf(returnAddress) << 24),
  );
}

/** The return address of a rule, packed; -1 when no rule can say it. `cfaRegister` is -1 of a CFA that is no register plus offset. */
function packedReturnAddress(
  state: Int32Array,
  cfaRegister: number,
  cfaOffset: number,
  link: number,
): number {
  const offset = state[returnAddressAt + 1]!;
  const register = state[returnAddressAt + 2]!;
  switch (state[returnAddressAt]) {
    case registerRule.atCfa:
      if (isInt16(offset)) return packed(raKind.atCfa, offset, 0);
      // The bottom of a large frame is near to the register that the CFA is far from.
      return cfaRegister >= 0 && isInt16(offset + cfaOffset)
        ? packed(raKind.atRegister, offset + cfaOffset, cfaRegister)
        : -1;
    case registerRule.atRegister:
      // An address relative to the register of the CFA is one relative to the CFA.
      return register === cfaRegister && isInt16(offset - cfaOffset)
        ? packed(raKind.atCfa, offset - cfaOffset, 0)
        : -1;
    case registerRule.inRegister:
      return packed(raKind.inRegister, 0, register);
    case registerRule.unspecified:
    case registerRule.sameValue:
      return link < 0 ? -1 : packed(raKind.inRegister, 0, link);
    default:
      return -1;
  }
}

/** The frame pointer of a rule, packed; `unknown` when no rule can say it. */
function packedFramePointer(state: Int32Array, cfaRegister: number, cfaOffset: number): number {
  const offset = state[framePointerAt + 1]!;
  const register = state[framePointerAt + 2]!;
  switch (state[framePointerAt]) {
    case registerRule.unspecified:
    case registerRule.sameValue:
      return packed(fpKind.same, 0, 0);
    case registerRule.atCfa:
      if (isInt16(offset)) return packed(fpKind.atCfa, offset, 0);
      return cfaRegister >= 0 && isInt16(offset + cfaOffset)
        ? packed(fpKind.atRegister, offset + cfaOffset, cfaRegister)
        : packed(fpKind.unknown, 0, 0);
    case registerRule.atRegister:
      return isInt16(offset) ? packed(fpKind.atRegister, offset, register) : packed(fpKind.unknown, 0, 0);
    case registerRule.inRegister:
      return packed(fpKind.inRegister, 0, register);
    default:
      return packed(fpKind.unknown, 0, 0);
  }
}

/** See `UnwindRule.fpRegister`: where rbx is, when the byte is not needed for the frame pointer. */
function rbxSlot(state: Int32Array): number {
  const offset = state[rbxAt + 1]!;
  switch (state[rbxAt]) {
    case registerRule.unspecified:
    case registerRule.sameValue:
      return 0;
    case registerRule.atCfa:
      return offset % 8 === 0 && offset < 0 && offset > lostRbxSlot * 8
        ? (offset / 8) & 0xff
        : lostRbxSlot & 0xff;
    default:
      return lostRbxSlot & 0xff;
  }
}

/** offset 16 bits │ register 8 bits │ kind: a part of a rule as one number that is not negative. */
function packed(kind: number, offset: number, register: number): number {
  return (offset & 0xffff) | (register << 16) | (kind << 24);
}

function registerOf(part: number): number {
  return (part >> 16) & 0xff;
}

function kindOf(part: number): number {
  return part >> 24;
}

/** See `cfaKind.indexed`. */
function packedIndex(index: number, add: number): number | undefined {
  return index <= 0xff && (add << 24) >> 24 === add ? index | (add << 8) : undefined;
}

function isInt16(value: number): boolean {
  return (value << 16) >> 16 === value;
}

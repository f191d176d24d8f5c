// SPDX-License-Identifier: Apache-2.0
//
// The DWARF expressions that compilers and assemblers put into call frame information, understood symbolically: a
// value is  R[base] + R[index] * 8 + offset,  possibly dereferenced once and then added to. Everything that real
// unwind tables say has this shape, but for the expression of procedure linkage tables, which has a pattern of its own.

import type { CallFrameCursor } from './call-frame-cursor.ts';

/** Limits of one expression; a longer one is not understood. */
export const expressionLimits = { maxBytes: 64, maxStackDepth: 8 } as const;

/** Stands for the CFA as the base of a value: it lies on the stack when a register's expression begins. */
export const cfaBase = -2;
const none = -1;

/** R[base] + R[index] * 8 + offset, or, if `isDereferenced`, what lies there, plus `add`. Registers are -1 if there is none. */
export interface FrameValue {
  readonly base: number;
  readonly index: number;
  readonly offset: number;
  readonly isDereferenced: boolean;
  readonly add: number;
}

const op = {
  deref: 0x06,
  constU1: 0x08,
  constS1: 0x09,
  constU2: 0x0a,
  constS2: 0x0b,
  constU4: 0x0c,
  constS4: 0x0d,
  constu: 0x10,
  consts: 0x11,
  and: 0x1a,
  minus: 0x1c,
  mul: 0x1e,
  plus: 0x22,
  plusUconst: 0x23,
  shl: 0x24,
  ge: 0x2a,
  lit0: 0x30,
  lit31: 0x4f,
  breg0: 0x70,
  breg31: 0x8f,
  bregx: 0x92,
  nop: 0x96,
} as const;
const lit3 = op.lit0 + 3;
const lit15 = op.lit0 + 15;
const bregSp = op.breg0 + 7;
const bregPc = op.breg0 + 16;

/**
 * The threshold of x86-64's linkage table expression, sp + 8 + ((pc & 15) >= threshold) * 8, undefined when the bytes
 * up to the cursor's limit are another one. Classic tables have 11, those for branch tracking 10, 9 or 5. The cursor stays.
 */
export function pltThreshold({ bytes, at, limit }: CallFrameCursor): number | undefined {
  const threshold = bytes[at + 6]! - op.lit0;
  const matches =
    limit - at === 11 &&
    bytes[at] === bregSp &&
    bytes[at + 1] === 8 &&
    bytes[at + 2] === bregPc &&
    bytes[at + 3] === 0 &&
    bytes[at + 4] === lit15 &&
    bytes[at + 5] === op.and &&
    threshold >= 0 &&
    threshold <= 15 &&
    bytes[at + 7] === op.ge &&
    bytes[at + 8] === lit3 &&
    bytes[at + 9] === op.shl &&
    bytes[at + 10] === op.plus;
  return matches ? threshold : undefined;
}

/**
 * The value of the expression from the cursor up to its limit, undefined when it has another shape. `first` is what
 * lies on the stack at the beginning. Throws FormatError when the expression is cut short.
 */
export function evaluateFrameExpression(cursor: CallFrameCursor, first?: FrameValue): FrameValue | undefined {
  if (cursor.limit - cursor.at > expressionLimits.maxBytes) return undefined;
  const stack: FrameValue[] = first === undefined ? [] : [first];
  while (cursor.at < cursor.limit) {
    const value = nextValue(cursor, stack);
    if (value === undefined || stack.length >= expressionLimits.maxStackDepth) return undefined;
    stack.push(value);
  }
  return stack.pop();
}

/** Takes the operands of one operation off the stack and gives its result. */
function nextValue(cursor: CallFrameCursor, stack: FrameValue[]): FrameValue | undefined {
  const code = cursor.u8();
  if (code >= op.lit0 && code <= op.lit31) return constant(code - op.lit0);
  if (code >= op.breg0 && code <= op.breg31) return register(code - op.breg0, cursor.sleb());
  switch (code) {
    case op.bregx:
      return register(cursor.uleb(), cursor.sleb());
    case op.constU1:
      return constant(cursor.u8());
    case op.constS1:
      return constant((cursor.u8() << 24) >> 24);
    case op.constU2:
      return constant(cursor.u16());
    case op.constS2:
      return constant((cursor.u16() << 16) >> 16);
    case op.constU4:
      return constant(cursor.u32());
    case op.constS4:
      return constant(cursor.i32());
    case op.constu:
      return constant(cursor.uleb());
    case op.consts:
      return constant(cursor.sleb());
    case op.nop:
      return stack.pop();
    case op.plusUconst:
      return sum(stack.pop(), constant(cursor.uleb()));
    case op.plus: {
      const second = stack.pop();
      return sum(stack.pop(), second);
    }
    case op.minus: {
      const second = stack.pop();
      return second !== undefined && isConstant(second)
        ? sum(stack.pop(), constant(-second.offset))
        : undefined;
    }
    case op.mul: {
      const second = stack.pop();
      return scaled(stack.pop(), second);
    }
    case op.deref: {
      const address = stack.pop();
      return address === undefined || address.isDereferenced || address.base === none
        ? undefined
        : { ...address, isDereferenced: true };
    }
    default:
      return undefined;
  }
}

function constant(value: number): FrameValue {
  return { base: none, index: none, offset: value, isDereferenced: false, add: 0 };
}

function register(number: number, offset: number): FrameValue {
  return { base: number, index: none, offset, isDereferenced: false, add: 0 };
}

function isConstant({ base, index, isDereferenced }: FrameValue): boolean {
  return base === none && index === none && !isDereferenced;
}

function sum(a: FrameValue | undefined, b: FrameValue | undefined): FrameValue | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (isConstant(a)) return plusConstant(b, a.offset);
  if (isConstant(b)) return plusConstant(a, b.offset);
  if (a.isDereferenced || b.isDereferenced) return undefined;
  const offset = a.offset + b.offset;
  if (a.index === none && b.base === none) return { ...a, index: b.index, offset };
  if (b.index === none && a.base === none) return { ...b, index: a.index, offset };
  return undefined;
}

function plusConstant(value: FrameValue, by: number): FrameValue {
  return value.isDereferenced ? { ...value, add: value.add + by } : { ...value, offset: value.offset + by };
}

/** R[n] * 8. */
function scaled(a: FrameValue | undefined, b: FrameValue | undefined): FrameValue | undefined {
  if (a === undefined || b === undefined) return undefined;
  const [value, factor] = isConstant(b) ? [a, b] : [b, a];
  const isPlainRegister = value.base >= 0 && value.index === none && !value.isDereferenced;
  if (!isPlainRegister || value.offset !== 0 || !isConstant(factor) || factor.offset !== 8) return undefined;
  return { base: none, index: value.base, offset: 0, isDereferenced: false, add: 0 };
}

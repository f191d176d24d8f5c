// SPDX-License-Identifier: Apache-2.0
//
// Runs the instructions of call frame information (DWARF 5 section 6.4.2, with the extensions of GNU and Arm) and adds
// a row wherever they change something that the unwinder follows. Each instruction costs constant time and nothing is
// allocated per row; a program is at most as long as its section.

import type { CallFrameCursor } from './call-frame-cursor.ts';
import { cfaBase, evaluateFrameExpression, type FrameValue, pltThreshold } from './frame-expression.ts';
import {
  type FrameRegisters,
  framePointerAt,
  frameRegisters,
  frameStateLength,
  newFrameState,
  rbxAt,
  registerRule,
  returnAddressAt,
  ruleOfState,
  setCfa,
  setCfaOffset,
  setCfaRegister,
  setCfaValue,
  setPltCfa,
  setRegisterRule,
  setRegisterValue,
  stackPointerAt,
} from './frame-state.ts';
import { type UnwindMachine, unwindCommand } from './unwind-table.ts';
import type { UnwindTableBuilder } from './unwind-table-builder.ts';

/** How many states DW_CFA_remember_state may put aside; compilers nest one or two. */
export const maxRememberedStates = 64;

/** How a CIE's functions write their instructions. */
export interface CallFrameEncoding {
  readonly codeAlignment: number;
  readonly dataAlignment: number;
  /** Column of the return address. */
  readonly returnAddressRegister: number;
  /** Encoding of addresses (DW_EH_PE_*), and the size of DW_EH_PE_absptr. */
  readonly addressEncoding: number;
  readonly addressBytes: number;
}

/** What a CIE says for all of its functions. */
export interface CallFrameCommon extends CallFrameEncoding {
  /** FDEs have augmentation data, with a length before them. */
  readonly hasAugmentationData: boolean;
  readonly isSignalFrame: boolean;
  /** The state after the CIE's own instructions. */
  readonly initialState: Int32Array;
}

/** The two high bits of an instruction, where they are not 0. */
const highOpcode = { advanceLoc: 0x40, offset: 0x80, restore: 0xc0 } as const;
const opcode = {
  nop: 0x00,
  setLoc: 0x01,
  advanceLoc1: 0x02,
  advanceLoc2: 0x03,
  advanceLoc4: 0x04,
  offsetExtended: 0x05,
  restoreExtended: 0x06,
  undefined: 0x07,
  sameValue: 0x08,
  register: 0x09,
  rememberState: 0x0a,
  restoreState: 0x0b,
  defCfa: 0x0c,
  defCfaRegister: 0x0d,
  defCfaOffset: 0x0e,
  defCfaExpression: 0x0f,
  expression: 0x10,
  offsetExtendedSf: 0x11,
  defCfaSf: 0x12,
  defCfaOffsetSf: 0x13,
  valOffset: 0x14,
  valOffsetSf: 0x15,
  valExpression: 0x16,
  mipsAdvanceLoc8: 0x1d,
  aarch64NegateRaStateWithPc: 0x2c,
  /** On arm64: AARCH64_negate_ra_state. Return addresses are signed; the walker removes signatures in any case. */
  gnuWindowSave: 0x2d,
  gnuArgsSize: 0x2e,
  gnuNegativeOffsetExtended: 0x2f,
} as const;

const cfaOnStack: FrameValue = { base: cfaBase, index: -1, offset: 0, isDereferenced: false, add: 0 };

/** Interprets programs of one section. One is used for all functions, so that state is allocated once. */
export class CallFrameProgram {
  readonly #cursor: CallFrameCursor;
  readonly #sectionAddress: number;
  readonly #registers: FrameRegisters;
  readonly #state = newFrameState();
  readonly #remembered = new Int32Array(maxRememberedStates * frameStateLength);
  #rememberedCount = 0;
  /** Column of the return address in the CIE at hand. */
  #returnAddressRegister = 0;

  constructor(cursor: CallFrameCursor, sectionAddress: number, machine: UnwindMachine) {
    this.#cursor = cursor;
    this.#sectionAddress = sectionAddress;
    this.#registers = frameRegisters[machine];
  }

  /** The state after a CIE's instructions, from the cursor up to its limit. Throws FormatError. */
  initialStateOf(encoding: CallFrameEncoding): Int32Array {
    const none = newFrameState();
    this.#begin(none, encoding.returnAddressRegister);
    const cursor = this.#cursor;
    while (cursor.at < cursor.limit) {
      const code = cursor.u8();
      if (this.#advance(code, encoding, 0) !== 0) throw cursor.error('a CIE advances the location');
      if (!isAdvance(code)) this.#apply(code, encoding, none);
    }
    return this.#state.slice();
  }

  /**
   * Adds the rows of an FDE, whose instructions are between the cursor and its limit and whose code begins at `origin`.
   * Rows before `start` are left out, but for the one in effect there; the program ends with `limit`.
   *
   * @throws FormatError where the instructions are damaged; the rows before are added, and `unknown` for the rest
   */
  addRows(
    common: CallFrameCommon,
    origin: number,
    start: number,
    limit: number,
    builder: UnwindTableBuilder,
  ): void {
    this.#begin(common.initialState, common.returnAddressRegister);
    const cursor = this.#cursor;
    let isChanged = true;
    let location = origin;
    try {
      while (cursor.at < cursor.limit) {
        const code = cursor.u8();
        if (!isAdvance(code)) {
          if (this.#apply(code, common, common.initialState)) isChanged = true;
          continue;
        }
        const next = this.#advance(code, common, location);
        if (!(next >= location)) throw cursor.error('the location goes backwards');
        // What changed holds from here to `next`; what is over before `start` is not needed.
        if (isChanged && next > start && next > location) {
          builder.add(Math.max(location, start), this.#rule(builder));
          isChanged = false;
        }
        location = next;
        if (location >= limit) return;
      }
    } catch (error) {
      builder.add(Math.max(location, start), unwindCommand.unknown);
      throw error;
    }
    if (isChanged) builder.add(Math.max(location, start), this.#rule(builder));
  }

  #rule(builder: UnwindTableBuilder): number {
    return ruleOfState(this.#state, this.#registers, builder);
  }

  #begin(state: Int32Array, returnAddressRegister: number): void {
    this.#state.set(state);
    this.#rememberedCount = 0;
    this.#returnAddressRegister = returnAddressRegister;
  }

  /** The location after an instruction that advances it; the same location after any other. */
  #advance(code: number, common: CallFrameEncoding, location: number): number {
    const cursor = this.#cursor;
    if ((code & 0xc0) === highOpcode.advanceLoc) return location + (code & 0x3f) * common.codeAlignment;
    switch (code) {
      case opcode.advanceLoc1:
        return location + cursor.u8() * common.codeAlignment;
      case opcode.advanceLoc2:
        return location + cursor.u16() * common.codeAlignment;
      case opcode.advanceLoc4:
        return location + cursor.u32() * common.codeAlignment;
      case opcode.mipsAdvanceLoc8:
        return location + cursor.i64() * common.codeAlignment;
      case opcode.setLoc:
        return cursor.pointer(common.addressEncoding, common.addressBytes, this.#sectionAddress) ?? location;
      default:
        return location;
    }
  }

  /** Any instruction that does not advance. True when it changed the state. */
  #apply(code: number, encoding: CallFrameEncoding, initial: Int32Array): boolean {
    const cursor = this.#cursor;
    const { dataAlignment } = encoding;
    const high = code & 0xc0;
    if (high === highOpcode.offset) return this.#setSaved(code & 0x3f, cursor.uleb() * dataAlignment);
    if (high === highOpcode.restore) return this.#restoreRegister(code & 0x3f, initial);
    switch (code) {
      case opcode.nop:
      case opcode.gnuWindowSave:
      case opcode.aarch64NegateRaStateWithPc:
        return false;
      case opcode.defCfaOffset:
        setCfaOffset(this.#state, cursor.uleb());
        return true;
      case opcode.defCfaOffsetSf:
        setCfaOffset(this.#state, cursor.sleb() * dataAlignment);
        return true;
      case opcode.defCfaRegister:
        setCfaRegister(this.#state, cursor.uleb());
        return true;
      case opcode.defCfa:
        setCfa(this.#state, cursor.uleb(), cursor.uleb());
        return true;
      case opcode.defCfaSf:
        setCfa(this.#state, cursor.uleb(), cursor.sleb() * dataAlignment);
        return true;
      case opcode.defCfaExpression:
        return this.#setCfaExpression();
      case opcode.rememberState:
        return this.#remember();
      case opcode.restoreState:
        return this.#restoreRemembered();
      case opcode.offsetExtended:
        return this.#setSaved(cursor.uleb(), cursor.uleb() * dataAlignment);
      case opcode.offsetExtendedSf:
        return this.#setSaved(cursor.uleb(), cursor.sleb() * dataAlignment);
      case opcode.gnuNegativeOffsetExtended:
        return this.#setSaved(cursor.uleb(), -cursor.uleb() * dataAlignment);
      case opcode.restoreExtended:
        return this.#restoreRegister(cursor.uleb(), initial);
      case opcode.undefined:
        return this.#setRegister(cursor.uleb(), registerRule.undefined);
      case opcode.sameValue:
        return this.#setRegister(cursor.uleb(), registerRule.sameValue);
      case opcode.register:
        return this.#setRegister(cursor.uleb(), registerRule.inRegister, 0, cursor.uleb());
      case opcode.valOffset:
        return this.#setRegister(cursor.uleb(), registerRule.cfaOffset, cursor.uleb() * dataAlignment);
      case opcode.valOffsetSf:
        return this.#setRegister(cursor.uleb(), registerRule.cfaOffset, cursor.sleb() * dataAlignment);
      case opcode.expression:
        return this.#setRegisterExpression(cursor.uleb(), false);
      case opcode.valExpression:
        return this.#setRegisterExpression(cursor.uleb(), true);
      case opcode.gnuArgsSize:
        cursor.uleb();
        return false;
      default:
        throw cursor.error(`call frame instruction 0x${code.toString(16)}`, cursor.at - 1);
    }
  }

  /** Where the state keeps a register; -1 when nobody asks for it. */
  #entryOf(register: number): number {
    if (register === this.#registers.framePointer) return framePointerAt;
    if (register === this.#returnAddressRegister) return returnAddressAt;
    if (register === this.#registers.stackPointer) return stackPointerAt;
    return register === this.#registers.rbx ? rbxAt : -1;
  }

  #setSaved(register: number, offset: number): boolean {
    return this.#setRegister(register, registerRule.atCfa, offset);
  }

  #setRegister(register: number, rule: number, offset = 0, other = 0): boolean {
    const at = this.#entryOf(register);
    if (at < 0) return false;
    setRegisterRule(this.#state, at, rule, offset, other);
    return true;
  }

  #restoreRegister(register: number, initial: Int32Array): boolean {
    const at = this.#entryOf(register);
    if (at < 0) return false;
    setRegisterRule(this.#state, at, initial[at]!, initial[at + 1]!, initial[at + 2]!);
    return true;
  }

  #setRegisterExpression(register: number, isValue: boolean): boolean {
    const at = this.#entryOf(register);
    const outer = this.#enterExpression();
    if (at >= 0) {
      setRegisterValue(this.#state, at, evaluateFrameExpression(this.#cursor, cfaOnStack), isValue);
    }
    this.#leaveExpression(outer);
    return at >= 0;
  }

  #setCfaExpression(): boolean {
    const cursor = this.#cursor;
    const outer = this.#enterExpression();
    const threshold = pltThreshold(cursor);
    if (threshold === undefined) setCfaValue(this.#state, evaluateFrameExpression(cursor));
    else setPltCfa(this.#state, threshold, this.#registers.stackPointer);
    this.#leaveExpression(outer);
    return true;
  }

  /** Lets the cursor end with the expression that it is at; gives the limit from before. */
  #enterExpression(): number {
    const cursor = this.#cursor;
    const length = cursor.uleb();
    const outer = cursor.limit;
    if (length > outer - cursor.at) throw cursor.error('the expression is cut short');
    cursor.limit = cursor.at + length;
    return outer;
  }

  #leaveExpression(outer: number): void {
    this.#cursor.at = this.#cursor.limit;
    this.#cursor.limit = outer;
  }

  #remember(): boolean {
    if (this.#rememberedCount >= maxRememberedStates) {
      throw this.#cursor.error(`more than ${maxRememberedStates} remembered states`);
    }
    this.#remembered.set(this.#state, this.#rememberedCount++ * frameStateLength);
    return false;
  }

  #restoreRemembered(): boolean {
    if (this.#rememberedCount === 0) throw this.#cursor.error('no state is remembered');
    const from = --this.#rememberedCount * frameStateLength;
    for (let i = 0; i < frameStateLength; i++) this.#state[i] = this.#remembered[from + i]!;
    return true;
  }
}

function isAdvance(code: number): boolean {
  if ((code & 0xc0) === highOpcode.advanceLoc) return true;
  return (code >= opcode.setLoc && code <= opcode.advanceLoc4) || code === opcode.mipsAdvanceLoc8;
}

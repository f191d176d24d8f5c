// SPDX-License-Identifier: Apache-2.0
//
// One unwind rule, and its 16 bytes as the kernel side reads them (little-endian):
//
//   offset size field
//    0     u8   cfa_kind       12    s16  ra_offset
//    1     u8   cfa_register   14    u8   fp_register
//    2     u8   fp_kind        15    u8   ra_register
//    3     u8   ra_kind
//    4     s32  cfa_offset
//    8     s16  cfa_add
//   10     s16  fp_offset
//
// R[n] below is the register of DWARF number n (x86-64: 6 rbp, 7 rsp; arm64: 29 fp, 30 lr, 31 sp). Registers other than
// the stack pointer, the frame pointer, arm64's lr and x86-64's rbx are known only in the innermost frame and in one that
// a signal interrupted.

/** How the canonical frame address, the stack pointer of the caller, is found. */
export const cfaKind = {
  /** cfa = R[cfaRegister] + cfaOffset */
  register: 0,
  /** cfa = *(R[cfaRegister] + cfaOffset) + cfaAdd */
  dereference: 1,
  /** cfa = sp + 8 + ((pc & 15) >= cfaOffset ? 8 : 0), in procedure linkage tables */
  plt: 2,
  /**
   * cfa = *(R[cfaRegister] + R[cfaAdd & 0xff] * 8 + cfaOffset) + (cfaAdd >> 8), in OpenSSL's Montgomery multiplication:
   * the low byte of `cfaAdd` is the number of the index register, the high one a signed addend.
   */
  indexed: 3,
} as const;

/** How the caller's frame pointer is found. */
export const fpKind = {
  /** It is still in its register. */
  same: 0,
  /** fp = *(cfa + fpOffset) */
  atCfa: 1,
  /** fp = *(R[fpRegister] + fpOffset) */
  atRegister: 2,
  /** fp = R[fpRegister] */
  inRegister: 3,
  /** Lost: rules of callers must not use it. */
  unknown: 4,
} as const;

/** How the return address is found. */
export const raKind = {
  /** ra = *(cfa + raOffset) */
  atCfa: 0,
  /** ra = R[raRegister] */
  inRegister: 1,
  /** ra = *(R[raRegister] + raOffset), in frames too large for an offset from the CFA (arm64 saves at the bottom) */
  atRegister: 2,
} as const;

export type CfaKind = (typeof cfaKind)[keyof typeof cfaKind];
export type FpKind = (typeof fpKind)[keyof typeof fpKind];
export type RaKind = (typeof raKind)[keyof typeof raKind];

/** See the drawing above. Fields that a kind does not use are 0, so that equal rules have equal bytes. */
export interface UnwindRule {
  readonly cfaKind: CfaKind;
  readonly cfaRegister: number;
  readonly cfaOffset: number;
  readonly cfaAdd: number;
  readonly fpKind: FpKind;
  /**
   * The register of the kinds `atRegister` and `inRegister`. With the other kinds, on x86-64, a signed byte that says
   * where the caller's rbx is: 0 still in its register, `lostRbxSlot` lost, else at cfa + 8 * slot. Few rules need rbx
   * (glibc binds symbols lazily through a frame that hangs on it), so it is only read for them.
   */
  readonly fpRegister: number;
  readonly fpOffset: number;
  readonly raKind: RaKind;
  readonly raRegister: number;
  readonly raOffset: number;
}

export const unwindRuleBytes = 16;
export const lostRbxSlot = -128;

/** Whether `fpRegister` is a register with this kind. */
export function usesFpRegister(kind: number): boolean {
  return kind === fpKind.atRegister || kind === fpKind.inRegister;
}

/** The four little-endian words of a rule's 16 bytes, written to `words`; false when a value does not fit its field. */
export function encodeUnwindRule(rule: UnwindRule, words: Int32Array): boolean {
  if (!isUint8(rule.cfaRegister) || !isUint8(rule.fpRegister) || !isUint8(rule.raRegister)) return false;
  if (!isInt16(rule.cfaAdd) || !isInt16(rule.fpOffset) || !isInt16(rule.raOffset)) return false;
  if ((rule.cfaOffset | 0) !== rule.cfaOffset) return false;
  words[0] = rule.cfaKind | (rule.cfaRegister << 8) | (rule.fpKind << 16) | (rule.raKind << 24);
  words[1] = rule.cfaOffset;
  words[2] = (rule.cfaAdd & 0xffff) | (rule.fpOffset << 16);
  words[3] = (rule.raOffset & 0xffff) | (rule.fpRegister << 16) | (rule.raRegister << 24);
  return true;
}

/** Rule `index` of a table's `rules`. Kinds are not checked: see `isUnwindRule`. */
export function decodeUnwindRule(rules: Uint8Array, index: number): UnwindRule {
  const view = new DataView(rules.buffer, rules.byteOffset + index * unwindRuleBytes, unwindRuleBytes);
  return {
    cfaKind: view.getUint8(0) as CfaKind,
    cfaRegister: view.getUint8(1),
    fpKind: view.getUint8(2) as FpKind,
    raKind: view.getUint8(3) as RaKind,
    cfaOffset: view.getInt32(4, true),
    cfaAdd: view.getInt16(8, true),
    fpOffset: view.getInt16(10, true),
    raOffset: view.getInt16(12, true),
    fpRegister: view.getUint8(14),
    raRegister: view.getUint8(15),
  };
}

/** True when the kinds of rule `index` are ones that exist. */
export function isUnwindRule(rules: Uint8Array, index: number): boolean {
  const at = index * unwindRuleBytes;
  return (
    rules[at]! <= cfaKind.indexed && rules[at + 2]! <= fpKind.unknown && rules[at + 3]! <= raKind.atRegister
  );
}

function isUint8(value: number): boolean {
  return (value & 0xff) === value;
}

function isInt16(value: number): boolean {
  return (value << 16) >> 16 === value;
}

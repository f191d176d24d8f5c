// SPDX-License-Identifier: Apache-2.0
//
// Finds the stubs in the bytes of a PLT section, and for each the slot of the global offset table that it jumps through.
//
// x86-64, 16 bytes a stub (8 in .plt.got without IBT):
//   ff 25 d d d d                   jmp *slot(%rip)            classic, lld, .plt.got
//   f3 0f 1e fa [f2] ff 25 d d d d  endbr64; [bnd] jmp *slot   .plt.sec, .plt.got with IBT
//   f3 0f 1e fa 68 i i i i [f2] e9  endbr64; push $i; jmp      .plt with IBT: lazy binding, i counts relocations
// arm64, 16 or 24 bytes a stub:
//   [bti c;] adrp x16, page; ldr x17, [x16, #offset]; add x16, …; [autia1716;] br x17

import { viewOf } from '../random-access.ts';

/** One stub. Either `slot` or `relocationIndex` is known. */
export interface PltStub {
  readonly start: bigint;
  readonly limit: bigint;
  /** Virtual address of the slot it jumps through. */
  readonly slot?: bigint;
  /** Index into .rela.plt that it pushes for the dynamic linker. */
  readonly relocationIndex?: number;
}

const endbr64 = 0xfa1e0ff3;
const pushImmediate = 0x68;
const bndPrefix = 0xf2;
const jumpThroughSlot = 0x25ff;
const defaultX86StubBytes = 16;

/** @param entrySize of the section header; other values than 8 and 16 count as unknown */
export function x86Stubs(bytes: Uint8Array, address: bigint, entrySize: number): PltStub[] {
  const stride = entrySize === 8 || entrySize === 16 ? entrySize : defaultX86StubBytes;
  const view = viewOf(bytes);
  const stubs: PltStub[] = [];
  for (let at = 0; at + stride <= bytes.byteLength; at += stride) {
    const start = address + BigInt(at);
    const limit = start + BigInt(stride);
    const hasEndbr = view.getUint32(at, true) === endbr64;
    let code = at + (hasEndbr ? 4 : 0);
    if (hasEndbr && stride === 16 && bytes[code] === pushImmediate) {
      stubs.push({ start, limit, relocationIndex: view.getUint32(code + 1, true) });
      continue;
    }
    if (bytes[code] === bndPrefix) code++;
    if (code + 6 > at + stride || view.getUint16(code, true) !== jumpThroughSlot) continue;
    const next = address + BigInt(code + 6);
    stubs.push({ start, limit, slot: BigInt.asUintN(64, next + BigInt(view.getInt32(code + 2, true))) });
  }
  return stubs;
}

const branchTargetC = 0xd503245f;
const branchX17 = 0xd61f0220;
/** Where no branch follows, the stub is taken to end after this many bytes. */
const maxArm64StubBytes = 24;

export function arm64Stubs(bytes: Uint8Array, address: bigint): PltStub[] {
  const view = viewOf(bytes);
  const stubs: PltStub[] = [];
  for (let at = 0; at + 8 <= bytes.byteLength; at += 4) {
    const adrp = view.getUint32(at, true);
    const load = view.getUint32(at + 4, true);
    // adrp x16, page and ldr x17, [x16, #offset]
    if ((adrp & 0x9f00001f) >>> 0 !== 0x90000010 || (load & 0xffc003ff) >>> 0 !== 0xf9400211) continue;
    const page = (address + BigInt(at)) & ~0xfffn;
    const pages = (((adrp >>> 5) & 0x7ffff) << 2) | ((adrp >>> 29) & 3);
    const distance = BigInt.asIntN(21, BigInt(pages)) << 12n;
    const slot = BigInt.asUintN(64, page + distance + BigInt(((load >>> 10) & 0xfff) * 8));
    const hasBti = at >= 4 && view.getUint32(at - 4, true) === branchTargetC;
    const from = hasBti ? at - 4 : at;
    const limit = address + BigInt(endOfArm64Stub(view, at));
    stubs.push({ start: address + BigInt(from), limit, slot });
  }
  return stubs;
}

/** The offset after the branch that ends the stub. */
function endOfArm64Stub(view: DataView, from: number): number {
  const last = Math.min(from + maxArm64StubBytes, view.byteLength);
  for (let at = from; at + 4 <= last; at += 4) {
    if (view.getUint32(at, true) === branchX17) return at + 4;
  }
  return last;
}

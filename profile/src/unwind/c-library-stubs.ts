// SPDX-License-Identifier: Apache-2.0
//
// Two stubs of C libraries that say nothing about themselves (musl), known by their exact bytes. What follows a signal
// handler: it calls rt_sigreturn, and its stack frame holds all registers of what the signal interrupted. And where a
// thread begins: it calls the thread's function, and exits.
//
//   sigreturn   x86-64  48 c7 c0 0f 00 00 00  mov $15, %rax      arm64  68 11 80 d2  mov x8, #139
//                       0f 05                 syscall                   01 00 00 d4  svc #0
//
//   thread      x86-64  31 ed                 xor %ebp, %ebp     arm64  e1 03 c1 a8  ldp x1, x0, [sp], #16
//                       5f                    pop %rdi                  20 00 3f d6  blr x1
//                       41 ff d1              call *%r9                 a8 0b 80 d2  mov x8, #93
//                       89 c7                 mov %eax, %edi            01 00 00 d4  svc #0
//                       31 c0 b0 3c 0f 05     exit

import type { ExecutableAddresses } from './executable-addresses.ts';
import type { RuleRange, UnwindPieces } from './unwind-ranges.ts';
import { type UnwindCommand, type UnwindMachine, unwindCommand } from './unwind-table.ts';

interface Stub {
  readonly bytes: Uint8Array;
  readonly command: UnwindCommand;
  /** Bytes before it that belong to it. */
  readonly bytesBefore: number;
}

const sigreturn: Readonly<Record<UnwindMachine, Uint8Array>> = {
  'x86-64': Uint8Array.of(0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05),
  arm64: Uint8Array.of(0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4),
};
const threadStart: Readonly<Record<UnwindMachine, Uint8Array>> = {
  'x86-64': Uint8Array.of(0x31, 0xed, 0x5f, 0x41, 0xff, 0xd1, 0x89, 0xc7, 0x31, 0xc0, 0xb0, 0x3c, 0x0f, 0x05),
  arm64: Uint8Array.of(0xe1, 0x03, 0xc1, 0xa8, 0x20, 0, 0x3f, 0xd6, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4),
};
/** A nop before sigreturn, which its FDE includes, so that nobody has to know that callers are looked up one byte early. */
const nopBytes: Readonly<Record<UnwindMachine, number>> = { 'x86-64': 1, arm64: 4 };

/** Limits of the search. Only C libraries have these stubs, a few, and are small. */
export const stubSearchLimits = { maxBytes: 16 * 1024 * 1024, maxGaps: 4096, maxStubs: 16 } as const;
const windowBytes = 262_144;
/** Stubs may lie over the border of two windows. */
const overlapBytes = 32;
/** Smaller gaps are padding. */
const minGapBytes = 16;

/** True when what starts at an address is the nop before sigreturn, so that its range need not begin earlier. */
export function startsBeforeSigreturn(
  code: ExecutableAddresses,
  address: number,
  machine: UnwindMachine,
): boolean {
  const nop = nopBytes[machine];
  return isAt(code.bytesAt(address, nop + sigreturn[machine].length), nop, sigreturn[machine]);
}

/** Stubs in the code that no piece describes, up to the limits of the search. Throws FormatError. */
export function stubsInGaps(
  code: ExecutableAddresses,
  pieces: UnwindPieces,
  machine: UnwindMachine,
): RuleRange[] {
  const stubs: readonly Stub[] = [
    { bytes: sigreturn[machine], command: unwindCommand.signal, bytesBefore: 1 },
    { bytes: threadStart[machine], command: unwindCommand.end, bytesBefore: 0 },
  ];
  const found: RuleRange[] = [];
  let bytesLeft: number = stubSearchLimits.maxBytes;
  let gapsLeft: number = stubSearchLimits.maxGaps;
  const search = (from: number, to: number): void => {
    if (to - from < minGapBytes || gapsLeft-- <= 0) return;
    for (let at = from; at < to && bytesLeft > 0; at += windowBytes - overlapBytes) {
      const bytes = code.bytesAt(at, Math.min(windowBytes, to - at));
      bytesLeft -= bytes.byteLength;
      for (const stub of stubs) addStubs(bytes, at, stub, found);
    }
  };
  let piece = 0;
  for (const { start, limit } of code.segments) {
    let from = start;
    while (piece < pieces.count && pieces.starts[piece]! < limit) {
      search(from, pieces.starts[piece]!);
      from = pieces.limits[piece++]!;
    }
    search(from, limit);
  }
  return found;
}

function addStubs(bytes: Uint8Array, address: number, stub: Stub, found: RuleRange[]): void {
  // The last byte is the rarest one.
  const last = stub.bytes.length - 1;
  let at = bytes.indexOf(stub.bytes[last]!, last);
  for (; at >= 0; at = bytes.indexOf(stub.bytes[last]!, at + 1)) {
    if (found.length === stubSearchLimits.maxStubs) return;
    if (!isAt(bytes, at - last, stub.bytes)) continue;
    const start = address + at - last;
    found.push([start - stub.bytesBefore, start + stub.bytes.length, stub.command]);
  }
}

function isAt(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  return expected.every((byte, i) => bytes[at + i] === byte);
}

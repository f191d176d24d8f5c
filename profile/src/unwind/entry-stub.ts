// SPDX-License-Identifier: Apache-2.0
//
// The entry point of a program, where the first stack of a process begins. glibc's says so in its FDE; musl's and
// others' have none, but they all clear the frame pointer, as the ABI asks, align the stack, and call:
//
//   x86-64  [f3 0f 1e fa] endbr64, [48] 31 ed  xor %ebp, %ebp, …, 48 83 e4 f0  and $-16, %rsp, …, e8 / ff 15  call
//   arm64   1d 00 80 d2  mov x29, #0,  1e 00 80 d2  mov x30, #0, …, a jump or a call

import type { ElfFile } from '../symbols/elf.ts';
import { readExactly, viewOf } from '../symbols/random-access.ts';
import type { ExecutableAddresses } from './executable-addresses.ts';
import type { RuleRange } from './unwind-ranges.ts';
import { type UnwindMachine, unwindCommand } from './unwind-table.ts';

const entryFieldOffset = 24;
const maxStubBytes = 64;
const callBytes = 5;
const indirectCallBytes = 6;
const clearFramePointer = 0xd280_001d;
const clearLink = 0xd280_001e;

/** The stub at the entry point, up to and with its call; nothing when there is another program. Throws FormatError. */
export function entryStubs(elf: ElfFile, code: ExecutableAddresses, machine: UnwindMachine): RuleRange[] {
  const field = viewOf(readExactly(elf.access, 'elf', entryFieldOffset, 8, 'entry point'));
  const entry = Number(field.getBigUint64(0, true));
  const bytes = code.bytesAt(entry, maxStubBytes);
  const length = machine === 'x86-64' ? x86StubLength(bytes) : arm64StubLength(bytes);
  return length === undefined ? [] : [[entry, entry + length, unwindCommand.end]];
}

function x86StubLength(bytes: Uint8Array): number | undefined {
  let at = matches(bytes, 0, 0xf3, 0x0f, 0x1e, 0xfa) ? 4 : 0;
  if (bytes[at] === 0x48) at++;
  if (!matches(bytes, at, 0x31, 0xed)) return undefined;
  for (at += 2; !matches(bytes, at, 0x48, 0x83, 0xe4, 0xf0); at++) {
    if (at >= bytes.length) return undefined;
  }
  for (at += 4; at < bytes.length; at++) {
    if (bytes[at] === 0xe8) return at + callBytes;
    if (matches(bytes, at, 0xff, 0x15)) return at + indirectCallBytes;
  }
  return undefined;
}

function arm64StubLength(bytes: Uint8Array): number | undefined {
  const view = viewOf(bytes);
  const count = bytes.byteLength >> 2;
  const word = (i: number): number => view.getUint32(i * 4, true);
  if (count < 3 || word(0) !== clearFramePointer || word(1) !== clearLink) return undefined;
  for (let i = 2; i < count; i++) {
    // b and bl, to a fixed address.
    if ((word(i) & 0x7c00_0000) === 0x1400_0000) return (i + 1) * 4;
  }
  return undefined;
}

function matches(bytes: Uint8Array, at: number, ...expected: number[]): boolean {
  return expected.every((byte, i) => bytes[at + i] === byte);
}

// SPDX-License-Identifier: Apache-2.0
//
// Procedure linkage tables for which the linker wrote no FDE: lld writes none on x86-64, and nobody does on arm64. The
// names of their sections tell where they are, and their first bytes how they are made:
//
//   x86-64 .plt, entry 0                    other entries, 16 bytes each; after the push the frame is 8 bytes larger
//    0  ff 35 …   push GOT+8(%rip)          classic   ff 25 … jmp, 68 … push (over at 11), e9 … jmp
//    6  ff 25 …   jmp *GOT+16(%rip)         tracking  f3 0f 1e fa endbr64, 68 … push (over at 9), jmp
//                                           bnd       68 … push (over at 5), f2 e9 … bnd jmp
//   .plt.sec, .plt.got, .iplt               no push: the frame is that of the call
//
//   arm64 .plt, entry 0, 32 bytes: stp x16, x30, [sp, #-16]! (perhaps after bti c); other entries only jump

import type { ElfFile } from '../symbols/elf.ts';
import type { ExecutableAddresses } from './executable-addresses.ts';
import type { RuleRange } from './unwind-ranges.ts';
import { cfaKind, fpKind, raKind, type UnwindRule } from './unwind-rule.ts';
import type { UnwindMachine } from './unwind-table.ts';

const sectionNames: readonly string[] = ['.plt', '.plt.sec', '.plt.got', '.iplt'];
const x86EntryBytes = 16;
const arm64FirstEntryBytes = 32;
const arm64PushInstruction = 0xa9bf7bf0;
/** Bytes that tell how a table is made. */
const headBytes = 32;

/** The rule of a function that has not touched the stack yet: the return address is where the call put it. */
export const leafRule: Readonly<Record<UnwindMachine, UnwindRule>> = {
  'x86-64': stackRule(7, 8, -8),
  arm64: { ...stackRule(31, 0, 0), raKind: raKind.inRegister, raRegister: 30 },
};

/** Rules of the linkage tables of a file. Throws FormatError. */
export function pltStubs(elf: ElfFile, code: ExecutableAddresses, machine: UnwindMachine): RuleRange[] {
  if (!elf.hasSections) return [];
  return sectionNames.flatMap((name): RuleRange[] => {
    const section = elf.section(name);
    if (section === undefined || section.size === 0) return [];
    const start = Number(section.address);
    const limit = start + section.size;
    if (code.segmentOf(start) === undefined || code.segmentOf(limit - 1) === undefined) return [];
    const whole: RuleRange = [start, limit, leafRule[machine]];
    if (name !== '.plt') return [whole];
    const head = code.bytesAt(start, headBytes);
    const first = machine === 'x86-64' ? x86FirstEntry(start, limit, head) : arm64FirstEntry(start, head);
    return [...first, whole];
  });
}

/** Entry 0 and the entries with a push; nothing when the table only jumps. */
function x86FirstEntry(start: number, limit: number, head: Uint8Array): RuleRange[] {
  if (start % x86EntryBytes !== 0 || !startsWith(head, 0, 0xff, 0x35)) return [];
  const pushed = pushEnd(head);
  const entries = start + x86EntryBytes;
  const ranges: RuleRange[] = [
    // Entry 0 is reached by a jump after the push of another entry.
    [start, start + 6, stackRule(7, 16, -8)],
    [start + 6, entries, stackRule(7, 24, -8)],
  ];
  if (pushed !== undefined) {
    ranges.push([entries, limit, { ...stackRule(7, pushed, -8), cfaKind: cfaKind.plt }]);
  }
  return ranges;
}

/** Offset in an entry behind its push. */
function pushEnd(head: Uint8Array): number | undefined {
  const at = x86EntryBytes;
  if (startsWith(head, at, 0xff, 0x25) && startsWith(head, at + 6, 0x68)) return 11;
  if (startsWith(head, at, 0xf3, 0x0f, 0x1e, 0xfa, 0x68)) return 9;
  return startsWith(head, at, 0x68) ? 5 : undefined;
}

function arm64FirstEntry(start: number, head: Uint8Array): RuleRange[] {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  for (let at = 0; at < 8 && at + 4 <= head.byteLength; at += 4) {
    if (view.getUint32(at, true) === arm64PushInstruction) {
      return [[start + at + 4, start + arm64FirstEntryBytes, stackRule(31, 16, -8)]];
    }
  }
  return [];
}

function startsWith(bytes: Uint8Array, at: number, ...expected: number[]): boolean {
  return expected.every((byte, i) => bytes[at + i] === byte);
}

/** CFA = sp + offset, the return address relative to it, the frame pointer untouched. */
function stackRule(stackPointer: number, offset: number, raOffset: number): UnwindRule {
  return {
    cfaKind: cfaKind.register,
    cfaRegister: stackPointer,
    cfaOffset: offset,
    cfaAdd: 0,
    fpKind: fpKind.same,
    fpRegister: 0,
    fpOffset: 0,
    raKind: raKind.atCfa,
    raRegister: 0,
    raOffset,
  };
}

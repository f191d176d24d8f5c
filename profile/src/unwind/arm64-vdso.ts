// SPDX-License-Identifier: Apache-2.0
//
// The functions that the kernel maps into arm64 processes. Older kernels give them no FDE, and walks from clock_gettime
// would end there. Their names begin with __kernel_, and what they do to the stack is found in their code:
//
//   a9 b. 7b fd   stp x29, x30, [sp, #-n]!      the frame is n bytes larger, and holds both at its bottom
//   91 00 03 fd   mov x29, sp                   the frame is found by x29
//   a8 c. 7b fd   ldp x29, x30, [sp], #n        it is gone; after the ret there may be more code that has it

import type { ElfFile } from '../symbols/elf.ts';
import { sectionType } from '../symbols/elf.ts';
import { readSectionContents } from '../symbols/elf-section-contents.ts';
import { viewOf } from '../symbols/random-access.ts';
import type { ExecutableAddresses } from './executable-addresses.ts';
import { leafRule } from './plt-stubs.ts';
import type { RuleRange } from './unwind-ranges.ts';
import { fpKind, raKind, type UnwindRule } from './unwind-rule.ts';
import { unwindCommand } from './unwind-table.ts';

/** A vDSO has a handful of functions, all small. */
const maxSectionBytes = 65_536;
const maxFunctionBytes = 65_536;
const symbolBytes = 24;
const prefix = '__kernel_';
const sigreturn = '__kernel_rt_sigreturn';
const pairMask = 0xffc0_7fff;
const pushPair = 0xa980_7bfd;
const popPair = 0xa8c0_7bfd;
const setFramePointer = 0x9100_03fd;
const ret = 0xd65f_03c0;

/** Rules of the functions of an arm64 vDSO; nothing for any other file. Throws FormatError. */
export function arm64VdsoFunctions(elf: ElfFile, code: ExecutableAddresses): RuleRange[] {
  const symbols = elf.hasSections ? elf.sections.find(({ type }) => type === sectionType.dynsym) : undefined;
  const strings = symbols && elf.sections[symbols.link];
  if (symbols === undefined || strings === undefined || symbols.size > maxSectionBytes) return [];
  const names = readSectionContents(elf, strings, maxSectionBytes);
  const entries = viewOf(readSectionContents(elf, symbols, maxSectionBytes));
  const ranges: RuleRange[] = [];
  for (let at = 0; at + symbolBytes <= entries.byteLength; at += symbolBytes) {
    const name = nameAt(names, entries.getUint32(at, true));
    const start = Number(entries.getBigUint64(at + 8, true));
    const size = Number(entries.getBigUint64(at + 16, true));
    if (!name.startsWith(prefix) || size > maxFunctionBytes) continue;
    const bytes = code.bytesAt(start, size);
    if (bytes.byteLength === 0) continue;
    // Callers are looked up one byte early, which must not be the end of the function before.
    if (name === sigreturn) ranges.unshift([start - 1, start + bytes.byteLength, unwindCommand.signal]);
    else ranges.push(...rulesOfCode(start, bytes));
  }
  return ranges;
}

function rulesOfCode(start: number, bytes: Uint8Array): RuleRange[] {
  const leaf = leafRule.arm64;
  const ranges: RuleRange[] = [];
  const view = viewOf(bytes);
  let from = start;
  let rule = leaf;
  let frameBytes = 0;
  let framed = leaf;
  const change = (next: UnwindRule, address: number): void => {
    if (next === rule) return;
    ranges.push([from, address, rule]);
    from = address;
    rule = next;
  };
  for (let at = 0; at + 4 <= bytes.byteLength; at += 4) {
    const instruction = view.getUint32(at, true);
    const next = start + at + 4;
    if ((instruction & pairMask) >>> 0 === pushPair) {
      frameBytes = -((instruction << 10) >> 25) * 8;
      framed = frameRule(31, frameBytes);
      change(framed, next);
    } else if (instruction === setFramePointer && frameBytes > 0) {
      framed = frameRule(29, frameBytes);
      change(framed, next);
    } else if ((instruction & pairMask) >>> 0 === popPair) {
      change(leaf, next);
    } else if (instruction === ret) {
      change(framed, next);
    }
  }
  ranges.push([from, start + bytes.byteLength, rule]);
  return ranges;
}

/** CFA = register + size of the frame, with x29 and x30 at the bottom of the frame. */
function frameRule(register: number, frameBytes: number): UnwindRule {
  return {
    ...leafRule.arm64,
    cfaRegister: register,
    cfaOffset: frameBytes,
    fpKind: fpKind.atCfa,
    fpOffset: -frameBytes,
    raKind: raKind.atCfa,
    raRegister: 0,
    raOffset: -frameBytes + 8,
  };
}

function nameAt(names: Uint8Array, at: number): string {
  const end = names.indexOf(0, at);
  return String.fromCharCode(
    ...names.subarray(at, Math.min(end < 0 ? names.byteLength : end, at + sigreturn.length + 1)),
  );
}

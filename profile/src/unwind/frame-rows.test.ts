// SPDX-License-Identifier: Apache-2.0
//
// Rows that need more than a register and an offset, each written in assembly as the compilers and libraries that emit
// it do, and the rule that must come out.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ruleAt, symbolsOf, tableOf } from './testing/binary-under-test.ts';
import { buildProgram, hasTool } from './testing/build-program.ts';
import { cfaKind, fpKind, raKind, type UnwindRule } from './unwind-rule.ts';

const plain: UnwindRule = {
  cfaKind: cfaKind.register,
  cfaRegister: 7,
  cfaOffset: 8,
  cfaAdd: 0,
  fpKind: fpKind.same,
  fpRegister: 0,
  fpOffset: 0,
  raKind: raKind.atCfa,
  raRegister: 0,
  raOffset: -8,
};

/** Directives that come before the one instruction of a function, and what holds there. */
const rows: readonly (readonly [name: string, directives: string, expected: Partial<UnwindRule> | string])[] =
  [
    ['nothing', '', {}],
    [
      'saved frame pointer',
      '.cfi_def_cfa_offset 16\n.cfi_offset rbp, -16',
      { cfaOffset: 16, fpKind: fpKind.atCfa, fpOffset: -16 },
    ],
    [
      'by frame pointer',
      '.cfi_def_cfa rbp, 16\n.cfi_offset rbp, -16',
      { cfaRegister: 6, cfaOffset: 16, fpKind: fpKind.atCfa, fpOffset: -16 },
    ],
    ['restored frame pointer', '.cfi_offset rbp, -16\n.cfi_restore rbp', {}],
    [
      'register, then offset',
      '.cfi_def_cfa_register rbp\n.cfi_def_cfa_offset 24',
      { cfaRegister: 6, cfaOffset: 24 },
    ],
    ['remembered', '.cfi_remember_state\n.cfi_def_cfa rbp, 16\n.cfi_restore_state', {}],
    ['saved rbx', '.cfi_def_cfa_offset 24\n.cfi_offset rbx, -24', { cfaOffset: 24, fpRegister: 0x100 - 3 }],
    ['rbx out of reach', '.cfi_offset rbx, -1024', { fpRegister: 0x80 }],
    ['restored rbx', '.cfi_offset rbx, -24\n.cfi_restore rbx', {}],
    ['rbx elsewhere', '.cfi_register rbx, r11', { fpRegister: 0x80 }],
    ['a register of the leaf', '.cfi_def_cfa r10, 0', { cfaRegister: 10, cfaOffset: 0 }],
    // gcc -mstackrealign: the CFA lies in the frame, and the frame pointer of the caller at the frame pointer.
    [
      'DRAP',
      '.cfi_escape 0x0f, 3, 0x76, 0x78, 6\n.cfi_escape 0x10, 6, 2, 0x76, 0',
      {
        cfaKind: cfaKind.dereference,
        cfaRegister: 6,
        cfaOffset: -8,
        fpKind: fpKind.atRegister,
        fpRegister: 6,
      },
    ],
    [
      'OpenSSL: breg, deref, plus',
      '.cfi_escape 0x0f, 6, 0x77, 0x98, 1, 6, 0x23, 8',
      { cfaKind: cfaKind.dereference, cfaOffset: 152, cfaAdd: 8 },
    ],
    [
      'OpenSSL: indexed',
      '.cfi_escape 0x0f, 10, 0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22, 6, 0x23, 8',
      { cfaKind: cfaKind.indexed, cfaAdd: 9 | (8 << 8) },
    ],
    ['breg', '.cfi_escape 0x0f, 2, 0x77, 0x28', { cfaOffset: 40 }],
    ['bregx and constants', '.cfi_escape 0x0f, 6, 0x92, 7, 0x10, 0x08, 16, 0x22', { cfaOffset: 32 }],
    ['minus', '.cfi_escape 0x0f, 4, 0x77, 0x10, 0x38, 0x1c', {}],
    ['expression, then register', '.cfi_escape 0x0f, 3, 0x77, 8, 6\n.cfi_def_cfa_register rsp', {}],
    [
      'PLT 11',
      '.cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22',
      { cfaKind: cfaKind.plt, cfaOffset: 11 },
    ],
    [
      'PLT 10',
      '.cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3a, 0x2a, 0x33, 0x24, 0x22',
      { cfaKind: cfaKind.plt, cfaOffset: 10 },
    ],
    [
      'frame pointer elsewhere',
      '.cfi_escape 0x10, 6, 2, 0x77, 0x20',
      { fpKind: fpKind.atRegister, fpRegister: 7, fpOffset: 32 },
    ],
    [
      'frame pointer at the CFA by expression',
      '.cfi_escape 0x10, 6, 2, 0x23, 0x10',
      { fpKind: fpKind.atCfa, fpOffset: 16 },
    ],
    [
      'frame pointer by value',
      '.cfi_escape 0x16, 6, 3, 0x77, 0x10, 6',
      { fpKind: fpKind.atRegister, fpRegister: 7, fpOffset: 16 },
    ],
    ['frame pointer in a register', '.cfi_register rbp, r11', { fpKind: fpKind.inRegister, fpRegister: 11 }],
    ['frame pointer is the CFA', '.cfi_val_offset rbp, 0', { fpKind: fpKind.unknown }],
    ['frame pointer lost', '.cfi_undefined rbp', { fpKind: fpKind.unknown }],
    // glibc's __vfork.
    [
      'return address in a register',
      '.cfi_register rip, rdi',
      { raKind: raKind.inRegister, raRegister: 5, raOffset: 0 },
    ],
    [
      'return address by its address',
      '.cfi_def_cfa rsp, 24\n.cfi_escape 0x10, 16, 2, 0x77, 8',
      { cfaOffset: 24, raOffset: -16 },
    ],
    [
      'return address far away',
      '.cfi_def_cfa rsp, 80000\n.cfi_offset rip, -79984',
      { cfaOffset: 80_000, raKind: raKind.atRegister, raRegister: 7, raOffset: 16 },
    ],
    // glibc's longjmp: the stack pointer of the caller is not the CFA.
    [
      'longjmp',
      '.cfi_def_cfa rdi, 0\n.cfi_register rsp, r8\n.cfi_register rbp, r9\n.cfi_register rip, rdx',
      {
        cfaRegister: 8,
        cfaOffset: 0,
        fpKind: fpKind.inRegister,
        fpRegister: 9,
        raKind: raKind.inRegister,
        raRegister: 1,
        raOffset: 0,
      },
    ],
    ['stack pointer is the CFA, said', '.cfi_val_offset rsp, 0', {}],
    ['arguments and windows', '.cfi_escape 0x2e, 16\n.cfi_window_save', {}],
    ['negative offset', '.cfi_escape 0x2f, 6, 2', { fpKind: fpKind.atCfa, fpOffset: 16 }],
    ['outermost', '.cfi_undefined rip', 'end'],
    ['stack pointer from memory', '.cfi_def_cfa rdx, 0\n.cfi_offset rsp, 160', 'unsupported'],
    ['unknown expression', '.cfi_escape 0x0f, 4, 0x77, 8, 6, 6', 'unsupported'],
    ['long expression', `.cfi_escape 0x0f, 70, 0x77, 8${', 0x96'.repeat(68)}`, 'unsupported'],
    ['return address the same', '.cfi_same_value rip', 'unsupported'],
    ['CFA out of range', '.cfi_escape 0x0c, 7, 0xff, 0xff, 0xff, 0xff, 0x3f', 'unsupported'],
    ['unknown instruction', '.cfi_escape 0x3f', 'unknown'],
    ['nothing remembered', '.cfi_escape 0x0b', 'unknown'],
  ];

test('each kind of row has its rule', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const functions = rows.map(([, directives], i) => {
    return `f${i}: .cfi_startproc\n nop\n${directives}\n nop\n.cfi_endproc\n .skip 32, 0x90\n`;
  });
  const program = buildProgram(
    'rows',
    'gcc',
    ['-nostdlib', '-static'],
    `.globl _start\n_start:\n${functions.join('')}`,
    's',
  );
  const [built, address] = [tableOf(program), symbolsOf(program)];
  for (const [i, [name, , expected]] of rows.entries()) {
    const wanted = typeof expected === 'string' ? expected : { ...plain, ...expected };
    assert.deepEqual(ruleAt(built, address(`f${i}`)), plain, `${name}, before`);
    assert.deepEqual(ruleAt(built, address(`f${i}`) + 1), wanted, name);
    assert.equal(ruleAt(built, address(`f${i}`) + 2), 'unknown', `${name}, after`);
  }
  assert.deepEqual(built.problems, { damaged_function: 2 });
});

test('states are remembered up to the limit', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const nested = (name: string, depth: number): string =>
    `${name}: .cfi_startproc\n nop\n${'.cfi_remember_state\n'.repeat(depth)}.cfi_def_cfa rbp, 16\n nop\n` +
    `${'.cfi_restore_state\n'.repeat(depth)} nop\n.cfi_endproc\n .skip 32, 0x90\n`;
  const source = `.globl _start\n_start:\n${nested('deep', 64)}${nested('deeper', 65)}`;
  const program = buildProgram('remember', 'gcc', ['-nostdlib', '-static'], source, 's');
  const [built, address] = [tableOf(program), symbolsOf(program)];
  assert.equal((ruleAt(built, address('deep') + 1) as UnwindRule).cfaRegister, 6);
  assert.deepEqual(ruleAt(built, address('deep') + 2), plain);
  assert.equal(ruleAt(built, address('deeper') + 1), 'unknown');
});

test('a signal frame that begins with its trampoline begins one byte earlier', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const source = `.globl _start
    _start: .skip 32, 0x90
    exact: .cfi_startproc
      .cfi_signal_frame
      mov $15, %rax
      syscall
      .cfi_endproc
      .skip 31, 0x90
    early: .cfi_startproc
      .cfi_signal_frame
      nop
      mov $15, %rax
      syscall
      .cfi_endproc
  `;
  const program = buildProgram('signal', 'gcc', ['-nostdlib', '-static'], source, 's');
  const [built, address] = [tableOf(program), symbolsOf(program)];
  const at = (name: string, offset: number): UnwindRule | string => ruleAt(built, address(name) + offset);
  assert.deepEqual(
    [-2, -1, 0, 8, 9].map((offset) => at('exact', offset)),
    ['unknown', 'signal', 'signal', 'signal', 'unknown'],
  );
  assert.deepEqual(
    [-1, 0, 9, 10].map((offset) => at('early', offset)),
    ['unknown', 'signal', 'signal', 'unknown'],
  );
});

test('of overlapping functions the one that begins last counts, of those that begin together the first', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const source = `.globl _start
    .macro cie
      .long 1f - 0f
    0: .long 0xffffffff
      .byte 3, 0
      .uleb128 1
      .sleb128 -8
      .uleb128 16
      .byte 0x0c, 7, 8, 0x90, 1
    1:
    .endm
    .macro fde start, length, offset
      .long 3f - 2f
    2: .long 0
      .quad \\start, \\length
      .byte 0x0e, \\offset
    3:
    .endm
    _start: .skip 100, 0x90
    .section .debug_frame, "", @progbits
    cie
    fde _start + 20, 20, 48
    fde _start, 60, 16
    fde _start + 20, 60, 32
  `;
  const program = buildProgram('overlap', 'gcc', ['-nostdlib', '-static'], source, 's');
  const [built, address] = [tableOf(program), symbolsOf(program)];
  const offsets = [0, 19, 20, 39, 40].map((offset) => ruleAt(built, address('_start') + offset));
  assert.deepEqual(
    offsets.map((rule) => (typeof rule === 'string' ? rule : rule.cfaOffset)),
    [16, 16, 48, 48, 'unknown'],
  );
  assert.deepEqual(built.problems, { overlapping_functions: 2 });
});

// SPDX-License-Identifier: Apache-2.0
//
// Code of arm64 that nobody describes: linkage tables, the entry point, trampolines, and a vDSO as older kernels make it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ruleAt, symbolsOf, tableOf } from './testing/binary-under-test.ts';
import { buildProgram, hasTool, manyFrames } from './testing/build-program.ts';
import { elfAt } from './testing/file-access.ts';
import { cfaKind, fpKind, raKind, type UnwindRule } from './unwind-rule.ts';

const compiler = 'aarch64-linux-gnu-gcc';
const leaf: UnwindRule = {
  cfaKind: cfaKind.register,
  cfaRegister: 31,
  cfaOffset: 0,
  cfaAdd: 0,
  fpKind: fpKind.same,
  fpRegister: 0,
  fpOffset: 0,
  raKind: raKind.inRegister,
  raRegister: 30,
  raOffset: 0,
};
const pushed: UnwindRule = { ...leaf, cfaOffset: 16, raKind: raKind.atCfa, raRegister: 0, raOffset: -8 };

/** CFA = register + size, both registers saved at its bottom. */
function framed(register: number, size: number): UnwindRule {
  const saved = {
    fpKind: fpKind.atCfa,
    fpOffset: -size,
    raKind: raKind.atCfa,
    raRegister: 0,
    raOffset: 8 - size,
  };
  return { ...leaf, cfaRegister: register, cfaOffset: size, ...saved };
}

test('linkage tables have the frame of the call, but for the push of entry 0', (t) => {
  if (!hasTool(t, compiler)) return;
  for (const flags of [[], ['-mbranch-protection=standard', '-Wl,-z,force-bti']]) {
    const program = buildProgram(
      `arm-plt-${flags.length}`,
      compiler,
      ['-O1', '-Wl,-z,lazy', ...flags],
      manyFrames,
    );
    const [built, section] = [tableOf(program), elfAt(program).section('.plt')!];
    const at = (offset: number): UnwindRule | string => ruleAt(built, Number(section.address) + offset);
    // With branch protection entry 0 begins with a bti.
    const push = flags.length * 2;
    assert.deepEqual(
      [at(push), at(push + 4), at(31), at(32), at(section.size - 1)],
      [leaf, pushed, pushed, leaf, leaf],
    );
  }
});

test('entry point and thread start of a C library without FDEs end, its sigreturn is a signal frame', (t) => {
  if (!hasTool(t, compiler)) return;
  const source = `
    .globl _start, after, trampoline, thread
    _start: mov x29, #0
      mov x30, #0
      mov x0, sp
      and sp, x0, #-16
      b after
    after: ret
      .skip 100
    trampoline: mov x8, #139
      svc #0
      .skip 100
    thread: ldp x1, x0, [sp], #16
      blr x1
      mov x8, #93
      svc #0
      .skip 100
  `;
  const program = buildProgram('arm-stubs', compiler, ['-nostdlib', '-static'], source, 's');
  const [built, address] = [tableOf(program), symbolsOf(program)];
  const at = (name: string, offset: number): UnwindRule | string => ruleAt(built, address(name) + offset);
  assert.deepEqual([at('_start', 0), at('after', -1), at('after', 0)], ['end', 'end', 'unknown']);
  const trampoline = [-2, -1, 0, 7, 8].map((offset) => at('trampoline', offset));
  const thread = [-1, 0, 7, 15, 16].map((offset) => at('thread', offset));
  assert.deepEqual(thread, ['unknown', 'end', 'end', 'end', 'unknown']);
  assert.deepEqual(trampoline, ['unknown', 'signal', 'signal', 'signal', 'unknown']);
});

test('functions of a vDSO without FDEs have rules by their code', (t) => {
  if (!hasTool(t, compiler)) return;
  const source = `
    .text
    .globl __kernel_clock_gettime, __kernel_getcpu, __kernel_rt_sigreturn
    .type __kernel_clock_gettime, %function
    .type __kernel_getcpu, %function
    .type __kernel_rt_sigreturn, %function
    __kernel_clock_gettime:
      cbz x1, 1f
      stp x29, x30, [sp, #-32]!
      mov x29, sp
      cbz x0, 2f
      nop
      ldp x29, x30, [sp], #32
      ret
    2: nop
      ldp x29, x30, [sp], #32
    1: ret
    .size __kernel_clock_gettime, . - __kernel_clock_gettime
    .skip 64
    __kernel_getcpu: mov x0, #0
      ret
    .size __kernel_getcpu, . - __kernel_getcpu
    .skip 64
    __kernel_rt_sigreturn: mov x8, #139
      svc #0
    .size __kernel_rt_sigreturn, . - __kernel_rt_sigreturn
  `;
  const program = buildProgram('arm-vdso', compiler, ['-nostdlib', '-shared'], source, 's');
  const [built, address] = [tableOf(program), symbolsOf(program)];
  const at = (name: string, offset: number): UnwindRule | string => ruleAt(built, address(name) + offset);
  const [bySp, byFp] = [framed(31, 32), framed(29, 32)];
  const expected = [leaf, leaf, bySp, byFp, byFp, byFp, leaf, byFp, byFp, leaf];
  for (const [i, rule] of expected.entries()) {
    assert.deepEqual(at('__kernel_clock_gettime', i * 4), rule, `instruction ${i}`);
  }
  assert.deepEqual(at('__kernel_getcpu', 4), leaf);
  assert.equal(at('__kernel_getcpu', -4), 'unknown');
  assert.deepEqual([at('__kernel_rt_sigreturn', -1), at('__kernel_rt_sigreturn', 4)], ['signal', 'signal']);
});

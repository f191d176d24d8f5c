// SPDX-License-Identifier: Apache-2.0
//
// The places that a table comes from, each alone and together: sections, program headers, .debug_frame with and without
// compression and in a separate file, the vDSO, and stubs that nobody describes.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, realpathSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { FormatError } from '../errors.ts';
import { ElfFile } from '../symbols/elf.ts';
import { memoryAccess } from '../symbols/random-access.ts';
import { type BuiltUnwindTable, buildUnwindTable, buildUnwindTableLimits } from './build-unwind-table.ts';
import { goUnwindRows } from './go-unwind-rows.ts';
import { ruleAt, symbolsOf, tableOf } from './testing/binary-under-test.ts';
import { buildProgram, hasTool, manyFrames, pathFor } from './testing/build-program.ts';
import { compareWithReadelf } from './testing/compare-with-readelf.ts';
import { elfAt } from './testing/file-access.ts';
import { readelfFunctions } from './testing/readelf-frames.ts';
import type { UnwindRule } from './unwind-rule.ts';
import { lookUpUnwindRule, type UnwindTable } from './unwind-table.ts';

function assertSameAsReadelf(table: UnwindTable, path: string, sectionName: string): void {
  const functions = readelfFunctions(path, sectionName, 'rbp');
  assert.ok(functions !== undefined && functions.length > 0, `${sectionName} has functions`);
  assert.deepEqual(compareWithReadelf(table, functions).different, []);
}

/** A program that has unwind information in .debug_frame alone, but for the little that comes with the C library. */
function debugFrameProgram(t: TestContext, name: string, ...flags: string[]): string | undefined {
  if (!hasTool(t, 'gcc') || !hasTool(t, 'readelf') || !hasTool(t, 'objcopy')) return undefined;
  const without = ['-fno-asynchronous-unwind-tables', '-fno-unwind-tables', '-fomit-frame-pointer'];
  return buildProgram(name, 'gcc', ['-O2', '-g', ...without, ...flags], manyFrames);
}

for (const compression of ['none', 'zlib', 'zstd']) {
  test(`.debug_frame, compression ${compression}, fills what .eh_frame leaves`, (t) => {
    const program = debugFrameProgram(t, `debug-frame-${compression}`);
    if (program === undefined) return;
    if (compression !== 'none') {
      execFileSync('objcopy', [`--compress-debug-sections=${compression}`, program]);
    }
    const { table, problems } = tableOf(program);
    assertSameAsReadelf(table, program, '.debug_frame');
    assertSameAsReadelf(table, program, '.eh_frame');
    assert.deepEqual(problems, {});
  });
}

test('.debug_frame of DWARF 3 and of 64-bit DWARF is read', (t) => {
  for (const flag of ['-gdwarf-3', '-gdwarf64']) {
    const program = debugFrameProgram(t, `debug-frame${flag}`, flag);
    if (program === undefined) return;
    assertSameAsReadelf(tableOf(program).table, program, '.debug_frame');
  }
});

test('.debug_frame of the separate debug file is used', (t) => {
  const program = debugFrameProgram(t, 'separate');
  if (program === undefined) return;
  const [stripped, debug] = [pathFor('separate.stripped'), pathFor('separate.debug')];
  execFileSync('objcopy', ['--only-keep-debug', program, debug]);
  execFileSync('objcopy', ['--strip-all', program, stripped]);
  assert.deepEqual(tableOf(stripped, debug), tableOf(program));
  const main = symbolsOf(program)('early');
  assert.notEqual(ruleAt(tableOf(program), main), 'unknown');
  assert.equal(ruleAt(tableOf(stripped), main), 'unknown', 'it is nowhere else');
});

test('where .eh_frame says something .debug_frame is not asked', (t) => {
  if (!hasTool(t, 'clang-19') || !hasTool(t, 'objcopy')) return;
  const program = buildProgram('both', 'clang-19', ['-O2', '-fforce-dwarf-frame'], manyFrames);
  const alone = pathFor('both.eh');
  execFileSync('objcopy', ['--remove-section=.debug_frame', program, alone]);
  assert.ok(elfAt(program).section('.debug_frame') !== undefined);
  assert.deepEqual(tableOf(program), tableOf(alone));
});

test('a file without section headers has the same table', (t) => {
  for (const path of ['/usr/bin/bash', '/usr/lib/x86_64-linux-gnu/libc.so.6']) {
    const bytes = new Uint8Array(readFileSync(path));
    new DataView(bytes.buffer).setBigUint64(40, 0n, true);
    new DataView(bytes.buffer).setUint16(60, 0, true);
    const elf = new ElfFile(memoryAccess(bytes));
    assert.equal(elf.hasSections, false);
    assert.ok(isDeepStrictEqual(buildUnwindTable(elf), tableOf(path)));
    t.diagnostic(path);
  }
});

test('the vDSO of this process has a table', (t) => {
  const mapping = /^([0-9a-f]+)-([0-9a-f]+) .*\[vdso\]$/m.exec(readFileSync('/proc/self/maps', 'latin1'));
  if (mapping === null || process.arch !== 'x64') return t.skip('no [vdso] of x86-64 is mapped');
  const start = Number.parseInt(mapping[1]!, 16);
  const image = new Uint8Array(Number.parseInt(mapping[2]!, 16) - start);
  const memory = openSync('/proc/self/mem', 'r');
  readSync(memory, image, 0, image.byteLength, start);
  closeSync(memory);
  const path = pathFor('vdso.so');
  writeFileSync(path, image);
  assertSameAsReadelf(tableOf(path).table, path, '.eh_frame');
});

test('a Go binary has the rows of pclntab, where no FDE is', (t) => {
  const found = spawnSync('which', ['gofmt'], { encoding: 'utf8' }).stdout.trim();
  if (found === '') return t.skip('gofmt is not installed');
  const path = realpathSync(found);
  const rows = goUnwindRows(elfAt(path));
  if (rows === undefined) return t.skip(`${path} is no Go binary`);
  const built = tableOf(path);
  for (const [i, address] of rows.addresses.entries()) {
    const rule: number = rows.rowRules[i]!;
    const expected: UnwindRule | number | undefined = rule < 0x8000 ? rows.rules[rule] : rule;
    const index = lookUpUnwindRule(built.table, address);
    assert.deepEqual(index < 0x8000 ? ruleAt(built, address) : index, expected, `0x${address.toString(16)}`);
  }
  t.diagnostic(`${rows.addresses.length} rows`);
});

test('linkage tables by lld, which writes no FDE for them, are as by GNU ld, which does', (t) => {
  if (!hasTool(t, 'clang-19') || !hasTool(t, 'ld.lld-19')) return;
  const flags = ['-O1', '-Wl,-z,lazy', '-Wl,-z,norelro'];
  for (const extra of [[], ['-fcf-protection=full', '-Wl,-z,force-ibt']]) {
    const lld = buildProgram(
      `lld-${extra.length}`,
      'clang-19',
      [...flags, ...extra, '-fuse-ld=lld-19'],
      manyFrames,
    );
    const gnuExtra = extra.map((flag) => flag.replace('force-ibt', 'ibtplt'));
    const gnu = buildProgram(`gnu-${extra.length}`, 'gcc', [...flags, ...gnuExtra], manyFrames);
    for (const name of ['.plt', '.plt.sec']) {
      const [ours, theirs] = [elfAt(lld).section(name), elfAt(gnu).section(name)];
      assert.equal(ours === undefined, theirs === undefined);
      if (ours === undefined || theirs === undefined) continue;
      for (let offset = 0; offset < Math.min(ours.size, theirs.size); offset++) {
        const found = ruleAt(tableOf(lld), Number(ours.address) + offset);
        assert.deepEqual(found, ruleAt(tableOf(gnu), Number(theirs.address) + offset), `${name}+${offset}`);
      }
    }
  }
});

test('stubs of a C library without any FDE: entry point and thread start end, sigreturn is a signal frame', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const source = `
    .globl _start, after, trampoline, thread
    _start: xor %rbp, %rbp
      mov %rsp, %rdi
      .weak _DYNAMIC
      lea after(%rip), %rsi
      andq $-16, %rsp
      call after
    after: ret
      .skip 100, 0x90
    trampoline: mov $15, %rax
      syscall
      .skip 100, 0x90
    thread: xor %ebp, %ebp
      pop %rdi
      call *%r9
      mov %eax, %edi
      xor %eax, %eax
      mov $60, %al
      syscall
      hlt
  `;
  const program = buildProgram('stubs', 'gcc', ['-nostdlib', '-static'], source, 's');
  const result = tableOf(program);
  const [start, after, trampoline, thread] = ['_start', 'after', 'trampoline', 'thread'].map(
    symbolsOf(program),
  );
  assert.equal(ruleAt(result, start!), 'end');
  assert.equal(ruleAt(result, after! - 1), 'end', 'the call belongs to it');
  assert.equal(ruleAt(result, after!), 'unknown');
  assert.equal(ruleAt(result, trampoline! - 2), 'unknown');
  assert.equal(ruleAt(result, trampoline! - 1), 'signal', 'callers are looked up one byte early');
  assert.equal(ruleAt(result, trampoline! + 8), 'signal');
  assert.equal(ruleAt(result, trampoline! + 9), 'unknown');
  assert.deepEqual(
    [-1, 0, 5, 13, 14].map((offset) => ruleAt(result, thread! + offset)),
    ['unknown', 'end', 'end', 'end', 'unknown'],
  );
});

const gapSource = `
  .text
  .globl _start, bare, plain, distant
  _start: .cfi_startproc
    .cfi_undefined rip
    call plain
    hlt
    .cfi_endproc
  bare: .skip 64, 0x90
    ret
  plain: .cfi_startproc
    push %rbx
    .cfi_adjust_cfa_offset 8
    pop %rbx
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
    .skip 40, 0x90
  .section .far, "ax", @progbits
  distant: .cfi_startproc
    ret
    .cfi_endproc
`;

test('code without information between functions is unknown', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const program = buildProgram('gap', 'gcc', ['-nostdlib', '-static'], gapSource, 's');
  const address = symbolsOf(program);
  const result = tableOf(program);
  assert.equal(ruleAt(result, address('_start')), 'end');
  assert.equal(ruleAt(result, address('bare')), 'unknown');
  assert.equal((ruleAt(result, address('plain') + 1) as UnwindRule).cfaOffset, 16);
  assert.equal(ruleAt(result, address('plain') + 4), 'unknown');
});

test('segments far apart make no large index', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const flags = ['-nostdlib', '-static', '-Wl,--section-start=.far=0x40000000'];
  const program = buildProgram('far', 'gcc', flags, gapSource, 's');
  const result = tableOf(program);
  assert.deepEqual(Object.keys(result.problems), ['pages_over_limit']);
  assert.ok(result.table.pageRule.length < 100);
  assert.equal((ruleAt(result, symbolsOf(program)('plain') + 1) as UnwindRule).cfaOffset, 16);
});

test('functions of discarded sections, and others outside of the code, are left out and counted', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const source = `
    .globl _start
    _start: .cfi_startproc
      ret
      .cfi_endproc
    .section .debug_frame, "", @progbits
    .Lcie: .long 1f - 0f
    0: .long 0xffffffff
      .byte 3, 0
      .uleb128 1
      .sleb128 -8
      .uleb128 16
      .byte 0x0c, 7, 8, 0x90, 1
    1: .macro fde start, length
      .long 3f - 2f
    2: .long 0
      .quad \\start, \\length
    3:
      .endm
    fde 0, 16
    fde 1, 16
    fde -1, 16
    fde 0x7fffffffffff, 16
    fde _start, 0
    fde _start, 0x7fffffffffff
  `;
  const { problems } = tableOf(buildProgram('discarded', 'gcc', ['-nostdlib', '-static'], source, 's'));
  assert.deepEqual(problems, { discarded_function: 1, function_outside_code: 4, empty_function: 1 });
});

test('a file for another machine, and one that says nothing, have no table', () => {
  const bytes = new Uint8Array(readFileSync('/usr/bin/bash'));
  bytes[18] = 40;
  assert.equal(buildUnwindTable(new ElfFile(memoryAccess(bytes))), undefined);
});

test('an .eh_frame over the limit, or outside of the file, is a FormatError when there is nothing else', () => {
  const elf = elfAt('/usr/bin/bash');
  const limits = { ...buildUnwindTableLimits, maxSectionBytes: 1000 };
  assert.throws(() => buildUnwindTable(elf, undefined, limits), FormatError);
  const cut = new Uint8Array(readFileSync('/usr/bin/bash')).subarray(0, 4096);
  assert.throws(() => buildUnwindTable(new ElfFile(memoryAccess(cut))), FormatError);
});

test('limits of functions, CIEs and work leave the rest out and are counted', () => {
  const elf = elfAt('/usr/bin/bash');
  const whole = buildUnwindTable(elf)!.table.rowRule.length;
  const limited = (limits: Partial<typeof buildUnwindTableLimits>): BuiltUnwindTable =>
    buildUnwindTable(elf, undefined, { ...buildUnwindTableLimits, ...limits })!;
  for (const [limits, reason] of [
    [{ maxFunctions: 100 }, 'functions_over_limit'],
    [{ maxCommonEntries: 1 }, 'cies_over_limit'],
    [{ maxRunsPerByte: 0.5 }, 'work_over_limit'],
    [{ maxRows: 1000 }, 'rows_over_limit'],
    [{ maxPages: 20 }, 'pages_over_limit'],
    [{ maxRules: 10 }, 'rules_over_limit'],
    [{ maxAugmentationBytes: 1 }, 'damaged_cie'],
    [{ maxCommonEntryBytes: 8 }, 'damaged_cie'],
  ] as const) {
    const { table, problems } = limited(limits);
    assert.ok(problems[reason]! > 0, `${reason}: ${JSON.stringify(problems)}`);
    assert.ok(table.rowRule.length <= whole);
  }
  assert.equal(limited({ maxRows: 1000 }).table.rowRule.length, 1000);
});

// SPDX-License-Identifier: Apache-2.0
//
// Tables against readelf, row by row: whatever binutils' interpreter says about an address, the table must say too. On
// binaries of the distribution, and on programs built here with the flags that make frames special.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { buildUnwindTable } from './build-unwind-table.ts';
import { buildProgram, exceptions, hasTool, manyFrames } from './testing/build-program.ts';
import { type Comparison, compareWithReadelf } from './testing/compare-with-readelf.ts';
import { elfAt } from './testing/file-access.ts';
import { readelfFunctions } from './testing/readelf-frames.ts';

/** What no rule can say, in readelf's words: the stack pointer is loaded from memory. */
const setcontext = 'cfa rdx+0 fp c+120 ra c+168';

/** Rust's compiler driver or cargo, wherever rustup put it. */
function rustBinary(): string {
  const { stdout } = spawnSync('rustc', ['--print', 'sysroot'], { encoding: 'utf8' });
  return join(stdout?.trim() || '/nonexistent', 'bin', 'cargo');
}

const libraries = '/usr/lib/x86_64-linux-gnu';
const distribution: readonly (readonly [path: string, unsupportedRows: number])[] = [
  [join(libraries, 'libc.so.6'), 1],
  [join(libraries, 'libcrypto.so.3'), 0],
  [join(libraries, 'libstdc++.so.6'), 0],
  [join(libraries, 'libgcc_s.so.1'), 0],
  [join(libraries, 'libgcrypt.so.20'), 0],
  ['/lib64/ld-linux-x86-64.so.2', 0],
  ['/usr/bin/bash', 0],
  ['/usr/bin/python3.11', 0],
  ['/usr/bin/openssl', 0],
  [process.execPath, 0],
  [rustBinary(), 0],
];

/** No header, no library: whatever clang is installed can build it for arm64. */
const armFreestanding = `
volatile int sink;
__attribute__((noinline)) int leaf(int x) { return x * 3 + sink; }
__attribute__((noinline)) int large(int x) { volatile char b[70000]; for (int i = 0; i < x; i++) b[i] = i; return leaf(b[7]) + b[8]; }
__attribute__((noinline)) int variable(int n) { volatile char b[n]; b[n / 2] = 1; return large(n) + b[n / 3]; }
__attribute__((noinline)) int recursive(int n) { return n == 0 ? variable(33) : recursive(n - 1) * 3 + leaf(n); }
void _start(void) { sink = recursive(5); for (;;); }
`;

function compare(path: string, sectionName = '.eh_frame', framePointer = 'rbp'): Comparison {
  const built = buildUnwindTable(elfAt(path));
  const functions = readelfFunctions(path, sectionName, framePointer);
  assert.ok(built !== undefined && functions !== undefined);
  return compareWithReadelf(built.table, functions);
}

function assertSame(t: TestContext, comparison: Comparison, unsupportedRows = 0): void {
  const { equal, unsupported, different } = comparison;
  assert.deepEqual(different.slice(0, 10), [], `${different.length} of ${equal} rows differ`);
  assert.ok(equal > 0, 'readelf found rows');
  const what = [...unsupported.keys()].map((key) => key.trim());
  assert.deepEqual(what, unsupportedRows === 0 ? [] : [setcontext]);
  t.diagnostic(`${equal} rows`);
}

for (const [path, unsupportedRows] of distribution) {
  test(`rows of ${path.split('/').at(-1)} are readelf's`, (t) => {
    if (!hasTool(t, 'readelf')) return;
    if (!existsSync(path)) return t.skip(`${path} is not on this machine`);
    assertSame(t, compare(realpathSync(path)), unsupportedRows);
  });
}

const omit = '-fomit-frame-pointer';
const cPrograms: readonly (readonly [name: string, flags: readonly string[]])[] = [
  ['o2', ['-O2', omit]],
  ['o3-avx', ['-O3', omit, '-mavx2']],
  ['o0', ['-O0']],
  ['os', ['-Os', omit]],
  ['realigned', ['-O2', omit, '-mstackrealign', '-mincoming-stack-boundary=3']],
  ['static-pie', ['-O2', omit, '-static-pie']],
  ['static', ['-O2', omit, '-static']],
  ['lazy-plt', ['-O2', omit, '-Wl,-z,lazy', '-fcf-protection=full', '-Wl,-z,ibtplt']],
  ['sections', ['-O2', omit, '-ffunction-sections', '-Wl,--gc-sections']],
];

for (const compiler of ['gcc', 'clang-19']) {
  for (const [name, flags] of cPrograms) {
    // clang knows neither of these, and its own realignment comes with -mstackrealign.
    const known = flags.filter((flag) => compiler === 'gcc' || !flag.startsWith('-mincoming'));
    test(`rows of C by ${compiler}, ${known.join(' ')}, are readelf's`, (t) => {
      if (!hasTool(t, 'readelf') || !hasTool(t, compiler)) return;
      assertSame(t, compare(buildProgram(`${name}-${compiler}`, compiler, known, manyFrames)));
    });
  }
}

for (const compiler of ['g++', 'clang++-19']) {
  for (const flags of [
    ['-O2', omit],
    ['-O3', omit, '-static-pie'],
  ]) {
    test(`rows of C++ by ${compiler}, ${flags.join(' ')}, are readelf's`, (t) => {
      if (!hasTool(t, 'readelf') || !hasTool(t, compiler)) return;
      const name = `exceptions-${compiler}-${flags.length}`;
      assertSame(t, compare(buildProgram(name, compiler, flags, exceptions, 'cc')));
    });
  }
}

const armPrograms: readonly (readonly [string, readonly string[], 'c' | 'cc'])[] = [
  ['aarch64-linux-gnu-gcc', ['-O2'], 'c'],
  ['aarch64-linux-gnu-gcc', ['-O2', '-fomit-frame-pointer', '-static', '-mbranch-protection=standard'], 'c'],
  ['aarch64-linux-gnu-g++', ['-O3', '-static-pie'], 'cc'],
];

for (const [compiler, flags, language] of armPrograms) {
  test(`rows for arm64 by ${compiler}, ${flags.join(' ')}, are readelf's`, (t) => {
    if (!hasTool(t, 'readelf') || !hasTool(t, compiler)) return;
    const source = language === 'c' ? manyFrames : exceptions;
    const program = buildProgram(`arm-${flags.length}-${language}`, compiler, flags, source, language);
    assertSame(t, compare(program, '.eh_frame', 'x29'));
  });
}

test('rows for arm64 by clang, without a C library, are readelf’s', (t) => {
  if (!hasTool(t, 'readelf') || !hasTool(t, 'clang-19') || !hasTool(t, 'ld.lld-19')) return;
  const flags = [
    '--target=aarch64-linux-gnu',
    '-O2',
    '-nostdlib',
    '-ffreestanding',
    '-fuse-ld=lld-19',
    '-funwind-tables',
  ];
  assertSame(t, compare(buildProgram('arm-clang', 'clang-19', flags, armFreestanding), '.eh_frame', 'x29'));
});

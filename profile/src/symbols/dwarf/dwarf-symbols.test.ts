// SPDX-License-Identifier: Apache-2.0
//
// The reader against LLVM's symbolizer, address by address, on programs of several compilers, versions and forms.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, isAbsolute, join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { ElfFile, sectionType } from '../elf.ts';
import { type DwarfFiles, DwarfSymbols } from './dwarf-symbols.ts';
import { inflate, openFileAccess } from './testing/file-access.ts';
import {
  compare,
  framesOf,
  llvmSymbolizer,
  symbolizeWithLlvm,
  textAddresses,
} from './testing/llvm-symbolizer.ts';
import { cProgram, cppHeader, cppMain, cppOther, goProgram, rustProgram } from './testing/programs.ts';

const addressesPerProgram = 4000;
const directory = mkdtempSync(join(tmpdir(), 'hearthscope-dwarf-'));
const opened: { close(): void }[] = [];
after(() => {
  for (const access of opened) access.close();
  rmSync(directory, { recursive: true });
});
for (const [name, text] of Object.entries({
  'program.h': cppHeader,
  'main.cpp': cppMain,
  'other.cpp': cppOther,
  'program.c': cProgram,
  'program.rs': rustProgram,
  'program.go': goProgram,
})) {
  writeFileSync(join(directory, name), text);
}

function run(tool: string, ...args: string[]): void {
  execFileSync(tool, args, { cwd: directory, stdio: 'pipe' });
}

/** Compiles the C++ program; `name` may have a folder, for what the compiler leaves beside it. */
function buildCpp(compiler: string, name: string, ...flags: string[]): string {
  const output = join(directory, name);
  run(compiler, '-std=c++17', '-g', ...flags, 'main.cpp', 'other.cpp', '-o', output);
  return output;
}

function hasTools(t: TestContext, ...tools: string[]): boolean {
  for (const tool of [llvmSymbolizer, ...tools]) {
    try {
      execFileSync(tool, [tool === 'go' ? 'version' : '--version'], { stdio: 'pipe' });
    } catch {
      t.skip(`${tool} is not installed`);
      return false;
    }
  }
  return true;
}

function open(path: string): ElfFile {
  const access = openFileAccess(path);
  opened.push(access);
  return new ElfFile(access, { allowRelocatable: true });
}

function openDwo(name: string, compDir: string): ElfFile | undefined {
  const path = isAbsolute(name) ? name : join(compDir, name);
  return existsSync(path) ? open(path) : undefined;
}

function symbolsOf(path: string, files: Omit<DwarfFiles, 'debug'> = { openDwo }, kind?: 'linkage' | 'short') {
  const symbols = DwarfSymbols.open(
    { debug: open(path), ...files },
    {},
    { inflate, ...(kind && { functionNames: kind }) },
  );
  assert.ok(symbols !== undefined, `${path} has debug information`);
  return symbols;
}

/**
 * A copy whose symbol tables LLVM does not see: it would name the outermost functions from them instead of from DWARF.
 */
function withoutSymbols(path: string): string {
  const image = new Uint8Array(readFileSync(path));
  const view = new DataView(image.buffer);
  const headersAt = Number(view.getBigUint64(40, true));
  for (const { index, type } of open(path).sections) {
    const isSymbols = type === sectionType.symtab || type === sectionType.dynsym;
    if (isSymbols) view.setUint32(headersAt + 64 * index + 4, sectionType.progbits, true);
  }
  const copy = join(directory, `${basename(path)}.masked`);
  writeFileSync(copy, image);
  return copy;
}

/** All addresses agree with LLVM, and enough of them have lines. */
function assertAgrees(path: string, kind: 'linkage' | 'short' = 'linkage'): void {
  const addresses = textAddresses(open(path), addressesPerProgram, 1);
  const symbols = symbolsOf(path, { openDwo }, kind);
  const theirs = symbolizeWithLlvm(withoutSymbols(path), addresses, kind);
  const agreement = compare(addresses, symbols.lookUp(addresses), theirs);
  assert.deepEqual(agreement.disagreed, {}, path);
  assert.deepEqual(symbols.problems, {}, path);
  assert.equal(agreement.symbolNames, 0);
  assert.ok(agreement.withLines > addressesPerProgram / 4, `${agreement.withLines} addresses have lines`);
}

/** All addresses have the same frames in both. */
function assertSame(path: string, other: string, files: Omit<DwarfFiles, 'debug'>): void {
  const addresses = textAddresses(open(path), addressesPerProgram, 2);
  const expected = symbolsOf(path).lookUp(addresses);
  const symbols = symbolsOf(other, files);
  const found = symbols.lookUp(addresses);
  assert.deepEqual(symbols.problems, {});
  for (let i = 0; i < addresses.length; i++) {
    assert.deepEqual(framesOf(found, i), framesOf(expected, i), `0x${addresses[i]!.toString(16)}`);
  }
  assert.ok(expected.names.length > addresses.length / 2);
}

for (const version of [2, 3, 4, 5]) {
  for (const [compiler, level] of [
    ['gcc', '-O2'],
    ['clang-19', '-O2'],
  ] as const) {
    test(`C, DWARF ${version}, ${compiler}`, (t) => {
      if (!hasTools(t, compiler)) return;
      const output = join(directory, `c-${compiler}-${version}`);
      run(compiler, '-g', `-gdwarf-${version}`, level, 'program.c', '-o', output);
      assertAgrees(output);
    });
  }
}

for (const compiler of ['g++', 'clang++-19']) {
  for (const flags of [
    '-gdwarf-5 -O0',
    '-gdwarf-5 -O2',
    '-gdwarf-5 -O3',
    '-gdwarf-4 -O0',
    '-gdwarf-4 -O2',
    '-gdwarf-5 -gdwarf64 -O2',
    '-gdwarf-4 -fdebug-types-section -O1',
    '-gdwarf-5 -fdebug-types-section -O1',
    '-gdwarf-5 -ffunction-sections -Wl,--gc-sections -O2',
    '-g1 -O2',
    '-gz=zlib -O2',
    '-gsplit-dwarf -gdwarf-4 -O2',
    '-gsplit-dwarf -gdwarf-5 -O2',
  ]) {
    test(`C++, ${compiler} ${flags}`, (t) => {
      if (!hasTools(t, compiler)) return;
      const path = buildCpp(
        compiler,
        `cpp-${compiler}-${flags.replace(/[^\w]+/g, '-')}`,
        ...flags.split(' '),
      );
      assertAgrees(path);
      if (flags.endsWith('-gdwarf-5 -O2')) assertAgrees(path, 'short');
    });
  }
}

test('link-time optimisation refers to functions across units', (t) => {
  if (hasTools(t, 'g++')) assertAgrees(buildCpp('g++', 'lto', '-flto', '-O2'));
});

test('zstd', (t) => {
  if (!hasTools(t, 'clang++-19', 'llvm-objcopy-19')) return;
  const path = buildCpp('clang++-19', 'zstd', '-O2');
  run('llvm-objcopy-19', '--compress-debug-sections=zstd', path);
  assertAgrees(path);
});

test('sections compressed as GNU tools did before the ELF standard had it', (t) => {
  if (!hasTools(t, 'g++')) return;
  const plain = buildCpp('g++', 'gnu-plain', '-O2');
  const packed = buildCpp('g++', 'gnu-packed', '-O2', '-gz=zlib-gnu');
  assertSame(plain, packed, {});
});

test('addresses of a kernel, which are above 2^53', (t) => {
  if (!hasTools(t, 'gcc')) return;
  for (const version of ['4', '5']) {
    const output = join(directory, `kernel-${version}`);
    const source = join(directory, 'kernel.c');
    writeFileSync(
      source,
      'static inline int square(int x) { return x * x + 3; }\n' +
        '__attribute__((noinline)) int f(int a) { int s = 0; for (int i = 0; i < a; i++) s += square(i) ^ a; return s; }\n' +
        'void _start(void) { volatile int z = f(3); for (;;) z += f(z); }\n',
    );
    const kernelFlags = ['-mcmodel=kernel', '-fno-pic', '-no-pie', '-nostdlib', '-static'];
    run(
      'gcc',
      '-g',
      `-gdwarf-${version}`,
      '-O2',
      '-ffunction-sections',
      ...kernelFlags,
      '-Wl,-Ttext=0xffffffff81000000',
      source,
      '-o',
      output,
    );
    assertAgrees(output);
  }
});

for (const version of [4, 5]) {
  test(`package of split units, DWARF ${version}`, (t) => {
    // LLVM 19's packager does not end on GCC's DWARF 5.
    if (!hasTools(t, 'clang++-19', 'llvm-dwp-19')) return;
    const plain = buildCpp('clang++-19', `unsplit-${version}`, `-gdwarf-${version}`, '-O2');
    mkdirSync(join(directory, `package-${version}`));
    const split = buildCpp(
      'clang++-19',
      `package-${version}/program`,
      `-gdwarf-${version}`,
      '-gsplit-dwarf',
      '-O2',
    );
    run('llvm-dwp-19', '-e', split, '-o', `${split}.dwp`);
    assertSame(plain, split, { dwp: open(`${split}.dwp`) });
  });
}

test('without its split units a binary still has lines', (t) => {
  if (!hasTools(t, 'clang++-19')) return;
  const path = buildCpp('clang++-19', 'lost', '-gsplit-dwarf', '-fno-split-dwarf-inlining', '-O2');
  const symbols = symbolsOf(path, {});
  const frames = symbols.lookUp(textAddresses(open(path), 500, 1));
  assert.deepEqual(symbols.problems, { split_unit_missing: 2 });
  assert.ok(frames.names.length > 100);
  assert.ok(frames.names.every((name) => name === ''));
  assert.ok(frames.files.some((file) => file.endsWith('/main.cpp')));
});

test('what dwz takes out of several files is found in the file that they share', (t) => {
  if (!hasTools(t, 'g++', 'dwz')) return;
  for (const version of [4, 5]) {
    const plain = buildCpp('g++', `dwz-${version}`, `-gdwarf-${version}`, '-O2');
    const names = [1, 2].map((copy) => `dwz-${version}-${copy}`);
    for (const name of names) buildCpp('g++', name, `-gdwarf-${version}`, '-O2');
    run('dwz', '-m', `dwz-${version}.shared`, ...names);
    const shared = join(directory, `dwz-${version}.shared`);
    assertSame(plain, join(directory, names[0]!), { alternate: open(shared) });
    const alone = symbolsOf(join(directory, names[0]!), {});
    alone.lookUp(textAddresses(open(plain), 500, 1));
    assert.ok((alone.problems.alternate_file_missing ?? 0) > 0);
  }
});

test('Rust', (t) => {
  if (!hasTools(t, 'rustc')) return;
  run('rustc', '-g', '-O', 'program.rs', '-o', join(directory, 'rust'));
  assertAgrees(join(directory, 'rust'));
});

test('Go', (t) => {
  if (!hasTools(t, 'go')) return;
  run('go', 'build', '-o', join(directory, 'go'), 'program.go');
  assertAgrees(join(directory, 'go'));
});

test('the C library of the distribution', (t) => {
  if (!hasTools(t)) return;
  const root = '/usr/lib/debug/.build-id';
  const files = existsSync(root)
    ? readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.debug'))
        .map((name) => join(root, name))
    : [];
  const largest = files
    .map((path) => ({ path, size: statSync(path).size }))
    .filter(({ size }) => size < 2 ** 23);
  largest.sort((a, b) => b.size - a.size);
  if (largest.length === 0) return t.skip('no debug files are installed (apt install libc6-dbg)');
  assertAgrees(largest[0]!.path);
});

test('any order of addresses, and the least memory', (t) => {
  if (!hasTools(t, 'g++')) return;
  const path = buildCpp('g++', 'order', '-O2');
  const addresses = textAddresses(open(path), 1000, 3);
  const symbols = symbolsOf(path);
  const expected = symbols.lookUp(addresses);
  const reversed = symbols.lookUp(BigUint64Array.from(addresses).reverse());
  for (let i = 0; i < addresses.length; i++) {
    assert.deepEqual(framesOf(reversed, addresses.length - 1 - i), framesOf(expected, i));
  }
  // The least memory gives the same answers, only slower.
  const small = DwarfSymbols.open({ debug: open(path) }, { maxBytes: 1 })!;
  for (let i = 0; i < addresses.length; i += 50) {
    assert.deepEqual(framesOf(small.lookUp(addresses.subarray(i, i + 1)), 0), framesOf(expected, i));
  }
});

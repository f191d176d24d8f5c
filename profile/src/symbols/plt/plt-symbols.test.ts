// SPDX-License-Identifier: Apache-2.0
//
// PLT names against the labels that objdump gives, on distribution binaries and on what several linkers make.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { FormatError } from '../../errors.ts';
import { ElfFile, sectionType } from '../elf.ts';
import { readElfSymbols } from '../elf-symbols.ts';
import type { NameCompression } from '../name-store.ts';
import { memoryAccess } from '../random-access.ts';
import { readPltSymbols } from './plt-symbols.ts';

const deflate: NameCompression = {
  compress: (bytes) => deflateRawSync(bytes, { level: 1 }),
  decompress: (bytes) => inflateRawSync(bytes),
};
const directory = mkdtempSync(join(tmpdir(), 'hearthscope-plt-'));
after(() => rmSync(directory, { recursive: true }));

function missing(t: TestContext, ...tools: string[]): boolean {
  const absent = tools.find((tool) => spawnSync(tool, ['--version']).error !== undefined);
  if (absent !== undefined) t.skip(`${absent} is not installed`);
  return absent !== undefined;
}

/** Ranges of stubs as objdump labels them: start, name, and the address after the last instruction. */
function objdump(tool: string, path: string): { name: string; start: bigint; instructions: bigint[] }[] {
  const sections = ['.plt', '.plt.sec', '.plt.got', '.iplt'].flatMap((name) => ['-j', name]);
  const text = spawnSync(tool, ['-d', '--no-show-raw-insn', ...sections, path], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  }).stdout;
  const stubs: { name: string; start: bigint; instructions: bigint[] }[] = [];
  for (const line of text.split('\n')) {
    const label = /^([0-9a-f]+) <(.*)>:$/.exec(line);
    if (label !== null) stubs.push({ name: label[2]!, start: BigInt(`0x${label[1]}`), instructions: [] });
    const instruction = /^\s+([0-9a-f]+):\t(\S*)/.exec(line);
    if (instruction !== null && !['nop', 'nopl', 'nopw', 'xchg', 'int3'].includes(instruction[2]!)) {
      stubs.at(-1)?.instructions.push(BigInt(`0x${instruction[1]}`));
    }
  }
  return stubs.filter(({ name }) => name.endsWith('@plt') && !name.startsWith('*ABS*'));
}

function compare(path: string, tool = 'objdump'): number {
  const file = new ElfFile(memoryAccess(readFileSync(path)));
  const { table: symbols } = readElfSymbols([file], deflate);
  const table = readPltSymbols(file, (address) => symbols.namesAt(BigUint64Array.of(address))[0]!, deflate);
  const expected = objdump(tool, path);
  for (const { name, start, instructions } of expected) {
    assert.ok(instructions.length > 0);
    for (const address of instructions) {
      const found = table?.namesAt(BigUint64Array.of(address))[0] ?? '';
      assert.equal(found, name.replace(/@[^@]*@plt$/, '@plt'), `${path}: ${address.toString(16)}`);
    }
    assert.equal(table!.range(table!.find(start)).start, start, `${name} begins where its label is`);
  }
  return expected.length;
}

const distributionBinaries = [
  '/bin/bash',
  '/usr/bin/python3.11',
  '/usr/bin/perl',
  '/usr/bin/openssl',
  '/lib/x86_64-linux-gnu/libstdc++.so.6',
  '/lib/x86_64-linux-gnu/libcrypto.so.3',
  process.execPath,
];

test('stubs of distribution binaries are those of objdump', (t) => {
  if (missing(t, 'objdump')) return;
  const found: string[] = [];
  for (const path of distributionBinaries) {
    if (!existsSync(path)) continue;
    found.push(`${path} ${compare(realpathSync(path))}`);
  }
  if (found.length === 0) t.skip('none of the binaries is here');
  t.diagnostic(found.join(', '));
});

const source = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
  char *copy = malloc(strlen(argv[0]) + 1);
  void (*volatile f)(void *) = free;   /* free has a slot of its own kind besides: .plt.got with some linkers */
  strcpy(copy, argv[0]); puts(copy); qsort(copy, argc, 1, (int (*)(const void *, const void *))strcmp);
  free(copy); f(0); return atoi(argv[0]);
}
`;

function build(name: string, compiler: string, flags: readonly string[]): string {
  const input = join(directory, 'program.c');
  const output = join(directory, name);
  writeFileSync(input, source);
  execFileSync(compiler, ['-O1', '-fno-builtin', '-o', output, input, ...flags], { stdio: 'pipe' });
  return output;
}

const x86Links: Record<string, readonly string[]> = {
  lazy: ['-Wl,-z,lazy'],
  now: ['-Wl,-z,now'],
  'non-pie': ['-no-pie', '-Wl,-z,lazy'],
  ibt: ['-fcf-protection=full', '-Wl,-z,ibtplt,-z,lazy'],
  'ibt-now': ['-fcf-protection=full', '-Wl,-z,ibtplt,-z,now'],
  shared: ['-shared', '-fPIC'],
  gold: ['-fuse-ld=gold'],
};
for (const [name, flags] of Object.entries(x86Links)) {
  test(`stubs of a program linked ${name} are those of objdump`, (t) => {
    if (missing(t, 'gcc', 'objdump', ...(name === 'gold' ? ['ld.gold'] : []))) return;
    const found = compare(build(name, 'gcc', flags));
    t.diagnostic(`${found} stubs`);
    if (name !== 'now' && name !== 'ibt-now') assert.ok(found >= 5);
  });
}

for (const [name, flags] of Object.entries({
  lld: ['-Wl,-z,lazy'],
  'lld-ibt': ['-fcf-protection=full', '-Wl,-z,force-ibt'],
})) {
  test(`stubs of a program linked ${name} are those of objdump`, (t) => {
    if (missing(t, 'clang-19', 'ld.lld-19', 'objdump')) return;
    const found = compare(build(name, 'clang-19', ['-fuse-ld=lld-19', ...flags]));
    t.diagnostic(`${found} stubs`);
    assert.ok(found >= 5);
  });
}

for (const [name, flags] of Object.entries({
  arm64: ['-Wl,-z,lazy'],
  'arm64-bti': ['-mbranch-protection=standard', '-Wl,-z,force-bti'],
  'arm64-pac': ['-mbranch-protection=standard', '-Wl,-z,force-bti,-z,pac-plt'],
})) {
  test(`stubs of a program for ${name} are those of objdump`, (t) => {
    if (missing(t, 'aarch64-linux-gnu-gcc', 'aarch64-linux-gnu-objdump')) return;
    const found = compare(build(name, 'aarch64-linux-gnu-gcc', flags), 'aarch64-linux-gnu-objdump');
    t.diagnostic(`${found} stubs`);
    assert.ok(found >= 5);
  });
}

test('the lazy stubs beside .plt.sec have names as well, the first stub has none', (t) => {
  if (missing(t, 'gcc')) return;
  const path = build('lazy-ibt', 'gcc', ['-fcf-protection=full', '-Wl,-z,ibtplt,-z,lazy']);
  const file = new ElfFile(memoryAccess(readFileSync(path)));
  const table = readPltSymbols(file, () => '', deflate)!;
  const { address, size } = file.section('.plt')!;
  const starts = BigUint64Array.from({ length: size / 16 }, (_, i) => address + BigInt(i * 16));
  const [first, ...others] = table.namesAt(starts);
  assert.equal(first, '');
  assert.ok(others.length >= 5 && others.every((name) => name.endsWith('@plt')), others.join());
});

test("a static program's stubs have the names of what their resolvers choose", (t) => {
  if (missing(t, 'gcc')) return;
  const file = new ElfFile(memoryAccess(readFileSync(build('static', 'gcc', ['-static']))));
  const { table: symbols } = readElfSymbols([file], deflate);
  const table = readPltSymbols(file, (address) => symbols.namesAt(BigUint64Array.of(address))[0]!, deflate);
  const names = Array.from({ length: table?.size ?? 0 }, (_, row) => table!.name(row));
  assert.ok(names.includes('strlen@plt'), names.join());
});

test('damaged bytes never do more than throw a FormatError', (t) => {
  if (missing(t, 'gcc')) return;
  const bytes = new Uint8Array(readFileSync(build('damaged', 'gcc', ['-s', '-Wl,-z,lazy'])));
  const intact = new ElfFile(memoryAccess(bytes));
  // Bytes that matter: headers, sections of stubs and relocations, symbols.
  const interesting = intact.sections
    .filter(({ name, type }) => name.includes('plt') || name.includes('rela') || type === sectionType.dynsym)
    .map(({ offset, size }) => [offset, size] as const);
  interesting.push([bytes.byteLength - 64 * intact.sections.length, 64 * intact.sections.length]);
  let refused = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      (changes) => {
        const damaged = bytes.slice();
        for (const [where, at, value] of changes) {
          const [offset, size] = interesting[where % interesting.length]!;
          damaged[offset + (at % Math.max(size, 1))] = value;
        }
        try {
          const file = new ElfFile(memoryAccess(damaged));
          readPltSymbols(file, () => 'x', deflate);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          refused++;
        }
      },
    ),
    { numRuns: 2000 },
  );
  t.diagnostic(`${refused} of 2000 refused`);
});

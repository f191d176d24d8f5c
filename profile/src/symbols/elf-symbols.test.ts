// SPDX-License-Identifier: Apache-2.0
//
// The reader against readelf and llvm-symbolizer, on the binaries of this machine and on programs built here.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { FormatError } from '../errors.ts';
import { ElfFile, type ElfSection, virtualAddressOf } from './elf.ts';
import { hasSymtab, readElfSymbols } from './elf-symbols.ts';
import type { NameCompression } from './name-store.ts';
import { memoryAccess, type RandomAccess } from './random-access.ts';

const deflate: NameCompression = {
  compress: (b) => deflateRawSync(b, { level: 1 }),
  decompress: (b) => inflateRawSync(b),
};
const directory = mkdtempSync(join(tmpdir(), 'hearthscope-elf-'));
after(() => rmSync(directory, { recursive: true }));

const source = `
static volatile int sink;
static __attribute__((noinline)) int inner(int x) { return x * 3 + 1; }
__attribute__((noinline)) int outer(int x) { return inner(x) ^ 5; }
__attribute__((weak, noinline)) int weak_one(int x) { return x - 7; }
int outer_alias(int) __attribute__((alias("outer")));
__asm__(".text\\n.globl bare\\nbare: nop\\nnop\\nret\\n.Linside: ret\\njump_label: nop\\n.globl bare_end\\nbare_end:\\n ret\\n");
int main(int argc, char **argv) { (void)argv; sink = outer(argc) + weak_one(argc); return 0; }
`;

function build(name: string, flags: readonly string[], code = source): string {
  const input = join(directory, `${name}.c`);
  const output = join(directory, name);
  writeFileSync(input, code);
  execFileSync('gcc', ['-O1', '-o', output, input, ...flags], { stdio: 'pipe' });
  return output;
}

function hasTool(t: TestContext, tool: string): boolean {
  try {
    execFileSync(tool, ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    t.skip(`${tool} is not installed`);
    return false;
  }
}

function fileAccess(path: string): RandomAccess {
  return {
    byteLength: statSync(path).size,
    read(offset, length) {
      const descriptor = openSync(path, 'r');
      try {
        const bytes = new Uint8Array(length);
        return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset));
      } finally {
        closeSync(descriptor);
      }
    },
  };
}

interface ForeignSymbol {
  start: bigint;
  size: bigint;
  type: string;
  binding: string;
  name: string;
}

/** Defined functions and typeless symbols as readelf lists them. */
function readelf(path: string): ForeignSymbol[] {
  const text = execFileSync('readelf', ['-sW', path], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return text.split('\n').flatMap((line) => {
    const match =
      /^\s*\d+: ([0-9a-f]+)\s+(\d+|0x[0-9a-f]+) (FUNC|IFUNC|NOTYPE)\s+(\w+)\s+\w+\s+(?:\[.*\] )?(\d+) (.+)$/.exec(
        line,
      );
    if (match === null) return [];
    const name = match[6]!.replace(/(.)@.*$/, '$1').trim();
    return [
      { start: BigInt(`0x${match[1]}`), size: BigInt(match[2]!), type: match[3]!, binding: match[4]!, name },
    ];
  });
}

/** Every function readelf knows has its name at its first and last byte; between functions there is none. */
function compareWithReadelf(path: string): { functions: number; gaps: number } {
  const { table, problems } = readElfSymbols([new ElfFile(fileAccess(path))], deflate);
  assert.deepEqual(problems, []);
  const symbols = readelf(path);
  const functions = symbols.filter(({ type, size }) => type !== 'NOTYPE' && size > 0n);
  const namesByStart = new Map<bigint, Set<string>>();
  for (const { start, name } of symbols) {
    if (!namesByStart.has(start)) namesByStart.set(start, new Set());
    namesByStart.get(start)!.add(name);
  }
  const sorted = functions.toSorted((a, b) =>
    a.start < b.start ? -1 : a.start > b.start ? 1 : Number(a.size - b.size),
  );

  const firstBytes = table.namesAt(BigUint64Array.from(sorted, ({ start }) => start));
  const lastBytes = table.namesAt(BigUint64Array.from(sorted, ({ start, size }) => start + size - 1n));
  for (const [i, symbol] of sorted.entries()) {
    assert.ok(
      namesByStart.get(symbol.start)!.has(firstBytes[i]!),
      `${path}: ${symbol.name} is shown as ${firstBytes[i]}`,
    );
    if (lastBytes[i] === firstBytes[i]) continue;
    const row = table.find(symbol.start + symbol.size - 1n);
    const isNested = row >= 0 && table.range(row).start > symbol.start;
    const isLongerAlias = sorted.some((other) => other.start === symbol.start && other.size !== symbol.size);
    assert.ok(
      isNested || isLongerAlias,
      `${path}: the last byte of ${symbol.name} is shown as ${lastBytes[i]}`,
    );
  }

  const sizeless = symbols.filter(({ size }) => size === 0n).map(({ name }) => name);
  const sizelessNames = new Set(sizeless);
  let gaps = 0;
  let covered = 0n;
  for (const { start, size } of sorted) {
    if (start > covered && covered > 0n) {
      gaps++;
      const [name] = table.namesAt(BigUint64Array.of(covered));
      assert.ok(
        name === '' || sizelessNames.has(name!),
        `${path}: the gap at ${covered.toString(16)} is shown as ${name}`,
      );
    }
    if (start + size > covered) covered = start + size;
  }
  return { functions: functions.length, gaps };
}

const programs: Record<string, readonly string[]> = {
  pie: ['-pie', '-fPIE'],
  'non-pie': ['-no-pie'],
  static: ['-static'],
  'static-pie': ['-static-pie', '-fPIE'],
  'function-sections': ['-ffunction-sections', '-fdata-sections'],
  'no-build-id': ['-Wl,--build-id=none'],
  'long-build-id': ['-Wl,--build-id=0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'],
  shared: ['-shared', '-fPIC'],
  'separate-code': ['-Wl,-z,noseparate-code'],
  elf32: [
    '-m32',
    '-nostdlib',
    '-static',
    '-fno-pie',
    '-no-pie',
    '-Wl,-e,outer',
    '-Wl,--unresolved-symbols=ignore-all',
  ],
};

for (const [name, flags] of Object.entries(programs)) {
  test(`symbols of a program built ${name} are those of readelf`, (t) => {
    if (!hasTool(t, 'gcc') || !hasTool(t, 'readelf')) return;
    const path = build(name, flags);
    const { functions } = compareWithReadelf(path);
    assert.ok(functions >= 4);

    const elf = new ElfFile(fileAccess(path));
    const [, buildId] =
      /Build ID: ([0-9a-f]+)/.exec(execFileSync('readelf', ['-n', path], { encoding: 'utf8' })) ?? [];
    assert.equal(elf.buildId, buildId ?? '');
    const { table } = readElfSymbols([elf], deflate);
    const symbols = readelf(path);
    const at = (symbol: string, distance = 0n): string => {
      const found = symbols.find((candidate) => candidate.name === symbol)!;
      return table.namesAt(BigUint64Array.of(found.start + distance))[0]!;
    };
    assert.equal(at('outer'), 'outer', 'the shorter alias');
    assert.equal(at('inner'), 'inner');
    assert.equal(at('bare', 2n), 'bare', 'assembly without a size');
    assert.equal(at('bare', 4n), 'bare', 'a local label does not cut it');
    assert.equal(at('bare_end'), 'bare_end');
  });
}

test('a stripped program has the names of its dynamic symbols only', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const dynamic = new ElfFile(fileAccess(build('stripped-dynamic', ['-s', '-rdynamic'])));
  const { table } = readElfSymbols([dynamic], deflate);
  assert.ok(!hasSymtab(dynamic));
  const names = Array.from({ length: table.size }, (_, row) => table.name(row));
  assert.ok(names.includes('outer') && names.includes('main') && !names.includes('inner'));
  const none = readElfSymbols(
    [new ElfFile(fileAccess(build('stripped-static', ['-s', '-static'])))],
    deflate,
  );
  assert.equal(none.table.size, 0);
});

test('a symbol without a size does not reach into a function that only .eh_frame knows', (t) => {
  if (!hasTool(t, 'gcc') || !hasTool(t, 'nm') || !hasTool(t, 'strip')) return;
  const path = build(
    'open-end',
    ['-shared', '-fPIC', '-fno-toplevel-reorder'],
    `__asm__(".text\\n.globl bare\\nbare: nop\\nnop\\nret\\n");
static __attribute__((noinline)) int hidden(int x) { return x * 3 + 1; }
int visible(int x) { return hidden(x) ^ 5; }
`,
  );
  const addressOf = (name: string): bigint => {
    const symbols = execFileSync('nm', [path], { encoding: 'utf8' });
    return BigInt(`0x${new RegExp(`^([0-9a-f]+) [tT] ${name}$`, 'm').exec(symbols)![1]}`);
  };
  const [bare, hidden, visible] = ['bare', 'hidden', 'visible'].map(addressOf);
  assert.ok(bare! < hidden! && hidden! < visible!, 'one behind the other');
  execFileSync('strip', [path]);
  const { table } = readElfSymbols([new ElfFile(fileAccess(path))], deflate);
  const addresses = BigUint64Array.of(bare!, hidden! - 1n, hidden!, hidden! + 4n, visible!);
  assert.deepEqual(table.namesAt(addresses), ['bare', 'bare', '', '', 'visible']);
});

test('more sections than a 16-bit index can count', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const count = 66_000;
  const input = join(directory, 'sections.s');
  const output = join(directory, 'sections');
  const script = join(directory, 'sections.ld');
  let assembly = '';
  let layout = '';
  for (let i = 0; i < count; i++) {
    assembly += `.section .t${i},"ax"\n.globl f${i}\n.type f${i},@function\nf${i}: ret\n.size f${i},1\n`;
    layout += `.t${i} : { *(.t${i}) }\n`;
  }
  writeFileSync(input, assembly);
  writeFileSync(script, `ENTRY(f0)\nSECTIONS {\n. = 0x400000;\n${layout}}\n`);
  execFileSync(
    'gcc',
    ['-nostdlib', '-static', '-Wl,-T', script, '-Wl,--build-id=none', '-o', output, input],
    { stdio: 'pipe' },
  );
  const elf = new ElfFile(fileAccess(output));
  assert.ok(elf.sections.length > 0xff00);
  const { table } = readElfSymbols([elf], deflate);
  assert.equal(table.size, count);
  assert.equal(new Set(Array.from({ length: count }, (_, row) => table.name(row))).size, count);
});

const systemBinaries = [
  process.execPath,
  '/bin/bash',
  '/lib/x86_64-linux-gnu/libc.so.6',
  '/lib/x86_64-linux-gnu/libstdc++.so.6',
  '/lib/x86_64-linux-gnu/libcrypto.so.3',
  '/lib64/ld-linux-x86-64.so.2',
].map((path) => (existsSync(path) ? realpathSync(path) : path));

for (const path of systemBinaries) {
  test(`symbols of ${path} are those of readelf`, (t) => {
    if (!existsSync(path)) return t.skip('this machine does not have it');
    if (!hasTool(t, 'readelf')) return;
    const { functions, gaps } = compareWithReadelf(path);
    t.diagnostic(`${functions} functions, ${gaps} gaps`);
    assert.ok(functions > 10);
  });

  test(`names in ${path} are those of llvm-symbolizer`, (t) => {
    if (!existsSync(path)) return t.skip('this machine does not have it');
    if (!hasTool(t, 'llvm-symbolizer-19') || !hasTool(t, 'objcopy')) return;
    const copy = withoutDebugInformation(path);
    const elf = new ElfFile(fileAccess(copy));
    const { table } = readElfSymbols([elf], deflate);
    const executable = elf.sections.filter(({ flags, type }) => (flags & 4) !== 0 && type === 1);
    const bytes = executable.reduce((sum, { size }) => sum + size, 0);
    const addresses: bigint[] = [];
    for (let i = 0; i < 4000; i++) {
      // A low-discrepancy sequence over all code: the same addresses in every run.
      addresses.push(addressAt(executable, Math.floor(((i * 0.6180339887498949) % 1) * bytes)));
    }
    const output = execFileSync(
      'llvm-symbolizer-19',
      [
        '--no-demangle',
        '--no-inlines',
        '--functions=linkage',
        '--no-debuginfod',
        '--output-style=GNU',
        `--obj=${copy}`,
      ],
      {
        input: addresses.map((address) => `0x${address.toString(16)}\n`).join(''),
        encoding: 'utf8',
        maxBuffer: 1 << 26,
      },
    ).split('\n');
    const starts = new Map<string, bigint[]>();
    for (const { name, start } of readelf(copy)) starts.set(name, [...(starts.get(name) ?? []), start]);
    const ours = table.namesAt(BigUint64Array.from(addresses));
    let same = 0;
    let unknown = 0;
    const different: string[] = [];
    for (const [i, address] of addresses.entries()) {
      const theirs = output[i * 2]!.replace(/(.)@.*$/, '$1');
      const row = table.find(address);
      const isAlias = row >= 0 && (starts.get(theirs)?.includes(table.range(row).start) ?? false);
      if (theirs === '??' && ours[i] === '') unknown++;
      else if (theirs === ours[i] || isAlias) same++;
      else different.push(`${address.toString(16)}: ${ours[i] || '?'} and ${theirs}`);
    }
    t.diagnostic(
      `${same} the same, ${unknown} unknown to both, ${different.length} different: ${different.slice(0, 5).join('; ')}`,
    );
    assert.deepEqual(different, []);
  });
}

/** The address of a position in the concatenated contents of sections. */
function addressAt(sections: readonly ElfSection[], position: number): bigint {
  let rest = position;
  for (const { address, size } of sections) {
    if (rest < size) return address + BigInt(rest);
    rest -= size;
  }
  throw new RangeError(`position ${position} lies after the last section`);
}

/** A copy with symbols but without DWARF and without what leads to it, since llvm-symbolizer would prefer that. */
function withoutDebugInformation(path: string): string {
  const copy = join(directory, 'without-debug');
  execFileSync('objcopy', ['-g', '-R', '.gnu_debuglink', '-R', '.note.gnu.build-id', path, copy], {
    stdio: 'pipe',
  });
  return copy;
}

test('file offsets are translated as the loader places them', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const elf = new ElfFile(fileAccess(build('non-pie-offsets', ['-no-pie'])));
  const text = elf.segments.find(({ isExecutable }) => isExecutable)!;
  assert.equal(virtualAddressOf(elf.segments, text.fileOffset + 5n), text.address + 5n);
  assert.equal(virtualAddressOf(elf.segments, 0xffff_ffffn), undefined);
  const shared = [
    { fileOffset: 0n, fileSize: 0x1000n, address: 0n, isExecutable: false },
    { fileOffset: 0x800n, fileSize: 0x1000n, address: 0x2800n, isExecutable: true },
  ];
  assert.equal(virtualAddressOf(shared, 0x900n), 0x2900n, 'code wins where segments overlap');
  assert.equal(virtualAddressOf(shared, 0x700n), 0x700n);
});

test('what is no file of ours is refused with its reason', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const bytes = readFileSync(build('refused', []));
  const refused = (input: Uint8Array, message: RegExp): void => {
    assert.throws(
      () => new ElfFile(memoryAccess(input)),
      (error) => error instanceof FormatError && message.test(error.message),
    );
  };
  const changed = (change: (view: DataView) => void): Uint8Array => {
    const copy = new Uint8Array(bytes);
    change(new DataView(copy.buffer));
    return copy;
  };
  refused(new Uint8Array(0), /identification of 16 bytes lies outside the file of 0 at byte 0/);
  refused(bytes.subarray(0, 20), /header of 64 bytes/);
  refused(
    changed((view) => view.setUint8(0, 0)),
    /no ELF file/,
  );
  refused(
    changed((view) => view.setUint8(4, 3)),
    /unknown class 3 at byte 4/,
  );
  refused(
    changed((view) => view.setUint8(5, 2)),
    /only little-endian/,
  );
  refused(
    changed((view) => view.setUint16(16, 1, true)),
    /type 1 is neither/,
  );
  refused(
    changed((view) => view.setUint16(56, 0xffff, true)),
    /more than 4096 program headers/,
  );
  refused(
    changed((view) => view.setUint16(54, 8, true)),
    /program header size 8 is too small/,
  );
  refused(
    changed((view) => view.setBigUint64(32, 1n << 60n, true)),
    /over 2\^53 at byte 32/,
  );
  refused(
    changed((view) => view.setBigUint64(32, 1n << 40n, true)),
    /program header table of \d+ bytes lies outside/,
  );
});

test('a damaged section table leaves the addresses; a damaged section leaves the others', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const bytes = readFileSync(build('damaged', ['-rdynamic']));
  const cut = Buffer.from(bytes);
  cut.writeBigUInt64LE(1n << 40n, 40);
  const elf = new ElfFile(memoryAccess(cut));
  assert.ok(elf.segments.length > 0 && elf.buildId !== '');
  assert.throws(() => readElfSymbols([elf], deflate), FormatError);

  const sound = new ElfFile(memoryAccess(bytes));
  const symtab = sound.sections.find(({ type }) => type === 2)!;
  const damaged = Buffer.from(bytes);
  const header = Number(bytes.readBigUInt64LE(40)) + symtab.index * 64;
  damaged.writeUInt32LE(0xfffffff0, header + 40);
  const { table, problems } = readElfSymbols([new ElfFile(memoryAccess(damaged))], deflate);
  assert.match(problems.join(), /section 4294967280 is no string table/);
  assert.ok(
    Array.from({ length: table.size }, (_, row) => table.name(row)).includes('outer'),
    'from .dynsym',
  );

  const huge = Buffer.from(bytes);
  huge.writeBigUInt64LE(1n << 52n, header + 32);
  assert.match(
    readElfSymbols([new ElfFile(memoryAccess(huge))], deflate).problems.join(),
    /lies outside the file/,
  );
});

/** A small deterministic generator, so that a failure can be repeated. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

test('damaged bytes never do more than throw a FormatError', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const original = readFileSync(build('fuzzed', ['-rdynamic']));
  const sectionHeaders = Number(original.readBigUInt64LE(40));
  const extremes = [
    0n,
    1n,
    0x7fn,
    0xffn,
    0xffffn,
    0x7fff_ffffn,
    0xffff_ffffn,
    0x1f_ffff_ffff_ffffn,
    0xffff_ffff_ffff_ffffn,
  ];
  const random = generator(20260101);
  const pick = (limit: number): number => Math.floor(random() * limit);
  let refusedFiles = 0;
  for (let i = 0; i < 6000; i++) {
    let bytes = Buffer.from(original);
    for (let change = pick(4); change >= 0; change--) {
      const area = pick(3);
      const at =
        area === 0
          ? pick(64)
          : area === 1
            ? sectionHeaders + pick(bytes.length - sectionHeaders)
            : pick(bytes.length);
      if (random() < 0.5) bytes[at] = pick(256);
      else if (at + 8 <= bytes.length) bytes.writeBigUInt64LE(extremes[pick(extremes.length)]!, at);
    }
    if (random() < 0.1) bytes = bytes.subarray(0, pick(bytes.length));
    try {
      const { table } = readElfSymbols([new ElfFile(memoryAccess(bytes))], deflate);
      for (let row = 0; row < table.size; row++) {
        table.name(row);
        assert.ok(table.range(row).limit > table.range(row).start);
      }
      assert.ok(table.byteLength < 4 * original.length);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      refusedFiles++;
    }
  }
  t.diagnostic(`${refusedFiles} of 6000 refused`);
  assert.ok(refusedFiles > 100 && refusedFiles < 5900);
});

test('names that overlap in the string table cannot blow up a small file', (t) => {
  if (!hasTool(t, 'gcc')) return;
  // 50 000 symbols whose names all begin inside one long string.
  const symbols = 50_000;
  const names = Buffer.alloc(16_384 + symbols, 0x61);
  names[0] = 0;
  const original = readFileSync(build('overlapping', ['-Wl,--build-id=none']));
  const elf = new ElfFile(memoryAccess(original));
  const text = elf.sections.find(({ flags, size }) => (flags & 4) !== 0 && size > 64)!;
  const symtab = elf.sections.find(({ type }) => type === 2)!;
  const entries = Buffer.alloc(symbols * 24);
  for (let i = 0; i < symbols; i++) {
    entries.writeUInt32LE(1 + i, i * 24);
    entries[i * 24 + 4] = 0x12;
    entries.writeUInt16LE(text.index, i * 24 + 6);
    entries.writeBigUInt64LE(text.address + BigInt(i % 64), i * 24 + 8);
    entries.writeBigUInt64LE(1n, i * 24 + 16);
  }
  const headers = Number(original.readBigUInt64LE(40));
  const head = Buffer.from(original);
  const place = (index: number, offset: number, size: number): void => {
    head.writeBigUInt64LE(BigInt(offset), headers + index * 64 + 24);
    head.writeBigUInt64LE(BigInt(size), headers + index * 64 + 32);
  };
  place(symtab.index, original.length, entries.length);
  place(symtab.link, original.length + entries.length, names.length);
  const hostile = Buffer.concat([head, entries, names]);
  const { table } = readElfSymbols([new ElfFile(memoryAccess(hostile))], deflate);
  assert.ok(table.size >= 64);
  assert.ok(table.byteLength < 2_000_000);
});

// SPDX-License-Identifier: Apache-2.0
//
// All sources of names together, on real binaries: which one wins, and how far the whole agrees with LLVM's symbolizer.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { FormatError } from '../errors.ts';
import { type BinaryFiles, type BinaryFrames, BinarySymbols } from './binary-symbols.ts';
import {
  type ComparedFrame,
  framesOf,
  llvmSymbolizer,
  symbolizeWithLlvm,
  textAddresses,
} from './dwarf/testing/llvm-symbolizer.ts';
import { ElfFile } from './elf.ts';
import type { NameCompression } from './name-store.ts';
import { memoryAccess } from './random-access.ts';

const deflate: NameCompression = {
  compress: (bytes) => deflateRawSync(bytes, { level: 1 }),
  decompress: (bytes) => inflateRawSync(bytes),
};
const directory = mkdtempSync(join(tmpdir(), 'hearthscope-binary-'));
after(() => rmSync(directory, { recursive: true }));

const open = (path: string): ElfFile => new ElfFile(memoryAccess(readFileSync(path)));

function read(files: BinaryFiles, lines = true): BinarySymbols {
  return BinarySymbols.read(files, { compression: deflate, lines, demangle: 'full' });
}

function missing(t: TestContext, ...tools: string[]): boolean {
  const absent = tools.find((tool) => spawnSync(tool, ['--version']).error !== undefined);
  if (absent !== undefined) t.skip(`${absent} is not installed`);
  return absent !== undefined;
}

const source = `
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>
namespace work {
template <typename T> struct Pile {
  std::vector<T> items;
  void put(const T &item) { items.push_back(item); }
  __attribute__((noinline)) T sum() const { T total{}; for (const T &item : items) total += item; return total; }
};
inline int twice(int x) { return x * 2 + 1; }
inline int fourTimes(int x) { return twice(twice(x)); }
__attribute__((noinline)) int outer(int x) { return fourTimes(x) ^ 5; }
}
extern "C" __attribute__((noinline)) int plain(int x) { if (x > 100) throw x; return x - 7; }
int main(int argc, char **argv) {
  work::Pile<std::string> words;
  work::Pile<double> numbers;
  for (int i = 0; i < argc; i++) { words.put(argv[i]); numbers.put(i); }
  std::sort(words.items.begin(), words.items.end());
  std::printf("%s %f %d\\n", words.sum().c_str(), numbers.sum(), work::outer(plain(argc)));
}
`;

function build(name: string, flags: readonly string[], compiler = 'g++'): string {
  const input = join(directory, 'program.cpp');
  const output = join(directory, name);
  writeFileSync(input, source);
  execFileSync(compiler, ['-O2', '-o', output, input, ...flags], { stdio: 'pipe' });
  return output;
}

function addressOf(path: string, symbol: string): bigint {
  const line = execFileSync('nm', [path], { encoding: 'utf8', maxBuffer: 1 << 28 })
    .split('\n')
    .find((text) => text.endsWith(` ${symbol}`));
  return BigInt(`0x${line!.split(' ')[0]}`);
}

/** Starts of the symbols of each name, to tell aliases from differences, and the names that have a size. */
function symbolsOf(path: string): { starts: Map<string, Set<string>>; sized: Set<string> } {
  const starts = new Map<string, Set<string>>();
  const sized = new Set<string>();
  for (const flags of [['-aS'], ['-DS']]) {
    const { stdout } = spawnSync('nm', [...flags, path], { encoding: 'utf8', maxBuffer: 1 << 28 });
    for (const [, start, size, name] of stdout.matchAll(
      /^([0-9a-f]+) ([0-9a-f]+ )?\w ([^@\n]+)(?:@.*)?$/gm,
    )) {
      if (!starts.has(name!)) starts.set(name!, new Set());
      starts.get(name!)!.add(start!);
      if (size !== undefined) sized.add(name!);
    }
  }
  return { starts, sized };
}

/** Addresses at which an answer differs from LLVM's in names, files or lines. Aliases of one symbol are the same. */
function differences(path: string, addresses: BigUint64Array, ours: BinaryFrames): string[] {
  const { starts, sized } = symbolsOf(path);
  const isAlias = (a: string, b: string): boolean =>
    [...(starts.get(a) ?? [])].some((start) => starts.get(b)?.has(start));
  const isSame = (mine: ComparedFrame, theirs: ComparedFrame): boolean => {
    const name = theirs.name.replace(/(.)@.*$/, '$1');
    // For local symbols LLVM shows the name of the source file, without a line.
    const isFileOfSymbol = theirs.line === 0 && mine.file === '';
    return (
      (mine.name === name || isAlias(mine.name, name)) &&
      (isFileOfSymbol || mine.file === theirs.file) &&
      mine.line === theirs.line
    );
  };
  return symbolizeWithLlvm(path, addresses, 'linkage').flatMap((theirs, i) => {
    const mine = framesOf(ours, i);
    if (mine.length === theirs.length && mine.every((frame, j) => isSame(frame, theirs[j]!))) return [];
    // LLVM has no names for stubs, and stretches symbols without a size over what follows.
    const isStretched = theirs.length === 1 && theirs[0]!.line === 0 && !sized.has(theirs[0]!.name);
    const isStub = mine.length === 1 && mine[0]!.name.endsWith('@plt');
    if ((mine.length === 0 || isStub) && (theirs.length === 0 || isStretched)) return [];
    return [`${addresses[i]!.toString(16)}: ${JSON.stringify(mine)} and ${JSON.stringify(theirs)}`];
  });
}

const builds: Record<string, readonly string[]> = {
  'g++ -g': ['-g'],
  'g++ -g without symbols': ['-g'],
  'g++ -g -gz': ['-g', '-gz=zlib'],
  'g++ -g1': ['-g1'],
  'g++ without -g': [],
  'clang++ -g': ['-g'],
  'clang++ -gdwarf-4': ['-gdwarf-4'],
};
for (const [name, flags] of Object.entries(builds)) {
  test(`names, chains, files and lines are those of LLVM: ${name}`, (t) => {
    const compiler = name.startsWith('clang') ? 'clang++-19' : 'g++';
    if (missing(t, compiler, llvmSymbolizer, 'nm', 'objcopy')) return;
    const path = build(name.replaceAll(' ', '-'), flags, compiler);
    if (name.endsWith('without symbols')) {
      // DWARF alone: what .symtab would name has the names of DWARF.
      execFileSync('objcopy', ['--strip-symbol=plain', '--strip-symbol=main', path], { stdio: 'pipe' });
    }
    const binary = open(path);
    const symbols = read({ binary });
    const addresses = textAddresses(binary, 3000, 1);
    const answer = symbols.lookUp(addresses);
    const different = differences(path, addresses, answer);
    t.diagnostic(`${answer.names.length} frames, ${different.length} of 3000 addresses different`);
    assert.deepEqual(different.slice(0, 3), []);
    assert.deepEqual(symbols.takeProblems(), {});
  });
}

test('a chain of inlined functions, with demangled names', (t) => {
  if (missing(t, 'g++', 'nm')) return;
  const path = build('chain', ['-g']);
  const symbols = read({ binary: open(path) });
  const start = addressOf(path, '_ZN4work5outerEi');
  const { frameStart, names, displayNames, files, lines, startLines } = symbols.lookUp(
    BigUint64Array.of(start),
  );
  assert.deepEqual(displayNames.slice(frameStart[0], frameStart[1]), [
    'work::twice(int)',
    'work::fourTimes(int)',
    'work::outer(int)',
  ]);
  assert.equal(names.at(-1), '_ZN4work5outerEi');
  assert.ok(files.every((file) => file === join(directory, 'program.cpp')));
  assert.deepEqual([...lines], [12, 13, 14]);
  assert.deepEqual([...startLines], [12, 13, 14]);
  const withoutLines = read({ binary: open(path) }, false).lookUp(BigUint64Array.of(start));
  assert.deepEqual([withoutLines.displayNames, [...withoutLines.lines]], [['work::outer(int)'], [0]]);
});

test('a stripped binary with its debug file, either alone, and neither', (t) => {
  if (missing(t, 'g++', 'nm', 'objcopy', 'strip')) return;
  const path = build('whole', ['-g', '-rdynamic']);
  const debug = join(directory, 'whole.debug');
  const stripped = join(directory, 'stripped');
  execFileSync('objcopy', ['--only-keep-debug', path, debug]);
  execFileSync('strip', ['-o', stripped, path]);
  const addresses = BigUint64Array.of(
    addressOf(path, 'plain'),
    open(path).section('.plt')!.address + 20n,
    8n,
  );
  const whole = read({ binary: open(path) }).lookUp(addresses);
  assert.equal(whole.displayNames[0], 'plain');
  assert.match(whole.displayNames.at(-1)!, /@plt$/);
  assert.equal(whole.frameStart[3], whole.frameStart[2], 'an address outside of all code');
  assert.deepEqual(read({ binary: open(stripped), debug: open(debug) }).lookUp(addresses), whole);
  const debugOnly = read({ debug: open(debug) }).lookUp(addresses);
  assert.deepEqual(debugOnly.displayNames, whole.displayNames.slice(0, -1), 'stubs have no names there');
  assert.deepEqual(debugOnly.lines, whole.lines.subarray(0, -1));
  const binaryOnly = read({ binary: open(stripped) }).lookUp(addresses);
  assert.deepEqual([binaryOnly.displayNames[0], binaryOnly.lines[0]], ['plain', 0], 'by .dynsym');
});

test('.gnu_debugdata names what .dynsym does not', (t) => {
  if (missing(t, 'g++', 'nm', 'objcopy', 'strip', 'xz')) return;
  const path = build('minidebug', []);
  const mini = join(directory, 'mini');
  const start = addressOf(path, '_ZN4work5outerEi');
  execFileSync('objcopy', ['--only-keep-debug', '--remove-section=.comment', path, mini]);
  execFileSync('xz', ['-f', mini]);
  execFileSync('strip', [path]);
  const nameIn = (file: string): string[] =>
    read({ binary: open(file) }).lookUp(BigUint64Array.of(start)).names;
  assert.deepEqual(nameIn(path), []);
  execFileSync('objcopy', ['--add-section', `.gnu_debugdata=${mini}.xz`, path]);
  assert.deepEqual(nameIn(path), ['_ZN4work5outerEi']);

  const damaged = readFileSync(`${mini}.xz`);
  damaged[100]! ^= 0xff;
  writeFileSync(`${mini}.damaged`, damaged);
  execFileSync('objcopy', ['--update-section', `.gnu_debugdata=${mini}.damaged`, path]);
  const symbols = read({ binary: open(path) });
  assert.deepEqual(symbols.takeProblems(), { mini_debug_info_damaged: 1 });
});

test('Go: names, inlined functions and lines of its own tables, stripped or not', (t) => {
  if (spawnSync('go', ['version']).status !== 0) return t.skip('go is not installed');
  const folder = join(directory, 'go');
  mkdirSync(folder);
  writeFileSync(join(folder, 'go.mod'), 'module example.com/known\n\ngo 1.21\n');
  writeFileSync(
    join(folder, 'main.go'),
    `package main

import "fmt"

func twice(x int) int { return x * 2 }

//go:noinline
func outer[T int | int64](x T) int { return twice(int(x)) + 1 }

func main() { fmt.Println(outer(int64(3)), outer(4)) }
`,
  );
  const path = join(folder, 'known');
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' };
  execFileSync('go', ['build', '-o', path, '.'], { cwd: folder, env, stdio: 'pipe' });
  const binary = open(path);
  const addresses = textAddresses(binary, 2000, 1);
  const whole = read({ binary }).lookUp(addresses);
  assert.ok(whole.names.length > 2000, 'with inlined functions');

  const generic = execFileSync('nm', [path], { encoding: 'utf8', maxBuffer: 1 << 28 }).match(
    /^([0-9a-f]+) T main\.outer\[go\.shape\.int\]$/m,
  );
  const found = read({ binary }).lookUp(BigUint64Array.of(BigInt(`0x${generic![1]}`)));
  assert.equal(found.displayNames.at(-1), 'main.outer[...]');
  assert.equal(found.files.at(-1), join(folder, 'main.go'));

  execFileSync('strip', [path]);
  assert.deepEqual(
    read({ binary: open(path) }).lookUp(addresses),
    whole,
    'nothing depends on symbols or DWARF',
  );
});

test('debug information is forgotten and read again', (t) => {
  if (missing(t, 'g++', 'nm')) return;
  const path = build('forgotten', ['-g']);
  const symbols = read({ binary: open(path) });
  const addresses = BigUint64Array.of(addressOf(path, '_ZN4work5outerEi'));
  const before = symbols.byteSize;
  assert.equal(symbols.debugInfoBytes, 0, 'nothing is read before it is needed');
  const first = symbols.lookUp(addresses);
  assert.ok(symbols.debugInfoBytes > 0 && symbols.byteSize > before);
  symbols.releaseDebugInfo();
  assert.equal(symbols.byteSize, before);
  assert.deepEqual(symbols.lookUp(addresses), first);
});

test('damage in one source leaves the others', (t) => {
  if (missing(t, 'g++', 'nm')) return;
  const path = build('damaged', ['-g']);
  const start = addressOf(path, 'plain');
  const binary = open(path);
  const bytes = readFileSync(path);
  for (const name of ['.debug_info', '.debug_abbrev', '.debug_line', '.rela.plt', '.debug_str']) {
    const { offset, size } = binary.section(name)!;
    const damaged = new Uint8Array(bytes);
    for (let i = 0; i < size; i++) damaged[offset + i] = (i * 37) & 0xff;
    const symbols = read({ binary: new ElfFile(memoryAccess(damaged)) });
    const { displayNames } = symbols.lookUp(BigUint64Array.of(start));
    assert.equal(displayNames.at(-1), 'plain', name);
  }
  const cut = new ElfFile(memoryAccess(bytes.subarray(0, bytes.byteLength - 100)));
  assert.throws(() => read({ binary: cut }), FormatError);
});

test("the distribution's C library with its debug file", (t) => {
  if (missing(t, llvmSymbolizer, 'readelf', 'nm')) return;
  const libc = '/lib/x86_64-linux-gnu/libc.so.6';
  if (!existsSync(libc)) return t.skip('this machine does not have it');
  const binary = open(libc);
  const path = `/usr/lib/debug/.build-id/${binary.buildId.slice(0, 2)}/${binary.buildId.slice(2)}.debug`;
  if (!existsSync(path)) return t.skip('libc6-dbg is not installed');
  const copy = join(directory, 'libc.debug');
  copyFileSync(path, copy);
  const addresses = textAddresses(binary, 5000, 3);
  const symbols = read({ binary, debug: open(path) });
  const different = differences(copy, addresses, symbols.lookUp(addresses));
  t.diagnostic(`${different.length} of 5000 addresses different: ${different.slice(0, 3).join('\n')}`);
  assert.ok(different.length <= 5);
});

test('any damage is survived: a FormatError or fewer names, never more', (t) => {
  if (missing(t, 'gcc')) return;
  const input = join(directory, 'small.c');
  const path = join(directory, 'small');
  writeFileSync(
    input,
    'static inline int twice(int x) { return 2 * x; }\nint main(int c, char **v) { return twice(c) + !v; }\n',
  );
  execFileSync('gcc', ['-O2', '-g', '-o', path, input], { stdio: 'pipe' });
  const bytes = readFileSync(path);
  const intact = open(path);
  const addresses = textAddresses(intact, 40, 1);
  // Headers and whatever is read for names, each with the same chance.
  const wanted = /^\.(symtab|strtab|dynsym|plt|rela|debug|eh_frame_hdr|note|shstrtab)/;
  const places = intact.sections
    .filter(({ name, size }) => wanted.test(name) && size > 0)
    .map(({ offset, size }) => [offset, size] as const);
  places.push([0, 64], [64, 56 * intact.programHeaders.length]);
  const sectionTable = 64 * intact.sections.length;
  places.push([bytes.byteLength - sectionTable, sectionTable]);
  let refused = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      (changes) => {
        const damaged = new Uint8Array(bytes);
        for (const [place, at, value] of changes) {
          const [offset, size] = places[place % places.length]!;
          damaged[offset + (at % size)] = value;
        }
        try {
          const symbols = read({ binary: new ElfFile(memoryAccess(damaged)) });
          const { frameStart, names, displayNames } = symbols.lookUp(addresses);
          assert.equal(frameStart.at(-1), names.length);
          assert.equal(displayNames.length, names.length);
          assert.ok(symbols.byteSize < 1 << 26);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          refused++;
        }
      },
    ),
    { numRuns: 1000 },
  );
  t.diagnostic(`${refused} of 1000 refused`);
});

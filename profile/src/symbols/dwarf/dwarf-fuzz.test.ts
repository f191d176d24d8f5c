// SPDX-License-Identifier: Apache-2.0
//
// Damaged debug information: whatever bytes are in the sections, the reader ends, within its limits, with an answer and
// counts of what was wrong; only a damaged table of sections is an error. The seed of a failure is in its message.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FormatError } from '../../errors.ts';
import { ElfFile } from '../elf.ts';
import { memoryAccess } from '../random-access.ts';
import { DwarfSymbols } from './dwarf-symbols.ts';
import { inflate } from './testing/file-access.ts';
import { randomNumbers, textAddresses } from './testing/llvm-symbolizer.ts';
import { cppHeader, cppMain, cppOther } from './testing/programs.ts';

const rounds = Number(process.env.HEARTHSCOPE_FUZZ_ROUNDS ?? 500);
const directory = mkdtempSync(join(tmpdir(), 'hearthscope-dwarf-fuzz-'));
after(() => rmSync(directory, { recursive: true }));
for (const [name, text] of Object.entries({
  'program.h': cppHeader,
  'main.cpp': cppMain,
  'other.cpp': cppOther,
})) {
  writeFileSync(join(directory, name), text);
}

function hasCompiler(compiler: string): boolean {
  try {
    execFileSync(compiler, ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

/** Bytes that damage: extremes of numbers, of LEB128 and of forms. */
const nastyBytes = [0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0x16, 0x21, 0x25, 0x1f, 0x13, 0x0b];

/** A copy with some bytes of its debug sections replaced, moved or cut. */
function damaged(image: Uint8Array, random: () => number): Uint8Array {
  const copy = new Uint8Array(image);
  const sections = new ElfFile(memoryAccess(image), { allowRelocatable: true }).sections.filter(({ name }) =>
    /^\.z?debug_/.test(name),
  );
  const pick = (count: number): number => Math.floor(random() * count);
  for (let count = 1 + pick(12); count > 0; count--) {
    const { offset, size } = sections[pick(sections.length)]!;
    const at = offset + pick(size);
    const length = Math.min(1 + pick(random() < 0.2 ? 64 : 4), offset + size - at);
    switch (pick(4)) {
      case 0:
        for (let i = 0; i < length; i++) copy[at + i] = pick(256);
        break;
      case 1:
        copy.fill(nastyBytes[pick(nastyBytes.length)]!, at, at + length);
        break;
      case 2:
        copy.copyWithin(at, offset + pick(size - length + 1), offset + size);
        break;
      default:
        copy[at] = nastyBytes[pick(nastyBytes.length)]!;
    }
  }
  return copy;
}

function lookUpAll(image: Uint8Array, addresses: BigUint64Array, dwo?: Uint8Array): void {
  try {
    const debug = new ElfFile(memoryAccess(image));
    const openDwo = () => dwo && new ElfFile(memoryAccess(dwo), { allowRelocatable: true });
    const limits = { maxFunctionsPerUnit: 100_000, maxLineRows: 100_000, maxInflatedBytes: 2 ** 24 };
    const symbols = DwarfSymbols.open({ debug, openDwo }, limits, { inflate });
    if (symbols === undefined) return;
    const frames = symbols.lookUp(addresses);
    assert.equal(frames.frameStart.length, addresses.length + 1);
    assert.equal(frames.frameStart[addresses.length], frames.names.length);
    assert.ok(frames.names.every((name) => typeof name === 'string'));
    assert.ok(frames.files.every((file) => typeof file === 'string'));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
}

for (const [compiler, ...flags] of [
  ['g++', '-gdwarf-5', '-O2'],
  ['g++', '-gdwarf-4', '-O2'],
  ['clang++-19', '-gdwarf-5', '-O2'],
  ['g++', '-gdwarf-5', '-O2', '-gz=zlib'],
] as const) {
  test(`damaged sections of ${compiler} ${flags.join(' ')}`, (t) => {
    if (!hasCompiler(compiler)) return t.skip(`${compiler} is not installed`);
    const output = join(directory, `${compiler}${flags.join('')}`);
    execFileSync(compiler, ['-std=c++17', '-g', ...flags, 'main.cpp', 'other.cpp', '-o', output], {
      cwd: directory,
    });
    const image = readFileSync(output);
    const addresses = textAddresses(new ElfFile(memoryAccess(image)), 100, 1);
    for (let seed = 1; seed <= rounds; seed++) {
      const copy = damaged(image, randomNumbers(seed));
      assert.doesNotThrow(() => lookUpAll(copy, addresses), `seed ${seed}`);
    }
  });
}

test('damaged split units', (t) => {
  if (!hasCompiler('clang++-19')) return t.skip('clang++-19 is not installed');
  const args = ['-std=c++17', '-g', '-gsplit-dwarf', '-O2', '-fPIC', '-c', 'main.cpp', '-o', 'main.o'];
  execFileSync('clang++-19', args, { cwd: directory });
  execFileSync('clang++-19', ['-shared', '-nostdlib', 'main.o', '-o', 'split.so'], { cwd: directory });
  const image = readFileSync(join(directory, 'split.so'));
  const dwo = readFileSync(join(directory, 'main.dwo'));
  const addresses = textAddresses(new ElfFile(memoryAccess(image)), 100, 1);
  for (let seed = 1; seed <= rounds; seed++) {
    const random = randomNumbers(seed);
    const copy = damaged(dwo, random);
    const skeleton = seed % 2 === 0 ? image : damaged(image, random);
    assert.doesNotThrow(() => lookUpAll(skeleton, addresses, copy), `seed ${seed}`);
  }
});

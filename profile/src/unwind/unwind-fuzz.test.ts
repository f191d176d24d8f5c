// SPDX-License-Identifier: Apache-2.0
//
// Mutated real files: whatever the bytes say, a table or a FormatError comes out, in bounded time and memory. Seeds are
// printed by fast-check when one fails.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../errors.ts';
import { ElfFile } from '../symbols/elf.ts';
import { memoryAccess } from '../symbols/random-access.ts';
import { type BuiltUnwindTable, buildUnwindTable, buildUnwindTableLimits } from './build-unwind-table.ts';
import { buildProgram, hasTool, manyFrames, pathFor } from './testing/build-program.ts';
import { unwindTableBytes } from './unwind-table.ts';
import { decodeUnwindTable, encodeUnwindTable } from './unwind-table-codec.ts';

/** A place in a file: offset and length. */
type Region = readonly [offset: number, length: number];

function region(bytes: Uint8Array, name: string): Region {
  const section = new ElfFile(memoryAccess(bytes)).section(name);
  assert.ok(section !== undefined, name);
  return [section.offset, section.size];
}

/** Builds from bytes; a FormatError gives undefined, anything else fails. Sound tables survive the codec's checks. */
function buildFrom(bytes: Uint8Array): BuiltUnwindTable | undefined {
  try {
    const built = buildUnwindTable(new ElfFile(memoryAccess(bytes)));
    if (built !== undefined) {
      decodeUnwindTable(encodeUnwindTable(built.table));
      assert.ok(unwindTableBytes(built.table) < 4 * bytes.byteLength + 65_536);
    }
    return built;
  } catch (error) {
    assert.ok(error instanceof FormatError, error instanceof Error ? error.stack : String(error));
    return undefined;
  }
}

/** A few bytes set, or a run of them, in one of the regions. */
const mutations = fc.array(
  fc.record({
    region: fc.nat(),
    at: fc.nat(),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc.constantFrom(
        Uint8Array.of(0xff, 0xff, 0xff, 0xff),
        Uint8Array.of(0, 0, 0, 0),
        Uint8Array.of(0xff, 0xff, 0xff, 0x7f),
      ),
      fc
        .tuple(fc.nat(255), fc.integer({ min: 1, max: 64 }))
        .map(([byte, length]) => new Uint8Array(length).fill(byte)),
    ),
  }),
  { minLength: 1, maxLength: 12 },
);

function fuzz(original: Uint8Array, regions: readonly Region[], numRuns: number): void {
  assert.ok(buildFrom(original) !== undefined);
  fc.assert(
    fc.property(mutations, (changes) => {
      const bytes = original.slice();
      for (const change of changes) {
        const [offset, length] = regions[change.region % regions.length]!;
        bytes.set(
          change.bytes.subarray(0, bytes.length - offset - (change.at % length)),
          offset + (change.at % length),
        );
      }
      buildFrom(bytes);
    }),
    { numRuns },
  );
}

/** A small program, so that a mutation hits what matters, that has both kinds of frames. */
function smallProgram(): Uint8Array {
  const path = buildProgram(
    'fuzzed',
    'gcc',
    ['-O2', '-g', '-fomit-frame-pointer', '-Wl,-z,lazy'],
    manyFrames,
  );
  return new Uint8Array(readFileSync(path));
}

test('mutated .eh_frame', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const bytes = smallProgram();
  fuzz(bytes, [region(bytes, '.eh_frame')], 1500);
});

test('mutated .eh_frame_hdr and .eh_frame without section headers', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const bytes = smallProgram();
  const regions = [region(bytes, '.eh_frame_hdr'), region(bytes, '.eh_frame')];
  new DataView(bytes.buffer).setBigUint64(40, 0n, true);
  fuzz(bytes, regions, 800);
});

test('mutated .debug_frame', (t) => {
  if (!hasTool(t, 'gcc') || !hasTool(t, 'objcopy')) return;
  const flags = ['-O2', '-g', '-fno-asynchronous-unwind-tables', '-fno-unwind-tables'];
  const program = buildProgram('fuzzed-debug', 'gcc', flags, manyFrames);
  const plain = new Uint8Array(readFileSync(program));
  fuzz(plain, [region(plain, '.debug_frame')], 800);
  const packed = pathFor('fuzzed-packed');
  execFileSync('objcopy', ['--compress-debug-sections=zlib', program, packed]);
  const bytes = new Uint8Array(readFileSync(packed));
  fuzz(bytes, [region(bytes, '.debug_frame')], 300);
});

test('mutated headers, sections and linkage tables', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const bytes = smallProgram();
  const view = new DataView(bytes.buffer);
  const sections: Region = [Number(view.getBigUint64(40, true)), view.getUint16(60, true) * 64];
  const programHeaders: Region = [64, view.getUint16(56, true) * 56];
  fuzz(bytes, [[16, 48], programHeaders, sections, region(bytes, '.plt')], 1500);
});

test('cut files', (t) => {
  if (!hasTool(t, 'gcc')) return;
  const bytes = smallProgram();
  for (let length = 0; length < bytes.length; length += 97) buildFrom(bytes.subarray(0, length));
});

test('mutated tables of a C library', (t) => {
  const path = '/usr/lib/x86_64-linux-gnu/libc.so.6';
  if (!existsSync(path)) return t.skip(`${path} is not on this machine`);
  const bytes = new Uint8Array(readFileSync(path));
  fuzz(bytes, [region(bytes, '.eh_frame')], 60);
});

/** .debug_frame with one CIE, and functions of the given programs that all begin in the code at `start`. */
function debugFrame(
  start: number,
  functions: readonly (readonly [offset: number, length: number, program: Uint8Array])[],
): Uint8Array {
  const cie = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 3, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1);
  const size = 4 + cie.length + functions.reduce((sum, [, , program]) => sum + 24 + program.length, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, cie.length, true);
  bytes.set(cie, 4);
  let at = 4 + cie.length;
  for (const [offset, length, program] of functions) {
    view.setUint32(at, 20 + program.length, true);
    view.setBigUint64(at + 8, BigInt(start + offset), true);
    view.setBigUint64(at + 16, BigInt(length), true);
    bytes.set(program, at + 24);
    at += 24 + program.length;
  }
  return bytes;
}

/** An executable of `codeBytes` bytes of code at 0x10000, with .eh_frame left out and a .debug_frame. */
function fileWith(codeBytes: number, contents: Uint8Array): Uint8Array {
  const names = new TextEncoder().encode('\0.debug_frame\0.shstrtab\0');
  const headers = 64 + 56;
  const codeAt = headers;
  const contentsAt = codeAt + codeBytes;
  const namesAt = contentsAt + contents.length;
  const sectionsAt = namesAt + names.length;
  const bytes = new Uint8Array(sectionsAt + 3 * 64);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(32, 64n, true);
  view.setBigUint64(40, BigInt(sectionsAt), true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, 3, true);
  view.setUint16(62, 2, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setBigUint64(72, BigInt(codeAt), true);
  view.setBigUint64(80, 0x10000n, true);
  view.setBigUint64(96, BigInt(codeBytes), true);
  view.setBigUint64(104, BigInt(codeBytes), true);
  bytes.set(contents, contentsAt);
  bytes.set(names, namesAt);
  const section = (index: number, name: number, type: number, offset: number, size: number): void => {
    const at = sectionsAt + index * 64;
    view.setUint32(at, name, true);
    view.setUint32(at + 4, type, true);
    view.setBigUint64(at + 24, BigInt(offset), true);
    view.setBigUint64(at + 32, BigInt(size), true);
  };
  section(1, 1, 1, contentsAt, contents.length);
  section(2, 14, 3, namesAt, names.length);
  return bytes;
}

test('work is bounded by the size of the file', () => {
  const code = 1 << 20;
  // A row for each byte of the code, 4 bytes of instructions each.
  const program = new Uint8Array(4 * (code - 1)).map((_, i) => [0x41, 0x0e, 8 + ((i >> 2) % 64), 0][i % 4]!);
  const rows = buildFrom(fileWith(code, debugFrame(0x10000, [[0, code, program]])))!;
  assert.ok(rows.table.rowRule.length > code * 0.99);
  assert.deepEqual(rows.problems, {});

  // Functions that all lie in each other, and remember, and have long expressions.
  const expression = Uint8Array.of(0x0f, 60, 0x77, 8, ...new Array(58).fill(0x96), 0x0a, 0x0b);
  const nested = Array.from({ length: 20_000 }, (_, i) => [i, code - i, expression] as const);
  const built = buildFrom(fileWith(code, debugFrame(0x10000, nested)))!;
  assert.deepEqual(built.problems, { overlapping_functions: 19_999 });

  // Functions that all begin in the same place.
  const same = Array.from({ length: 20_000 }, () => [0, 16, Uint8Array.of(0)] as const);
  assert.deepEqual(buildFrom(fileWith(code, debugFrame(0x10000, same)))!.problems, {
    overlapping_functions: 19_999,
  });
});

test('a section of nothing but lengths is read once', () => {
  for (const contents of [
    new Uint8Array(1 << 20),
    new Uint8Array(1 << 20).fill(0xff),
    new Uint8Array(1 << 20).map((_, i) => (i % 4 === 0 ? 4 : 0)),
  ]) {
    assert.equal(buildFrom(fileWith(4096, contents)), undefined);
  }
  assert.ok(buildUnwindTableLimits.maxSectionBytes > 1 << 20);
});

// SPDX-License-Identifier: Apache-2.0
//
// Each limit at its edge, and files that were made to cost more than they weigh.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { ElfFile } from '../elf.ts';
import { memoryAccess } from '../random-access.ts';
import { attribute, form, tag } from './dwarf-constants.ts';
import { type DwarfLimits, dwarfBounds } from './dwarf-limits.ts';
import { DwarfSymbols } from './dwarf-symbols.ts';
import { bytes, elfImage, u16, u32, u64, uleb, withLength } from './testing/elf-image.ts';
import { inflate } from './testing/file-access.ts';
import { framesOf } from './testing/llvm-symbolizer.ts';

function abbreviation(code: number, tagCode: number, hasChildren: boolean, ...pairs: number[]): Uint8Array {
  return bytes(uleb(code), uleb(tagCode), [hasChildren ? 1 : 0], ...pairs.map(uleb), [0, 0]);
}

const abbreviations = bytes(
  abbreviation(
    1,
    tag.compileUnit,
    true,
    attribute.lowPc,
    form.addr,
    attribute.highPc,
    form.data4,
    attribute.stmtList,
    form.secOffset,
  ),
  abbreviation(
    2,
    tag.subprogram,
    true,
    attribute.name,
    form.string,
    attribute.lowPc,
    form.addr,
    attribute.highPc,
    form.data4,
  ),
  abbreviation(
    3,
    tag.inlinedSubroutine,
    true,
    attribute.abstractOrigin,
    form.refAddr,
    attribute.lowPc,
    form.addr,
    attribute.highPc,
    form.data4,
  ),
  abbreviation(
    4,
    tag.subprogram,
    false,
    attribute.specification,
    form.refAddr,
    attribute.lowPc,
    form.addr,
    attribute.highPc,
    form.data4,
  ),
  abbreviation(5, tag.compileUnit, false, attribute.ranges, form.secOffset),
  abbreviation(6, tag.structureType, true),
  [0],
);

/** A version 4 unit around entries. */
function unit(...entries: (Uint8Array | readonly number[])[]): Uint8Array {
  return withLength(u16(4), u32(0), [8], ...entries);
}

/** The first entry of a unit over some addresses, with the line table at `lines`. */
function compileUnit(low: number, size: number, lines = 0): Uint8Array {
  return bytes(uleb(1), u64(low), u32(size), u32(lines));
}

function subprogram(name: string, low: number, size: number): Uint8Array {
  return bytes(uleb(2), name, u64(low), u32(size));
}

/** A version 4 line table of `files` with a row at each address of a range. */
function lineTable(files: readonly string[], low: number, size: number): Uint8Array {
  const fileTable = bytes(...files.map((file) => bytes(file, [0, 0, 0])), [0]);
  const header = bytes([1, 1, 1, 0, 1, 10], [0, 1, 1, 1, 1, 0, 0, 0, 1], [0], fileTable);
  // Each row is one line further, so that none are merged: advance_pc 1, advance_line 1, copy.
  const rows = bytes(...Array.from({ length: size }, () => [3, 1, 1, 2, 1]));
  const program = bytes([0, 9, 2], u64(low), rows, [0, 1, 1]);
  return withLength(u16(4), u32(header.byteLength), header, program);
}

function open(sections: Record<string, Uint8Array>, limits: DwarfLimits = {}): DwarfSymbols {
  const image = elfImage({ '.debug_abbrev': abbreviations, ...sections });
  const symbols = DwarfSymbols.open({ debug: new ElfFile(memoryAccess(image)) }, limits, { inflate });
  assert.ok(symbols !== undefined);
  return symbols;
}

function namesAt(symbols: DwarfSymbols, ...addresses: number[]): string[] {
  const frames = symbols.lookUp(BigUint64Array.from(addresses, BigInt));
  return addresses.map((_, i) =>
    framesOf(frames, i)
      .map(({ name }) => name)
      .join(' < '),
  );
}

test('units, functions and their ranges', () => {
  const info = bytes(
    unit(
      compileUnit(0x1000, 0x100),
      subprogram('first', 0x1000, 16),
      [0],
      subprogram('second', 0x1010, 16),
      [0],
      [0],
    ),
    unit(compileUnit(0x2000, 0x100), subprogram('third', 0x2000, 16), [0], [0]),
  );
  const all = open({ '.debug_info': info }, { maxUnits: 2, maxUnitRanges: 2, maxFunctionsPerUnit: 2 });
  assert.deepEqual(namesAt(all, 0x1000, 0x1010, 0x2000, 0x3000), ['first', 'second', 'third', '']);
  assert.deepEqual(all.problems, { line_table_damaged: 1 });
  const oneUnit = open({ '.debug_info': info }, { maxUnits: 1 });
  assert.deepEqual(namesAt(oneUnit, 0x1000, 0x2000), ['first', '']);
  assert.equal(oneUnit.problems.too_many_units, 1);
  const oneRange = open({ '.debug_info': info }, { maxUnitRanges: 1 });
  assert.deepEqual(namesAt(oneRange, 0x1000, 0x2000), ['first', '']);
  assert.equal(oneRange.problems.too_many_ranges, 1);
  const oneFunction = open({ '.debug_info': info }, { maxFunctionsPerUnit: 1 });
  assert.deepEqual(namesAt(oneFunction, 0x1000, 0x1010, 0x2000), ['first', '', 'third']);
  assert.equal(oneFunction.problems.too_many_functions, 1);
});

test('rows and files of a line table', () => {
  const info = unit(compileUnit(0x1000, 0x100), subprogram('first', 0x1000, 0x100), [0], [0]);
  const sections = { '.debug_info': info, '.debug_line': lineTable(['one.c', 'two.c'], 0x1000, 20) };
  const lineAt = (symbols: DwarfSymbols) => framesOf(symbols.lookUp(BigUint64Array.of(0x1005n)), 0)[0]!;
  const all = open(sections, { maxLineRows: 20, maxLineFiles: 2 });
  assert.deepEqual(lineAt(all), { name: 'first', file: 'one.c', line: 7, column: 0, startLine: 0 });
  assert.deepEqual(all.problems, {});
  const fewRows = open(sections, { maxLineRows: 19 });
  assert.deepEqual(lineAt(fewRows), { name: 'first', file: '', line: 0, column: 0, startLine: 0 });
  assert.deepEqual(fewRows.problems, { too_many_line_rows: 1 });
  const fewFiles = open(sections, { maxLineFiles: 1 });
  assert.equal(lineAt(fewFiles).file, 'one.c');
  assert.deepEqual(fewFiles.problems, { line_table_damaged: 1 });
});

test('frames of one address', () => {
  const inlined = (low: number) => bytes(uleb(3), u32(origin), u64(low), u32(16));
  const head = bytes(u32(0), u16(4), u32(0), [8], compileUnit(0x1000, 0x100));
  const origin = head.byteLength;
  const entries = [subprogram('called', 0, 0), [0], subprogram('outer', 0x1000, 16)];
  const info = unit(
    compileUnit(0x1000, 0x100),
    ...entries,
    inlined(0x1000),
    inlined(0x1000),
    inlined(0x1000),
    [0, 0, 0, 0, 0],
  );
  const lines = lineTable(['one.c'], 0x1000, 20);
  const all = open({ '.debug_info': info, '.debug_line': lines }, { maxInlineFrames: 4 });
  assert.deepEqual(namesAt(all, 0x1000), ['called < called < called < outer']);
  assert.deepEqual(all.problems, {});
  const few = open({ '.debug_info': info, '.debug_line': lines }, { maxInlineFrames: 3 });
  assert.deepEqual(namesAt(few, 0x1000), ['called < called < called']);
  assert.deepEqual(few.problems, { inline_chain_cut: 1 });
});

test('unpacked bytes, and sections without anything to unpack them', () => {
  const info = unit(compileUnit(0x1000, 0x100), subprogram('first', 0x1000, 16), [0], [0]);
  const size = info.byteLength;
  const bigEndianSize = new Uint8Array(8);
  new DataView(bigEndianSize.buffer).setUint32(4, size);
  const packed = bytes([0x5a, 0x4c, 0x49, 0x42], bigEndianSize, deflateSync(info));
  const sections = { '.zdebug_info': packed, '.debug_line': lineTable(['one.c'], 0x1000, 20) };
  const roomy = open(sections, { maxInflatedBytes: Math.max(size, packed.byteLength) });
  assert.deepEqual(namesAt(roomy, 0x1000), ['first']);
  const image = elfImage({ '.debug_abbrev': abbreviations, ...sections });
  const debug = new ElfFile(memoryAccess(image));
  const elsewhere = DwarfSymbols.open(
    { debug },
    {},
    { inflate: (...args) => memoryAccess(inflate(...args)) },
  );
  assert.deepEqual(namesAt(elsewhere!, 0x1000), ['first']);
  const tight = open(sections, { maxInflatedBytes: size - 1 });
  assert.deepEqual(namesAt(tight, 0x1000), ['']);
  assert.deepEqual(tight.problems, { section_too_large: 1 });
  const without = DwarfSymbols.open({ debug });
  assert.deepEqual(without?.problems, { section_compressed: 1 });
  assert.equal(DwarfSymbols.open({ debug: new ElfFile(memoryAccess(elfImage({}))) }), undefined);
});

test('references in a circle, and entries nested without end', () => {
  const head = bytes(u32(0), u16(4), u32(0), [8], compileUnit(0x1000, 0x100));
  const circular = bytes(uleb(4), u32(head.byteLength), u64(0x1000), u32(16));
  const circle = open({ '.debug_info': unit(compileUnit(0x1000, 0x100), circular, [0]) });
  assert.deepEqual(namesAt(circle, 0x1000), ['']);
  const functions = [subprogram('first', 0x1000, 16), [0]];
  const nested = (depth: number) =>
    open({
      '.debug_info': unit(
        compileUnit(0x1000, 0x100),
        ...functions,
        new Array(depth).fill(6),
        new Array(depth + 1).fill(0),
      ),
      '.debug_line': lineTable(['one.c'], 0x1000, 20),
    });
  const deep = nested(dwarfBounds.maxDieDepth - 1);
  assert.deepEqual(namesAt(deep, 0x1000), ['first']);
  assert.deepEqual(deep.problems, {});
  const tooDeep = nested(dwarfBounds.maxDieDepth);
  assert.deepEqual(namesAt(tooDeep, 0x1000), ['first']);
  assert.deepEqual(tooDeep.problems, { unit_damaged: 1 });
});

test('thousands of units that share one long list of ranges end in time', () => {
  const list = bytes(
    ...Array.from({ length: 20_000 }, (_, i) => bytes(u64(0x1000 + i), u64(0x1001 + i))),
    u64(0),
    u64(0),
  );
  const info = bytes(...Array.from({ length: 5000 }, () => unit(uleb(5), u32(0))));
  const symbols = open({ '.debug_info': info, '.debug_ranges': list });
  assert.deepEqual(symbols.problems, { work_limit: 1 });
  assert.deepEqual(namesAt(symbols, 0x1000), ['']);
});

test('thousands of units whose line tables overlap end in time', () => {
  const tableCount = 3000;
  const empty = new Uint8Array(4_000_000);
  // Each table begins a few bytes behind the last one and claims all that follows.
  const info = bytes(
    ...Array.from({ length: tableCount }, (_, i) =>
      unit(compileUnit(0x1000 + i * 16, 16, i * 64), subprogram('f', 0x1000 + i * 16, 16), [0], [0]),
    ),
  );
  for (let i = 0; i < tableCount; i++) {
    const header = bytes([1, 1, 1, 0, 1, 10], [0, 1, 1, 1, 1, 0, 0, 0, 1], [0, 0]);
    empty.set(bytes(u32(empty.byteLength - i * 64 - 4), u16(4), u32(header.byteLength), header), i * 64);
  }
  const symbols = open({ '.debug_info': info, '.debug_line': empty });
  symbols.lookUp(BigUint64Array.from({ length: tableCount }, (_, i) => BigInt(0x1000 + i * 16)));
  assert.equal(symbols.problems.work_limit, 1);
});

// SPDX-License-Identifier: Apache-2.0
//
// The builder and the lookup against a plain list of rows, the layout of rules against bytes that the kernel side's test
// knows too, and the codec: round trips, and damage.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { FormatError } from '../errors.ts';
import { fillPieces, noPieces, type UnwindPieces, type UnwindRanges } from './unwind-ranges.ts';
import {
  cfaKind,
  decodeUnwindRule,
  encodeUnwindRule,
  fpKind,
  raKind,
  type UnwindRule,
} from './unwind-rule.ts';
import { lookUpUnwindRule, type UnwindTable, unwindCommand, unwindTableBytes } from './unwind-table.ts';
import { UnwindTableBuilder } from './unwind-table-builder.ts';
import { decodeUnwindTable, encodeUnwindTable } from './unwind-table-codec.ts';

const int16 = fc.integer({ min: -0x8000, max: 0x7fff });
const uint8 = fc.integer({ min: 0, max: 0xff });
const anyRule: fc.Arbitrary<UnwindRule> = fc.record(
  {
    cfaKind: fc.constantFrom(...Object.values(cfaKind)),
    cfaRegister: uint8,
    cfaOffset: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
    cfaAdd: int16,
    fpKind: fc.constantFrom(...Object.values(fpKind)),
    fpRegister: uint8,
    fpOffset: int16,
    raKind: fc.constantFrom(...Object.values(raKind)),
    raRegister: uint8,
    raOffset: int16,
  },
  { noNullPrototype: true },
);
const fewRules = fc.array(anyRule, { minLength: 1, maxLength: 6 });
/** Distances between rows, some in the same place, some over pages; and what each row says. */
const anyRows = fc.array(
  fc.tuple(
    fc.oneof(fc.constant(0), fc.nat(40), fc.nat(20_000)),
    fc.oneof(fc.nat(5), fc.constantFrom(...Object.values(unwindCommand))),
  ),
  { maxLength: 200 },
);

/** Addresses and what holds from there on, as they were added, and the table of them. */
function tableOfRows(
  rules: readonly UnwindRule[],
  rows: readonly (readonly [number, number])[],
  base: number,
): { table: UnwindTable; added: [number, UnwindRule | number][] } {
  const builder = new UnwindTableBuilder('x86-64');
  const added: [number, UnwindRule | number][] = [];
  let address = base;
  for (const [distance, what] of rows) {
    address += distance;
    const rule = what < 0x8000 ? rules[what % rules.length]! : what;
    builder.add(address, typeof rule === 'number' ? rule : builder.rule(rule));
    added.push([address, rule]);
  }
  // As everybody does who is done.
  builder.add(address + 7, unwindCommand.unknown);
  added.push([address + 7, unwindCommand.unknown]);
  return { table: builder.finish(), added };
}

const bases = fc.constantFrom(0, 4095, 4096, 0x40_0000, 0x7fff_ffff_f123);

test('a table says what was added last at or before an address', () => {
  fc.assert(
    fc.property(fewRules, anyRows, bases, fc.array(fc.nat(60_000)), (rules, rows, base, more) => {
      const { table, added } = tableOfRows(rules, rows, base);
      const last = added.at(-1)![0];
      const asked = [...added.flatMap(([at]) => [at - 1, at, at + 1]), ...more.map((at) => base + at)];
      for (const address of asked.filter((at) => at >= 0 && at <= last)) {
        const expected = added.findLast(([at]) => at <= address)?.[1] ?? unwindCommand.unknown;
        const found = lookUpUnwindRule(table, address);
        assert.deepEqual(found < 0x8000 ? decodeUnwindRule(table.rules, found) : found, expected);
      }
      assert.equal(lookUpUnwindRule(table, last + 8192), unwindCommand.unknown);
      assert.equal(lookUpUnwindRule(table, base - 8192), unwindCommand.unknown);
    }),
  );
});

test('rows ascend in their pages, neighbours differ, and rules differ', () => {
  fc.assert(
    fc.property(fewRules, anyRows, bases, (rules, rows, base) => {
      const { table } = tableOfRows(rules, rows, base);
      let before: number = unwindCommand.unknown;
      for (let page = 0; page < table.pageRule.length; page++) {
        before = table.pageRule[page]!;
        const [first, end] = [table.pageFirstRow[page]!, table.pageFirstRow[page + 1]!];
        assert.ok(first <= end && end - first < 4096);
        for (let row = first; row < end; row++) {
          assert.ok(table.rowOffset[row]! > (row === first ? 0 : table.rowOffset[row - 1]!));
          assert.notEqual(table.rowRule[row], before);
          before = table.rowRule[row]!;
        }
      }
      const count = table.rules.length / 16;
      const texts = Array.from({ length: count }, (_, i) => table.rules.subarray(i * 16, i * 16 + 16).join());
      assert.equal(new Set(texts).size, count);
    }),
  );
});

test('rows must ascend', () => {
  const builder = new UnwindTableBuilder('arm64');
  builder.add(100, unwindCommand.end);
  assert.throws(() => builder.add(99, unwindCommand.end), RangeError);
  assert.throws(() => builder.add(100.5, unwindCommand.end), RangeError);
  assert.throws(() => builder.add(2 ** 53, unwindCommand.end), RangeError);
});

test('a table without rows is empty', () => {
  const table = new UnwindTableBuilder('x86-64').finish();
  assert.deepEqual([...table.pageFirstRow], [0]);
  assert.equal(lookUpUnwindRule(table, 0), unwindCommand.unknown);
  assert.deepEqual(decodeUnwindTable(encodeUnwindTable(table)), table);
});

const known: UnwindRule = {
  cfaKind: cfaKind.dereference,
  cfaRegister: 6,
  cfaOffset: -0x0102_0304,
  cfaAdd: 0x1122,
  fpKind: fpKind.atRegister,
  fpRegister: 7,
  fpOffset: -16,
  raKind: raKind.inRegister,
  raRegister: 30,
  raOffset: -8,
};

test('the layout of a rule is the kernel side’s', () => {
  const words = new Int32Array(4);
  assert.ok(encodeUnwindRule(known, words));
  const bytes = new Uint8Array(words.buffer);
  assert.equal(Buffer.from(bytes).toString('hex'), '01060201fcfcfdfe2211f0fff8ff071e');
  assert.deepEqual(decodeUnwindRule(bytes, 0), known);
});

test('each rule survives its bytes; what does not fit is unsupported and counted', () => {
  fc.assert(
    fc.property(anyRule, (rule) => {
      const words = new Int32Array(4);
      assert.ok(encodeUnwindRule(rule, words));
      assert.deepEqual(decodeUnwindRule(new Uint8Array(words.buffer), 0), rule);
    }),
  );
  const builder = new UnwindTableBuilder('x86-64');
  for (const change of [
    { cfaOffset: 2 ** 31 },
    { cfaAdd: 0x8000 },
    { fpOffset: -0x8001 },
    { raOffset: 0x8000 },
    { cfaRegister: 256 },
    { fpRegister: -1 },
    { raRegister: 300 },
  ]) {
    assert.equal(builder.rule({ ...known, ...change }), unwindCommand.unsupported);
  }
  assert.deepEqual(builder.problems, { rule_out_of_range: 7 });
});

test('many rules have the same index each time, and too many are unsupported', () => {
  const builder = new UnwindTableBuilder('x86-64', { maxRules: 5000 });
  const indexes = Array.from({ length: 5000 }, (_, i) => builder.rule({ ...known, cfaOffset: i * 8 }));
  assert.deepEqual(
    indexes,
    Array.from({ length: 5000 }, (_, i) => i),
  );
  assert.equal(builder.rule({ ...known, cfaOffset: 4999 * 8 }), 4999);
  assert.equal(builder.rule({ ...known, cfaOffset: 5000 * 8 }), unwindCommand.unsupported);
  assert.deepEqual(builder.problems, { rules_over_limit: 1 });
});

test('rows over the limit are left out, and the last one says that nothing is known', () => {
  const builder = new UnwindTableBuilder('x86-64', { maxRows: 10 });
  for (let i = 0; i < 20; i++)
    builder.add(0x1001 + i * 16, i % 2 === 0 ? unwindCommand.end : builder.rule(known));
  const table = builder.finish();
  assert.equal(table.rowRule.length, 10);
  assert.equal(lookUpUnwindRule(table, 0x1001 + 8 * 16), unwindCommand.end);
  assert.equal(lookUpUnwindRule(table, 0x1001 + 9 * 16), unwindCommand.unknown);
  assert.equal(builder.problems.rows_over_limit, 11);
});

test('pages over the limit are left out', () => {
  const builder = new UnwindTableBuilder('x86-64', { maxPages: 10 });
  builder.add(4096, unwindCommand.end);
  builder.add(4096 * 10 + 5, unwindCommand.signal);
  builder.add(4096 * 11, unwindCommand.unknown);
  const table = builder.finish();
  assert.equal(table.pageRule.length, 10);
  assert.equal(lookUpUnwindRule(table, 4096 * 10 + 5), unwindCommand.signal);
  assert.deepEqual(builder.problems, { pages_over_limit: 1 });
});

test('a table survives the codec', () => {
  fc.assert(
    fc.property(fewRules, anyRows, bases, (rules, rows, base) => {
      const { table } = tableOfRows(rules, rows, base);
      const bytes = encodeUnwindTable(table);
      assert.deepEqual(decodeUnwindTable(bytes), table);
      assert.ok(bytes.byteLength <= unwindTableBytes(table) * 1.5 + 32);
    }),
  );
});

const anyTable = fc.tuple(fewRules, anyRows, bases).map((parts) => tableOfRows(...parts).table);

/** Bytes with a right checksum, as somebody who knows the format would damage them. */
function sealed(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(28, crc32(bytes.subarray(32), crc32(bytes.subarray(0, 28))), true);
  return bytes;
}

test('damaged bytes of a table are a FormatError, or with a right checksum a table that is sound', () => {
  const damage = fc.tuple(fc.nat(), uint8, fc.nat(3), fc.boolean());
  fc.assert(
    fc.property(anyTable, damage, (table, [position, byte, cut, isSealed]) => {
      const bytes = encodeUnwindTable(table);
      bytes[position % bytes.length]! ^= byte;
      const damaged = bytes.slice(0, bytes.length - cut);
      try {
        const decoded = decodeUnwindTable(isSealed && damaged.length >= 32 ? sealed(damaged) : damaged);
        if (!isSealed) assert.ok(byte === 0 && cut === 0);
        const ruleCount = decoded.rules.length / 16;
        for (const rule of decoded.rowRule) assert.ok(rule >= 0x8000 || rule < ruleCount);
        assert.equal(decoded.pageFirstRow.at(-1), decoded.rowRule.length);
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test('what a header announces is checked before memory is taken', () => {
  const bytes = encodeUnwindTable(tableOfRows([known], [[5000, 0]], 0).table);
  for (const [offset, value] of [
    [16, 0x10_0000],
    [16, 0xffff_ffff],
    [20, 0xff_ffff],
    [20, 0xffff_ffff],
    [24, 32_768],
    [24, 0xffff_ffff],
  ] as const) {
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint32(offset, value, true);
    assert.throws(() => decodeUnwindTable(sealed(copy)), FormatError);
  }
  assert.throws(() => decodeUnwindTable(new Uint8Array(0)), FormatError);
  assert.throws(() => decodeUnwindTable(new Uint8Array(40)), FormatError);
});

test('the checksum is CRC-32', () => {
  assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf4_3926);
});

test('ranges fill what earlier ones leave', () => {
  const disjoint = fc
    .array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 12 })), { maxLength: 12 })
    .map((parts): UnwindRanges => {
      let at = 0;
      const ranges = parts.map(([gap, length]) => {
        const start = at + gap;
        at = start + length;
        return [start, at] as const;
      });
      return {
        starts: Float64Array.from(ranges, ([start]) => start),
        limits: Float64Array.from(ranges, ([, limit]) => limit),
        addRows: () => {},
      };
    });
  fc.assert(
    fc.property(fc.array(disjoint, { maxLength: 4 }), (sources) => {
      let pieces: UnwindPieces = noPieces;
      for (const [i, ranges] of sources.entries()) pieces = fillPieces(pieces, ranges, i);
      const found = new Map<number, string>();
      for (let piece = 0; piece < pieces.count; piece++) {
        if (piece > 0) assert.ok(pieces.starts[piece]! >= pieces.limits[piece - 1]!);
        for (let at = pieces.starts[piece]!; at < pieces.limits[piece]!; at++) {
          found.set(at, `${pieces.sources[piece]} ${pieces.indexes[piece]}`);
        }
      }
      const expected = new Map<number, string>();
      for (const [i, { starts, limits }] of sources.entries()) {
        for (let range = 0; range < starts.length; range++) {
          for (let at = starts[range]!; at < limits[range]!; at++) {
            if (!expected.has(at)) expected.set(at, `${i} ${range}`);
          }
        }
      }
      assert.deepEqual(new Map([...found].sort()), new Map([...expected].sort()));
    }),
    { numRuns: 500 },
  );
});

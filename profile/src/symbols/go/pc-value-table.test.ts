// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { memoryAccess } from '../random-access.ts';
import { FileWindows } from './file-windows.ts';
import { PcValueTable } from './pc-value-table.ts';

const tinyWindows = { windowBytes: 8, windowCount: 2 } as const;
const noLimit = Number.MAX_SAFE_INTEGER;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

/** Encodes steps as Go's linker does: zigzag differences of values, differences of pcs in quanta. */
function encode(steps: readonly { value: number; length: number }[]): number[] {
  let previous = -1;
  const bytes = steps.flatMap(({ value, length }) => {
    const difference = (value - previous) | 0;
    previous = value;
    return [...varint((difference << 1) ^ (difference >> 31)), ...varint(length)];
  });
  return [...bytes, 0];
}

function decode(bytes: number[], size: number, quantum = 1, maxSteps = noLimit) {
  const table = new PcValueTable();
  const windows = new FileWindows(memoryAccess(Uint8Array.from(bytes)), 'pclntab', tinyWindows);
  return { table, damage: table.decode(windows, 0, bytes.length, size, quantum, maxSteps) };
}

describe('PcValueTable', () => {
  it('gives back what was encoded, over windows of 8 bytes', () => {
    const step = fc.record({
      value: fc.integer({ min: -0x4000_0000, max: 0x3fff_ffff }),
      length: fc.integer({ min: 1, max: 100_000 }),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 50 }),
        fc.constantFrom(1, 4),
        (drawn, quantum) => {
          // Equal neighbours are one step in Go's tables: a difference of 0 is the end.
          const steps = drawn.filter(({ value }, i) => i === 0 || value !== drawn[i - 1]!.value);
          const size = steps.reduce((sum, { length }) => sum + length * quantum, 0);
          const { table, damage } = decode(encode(steps), size, quantum);
          assert.equal(damage, undefined);
          let pc = 0;
          for (const { value, length } of steps) {
            assert.equal(table.valueAt(pc), value);
            pc += length * quantum;
            assert.equal(table.valueAt(pc - 1), value);
          }
          assert.equal(table.valueAt(pc), -1);
        },
      ),
    );
  });

  it('takes a first difference of 0 for the value -1', () => {
    const { table, damage } = decode([0, 5, 0], 5);
    assert.equal(damage, undefined);
    assert.deepEqual([table.valueAt(0), table.valueAt(4), table.valueAt(5)], [-1, -1, -1]);
    assert.equal(table.count, 1);
  });

  it('keeps what lies before the damage', () => {
    const good = encode([{ value: 8, length: 10 }]).slice(0, -1);
    const cut = decode([...good, 2], 100);
    assert.equal(cut.damage, 'table_cut_short');
    assert.equal(cut.table.valueAt(9), 8);
    const endless = decode([...good, ...new Array<number>(20).fill(0xff)], 100);
    assert.equal(endless.damage, 'table_varint');
    assert.equal(endless.table.valueAt(9), 8);
    const tooLong = decode([...good, 2, 200, 1, 0], 100);
    assert.equal(tooLong.damage, 'table_too_long');
    assert.equal(tooLong.table.valueAt(99), 9);
  });

  it('bounds steps that go nowhere by the size of the function', () => {
    const { table, damage } = decode(
      new Array<number>(10_000).fill(2).map((v, i) => (i % 2 === 0 ? v : 0)),
      64,
    );
    assert.equal(damage, 'table_too_long');
    assert.ok(table.count <= 64 + 16);
  });

  it('stops at the step limit of its caller', () => {
    const steps = Array.from({ length: 10 }, (_, i) => ({ value: i, length: 1 }));
    assert.equal(decode(encode(steps), 10, 1, 10).damage, undefined);
    const { table, damage } = decode(encode(steps), 10, 1, 9);
    assert.equal(damage, 'table_step_limit');
    assert.equal(table.count, 9);
  });
});

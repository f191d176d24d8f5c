// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatPercent, formatRate, formatValue, measureOf, measureOfFile, sampleTypeOf } from './units.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

test('values take the unit that keeps them short', () => {
  const nanoseconds: [number, string][] = [
    [0, '0 ns'],
    [999, '999 ns'],
    [1_500, '1.5 µs'],
    [12_345_678, '12.3 ms'],
    [1_240_000_000, '1.24 s'],
    [59_400_000_000, '59.4 s'],
    [90e9, '1.5 min'],
    [7_200e9, '2 h'],
    [10 * 86_400e9, '10 d'],
    [999_600_000, '1 s'],
    [999_400_000, '999 ms'],
    [59_960_000_000, '1 min'],
    [3_599e9, '1 h'],
  ];
  for (const [value, text] of nanoseconds) assert.equal(formatValue(value, 'nanoseconds'), text);
  assert.equal(formatValue(1536, 'bytes'), '1.5 KiB');
  assert.equal(formatValue(1024 ** 2 - 1, 'bytes'), '1 MiB');
  assert.equal(formatValue(12_345, 'count'), '12.3 k');
  assert.equal(formatValue(7, 'widgets'), '7 widgets');
});

test('a rate is cores for time, per second for what adds up, and the level for what does not', () => {
  assert.equal(formatRate(15e9, 30_000, measureOf(CPU)), '0.5 cores');
  assert.equal(formatRate(30e9, 30_000, measureOf(CPU)), '1 core');
  assert.equal(formatRate(2048, 2_000, measureOf('memory:alloc_space:bytes:space:bytes')), '1 KiB/s');
  assert.equal(formatRate(2048, 2_000, measureOf('memory:inuse_space:bytes:space:bytes')), '2 KiB');
  assert.equal(formatRate(5e9, 0, measureOf(CPU)), '0 cores');
});

test('percentages keep what is small apart from what is not there', () => {
  assert.equal(formatPercent(0, 10), '0 %');
  assert.equal(formatPercent(1, 0), '0 %');
  assert.equal(formatPercent(1, 1e6), '<0.01 %');
  assert.equal(formatPercent(1, 30), '3.33 %');
  assert.equal(formatPercent(123, 1000), '12.3 %');
  assert.equal(formatPercent(9_997, 10_000), '100 %');
  assert.equal(formatPercent(10, 10), '100 %');
});

test('a profile type has a title, and one that does not parse is shown as it is', () => {
  assert.equal(measureOf(CPU).title, 'CPU time');
  assert.equal(measureOf('jvm:live_heap:bytes::').title, 'jvm live heap');
  assert.deepEqual(measureOf('nonsense'), { title: 'nonsense', unit: '', rate: 'instant' });
});

test('no value has an unreadable form', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e19, noNaN: true }),
      fc.constantFrom('nanoseconds', 'bytes', 'count'),
      (value, unit) => {
        const text = formatValue(value, unit);
        assert.match(text, /^<?[\d.]+( [a-zA-Zµ]+)?$/);
        assert.ok(text.length <= 12, text);
      },
    ),
  );
});

test('values of a file are read by what its flame graph says of them', () => {
  const file = { name: 'cpu', units: 'samples', sampleRate: 1e9 };
  assert.deepEqual(measureOfFile(file), { title: 'cpu', unit: 'nanoseconds', rate: 'instant' });
  assert.equal(measureOfFile({ ...file, sampleRate: 100 }).unit, 'samples');
  assert.equal(measureOfFile({ name: 'inuse_space', units: 'bytes', sampleRate: 100 }).unit, 'bytes');
});

test('the short name of a profile type is that of its samples', () => {
  assert.equal(sampleTypeOf('memory:inuse_space:bytes:space:bytes'), 'inuse_space');
  assert.equal(sampleTypeOf('cpu'), undefined);
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeatmapSlot } from './api/heatmap.ts';
import { cellAt, heatmapCells, nextCell, placeOf } from './heatmap-cells.ts';

const starts = [0, 10, 20, 30];
const slot = (timestampMillis: number, counts: number[], values: number[] = []): HeatmapSlot => ({
  timestampMillis,
  bucketStarts: starts,
  counts,
  exemplars: values.map((value) => ({ timestampMillis, value, profileId: `p${value}`, spanId: '' })),
});
const map = heatmapCells(
  [slot(1_000, [2, 0, 0, 1], [9, 40]), slot(2_000, [0, 1, 0, 0]), slot(4_000, [1, 0, 1, 0])],
  1_000,
);
const window = { startMillis: 0, endMillis: 4_000 };

test('cells are those with something in them, with the largest that they hold', () => {
  assert.deepEqual(
    map.cells.map(({ endMillis, bucket, count, exemplar }) => [
      endMillis,
      bucket,
      count,
      exemplar?.profileId,
    ]),
    [
      [1_000, 0, 2, 'p9'],
      // The last bucket holds the largest value too.
      [1_000, 3, 1, 'p40'],
      [2_000, 1, 1, undefined],
      [4_000, 0, 1, undefined],
      [4_000, 2, 1, undefined],
    ],
  );
  assert.deepEqual([map.low, map.high, map.maxCount, map.bucketCount], [0, 40, 2, 4]);
});

test('a cell is found where it is drawn', () => {
  map.cells.forEach((cell, index) => {
    const { left, right, bottom, top } = placeOf(cell, map, window);
    assert.equal(cellAt(map, window, (left + right) / 2, (bottom + top) / 2), index);
  });
  assert.equal(cellAt(map, window, 0.1, 0.4), -1);
});

test('arrows go to the nearest cell, and stay at the edge', () => {
  assert.equal(nextCell(map, -1, 'left'), 4);
  assert.equal(nextCell(map, 0, 'up'), 1);
  assert.equal(nextCell(map, 1, 'up'), 1);
  assert.equal(nextCell(map, 1, 'right'), 2);
  assert.equal(nextCell(map, 2, 'right'), 3);
  assert.equal(nextCell(map, 4, 'right'), 4);
  assert.equal(nextCell(map, 2, 'left'), 0);
  assert.equal(nextCell(map, 3, 'down'), 3);
});

test('nothing gives no cells', () => {
  const empty = heatmapCells([], 1_000);
  assert.deepEqual([empty.cells.length, empty.maxCount], [0, 0]);
  assert.equal(nextCell(empty, -1, 'up'), -1);
});

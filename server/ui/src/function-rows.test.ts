// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functionRows, nextSort, type RowSource, rowWindow } from './function-rows.ts';

const source: RowSource = {
  name: Uint32Array.of(1, 2, 3),
  names: ['total', 'b', 'a', 'c'],
  isMerged: () => false,
};
const self = Float64Array.of(0, 5, 5, 9);
const total = Float64Array.of(0, 30, 20, 9);

test('rows are sorted by the column, and equal figures by name', () => {
  assert.deepEqual(functionRows(source, self, true, undefined), [3, 2, 1]);
  assert.deepEqual(functionRows(source, total, false, undefined), [3, 2, 1]);
  assert.deepEqual(functionRows(source, undefined, false, undefined), [2, 1, 3]);
});

test('what the server merged comes last in every order', () => {
  const merged = { ...source, isMerged: (name: number) => name === 3 };
  for (const figures of [undefined, self, total]) {
    for (const isDescending of [true, false]) {
      assert.equal(functionRows(merged, figures, isDescending, undefined).at(-1), 3);
    }
  }
});

test('a search leaves what matches', () => {
  assert.deepEqual(functionRows(source, self, true, Uint8Array.of(0, 1, 0, 1)), [3, 1]);
});

test('a second click on a column turns its order round', () => {
  const order = { key: 'self', isDescending: true };
  assert.deepEqual(nextSort(order, 'self'), { key: 'self', isDescending: false });
  assert.deepEqual(nextSort(order, 'name'), { key: 'name', isDescending: false });
  assert.deepEqual(nextSort(order, 'total'), { key: 'total', isDescending: true });
});

test('rows exist near the window only', () => {
  assert.deepEqual(rowWindow(10_000, 30, 30_000, 300), { first: 988, limit: 1022 });
  assert.deepEqual(rowWindow(5, 30, 0, 300), { first: 0, limit: 5 });
  assert.deepEqual(rowWindow(5, 30, 9_000, 300), { first: 5, limit: 5 });
});

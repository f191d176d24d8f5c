// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRAME_KINDS } from './flamegraph/frame-kind.ts';
import { DEFAULT_SORT, functionRows, nextSort, rowWindow, SORT_KEYS } from './function-rows.ts';

const names = ['total', 'b', 'a', 'c'];
const functions = {
  name: Uint32Array.of(1, 2, 3),
  self: Float64Array.of(0, 5, 5, 9),
  total: Float64Array.of(0, 30, 20, 9),
  kind: Uint8Array.of(0, 0, 0, 0),
};

test('rows are sorted by the column, and equal figures by name', () => {
  assert.deepEqual(functionRows(functions, names, DEFAULT_SORT, undefined), [3, 2, 1]);
  assert.deepEqual(
    functionRows(functions, names, { key: 'total', isDescending: false }, undefined),
    [3, 2, 1],
  );
  assert.deepEqual(
    functionRows(functions, names, { key: 'name', isDescending: false }, undefined),
    [2, 1, 3],
  );
});

test('what the server merged comes last in every order', () => {
  const merged = { ...functions, kind: Uint8Array.of(0, 0, 0, FRAME_KINDS.indexOf('truncated')) };
  for (const key of SORT_KEYS) {
    for (const isDescending of [true, false]) {
      assert.equal(functionRows(merged, names, { key, isDescending }, undefined).at(-1), 3);
    }
  }
});

test('a search leaves what matches', () => {
  assert.deepEqual(functionRows(functions, names, DEFAULT_SORT, Uint8Array.of(0, 1, 0, 1)), [3, 1]);
});

test('a second click on a column turns its order round', () => {
  assert.deepEqual(nextSort(DEFAULT_SORT, 'self'), { key: 'self', isDescending: false });
  assert.deepEqual(nextSort(DEFAULT_SORT, 'name'), { key: 'name', isDescending: false });
  assert.deepEqual(nextSort(DEFAULT_SORT, 'total'), { key: 'total', isDescending: true });
});

test('rows exist near the window only', () => {
  assert.deepEqual(rowWindow(10_000, 30, 30_000, 300), { first: 988, limit: 1022 });
  assert.deepEqual(rowWindow(5, 30, 0, 300), { first: 0, limit: 5 });
  assert.deepEqual(rowWindow(5, 30, 9_000, 300), { first: 5, limit: 5 });
});

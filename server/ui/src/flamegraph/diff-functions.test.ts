// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareFunctions } from './diff-functions.ts';

test('functions of either side are compared by their shares', () => {
  const kind = new Uint8Array(4);
  const left = {
    name: Uint32Array.of(1, 2),
    self: Float64Array.of(0, 5, 5, 0),
    total: Float64Array.of(0, 10, 5, 0),
    kind,
  };
  const right = {
    name: Uint32Array.of(1, 3),
    self: Float64Array.of(0, 5, 0, 15),
    total: Float64Array.of(0, 20, 0, 15),
    kind,
  };
  const wholes = { left: 10, right: 20 };
  const self = compareFunctions(left, right, wholes, 'self');
  assert.deepEqual([...self.name], [1, 2, 3]);
  assert.deepEqual([...self.left], [0, 0.5, 0.5, 0]);
  assert.deepEqual([...self.right], [0, 0.25, 0, 0.75]);
  assert.deepEqual([...self.difference], [0, -0.25, -0.5, 0.75]);
  assert.deepEqual([...compareFunctions(left, right, wholes, 'total').difference], [0, 0, -0.5, 0.75]);
  assert.deepEqual([...compareFunctions(left, right, { left: 10, right: 0 }, 'self').right], [0, 0, 0, 0]);
});

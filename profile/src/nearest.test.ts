// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editDistance, nearest, suggestion } from './nearest.ts';

test('the distance counts edits, and a swap of neighbours as one', () => {
  assert.equal(editDistance('', ''), 0);
  assert.equal(editDistance('port', 'port'), 0);
  assert.equal(editDistance('prot', 'port'), 1);
  assert.equal(editDistance('http_prt', 'http_port'), 1);
  assert.equal(editDistance('kitten', 'sitting'), 3);
});

test('the distance is symmetric, and zero only for equal words', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.equal(editDistance(a, b) === 0, a === b);
    }),
  );
});

test('a candidate is named only when it is close', () => {
  const candidates = ['http_port', 'host', 'data_dir'];
  assert.equal(nearest('htpp_port', candidates), 'http_port');
  assert.equal(nearest('DATA_DIR', candidates), 'data_dir');
  assert.equal(nearest('zzzzzzzzzzz', candidates), undefined);
  assert.equal(nearest('x'.repeat(101), ['x'.repeat(100)]), undefined);
  assert.equal(suggestion('hots', candidates, '--'), '; did you mean --host?');
  assert.equal(suggestion('zzzzzzzzzzz', candidates), '');
});

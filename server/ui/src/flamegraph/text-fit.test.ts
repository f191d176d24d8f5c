// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TextFit } from './text-fit.ts';

const measure = (text: string): number =>
  [...text].reduce((sum, char) => sum + (char === 'i' ? 3 : char.codePointAt(0)! < 128 ? 7 : 12), 0);
const fit = new TextFit(measure);

test('a name that fits stays whole, a longer one is cut, and too little room shows nothing', () => {
  assert.equal(fit.fit('main', 28), 'main');
  assert.equal(fit.fit('main_loop', 40), 'main…');
  assert.equal(fit.fit('main_loop', 28), '');
  assert.equal(fit.fit('', 30), '');
});

test('what is shown is never wider than the room for it and never half a character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(300), (name, width) => {
      const shown = fit.fit(name, width);
      assert.ok(measure(shown) <= width);
      assert.ok(shown.isWellFormed());
      assert.ok(shown === '' || shown === name || name.startsWith(shown.slice(0, -1)));
    }),
  );
});

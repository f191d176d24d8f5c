// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { absoluteRange, DEFAULT_TIME_RANGE } from './time-range.ts';
import {
  formatPageState,
  MAX_ROOT_CHARS,
  type PageState,
  parsePageState,
  REFRESH_SECONDS,
  refreshSecondsOf,
  VIEWS,
} from './url-state.ts';

// An address cannot hold half a surrogate pair.
const text = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((value) => value.isWellFormed());

test('every state is read back from its address', () => {
  const stateArbitrary: fc.Arbitrary<PageState> = fc.record(
    {
      service: text,
      type: text,
      range: fc.constantFrom(DEFAULT_TIME_RANGE, absoluteRange(1_790_000_000_000, 1_790_000_060_000)),
      filter: text,
      search: text,
      root: fc.array(text, { maxLength: 4 }),
      view: fc.constantFrom(undefined, ...VIEWS),
      refreshSeconds: fc.constantFrom(undefined, ...REFRESH_SECONDS),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(stateArbitrary, (state) => {
      assert.deepEqual(parsePageState(formatPageState(state)), state);
    }),
  );
});

test('the page as it opens has a bare address', () => {
  assert.equal(formatPageState(parsePageState('')), '');
});

test('nonsense in the address falls back to the defaults', () => {
  const state = parsePageState('from=never&until=&view=pie&refresh=7&unknown=1');
  assert.deepEqual(state, parsePageState(''));
});

test('a path at the limit is kept and one beyond it is left out', () => {
  const pathOfChars = (chars: number) => ['x'.repeat(chars - 'frame='.length)];
  const state = parsePageState('service=a');
  const kept = { ...state, root: pathOfChars(MAX_ROOT_CHARS) };
  assert.deepEqual(parsePageState(formatPageState(kept)), kept);
  assert.equal(formatPageState({ ...state, root: pathOfChars(MAX_ROOT_CHARS + 1) }), 'service=a');
});

test('a range that moves is refreshed unless the reader says no', () => {
  assert.equal(refreshSecondsOf(parsePageState('')), 10);
  assert.equal(refreshSecondsOf(parsePageState('refresh=0')), 0);
  assert.equal(refreshSecondsOf(parsePageState('from=1790000000&until=1790000060')), 0);
});

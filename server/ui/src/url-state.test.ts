// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BaselineTime, PREVIOUS, SAME_TIME } from './baseline.ts';
import { absoluteRange, DEFAULT_TIME_RANGE, lastMillis } from './time-range.ts';
import {
  ARRANGEMENTS,
  formatPageState,
  MAX_ROOT_CHARS,
  OVERVIEWS,
  type PageState,
  parsePageState,
  REFRESH_SECONDS,
  refreshSecondsOf,
  VIEWS,
} from './url-state.ts';

// An address cannot hold half a surrogate pair.
const text = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((value) => value.isWellFormed());

const someText = text.filter((value) => value !== '');
const baselineTime: fc.Arbitrary<BaselineTime> = fc.oneof(
  fc.constantFrom<BaselineTime>(PREVIOUS, SAME_TIME, { kind: 'range', range: lastMillis(3_600_000) }),
  fc.integer({ min: 1, max: 1e6 }).map((seconds) => ({ kind: 'shift' as const, millis: seconds * 1_000 })),
  fc.integer({ min: 1, max: 1e6 }).map((seconds) => ({ kind: 'shift' as const, millis: -seconds * 1_000 })),
);

test('every state is read back from its address', () => {
  const stateArbitrary: fc.Arbitrary<PageState> = fc.record(
    {
      service: text,
      type: text,
      range: fc.constantFrom(DEFAULT_TIME_RANGE, absoluteRange(1_790_000_000_000, 1_790_000_060_000)),
      filter: text,
      baseline: fc.option(
        fc.record({ service: text, filter: text, time: baselineTime }, { noNullPrototype: true }),
        {
          nil: undefined,
        },
      ),
      single: fc.option(
        fc.record({ kind: fc.constantFrom('profile', 'span'), id: someText }, { noNullPrototype: true }),
        { nil: undefined },
      ),
      file: text,
      baseFile: text,
      search: text,
      root: fc.array(text, { maxLength: 4 }),
      view: fc.constantFrom(undefined, ...VIEWS),
      arrangement: fc.constantFrom(...ARRANGEMENTS),
      overview: fc.constantFrom(...OVERVIEWS),
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
  const state = parsePageState(
    'from=never&until=&view=pie&refresh=7&unknown=1&base=soon&show=x&over=y&profile=',
  );
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
  assert.equal(refreshSecondsOf(parsePageState('file=x&refresh=5')), 0);
});

test('a baseline has the labels of the selection unless the address says otherwise', () => {
  const state = parsePageState('service=a&filter=b%3D"c"&base=7d');
  assert.deepEqual(state.baseline, {
    service: 'a',
    filter: 'b="c"',
    time: { kind: 'shift', millis: 7 * 86_400_000 },
  });
  assert.equal(parsePageState('service=a&base=same&baseService=b').baseline?.service, 'b');
  assert.equal(parsePageState('service=a&baseService=b').baseline, undefined);
});

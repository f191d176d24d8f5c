// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Profile } from '@hearthscope/profile/profile';
import { profileFromText } from '@hearthscope/profile/testing/text-profile';
import fc from 'fast-check';
import { SampleSelector } from './select-samples.ts';

/** What a sample says, with all indices resolved. */
function describeSamples(profile: Profile, rows?: readonly number[]): string[] {
  const { samples, stacks, locations, functions, attributeSets, strings } = profile;
  return (rows ?? [...samples.stack.keys()]).map((row) => {
    const stack = samples.stack[row]!;
    const frames: string[] = [];
    for (let i = stacks.locationStart[stack]!; i < stacks.locationStart[stack + 1]!; i++) {
      const location = stacks.location[i]!;
      for (let line = locations.lineStart[location]!; line < locations.lineStart[location + 1]!; line++) {
        frames.push(strings[functions.name[locations.lineFunction[line]!]!]!);
      }
      frames.push(`@${strings[locations.frameType[location]!]}`);
    }
    const set = samples.attributeSet[row]!;
    const attributes = [
      ...attributeSets.attribute.slice(
        attributeSets.attributeStart[set],
        attributeSets.attributeStart[set + 1],
      ),
    ].map((index) => `${profile.attributes[index]!.key}=${profile.attributes[index]!.value}`);
    return `${frames.join(';')} ${samples.values.map((values) => values[row])} ${attributes}`;
  });
}

const PROFILE = profileFromText(`
  main;parse;read@kernel 5 thread=a
  main;parse 7 thread=b
  main;draw;inner<outer 11 thread=a
  main;draw 13
`);

test('the selected samples say what they said, and the tables have nothing else', () => {
  const selected = new SampleSelector(PROFILE).select([2]);
  assert.deepEqual(describeSamples(selected), describeSamples(PROFILE, [2]));
  assert.equal(selected.stacks.length, 1);
  assert.deepEqual([...selected.strings].sort(), ['', 'draw', 'inner', 'main', 'outer']);
  assert.deepEqual(
    selected.attributes.map(({ value }) => value),
    ['a'],
  );
});

test('row 0 means none in the tables where it did', () => {
  const selected = new SampleSelector(PROFILE).select([3]);
  assert.equal(selected.strings[0], '');
  assert.equal(selected.samples.attributeSet[0], 0);
  assert.equal(selected.attributeSets.attributeStart[1], 0);
  assert.deepEqual(selected.links[0], { traceId: '', spanId: '' });
});

test('a selector can be used again: no selection leaks into the next', () => {
  const rows = fc.uniqueArray(fc.integer({ min: 0, max: PROFILE.samples.length - 1 }));
  const selector = new SampleSelector(PROFILE);
  fc.assert(
    fc.property(rows, (selection) => {
      const selected = selector.select(selection);
      assert.deepEqual(describeSamples(selected), describeSamples(PROFILE, selection));
      assert.equal(selected.stacks.length, new Set(selection.map((row) => PROFILE.samples.stack[row])).size);
    }),
  );
});

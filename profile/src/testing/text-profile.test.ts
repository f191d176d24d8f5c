// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCollapsed } from '../codecs/collapsed.ts';
import { canonicalProfile } from './canonical-profile.ts';
import { profileFromText } from './text-profile.ts';

test('lines become stacks, root first', () => {
  const profile = profileFromText(`
    # a comment
    main;work 70
    main;idle 30
    main;work 5
  `);
  assert.equal(encodeCollapsed(profile), 'main;idle 30\nmain;work 75\n');
  assert.equal(profile.samples.length, 2);
});

test('frame types, inlining, values and attributes', () => {
  const profile = profileFromText('main;leaf<caller;sys_read@kernel 1,20 thread=a pod=b', {
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
  });
  assert.deepEqual(
    Array.from(profile.locations.frameType, (index) => profile.strings[index]),
    ['', '', 'kernel'],
  );
  assert.deepEqual([...profile.stacks.location], [2, 1, 0]);
  assert.deepEqual([...profile.locations.lineStart], [0, 1, 3, 4]);
  assert.deepEqual(profile.samples.values.map(String), ['1', '20']);
  assert.deepEqual(profile.attributes, [
    { key: 'thread', value: 'a', unit: '' },
    { key: 'pod', value: 'b', unit: '' },
  ]);
});

test('a line that is none is named', () => {
  assert.throws(() => profileFromText('main 1\nwork'), /text profile: line 2 is not "root;leaf value": work/);
});

test('profiles that say the same are canonically equal, others are not', () => {
  const canonical = (text: string) => canonicalProfile(profileFromText(text));
  assert.deepEqual(canonical('a;b 1\nc 2'), canonical('c 2\na;b 1'));
  assert.notDeepEqual(canonical('a;b 1'), canonical('a;b 2'));
  assert.notDeepEqual(canonical('a;b 1'), canonical('b;a 1'));
  assert.notDeepEqual(canonical('a;b 1 t=1'), canonical('a;b 1 t=2'));
});

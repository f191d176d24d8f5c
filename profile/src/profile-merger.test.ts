// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Profile } from './profile.ts';
import { ProfileMerger } from './profile-merger.ts';
import { arbitraryProfile } from './testing/arbitrary-profile.ts';
import { canonicalProfile } from './testing/canonical-profile.ts';
import { profileFromText } from './testing/text-profile.ts';

function merge(...profiles: readonly Profile[]): Profile {
  const merger = new ProfileMerger(profiles[0]!);
  for (const profile of profiles) merger.add(profile);
  return merger.build();
}

test('equal samples of two profiles are one, whatever their indexes', () => {
  const merged = merge(
    profileFromText('main;work 1\nmain;idle 2'),
    profileFromText('other 4\nmain;idle 8\nmain;work 16 thread=a'),
  );
  assert.deepEqual(
    canonicalProfile(merged),
    canonicalProfile(profileFromText('main;work 1\nmain;idle 10\nother 4\nmain;work 16 thread=a')),
  );
});

test('rows that no chosen sample refers to are left behind', () => {
  const merger = new ProfileMerger(profileFromText('a 1'));
  merger.add(profileFromText('main;work 1\nmain;idle 2 thread=x'), [0]);
  const merged = merger.build();
  assert.deepEqual(merged.strings, ['', 'work', 'main']);
  assert.equal(merged.attributes.length, 0);
});

test('property: a profile merged with itself has the same samples with twice the values', () => {
  const totals = ({ samples }: Profile) =>
    samples.values.map((column) => column.reduce((sum, value) => sum + value, 0n));
  fc.assert(
    fc.property(arbitraryProfile(), (profile) => {
      const halved: Profile = {
        ...profile,
        samples: {
          ...profile.samples,
          values: profile.samples.values.map((column) => column.map((value) => value / 4n)),
        },
      };
      const once = merge(halved);
      const twice = merge(halved, halved);
      assert.equal(twice.samples.length, once.samples.length);
      assert.deepEqual(totals(once), totals(halved));
      assert.deepEqual(
        totals(twice),
        totals(once).map((total) => total * 2n),
      );
    }),
    { numRuns: 200 },
  );
});

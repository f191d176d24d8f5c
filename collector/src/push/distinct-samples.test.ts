// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Profile } from '@hearthscope/profile/profile';
import { ProfileMerger } from '@hearthscope/profile/profile-merger';
import { arbitraryProfile } from '@hearthscope/profile/testing/arbitrary-profile';
import { canonicalProfile } from '@hearthscope/profile/testing/canonical-profile';
import { profileFromText } from '@hearthscope/profile/testing/text-profile';
import fc from 'fast-check';
import { withDistinctSamples } from './distinct-samples.ts';

/** Both columns, the second one's rows moved up. */
function twice(column: Uint32Array, moved: number): Uint32Array {
  return Uint32Array.from([...column, ...column.map((row) => row + moved)]);
}

function same32(column: Uint32Array): Uint32Array {
  return Uint32Array.from([...column, ...column]);
}

function same64(column: BigUint64Array): BigUint64Array {
  return BigUint64Array.from([...column, ...column]);
}

function starts(start: Uint32Array): Uint32Array {
  const end = start.at(-1)!;
  return Uint32Array.from([...start, ...start.subarray(1).map((at) => at + end)]);
}

/** Each row of each table is there twice, and the second half of the samples knows the second ones alone. */
function doubled(profile: Profile): Profile {
  const { strings, mappings, functions, locations, stacks, attributes, attributeSets, links, samples } =
    profile;
  const text = strings.length;
  return {
    ...profile,
    strings: [...strings, ...strings],
    mappings: {
      length: mappings.length * 2,
      start: same64(mappings.start),
      limit: same64(mappings.limit),
      fileOffset: same64(mappings.fileOffset),
      filename: twice(mappings.filename, text),
      buildId: twice(mappings.buildId, text),
    },
    functions: {
      length: functions.length * 2,
      name: twice(functions.name, text),
      systemName: twice(functions.systemName, text),
      filename: twice(functions.filename, text),
      startLine: same32(functions.startLine),
    },
    locations: {
      length: locations.length * 2,
      mapping: twice(locations.mapping, mappings.length),
      address: same64(locations.address),
      lineStart: starts(locations.lineStart),
      lineFunction: twice(locations.lineFunction, functions.length),
      lineNumber: same32(locations.lineNumber),
      lineColumn: same32(locations.lineColumn),
      frameType: twice(locations.frameType, text),
    },
    stacks: {
      length: stacks.length * 2,
      locationStart: starts(stacks.locationStart),
      location: twice(stacks.location, locations.length),
    },
    attributes: [...attributes, ...attributes],
    attributeSets: {
      length: attributeSets.length * 2,
      attributeStart: starts(attributeSets.attributeStart),
      attribute: twice(attributeSets.attribute, attributes.length),
    },
    links: [...links, ...links],
    samples: {
      length: samples.length * 2,
      stack: twice(samples.stack, stacks.length),
      values: samples.values.map((values) => BigInt64Array.from([...values, ...values])),
      attributeSet: twice(samples.attributeSet, attributeSets.length),
      link: twice(samples.link, links.length),
      timestampStart: starts(samples.timestampStart),
      timestampUnixNanos: same64(samples.timestampUnixNanos),
    },
  };
}

function mergedWithItself(profile: Profile): Profile {
  const merger = new ProfileMerger(profile);
  merger.add(profile);
  merger.add(profile);
  return merger.build();
}

/** Rows of all tables but that of strings, of which row 0 may be unused. */
function rows({
  mappings,
  functions,
  locations,
  stacks,
  attributes,
  attributeSets,
  links,
  samples,
}: Profile) {
  return [mappings, functions, locations, stacks, attributes, attributeSets, links, samples].map(
    ({ length }) => length,
  );
}

test('samples that are equal in content are one, whatever rows they name, and nothing else is kept', () => {
  fc.assert(
    fc.property(arbitraryProfile(), (profile) => {
      const distinct = withDistinctSamples(doubled(profile));
      const expected = mergedWithItself(profile);
      assert.deepEqual(canonicalProfile(distinct), canonicalProfile(expected));
      assert.deepEqual(rows(distinct), rows(expected));
    }),
  );
});

test('a profile whose samples are distinct keeps its tables', () => {
  const profile = profileFromText('main;a 1\nmain;b 2');
  const { stacks, locations, functions } = withDistinctSamples(profile);
  assert.deepEqual([stacks, locations, functions], [profile.stacks, profile.locations, profile.functions]);
});

test('a sum that leaves int64 is an error', () => {
  const profile = profileFromText('main 1');
  const largest = { ...profile.samples, values: [BigInt64Array.of(2n ** 63n - 1n)] };
  assert.throws(
    () => withDistinctSamples(doubled({ ...profile, samples: largest })),
    (error) => error instanceof HearthscopeError && error.code === 'internal',
  );
});

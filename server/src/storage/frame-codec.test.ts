// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError, HearthscopeError } from '@hearthscope/profile/errors';
import { labelSet } from '@hearthscope/profile/labels';
import { arbitraryProfile } from '@hearthscope/profile/testing/arbitrary-profile';
import fc from 'fast-check';
import { decodeFrame, encodeFrame } from './frame-codec.ts';
import { storedProfile } from './testing/stored-profile.ts';

const tenantProfile = fc.record({
  tenant: fc.string({ unit: 'grapheme' }).map((text) => text.toWellFormed()),
  labels: fc
    .array(fc.record({ name: fc.string(), value: fc.string({ unit: 'grapheme', minLength: 1 }) }))
    .map((labels) =>
      labelSet(labels.map(({ name, value }) => ({ name: name.toWellFormed(), value: value.toWellFormed() }))),
    ),
  profile: arbitraryProfile({ sampleTypes: { min: 1, max: 1 } }),
});

test('a profile is read back as it was written', () => {
  fc.assert(
    fc.property(tenantProfile, (written) => {
      assert.deepEqual(decodeFrame(encodeFrame(written)), structuredClone(written));
    }),
    { numRuns: 500 },
  );
});

test('a frame cut off anywhere is refused with the offset', () => {
  const frame = encodeFrame({ tenant: 'a', ...storedProfile('main;work 70 pid=7\nmain;idle@kernel 30') });
  for (let length = 0; length < frame.length; length++) {
    assert.throws(
      () => decodeFrame(frame.subarray(0, length)),
      (error) => error instanceof FormatError && error.offset <= length,
      `cut to ${length} of ${frame.length} bytes`,
    );
  }
  assert.throws(() => decodeFrame(Buffer.concat([frame, Buffer.of(0)])), /1 bytes too many/);
});

test('damaged frames are refused or read as something valid, never half', () => {
  fc.assert(
    fc.property(
      tenantProfile,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (profile, changes) => {
        const frame = encodeFrame(profile);
        for (const [at, byte] of changes) frame[at % frame.length] = byte;
        try {
          const { profile: read } = decodeFrame(frame);
          for (const stack of read.samples.stack) assert.ok(stack < read.stacks.length);
          for (const location of read.stacks.location) assert.ok(location < read.locations.length);
          for (const name of read.functions.name) assert.ok(name < read.strings.length);
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('noise is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
      assert.throws(() => decodeFrame(Buffer.concat([Buffer.of(1), noise])), FormatError);
    }),
  );
});

test('a column of zeroes cannot announce more items than are allowed', () => {
  // Version, tenant '', no labels, id '', time, duration, four empty texts, period, no attributes, no comments.
  const header = Buffer.concat([
    Buffer.of(1, 0, 0, 0),
    Buffer.alloc(16),
    Buffer.alloc(4),
    Buffer.alloc(8),
    Buffer.alloc(2),
  ]);
  const strings = Buffer.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0);
  assert.throws(() => decodeFrame(Buffer.concat([header, strings])), /string brings the items to 4294967295/);
});

test('an unknown version is named', () => {
  assert.throws(() => decodeFrame(Buffer.of(2, 0, 0)), /version 2 is not 1, the one that is known at byte 0/);
});

test('what could not be read back is not written', () => {
  const { labels, profile } = storedProfile('main 1');
  const isInvalid = (error: unknown) =>
    error instanceof HearthscopeError && error.code === 'invalid_argument';
  assert.throws(() => encodeFrame({ tenant: 'a', labels, profile: { ...profile, id: 'xyz' } }), isInvalid);
  const links = [{ traceId: '', spanId: 'short' }];
  assert.throws(() => encodeFrame({ tenant: 'a', labels, profile: { ...profile, links } }), isInvalid);
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodePprof } from '@hearthscope/profile/codecs/pprof-decode';
import { encodePprof } from '@hearthscope/profile/codecs/pprof-encode';
import { arbitraryProfile } from '@hearthscope/profile/testing/arbitrary-profile';
import { canonicalProfile } from '@hearthscope/profile/testing/canonical-profile';
import fc from 'fast-check';
import { encodePprofPayload } from './pprof-payload.ts';

test('property: what is encoded reads back the same, and as from the other encoder', () => {
  fc.assert(
    fc.property(arbitraryProfile({ pprofOnly: true }), (profile) => {
      const { profile: decoded, repaired } = decodePprof(encodePprofPayload(profile));
      assert.deepEqual(repaired, []);
      assert.deepEqual(canonicalProfile(decoded), canonicalProfile(profile));
      assert.deepEqual(
        canonicalProfile(decodePprof(encodePprof(profile)).profile),
        canonicalProfile(decoded),
      );
    }),
    { numRuns: 200 },
  );
});

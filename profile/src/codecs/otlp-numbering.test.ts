// SPDX-License-Identifier: Apache-2.0
//
// Which numbering of Sample a request uses: requests of both kinds, made by protobufjs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { arbitraryProfile } from '../testing/arbitrary-profile.ts';
import { ForeignOtlpRequest, foreignEncode, foreignOtlpType } from '../testing/foreign-schema.ts';
import {
  decodePlain,
  type Json,
  plainDictionary,
  plainProfile,
  reasons,
  resourceProfile,
  values,
} from '../testing/plain-otlp.ts';
import { decodeOtlpRequest } from './otlp-decode.ts';
import { encodeOtlpRequest } from './otlp-encode.ts';

test('property: own requests are never taken for the other numbering', () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryProfile({ sampleTypes: { min: 1, max: 1 } }), { maxLength: 3, minLength: 1 }),
      (profiles) => {
        const result = decodeOtlpRequest(
          encodeOtlpRequest(profiles.map((profile) => resourceProfile(profile))),
        );
        assert.equal(result.numbering, '1.10');
        assert.equal(result.resourceProfiles.length, profiles.length);
      },
    ),
    { numRuns: 200 },
  );
});

/** A request whose Samples are encoded with the numbering of OTLP 1.9. */
function request19(
  samples: Json[],
  attributeTable = plainDictionary().attribute_table as Json[],
): Uint8Array {
  const profile = foreignEncode(foreignOtlpType('Profile19'), { ...plainProfile(), samples });
  const dictionary = { ...plainDictionary(), attribute_table: attributeTable };
  const frame = (field: number, bytes: Uint8Array): Uint8Array => {
    const length: number[] = [];
    let rest = bytes.length;
    for (; rest >= 0x80; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
    return Uint8Array.from([field * 8 + 2, ...length, rest, ...bytes]);
  };
  const head = foreignEncode(ForeignOtlpRequest, { dictionary });
  return Uint8Array.from([...head, ...frame(1, frame(2, frame(2, profile)))]);
}

test('1.9 numbering is recognised by its evidence', () => {
  const withAttributes = [
    { stack_index: 1, values: [5], attribute_indices: [2] },
    { stack_index: 2, values: [1] },
  ];
  const withLink = [{ stack_index: 1, values: [2], link_index: 1 }];
  const largeValue = [{ stack_index: 1, values: [3] }];
  const expected: [Json[], string][] = [
    [withAttributes, '5,1'],
    [withLink, '2'],
    [largeValue, '3'],
    [[{ stack_index: 1, values: ['-1'] }], '-1'],
  ];
  for (const [samples, sums] of expected) {
    const result = decodeOtlpRequest(request19(samples));
    assert.equal(result.numbering, '1.9', sums);
    assert.deepEqual(values(result), [sums]);
    assert.deepEqual(result.rejected, []);
  }
  const { profile } = decodeOtlpRequest(request19(withAttributes)).resourceProfiles[0]!;
  assert.deepEqual(profile.attributes, [{ key: 'thread.id', value: 42n, unit: 'ns' }]);
  assert.deepEqual(decodeOtlpRequest(request19(withLink)).resourceProfiles[0]!.profile.samples.link[0], 1);
});

test('1.9 samples without evidence are refused with a hint, unless the numbering is given', () => {
  const silent = request19([{ stack_index: 1, values: [2] }]);
  const auto = decodeOtlpRequest(silent);
  assert.deepEqual(reasons(auto), {
    'sample sample_value_required': 1,
    'profile no_valid_samples': 1,
    mapping_attribute_dropped: 1,
  });
  assert.match(auto.rejected[0]!.message, /^sample value is required, or the sender numbers as OTLP 1\.9$/);
  assert.deepEqual(values(decodeOtlpRequest(silent, { numbering: '1.9' })), ['2']);
});

test('1.10 requests stay 1.10, even with one broken attribute index', () => {
  const broken = decodePlain({
    profile: {
      samples: [
        { stack_index: 1, attribute_indices: [77], values: [1] },
        { stack_index: 2, values: [7] },
      ],
    },
  });
  assert.equal(broken.numbering, '1.10');
  assert.deepEqual(values(broken), ['7']);
  const onlyTimestamps = decodePlain({
    profile: { samples: [{ stack_index: 1, attribute_indices: [2], timestamps_unix_nano: [1, 2] }] },
  });
  assert.equal(onlyTimestamps.numbering, '1.10');
  assert.deepEqual(values(onlyTimestamps), ['2']);
});

test('contradictory numbering is refused and counted, unless it is given', () => {
  const from19 = request19([{ stack_index: 1, values: [5], attribute_indices: [2] }]);
  const profile = foreignEncode(ForeignOtlpRequest, {
    resource_profiles: [{ scope_profiles: [{ profiles: [plainProfile(), plainProfile()] }] }],
  });
  const both = Uint8Array.from([...from19, ...profile]);
  const result = decodeOtlpRequest(both);
  assert.equal(result.numbering, 'contradictory');
  assert.deepEqual(result.resourceProfiles, []);
  assert.deepEqual(reasons(result), { 'profile contradictory_numbering': 3, mapping_attribute_dropped: 1 });
  assert.throws(
    () => decodeOtlpRequest(both, { numbering: '1.10' }),
    /Sample.link_index has wire type 2, expected 0/,
  );
});

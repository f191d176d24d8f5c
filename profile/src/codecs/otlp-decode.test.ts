// SPDX-License-Identifier: Apache-2.0
//
// OTLP profiles in, written by protobufjs: what is read, what is refused, and where the limits are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { FormatError, HearthscopeError } from '../errors.ts';
import { canonicalProfile } from '../testing/canonical-profile.ts';
import { ForeignOtlpRequest, foreignDecode, foreignEncode } from '../testing/foreign-schema.ts';
import {
  decodePlain,
  type Json,
  plainDictionary,
  plainProfile,
  plainRequest,
  reasons,
  resourceProfile,
  values,
} from '../testing/plain-otlp.ts';
import { profileFromText } from '../testing/text-profile.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';
import { MAX_VALUE_DEPTH } from './otlp-attributes.ts';
import { decodeOtlpRequest, type OtlpDecodeOptions } from './otlp-decode.ts';
import { encodeOtlpRequest } from './otlp-encode.ts';
import { encodePprof } from './pprof-encode.ts';

test('a link keeps the id that it has', () => {
  const traceId = Buffer.alloc(16, 0xab);
  const spanId = Buffer.alloc(8, 0xcd);
  const links = [
    {},
    { span_id: spanId },
    { trace_id: traceId },
    { trace_id: Buffer.alloc(3), span_id: Buffer.alloc(8) },
  ];
  const result = decodePlain({
    profile: { samples: links.map((_, link_index) => ({ stack_index: 1, values: [1], link_index })) },
    dictionary: { link_table: links },
  });
  const { profile } = result.resourceProfiles[0]!;
  assert.deepEqual([...profile.samples.link], [0, 1, 2, 0]);
  assert.deepEqual(profile.links.slice(1), [
    { traceId: '', spanId: spanId.toString('hex') },
    { traceId: traceId.toString('hex'), spanId: '' },
  ]);
  assert.equal(reasons(result).link_invalid, 3);
  const again = decodeOtlpRequest(encodeOtlpRequest([resourceProfile(profile)])).resourceProfiles[0]!.profile;
  assert.deepEqual(again.links, profile.links);
});

test('what protobufjs writes is read, row by row', () => {
  const result = decodePlain({
    profile: {
      profile_id: Buffer.alloc(16, 0x1f),
      attribute_indices: [2],
      samples: [
        { stack_index: 1, values: [5], attribute_indices: [2], link_index: 1 },
        { stack_index: 2, timestamps_unix_nano: ['18446744073709551615', 1, 2] },
        { values: ['-9223372036854775808'] },
      ],
    },
  });
  assert.equal(result.numbering, '1.10');
  assert.deepEqual(reasons(result), { mapping_attribute_dropped: 1 });
  const { profile } = result.resourceProfiles[0]!;
  assert.equal(profile.id, '1f'.repeat(16));
  assert.equal(profile.timeUnixNanos, 1_700_000_000_000_000_000n);
  assert.equal(profile.durationNanos, 10_000_000_000n);
  assert.deepEqual(profile.sampleTypes, [{ type: 'samples', unit: 'count' }]);
  assert.deepEqual(profile.periodType, { type: 'cpu', unit: 'nanoseconds' });
  assert.deepEqual(profile.profileAttributes, [{ key: 'thread.id', value: 42n, unit: 'ns' }]);
  assert.deepEqual([...profile.samples.values[0]!], [5n, 3n, -(2n ** 63n)]);
  assert.deepEqual([...profile.samples.timestampUnixNanos], [2n ** 64n - 1n, 1n, 2n]);
  assert.deepEqual([...profile.samples.timestampStart], [0, 0, 3, 3]);
  assert.deepEqual([...profile.samples.link], [1, 0, 0]);
  assert.deepEqual(profile.links[1], { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) });
  assert.deepEqual([...profile.stacks.locationStart], [0, 2, 3, 3]);
  assert.deepEqual(profile.strings, ['', '/bin/app', 'work', 'main']);
  assert.deepEqual([...profile.locations.address], [4098n, 4097n]);
  assert.deepEqual([...profile.locations.lineNumber], [0, 7]);
});

test('requests without dictionary or profiles are refused in so many words', () => {
  const refused = (message: Json, text: string) =>
    assert.throws(
      () => decodeOtlpRequest(foreignEncode(ForeignOtlpRequest, message)),
      (error) =>
        error instanceof HearthscopeError && error.code === 'invalid_argument' && error.message === text,
    );
  refused({}, 'missing profile metadata dictionary');
  refused({ resource_profiles: [{}] }, 'missing profile metadata dictionary');
  refused({ dictionary: plainDictionary() }, 'missing resource profiles');
});

test('malformed protobuf is refused with its offset', () => {
  const bytes = plainRequest();
  assert.throws(() => decodeOtlpRequest(bytes.subarray(0, bytes.length - 1)), FormatError);
  assert.throws(
    () => decodeOtlpRequest(Uint8Array.of(0x08, 1)),
    /otlp profiles: .*resource_profiles has wire type 0/,
  );
  assert.throws(
    () => decodePlain({ dictionary: { string_table: ['x'] } }),
    /string_table\[0\] should be the empty string at byte \d+/,
  );
});

test('a dictionary without tables means "none" everywhere', () => {
  const result = decodeOtlpRequest(
    foreignEncode(ForeignOtlpRequest, {
      dictionary: { string_table: [''] },
      resource_profiles: [{ scope_profiles: [{ profiles: [{ samples: [{ values: [4] }] }] }] }],
    }),
  );
  assert.deepEqual(values(result), ['4']);
  assert.deepEqual(reasons(result), {});
});

test('a bad index costs the samples that need it, and nothing else', () => {
  const good = { stack_index: 2, values: [7] };
  const cases: [string, { samples?: Json[]; dictionary?: Json }][] = [
    ['stack_index_out_of_range', { samples: [{ stack_index: 3, values: [1] }, good] }],
    ['stack_index_out_of_range', { samples: [{ stack_index: -1, values: [1] }, good] }],
    ['link_index_out_of_range', { samples: [{ stack_index: 1, link_index: 2, values: [1] }, good] }],
    [
      'attribute_index_out_of_range',
      { samples: [{ stack_index: 1, attribute_indices: [3], values: [1] }, good] },
    ],
    [
      'attribute_index_out_of_range',
      { samples: [{ stack_index: 1, attribute_indices: [-1], values: [1] }, good] },
    ],
    [
      'location_index_out_of_range',
      { dictionary: { stack_table: [{}, { location_indices: [1, 3] }, { location_indices: [1] }] } },
    ],
    [
      'location_index_out_of_range',
      { dictionary: { stack_table: [{}, { location_indices: [-1] }, { location_indices: [1] }] } },
    ],
    ['mapping_index_out_of_range', { dictionary: { location_table: [{}, {}, { mapping_index: 2 }] } }],
    [
      'function_index_out_of_range',
      { dictionary: { location_table: [{}, {}, { lines: [{ function_index: 3 }] }] } },
    ],
    [
      'attribute_index_out_of_range',
      { dictionary: { location_table: [{}, {}, { attribute_indices: [3] }] } },
    ],
    [
      'string_index_out_of_range',
      { dictionary: { function_table: [{}, { name_strindex: 5 }, { name_strindex: 10 }] } },
    ],
    [
      'attribute_index_out_of_range',
      {
        dictionary: {
          mapping_table: [{}, {}, { attribute_indices: [99] }],
          location_table: [{}, { mapping_index: 1 }, { mapping_index: 2 }],
        },
      },
    ],
    [
      'string_index_out_of_range',
      {
        samples: [{ stack_index: 1, attribute_indices: [2], values: [1] }, good],
        dictionary: { attribute_table: [{}, {}, { key_strindex: 7, value: { string_value_strindex: 10 } }] },
      },
    ],
    ['sample_value_required', { samples: [{ stack_index: 1 }, good] }],
    [
      'value_count_mismatch',
      { samples: [{ stack_index: 1, values: [1, 2], timestamps_unix_nano: [1, 2, 3] }, good] },
    ],
    ['value_overflow', { samples: [{ stack_index: 1, values: ['9223372036854775807', 1] }, good] }],
  ];
  for (const [reason, { samples, dictionary = {} }] of cases) {
    const result = decodePlain({ profile: samples === undefined ? {} : { samples }, dictionary });
    assert.deepEqual(
      result.rejected.map(({ what, reason: found, count }) => [what, found, count]),
      [['sample', reason, 1]],
      reason,
    );
    assert.deepEqual(values(result), ['7'], reason);
  }
  const message = decodePlain({ profile: { samples: [{ stack_index: 1 }, good] } }).rejected[0]!.message;
  assert.equal(message, 'sample value is required');
});

test('a profile whose samples are all refused is refused, its neighbours stay', () => {
  const result = decodeOtlpRequest(
    foreignEncode(ForeignOtlpRequest, {
      dictionary: plainDictionary(),
      resource_profiles: [
        {
          scope_profiles: [{ profiles: [{ ...plainProfile(), samples: [{ stack_index: 9, values: [1] }] }] }],
        },
        { scope_profiles: [{ profiles: [plainProfile()] }] },
      ],
    }),
  );
  assert.deepEqual(values(result), ['5,7']);
  assert.equal(reasons(result)['profile no_valid_samples'], 1);
  assert.equal(reasons(result)['sample stack_index_out_of_range'], 1);
});

test('one value beside many timestamps is a total', () => {
  const result = decodePlain({
    profile: { samples: [{ stack_index: 1, values: [50], timestamps_unix_nano: [1, 2] }] },
  });
  assert.deepEqual(values(result), ['50']);
});

test('attribute values of every kind are kept', () => {
  const strings = plainDictionary().string_table;
  const attribute = (value: Json) => ({ key: 'k', value });
  const kinds: [Json, unknown][] = [
    [{ string_value: 'text' }, 'text'],
    [{ string_value: '' }, ''],
    [{ bool_value: false }, false],
    [{ int_value: '-9223372036854775808' }, -(2n ** 63n)],
    [{ double_value: 0.5 }, 0.5],
    [{ string_value_strindex: 5 }, 'main'],
    [{ bytes_value: Buffer.from([1, 255]) }, 'Af8='],
    [{}, ''],
    [{ array_value: {} }, '[]'],
    [
      {
        array_value: {
          values: [
            { string_value: '"' },
            { int_value: '9007199254740993' },
            { double_value: Number.POSITIVE_INFINITY },
            { array_value: { values: [{ bool_value: true }] } },
            { bytes_value: Buffer.from([1]) },
          ],
        },
      },
      '["\\"",9007199254740993,"Infinity",[true],"AQ=="]',
    ],
    [
      {
        kvlist_value: {
          values: [attribute({ int_value: 1 }), { key_strindex: 6, value: { kvlist_value: {} } }],
        },
      },
      '{"k":1,"work":{}}',
    ],
  ];
  const result = decodeOtlpRequest(
    foreignEncode(ForeignOtlpRequest, {
      dictionary: { string_table: strings },
      resource_profiles: [
        {
          resource: {
            attributes: [
              ...kinds.map(([value]) => attribute(value)),
              { key_strindex: 7, value: { string_value: 'by index' } },
              { key: '', value: { string_value: 'no key' } },
              { key: 'bad', value: { string_value_strindex: 99 } },
              { key_strindex: 99, value: { string_value: 'bad' } },
            ],
          },
          scope_profiles: [{ profiles: [{}] }],
        },
      ],
    }),
  );
  assert.deepEqual(
    result.resourceProfiles[0]!.resource.attributes.map(({ key, value }) => [key, value]),
    [...kinds.map(([, value]) => ['k', value]), ['thread.id', 'by index']],
  );
  assert.deepEqual(reasons(result), { attribute_key_empty: 1, attribute_string_out_of_range: 2 });
});

test('values nested too deep are refused', () => {
  const nested = (depth: number): Json =>
    depth === 0 ? { int_value: 1 } : { array_value: { values: [nested(depth - 1)] } };
  const decode = (depth: number) =>
    decodePlain({ dictionary: { attribute_table: [{}, {}, { key_strindex: 7, value: nested(depth) }] } });
  decode(MAX_VALUE_DEPTH);
  assert.throws(() => decode(MAX_VALUE_DEPTH + 1), /attribute value nested deeper than 16 at byte/);
});

test('build id and frame type go through attributes, both ways', () => {
  const dictionary = plainDictionary();
  const strings = [
    ...(dictionary.string_table as string[]),
    'process.executable.build_id.go',
    'process.executable.build_id.gnu',
    'profile.frame.type',
  ];
  const result = decodePlain({
    dictionary: {
      string_table: strings,
      attribute_table: [
        {},
        { key_strindex: 10, value: { string_value: 'go-id' } },
        { key_strindex: 11, value: { string_value: 'abcd' } },
        { key_strindex: 12, value: { string_value: 'kernel' } },
      ],
      mapping_table: [{}, { attribute_indices: [1, 2] }],
      location_table: [{}, { mapping_index: 1, attribute_indices: [3] }, { mapping_index: 1 }],
    },
  });
  const { profile } = result.resourceProfiles[0]!;
  assert.equal(profile.strings[profile.mappings.buildId[1]!], 'abcd');
  assert.deepEqual(
    Array.from(profile.locations.frameType, (index) => profile.strings[index]),
    ['', 'kernel'],
  );
  const message = JSON.stringify(
    foreignDecode(ForeignOtlpRequest, encodeOtlpRequest(result.resourceProfiles)),
  );
  assert.match(message, /process\.executable\.build_id\.gnu/);
  assert.match(message, /profile\.frame\.type/);
});

test('a payload is read only when there are no native samples', () => {
  const inner = profileFromText('from;payload 9,90', {
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
  });
  const pprof = encodePprof(inner);
  const gunzip = (bytes: Uint8Array, maxBytes: number) => gunzipSync(bytes, { maxOutputLength: maxBytes });
  const payload = (bytes: Uint8Array, format = 'pprof') => ({
    original_payload_format: format,
    original_payload: bytes,
  });

  const both = decodePlain({ profile: payload(gzipSync(pprof)) }, { gunzip });
  assert.deepEqual(values(both), ['5,7']);

  for (const bytes of [pprof, gzipSync(pprof)]) {
    const alone = decodePlain(
      { profile: { ...payload(bytes), samples: [], attribute_indices: [2] } },
      { gunzip },
    );
    const { profile } = alone.resourceProfiles[0]!;
    assert.deepEqual(profile.samples.values.map(String), ['9', '90']);
    assert.deepEqual(canonicalProfile(profile).samples, canonicalProfile(inner).samples);
    assert.deepEqual(profile.profileAttributes, [{ key: 'thread.id', value: 42n, unit: 'ns' }]);
    assert.equal(profile.durationNanos, 10_000_000_000n);
  }

  const refused = (change: Json, reason: string, options: OtlpDecodeOptions = { gunzip }) => {
    const result = decodePlain({ profile: { samples: [], ...change } }, options);
    assert.deepEqual(result.resourceProfiles, []);
    assert.deepEqual(
      result.rejected.map((rejection) => rejection.reason),
      [reason],
    );
  };
  refused(payload(pprof.subarray(0, 20)), 'payload_malformed');
  refused(payload(pprof, 'jfr'), 'payload_format_unsupported');
  refused({ original_payload: pprof }, 'payload_incomplete');
  refused({ original_payload_format: 'pprof' }, 'payload_incomplete');
  refused(payload(gzipSync(pprof)), 'payload_malformed', {});
  const limits = (maxPayloadBytes: number): DecodeLimits => ({ ...DEFAULT_DECODE_LIMITS, maxPayloadBytes });
  refused(payload(pprof), 'payload_malformed', { gunzip, limits: limits(pprof.length - 1) });
  for (const size of [pprof.length, pprof.length + 1]) {
    const result = decodePlain({ profile: { samples: [], ...payload(pprof) } }, { limits: limits(size) });
    assert.equal(result.resourceProfiles.length, 1);
  }
});

test('limits hold at their edge', () => {
  const decode = (limits: Partial<DecodeLimits>, change: { profile?: Json; dictionary?: Json } = {}) =>
    decodePlain(change, { limits: { ...DEFAULT_DECODE_LIMITS, ...limits } });
  for (const maxSamples of [2, 3]) assert.deepEqual(values(decode({ maxSamples })), ['5,7']);
  const many = decode({ maxSamples: 1 });
  assert.deepEqual(many.resourceProfiles, []);
  assert.match(many.rejected[0]!.message, /max_profile_stacktrace_samples, actual: 2, limit: 1/);

  for (const maxTableRows of [10, 11]) decode({ maxTableRows });
  assert.throws(
    () => decode({ maxTableRows: 9 }),
    /10 elements of ProfilesDictionary.string_table exceed the limit of 9/,
  );
  const lines = { location_table: [{}, { lines: [{ line: 1 }, { line: 2 }, { line: 3 }] }, {}] };
  const small = {
    string_table: [''],
    function_table: [],
    mapping_table: [],
    attribute_table: [],
    link_table: [],
  };
  for (const maxTableRows of [3, 4]) decode({ maxTableRows }, { dictionary: { ...small, ...lines } });
  const moreLines = {
    location_table: [{}, { lines: [{ line: 1 }, { line: 2 }] }, { lines: [{ line: 3 }, { line: 4 }] }],
  };
  assert.throws(
    () => decode({ maxTableRows: 3 }, { dictionary: { ...small, ...moreLines } }),
    /lines of all locations exceed the limit of 3/,
  );

  for (const maxStackDepth of [2, 3])
    assert.deepEqual(reasons(decode({ maxStackDepth })), { mapping_attribute_dropped: 1 });
  const cut = decode({ maxStackDepth: 1 });
  assert.equal(reasons(cut).stack_truncated, 1);
  const { profile } = cut.resourceProfiles[0]!;
  assert.deepEqual([...profile.locations.address], [4097n], 'the root side is kept');

  const labelled = { profile: { samples: [{ stack_index: 1, attribute_indices: [1, 2], values: [1] }] } };
  for (const maxSampleAttributes of [2, 3])
    assert.deepEqual(values(decode({ maxSampleAttributes }, labelled)), ['1']);
  assert.equal(reasons(decode({ maxSampleAttributes: 1 }, labelled))['sample sample_attributes_limit'], 1);

  for (const maxSymbolLength of [8, 9])
    assert.ok(!('symbol_truncated' in reasons(decode({ maxSymbolLength }))));
  const short = decode({ maxSymbolLength: 7 });
  assert.deepEqual(short.resourceProfiles[0]!.profile.strings, ['', 'bin/app', 'work', 'main']);
  assert.equal(reasons(short).symbol_truncated, 1);

  const keyed = { profile: { samples: [{ stack_index: 1, attribute_indices: [2], values: [1] }] } };
  for (const maxAttributeKeyLength of [9, 10]) {
    assert.equal(decode({ maxAttributeKeyLength }, keyed).resourceProfiles[0]!.profile.attributes.length, 1);
  }
  const noKey = decode({ maxAttributeKeyLength: 8 }, keyed);
  assert.equal(noKey.resourceProfiles[0]!.profile.attributes.length, 0);
  assert.equal(reasons(noKey).attribute_key_too_long, 1);

  const valued = {
    ...keyed,
    dictionary: { attribute_table: [{}, {}, { key_strindex: 7, value: { string_value: 'abc' } }] },
  };
  const valueWith = (maxAttributeValueLength: number) =>
    decode({ maxAttributeValueLength }, valued).resourceProfiles[0]!.profile.attributes[0]!.value;
  assert.deepEqual([valueWith(2), valueWith(3), valueWith(4)], ['ab', 'abc', 'abc']);
});

test('limits over the whole request hold at their edge', () => {
  const request = foreignEncode(ForeignOtlpRequest, {
    dictionary: plainDictionary(),
    resource_profiles: [
      {
        resource: { attributes: [1, 2, 3].map((i) => ({ key: `k${i}`, value: { int_value: i } })) },
        scope_profiles: [{ profiles: [plainProfile(), plainProfile(), plainProfile()] }],
      },
    ],
  });
  const decode = (limits: Partial<DecodeLimits>) =>
    decodeOtlpRequest(request, { limits: { ...DEFAULT_DECODE_LIMITS, ...limits } });
  for (const maxProfiles of [3, 4]) assert.equal(decode({ maxProfiles }).resourceProfiles.length, 3);
  const fewer = decode({ maxProfiles: 2 });
  assert.equal(fewer.resourceProfiles.length, 2);
  assert.equal(reasons(fewer)['profile profiles_limit'], 1);

  for (const maxResourceAttributes of [3, 4]) {
    assert.equal(decode({ maxResourceAttributes }).resourceProfiles[0]!.resource.attributes.length, 3);
  }
  const cut = decode({ maxResourceAttributes: 2 });
  assert.equal(cut.resourceProfiles[0]!.resource.attributes.length, 2);
  assert.equal(reasons(cut).resource_attributes_truncated, 1);

  // Each profile makes 3 strings, 1 mapping, 2 functions, 2 locations, 2 lines, 2 stacks of 3 items, and 2 samples.
  const rowsOfProfile = 17;
  assert.equal(decode({ maxDecodedRows: 2 * rowsOfProfile }).resourceProfiles.length, 3);
  const stopped = decode({ maxDecodedRows: 2 * rowsOfProfile - 1 });
  assert.equal(stopped.resourceProfiles.length, 2);
  assert.equal(reasons(stopped)['profile decoded_rows_limit'], 1);
});

test('each profile holds only what its own samples reach', () => {
  const { resourceProfiles } = decodeOtlpRequest(
    encodeOtlpRequest([
      resourceProfile(profileFromText('main;alpha 1 thread=a')),
      resourceProfile(profileFromText('main;beta 2 thread=b')),
    ]),
  );
  assert.deepEqual(
    resourceProfiles.map(({ profile }) => [profile.strings, profile.attributes.map(({ value }) => value)]),
    [
      [['', 'alpha', 'main'], ['a']],
      [['', 'beta', 'main'], ['b']],
    ],
  );
});

test('names that are not UTF-8 are read with U+FFFD and counted', () => {
  const bytes = plainRequest({
    dictionary: {
      string_table: [
        '',
        'samples',
        'count',
        'cpu',
        'nanoseconds',
        'm?in',
        'work',
        'thread.id',
        '/bin/app',
        'ns',
      ],
    },
  });
  bytes[bytes.indexOf(0x3f)] = 0xff;
  const result = decodeOtlpRequest(bytes);
  assert.ok(result.resourceProfiles[0]!.profile.strings.includes('m\ufffdin'));
  assert.equal(reasons(result).invalid_utf8, 1);
});

test('fuzz: mutated bytes end in profiles or a HearthscopeError', () => {
  const seed = Uint8Array.from([
    ...plainRequest({
      profile: {
        samples: [
          {
            stack_index: 1,
            values: [5, 6],
            attribute_indices: [2, 1],
            link_index: 1,
            timestamps_unix_nano: [1, 2],
          },
          { stack_index: 2, values: ['-1'] },
        ],
      },
    }),
    ...encodeOtlpRequest([resourceProfile(profileFromText('main;work@kernel<inlined 70 thread=a\nidle 30'))]),
  ]);
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(seed.length - 1), byte: fc.nat(255) }), { minLength: 1, maxLength: 6 }),
      fc.nat(seed.length),
      fc.nat(8),
      fc.constantFrom<OtlpDecodeOptions['numbering'][]>('auto', '1.9', '1.10'),
      (mutations, cut, kind, numbering) => {
        let bytes = seed.slice();
        for (const { at, byte } of mutations) bytes[at] = byte;
        if (kind === 0) bytes = bytes.subarray(0, cut);
        if (kind === 1) bytes = Uint8Array.from([...bytes.subarray(cut), ...bytes.subarray(0, cut)]);
        try {
          const result = decodeOtlpRequest(bytes, { numbering: numbering ?? 'auto' });
          for (const { profile } of result.resourceProfiles) canonicalProfile(profile);
          encodeOtlpRequest(result.resourceProfiles);
        } catch (error) {
          assert.ok(error instanceof HearthscopeError, String((error as Error).stack));
        }
      },
    ),
    { numRuns: 4000 },
  );
});

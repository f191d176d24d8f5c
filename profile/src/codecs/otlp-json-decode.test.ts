// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HearthscopeError } from '../errors.ts';
import { arbitraryProfile } from '../testing/arbitrary-profile.ts';
import { canonicalProfile } from '../testing/canonical-profile.ts';
import { ForeignOtlpRequest, foreignDecode } from '../testing/foreign-schema.ts';
import {
  type Json,
  plainDictionary,
  plainProfile,
  plainRequest,
  reasons,
  resourceProfile,
} from '../testing/plain-otlp.ts';
import { DEFAULT_DECODE_LIMITS } from './decode-limits.ts';
import { MAX_VALUE_DEPTH } from './otlp-attributes.ts';
import { decodeOtlpRequest } from './otlp-decode.ts';
import { encodeOtlpRequest } from './otlp-encode.ts';
import { decodeOtlpJsonRequest } from './otlp-json-decode.ts';

const TRACE = 'ab'.repeat(16);
const SPAN = 'cd'.repeat(8);

function request({ profile = {}, dictionary = {}, resource }: Record<string, Json | undefined> = {}): Json {
  return {
    resource_profiles: [{ resource, scope_profiles: [{ profiles: [{ ...plainProfile(), ...profile }] }] }],
    dictionary: {
      ...plainDictionary(),
      link_table: [{}, { trace_id: TRACE, span_id: SPAN }],
      ...dictionary,
    },
  };
}

const bytesOf = (value: unknown) =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const decode = (value: unknown) => decodeOtlpJsonRequest(bytesOf(value));
const profileOf = (value: unknown) => decode(value).resourceProfiles[0]!.profile;

function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCase);
  if (typeof value !== 'object' || value === null) return value;
  const pairs = Object.entries(value).map(([key, content]) => [
    key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    camelCase(content),
  ]);
  return Object.fromEntries(pairs);
}

test('a request says the same in JSON as in protobuf, in both spellings', () => {
  const expected = decodeOtlpRequest(plainRequest()).resourceProfiles[0]!.profile;
  assert.deepEqual(canonicalProfile(profileOf(request())), canonicalProfile(expected));
  assert.deepEqual(canonicalProfile(profileOf(camelCase(request()))), canonicalProfile(expected));
});

test('property: what we encode and protobufjs writes as JSON reads back the same', () => {
  fc.assert(
    fc.property(arbitraryProfile(), (profile) => {
      const bytes = encodeOtlpRequest([resourceProfile(profile)]);
      const json = camelCase(foreignDecode(ForeignOtlpRequest, bytes));
      const [ours, fromJson] = [decodeOtlpRequest(bytes), decode(json)].map(({ resourceProfiles }) =>
        resourceProfiles.map((each) => canonicalProfile(each.profile)),
      );
      assert.deepEqual(fromJson, ours);
    }),
    { numRuns: 100 },
  );
});

test('64-bit numbers may be strings or numbers, and lose nothing', () => {
  const text = JSON.stringify(
    request({ profile: { period: 'PERIOD', time_unix_nano: '18446744073709551615' } }),
  );
  for (const period of ['9223372036854775807', '"9223372036854775807"', '-9223372036854775808', '"7"', '7']) {
    const profile = profileOf(text.replace('"PERIOD"', period));
    assert.equal(profile.period, BigInt(period.replaceAll('"', '')));
    assert.equal(profile.timeUnixNanos, 2n ** 64n - 1n);
  }
});

test('ids are hex or base64', () => {
  const id = Buffer.from(TRACE, 'hex');
  for (const profile_id of [TRACE, TRACE.toUpperCase(), id.toString('base64'), id.toString('base64url')]) {
    assert.equal(profileOf(request({ profile: { profile_id } })).id, TRACE);
  }
  const samples = [{ stack_index: 1, values: [1], link_index: 1 }];
  for (const [trace_id, span_id] of [
    [TRACE, SPAN],
    [id.toString('base64'), Buffer.from(SPAN, 'hex').toString('base64')],
  ]) {
    const { links } = profileOf(
      request({ profile: { samples }, dictionary: { link_table: [{}, { trace_id, span_id }] } }),
    );
    assert.deepEqual(links[1], { traceId: TRACE, spanId: SPAN });
  }
});

test('attributes of every kind, with strings by index or in place', () => {
  const attributes = [
    { key: 'text', value: { stringValue: 'a' } },
    { key: 'empty', value: { string_value: '' } },
    { key: 'no', value: { boolValue: false } },
    { key: 'zero', value: { intValue: '0' } },
    { key: 'half', value: { doubleValue: 0.5 } },
    { key: 'infinite', value: { doubleValue: '-Infinity' } },
    { key: 'bytes', value: { bytesValue: 'AQI=' } },
    { key: 'list', value: { arrayValue: { values: [{ intValue: 1 }, { stringValue: 'b' }] } } },
    { key: 'map', value: { kvlistValue: { values: [{ key: 'k', value: { boolValue: true } }] } } },
    { keyStrindex: 5, value: { stringValueStrindex: 6 } },
    { key: 'nothing', value: null },
  ];
  const { resource } = decode(request({ resource: { attributes } })).resourceProfiles[0]!;
  assert.deepEqual(
    resource.attributes.map(({ key, value }) => [key, value]),
    [
      ['text', 'a'],
      ['empty', ''],
      ['no', false],
      ['zero', 0n],
      ['half', 0.5],
      ['infinite', -Infinity],
      ['bytes', 'AQI='],
      ['list', '[1,"b"]'],
      ['map', '{"k":true}'],
      ['main', 'work'],
      ['nothing', ''],
    ],
  );
});

test('null is as good as absent, and fields that are not known are passed over and counted', () => {
  const result = decode({
    ...request({ profile: { period_type: null, comment: [1], frames: {} } }),
    extra: true,
  });
  assert.deepEqual(result.resourceProfiles[0]!.profile.periodType, { type: '', unit: '' });
  assert.deepEqual(reasons(result), { mapping_attribute_dropped: 1, unknown_json_field: 3 });
});

test('the numbering is that of the names, also where protobuf would leave it in doubt', () => {
  const samples = [
    { stack_index: 1, attribute_indices: [999], values: [1] },
    { stack_index: 1, values: [2] },
  ];
  const result = decode(request({ profile: { samples } }));
  assert.equal(result.numbering, '1.10');
  assert.deepEqual(reasons(result), {
    'sample attribute_index_out_of_range': 1,
    mapping_attribute_dropped: 1,
  });
  assert.deepEqual([...result.resourceProfiles[0]!.profile.samples.values[0]!], [2n]);
});

test('timestamps are kept', () => {
  const samples = [
    { stackIndex: 1, timestampsUnixNano: ['1700000000000000001', 1700000000000000002n.toString()] },
  ];
  const { samples: table } = profileOf(request({ profile: { samples } }));
  assert.deepEqual([...table.timestampUnixNanos], [1700000000000000001n, 1700000000000000002n]);
  assert.deepEqual([...table.values[0]!], [2n]);
});

test('what is wrong is named with its path', () => {
  const at = 'resource_profiles[0].scope_profiles[0].profiles[0]';
  const cases: [string, unknown][] = [
    ['expected an object, got []', []],
    ['expected an object, got "x"', '"x"'],
    [`${at}.samples: expected an array, got {}`, request({ profile: { samples: {} } as Json })],
    [`${at}.samples[1]: expected an object, got null`, request({ profile: { samples: [{}, null] } })],
    [
      `${at}.samples[0].values[1]: expected an integer, got 1.5`,
      request({ profile: { samples: [{ values: [1, 1.5] }] } }),
    ],
    [
      `${at}.samples[0].values[0]: expected an integer, got "1e3"`,
      request({ profile: { samples: [{ values: ['1e3'] }] } }),
    ],
    [
      `${at}.samples[0].values[0]: expected an integer from -9223372036854775808 to 9223372036854775807`,
      request({ profile: { samples: [{ values: ['9223372036854775808'] }] } }),
    ],
    [`${at}.time_unix_nano: expected an integer from 0 to`, request({ profile: { time_unix_nano: -1 } })],
    [`${at}.profile_id: expected base64, got "?"`, request({ profile: { profile_id: '?' } })],
    [`${at}.profile_id: expected base64, got "AAAAA"`, request({ profile: { profile_id: 'AAAAA' } })],
    [
      'dictionary.string_table[1]: expected a string, got 7',
      request({ dictionary: { string_table: ['', 7] } }),
    ],
    [
      'resource_profiles[0].resource.attributes[0].value.bool_value: expected true or false, got 1',
      request({ resource: { attributes: [{ key: 'a', value: { bool_value: 1 } }] } }),
    ],
    [
      'resource_profiles[0].resource.attributes[0].value.double_value: expected a number, got ""',
      request({ resource: { attributes: [{ key: 'a', value: { double_value: '' } }] } }),
    ],
    ['expected a string, got "xxxxx', request({ dictionary: { string_table: [['x'.repeat(99)]] } })],
  ];
  for (const [message, value] of cases.slice(0, -1)) {
    assert.throws(
      () => decode(value),
      (error) => {
        assert.ok(error instanceof HearthscopeError && error.code === 'invalid_argument');
        assert.ok(error.message.startsWith('otlp profiles JSON: '), error.message);
        assert.ok(error.message.includes(message), error.message);
        return true;
      },
    );
  }
  assert.throws(() => decode(cases.at(-1)![1]), /expected a string, got \["x+…$/);
  assert.throws(() => decode('{'), { code: 'invalid_argument' });
  assert.throws(() => decodeOtlpJsonRequest(Uint8Array.of(0x22, 0xff, 0x22)), { code: 'invalid_argument' });
  assert.throws(() => decode({}), { message: 'missing profile metadata dictionary' });
  assert.throws(() => decode({ dictionary: {} }), { message: 'missing resource profiles' });
});

test('size and nesting, at their edges', () => {
  const bytes = bytesOf(request());
  const within = (maxJsonBytes: number) =>
    decodeOtlpJsonRequest(bytes, { limits: { ...DEFAULT_DECODE_LIMITS, maxJsonBytes } });
  assert.equal(within(bytes.length).resourceProfiles.length, 1);
  assert.throws(() => within(bytes.length - 1), /exceeds the limit of \d+; send protobuf/);
  const nested = (depth: number): Json =>
    depth === 0 ? { intValue: 1 } : { arrayValue: { values: [nested(depth - 1)] } };
  const withValue = (depth: number) =>
    decode(request({ resource: { attributes: [{ key: 'a', value: nested(depth) }] } }));
  assert.equal(withValue(MAX_VALUE_DEPTH).resourceProfiles.length, 1);
  assert.throws(() => withValue(MAX_VALUE_DEPTH + 1), /nested deeper than 16/);
  const deep = `${'{"arrayValue":{"values":['.repeat(20_000)}{}${']}}'.repeat(20_000)}`;
  const text = JSON.stringify(request({ resource: { attributes: [{ key: 'a', value: 'DEEP' as never }] } }));
  assert.throws(() => decode(text.replace('"DEEP"', deep)), /nested deeper than 16/);
});

test('fuzz: changed JSON ends in profiles or a HearthscopeError', () => {
  const paths: (readonly (string | number)[])[] = [];
  const collect = (value: unknown, path: readonly (string | number)[]): void => {
    paths.push(path);
    if (typeof value !== 'object' || value === null) return;
    for (const [key, content] of Object.entries(value)) collect(content, [...path, key]);
  };
  collect(request(), []);
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
      const changed = { root: request() } as Record<string, unknown>;
      let parent = changed;
      let key: string | number = 'root';
      for (const step of path) {
        parent = parent[key] as Record<string, unknown>;
        key = step;
      }
      parent[key] = value;
      try {
        for (const { profile } of decode(changed.root).resourceProfiles) canonicalProfile(profile);
      } catch (error) {
        assert.ok(error instanceof HearthscopeError && error.code === 'invalid_argument', String(error));
      }
    }),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.throws(() => decodeOtlpJsonRequest(bytes), { code: 'invalid_argument' });
    }),
  );
});

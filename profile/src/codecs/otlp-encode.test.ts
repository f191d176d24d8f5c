// SPDX-License-Identifier: Apache-2.0
//
// OTLP profiles out: read back by our decoder and by protobufjs, and checked against what the specification demands.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../errors.ts';
import type { Profile } from '../profile.ts';
import { arbitraryProfile } from '../testing/arbitrary-profile.ts';
import { canonicalProfile } from '../testing/canonical-profile.ts';
import {
  ForeignOtlpRequest,
  ForeignOtlpResponse,
  foreignDecode,
  foreignOtlpType,
} from '../testing/foreign-schema.ts';
import { type Json, reasons, resourceProfile, serviceName, values } from '../testing/plain-otlp.ts';
import { profileFromText } from '../testing/text-profile.ts';
import { ProtobufReader } from '../wire/protobuf-reader.ts';
import { decodeOtlpRequest } from './otlp-decode.ts';
import { encodeOtlpRequest, encodeOtlpRequests, sliceSamples } from './otlp-encode.ts';
import { decodeOtlpResponse, encodeOtlpResponse } from './otlp-response.ts';
import { encodePprof } from './pprof-encode.ts';

test('property: encode, then decode, says the same; and protobufjs reads every byte', () => {
  fc.assert(
    fc.property(arbitraryProfile({ sampleTypes: { min: 1, max: 1 } }), (profile) => {
      const bytes = encodeOtlpRequest([resourceProfile(profile)]);
      const result = decodeOtlpRequest(bytes, { numbering: '1.10' });
      assert.deepEqual(result.rejected, []);
      assert.deepEqual(canonicalProfile(result.resourceProfiles[0]!.profile), canonicalProfile(profile));
      const again = ForeignOtlpRequest.encode(ForeignOtlpRequest.decode(bytes)).finish();
      const second = decodeOtlpRequest(again, { numbering: '1.10' });
      assert.deepEqual(canonicalProfile(second.resourceProfiles[0]!.profile), canonicalProfile(profile));
    }),
    { numRuns: 300 },
  );
});

test('property: the dictionary has zero rows, no duplicates, no orphans, and nothing else is empty', () => {
  fc.assert(
    fc.property(fc.array(arbitraryProfile(), { minLength: 1, maxLength: 3 }), (profiles) => {
      const bytes = encodeOtlpRequest(profiles.map((profile) => resourceProfile(profile)));
      checkDictionary(bytes);
      checkNothingEmpty(bytes);
    }),
    { numRuns: 200 },
  );
});

/** Walks the message with the schema; a sub-message of length 0 may only be row 0 of a table. */
function checkNothingEmpty(bytes: Uint8Array): void {
  const walk = (type: string, reader: ProtobufReader): void => {
    const fields = foreignOtlpType(type).fieldsArray;
    const rowsSeen = new Map<number, number>();
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      const field = fields.find(({ id }) => id === tag >>> 3)!;
      const isMessage =
        !['string', 'bytes'].includes(field.type) && !/int|fixed|bool|double/.test(field.type);
      if (!isMessage) {
        reader.skip(tag);
        continue;
      }
      const row = rowsSeen.get(field.id) ?? 0;
      rowsSeen.set(field.id, row + 1);
      const outer = reader.enter();
      const isZeroRow = type === 'ProfilesDictionary' && row === 0;
      assert.equal(reader.limit === reader.pos, isZeroRow, `${type}.${field.name}[${row}]`);
      walk(field.type, reader);
      reader.leave(outer);
    }
  };
  walk('ExportProfilesServiceRequest', new ProtobufReader('test', bytes));
}

function checkDictionary(bytes: Uint8Array): void {
  const message = ForeignOtlpRequest.decode(bytes);
  const request = ForeignOtlpRequest.toObject(message, {
    longs: String,
    bytes: String,
    arrays: true,
  }) as never as {
    dictionary: Record<string, Json[]>;
    resource_profiles: { scope_profiles: { profiles: { samples: Json[]; sample_type?: Json }[] }[] }[];
  };
  const { dictionary } = request;
  for (const [table, rows] of Object.entries(dictionary)) {
    const distinct = new Set(rows.map((row) => JSON.stringify(row)));
    assert.equal(distinct.size, rows.length, `${table} has duplicates`);
  }
  const text = JSON.stringify(request.resource_profiles);
  const used = (field: string, ...sources: string[]) => {
    const pattern = new RegExp(`"${field}":(?:\\[([\\d,]*)\\]|(\\d+))`, 'g');
    const indexes = new Set<number>([0]);
    for (const source of sources) {
      for (const [, list, one] of source.matchAll(pattern)) {
        for (const index of (list ?? one ?? '').split(',')) if (index !== '') indexes.add(Number(index));
      }
    }
    return indexes;
  };
  const tables = Object.fromEntries(
    Object.entries(dictionary).map(([table, rows]) => [table, JSON.stringify(rows)]),
  );
  const expectAll = (table: string, indexes: Set<number>) => {
    assert.deepEqual(
      [...indexes].sort((a, b) => a - b),
      [...dictionary[table]!.keys()],
      `${table} has orphans`,
    );
  };
  expectAll('stack_table', used('stack_index', text));
  expectAll('location_table', used('location_indices', tables.stack_table!));
  expectAll('mapping_table', used('mapping_index', tables.location_table!));
  expectAll('function_table', used('function_index', tables.location_table!));
  expectAll('link_table', used('link_index', text));
  expectAll(
    'attribute_table',
    used('attribute_indices', text, tables.location_table!, tables.mapping_table!),
  );
  expectAll('string_table', used('[a-z_]*strindex', text, ...Object.values(tables)));
}

test('profiles of one resource and scope share messages, and a service keeps its attributes', () => {
  const resource = { attributes: [serviceName, { key: 'process.pid', value: 7n, unit: '' }] };
  const scopeAttributes = [{ key: 'scope', value: true, unit: '' }];
  const scope = { scopeName: 'agent', scopeVersion: '1.2', scopeAttributes };
  const items = ['a 1', 'b 2'].map((text) => ({ resource, ...scope, profile: profileFromText(text) }));
  const bytes = encodeOtlpRequest([...items, resourceProfile(profileFromText('c 3'))]);
  const message = foreignDecode(ForeignOtlpRequest, bytes) as never as {
    resource_profiles: { scope_profiles: { profiles: unknown[] }[] }[];
  };
  assert.deepEqual(
    message.resource_profiles.map(({ scope_profiles }) =>
      scope_profiles.map(({ profiles }) => profiles.length),
    ),
    [[2], [1]],
  );
  const { resourceProfiles } = decodeOtlpRequest(bytes);
  assert.deepEqual(
    resourceProfiles.map((item) => [item.resource, item.scopeName, item.scopeVersion, item.scopeAttributes]),
    [
      [resource, 'agent', '1.2', scopeAttributes],
      [resource, 'agent', '1.2', scopeAttributes],
      [{ attributes: [serviceName] }, 'test', '1', []],
    ],
  );
});

test('several sample types become several profiles of one scope', () => {
  const profile = profileFromText('main;work 3,30\nmain 1,10', {
    id: 'f'.repeat(32),
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
  });
  const payload = { format: 'pprof', bytes: Uint8Array.of(1, 2, 3) };
  const bytes = encodeOtlpRequest([{ ...resourceProfile(profile), originalPayload: payload }]);
  const result = decodeOtlpRequest(bytes);
  assert.deepEqual(values(result), ['3,1', '30,10']);
  assert.deepEqual(
    result.resourceProfiles.map(({ profile: { id } }) => id),
    ['f'.repeat(32), ''],
  );
  const message = JSON.stringify(foreignDecode(ForeignOtlpRequest, bytes));
  assert.equal(message.match(/original_payload_format/g)?.length, 1);
});

test('values stand beside timestamps as OTLP wants them, totals exact', () => {
  const profile = profileFromText('a 3\nb 7\nc -8\nd 5');
  const stamped: Profile = {
    ...profile,
    samples: {
      ...profile.samples,
      timestampStart: Uint32Array.of(0, 3, 6, 9, 9),
      timestampUnixNanos: BigUint64Array.from([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n]),
    },
  };
  const bytes = encodeOtlpRequest([resourceProfile(stamped)]);
  const message = foreignDecode(ForeignOtlpRequest, bytes) as never as {
    resource_profiles: [{ scope_profiles: [{ profiles: [{ samples: { values?: string[] }[] }] }] }];
  };
  const { samples } = message.resource_profiles[0].scope_profiles[0].profiles[0];
  assert.deepEqual(
    samples.map(({ values: list }) => list),
    [undefined, ['3', '2', '2'], ['-3', '-3', '-2'], ['5']],
  );
  const result = decodeOtlpRequest(bytes);
  assert.deepEqual(values(result), ['3,7,-8,5']);
  assert.deepEqual(reasons(result), { timestamp_values_summed: 2 });
});

test('payload alone: no samples are written, and they are read from the payload', () => {
  const profile = profileFromText('main;work 3\nmain 1');
  const bytes = encodeOtlpRequest([
    {
      ...resourceProfile(profile),
      nativeSamples: false,
      originalPayload: { format: 'pprof', bytes: encodePprof(profile) },
    },
  ]);
  const message = foreignDecode(ForeignOtlpRequest, bytes) as never as {
    dictionary: { stack_table: unknown[] };
  };
  assert.equal(message.dictionary.stack_table.length, 1);
  assert.deepEqual(
    canonicalProfile(decodeOtlpRequest(bytes).resourceProfiles[0]!.profile),
    canonicalProfile(profile),
  );
});

test('requests are cut to a size: by profiles, then by samples, nothing lost', () => {
  const profiles = Array.from({ length: 9 }, (_, i) =>
    profileFromText(
      Array.from({ length: 40 }, (_unused, j) => `main;service${i};function${j} ${j + 1}`).join('\n'),
      {
        id: String(i + 1).repeat(32),
      },
    ),
  );
  const items = profiles.map((profile) => ({
    ...resourceProfile(profile),
    originalPayload: { format: 'pprof', bytes: new Uint8Array(300) },
  }));
  const whole = encodeOtlpRequest(items).length;
  for (const maxBytes of [whole, whole - 1, Math.floor(whole / 4), 3000, 1200]) {
    const { requests, ...lost } = encodeOtlpRequests(items, maxBytes);
    assert.ok(requests.every((bytes) => bytes.length <= maxBytes));
    const sum = requests
      .flatMap((bytes) => decodeOtlpRequest(bytes).resourceProfiles)
      .flatMap(({ profile }) => [...profile.samples.values[0]!])
      .reduce((a, b) => a + b, 0n);
    assert.equal(sum, 9n * 820n);
    assert.equal(lost.samplesTooLarge + lost.profilesTooLarge, 0);
    assert.equal(requests.length === 1, maxBytes === whole);
    assert.equal(lost.payloadsDropped, maxBytes === 1200 ? 9 : 0);
  }
  assert.deepEqual(encodeOtlpRequests([], 1), {
    requests: [],
    payloadsDropped: 0,
    samplesTooLarge: 0,
    profilesTooLarge: 0,
  });
  const tiny = encodeOtlpRequests(items.slice(0, 1), 20);
  assert.deepEqual(tiny, { requests: [], payloadsDropped: 1, samplesTooLarge: 40, profilesTooLarge: 0 });
  const payloadOnly = encodeOtlpRequests([{ ...items[0]!, nativeSamples: false }], 100);
  assert.equal(payloadOnly.profilesTooLarge, 1);
});

test('a slice of samples keeps its timestamps', () => {
  const profile = profileFromText('a 1\nb 2\nc 3');
  const stamped: Profile = {
    ...profile,
    samples: {
      ...profile.samples,
      timestampStart: Uint32Array.of(0, 1, 3, 4),
      timestampUnixNanos: BigUint64Array.from([10n, 20n, 21n, 30n]),
    },
  };
  const { samples } = sliceSamples(stamped, 1, 3);
  assert.deepEqual([...samples.values[0]!], [2n, 3n]);
  assert.deepEqual([...samples.timestampStart], [0, 2, 3]);
  assert.deepEqual([...samples.timestampUnixNanos], [20n, 21n, 30n]);
});

test('a profile without sample types cannot be sent', () => {
  const profile = { ...profileFromText('a 1'), sampleTypes: [] };
  assert.throws(() => encodeOtlpRequest([resourceProfile(profile)]), /without sample types/);
});

test('the response is empty for success and reads as protobufjs reads it', () => {
  assert.equal(encodeOtlpResponse({ rejectedProfiles: 0n, errorMessage: '' }).length, 0);
  const partial = { rejectedProfiles: 3n, errorMessage: 'too old' };
  const bytes = encodeOtlpResponse(partial);
  assert.deepEqual(foreignDecode(ForeignOtlpResponse, bytes), {
    partial_success: { rejected_profiles: '3', error_message: 'too old' },
  });
  assert.deepEqual(decodeOtlpResponse(bytes), partial);
  assert.deepEqual(decodeOtlpResponse(new Uint8Array()), { rejectedProfiles: 0n, errorMessage: '' });
  assert.throws(() => decodeOtlpResponse(Uint8Array.of(0x0a, 9)), FormatError);
});

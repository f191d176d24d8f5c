// SPDX-License-Identifier: Apache-2.0
//
// A small valid OTLP request as plain JSON, for tests that change it in one place each and let protobufjs encode it.

import { decodeOtlpRequest, type OtlpDecodeOptions, type OtlpDecodeResult } from '../codecs/otlp-decode.ts';
import type { Attribute, Profile, ResourceProfile } from '../profile.ts';
import { ForeignOtlpRequest, foreignEncode } from './foreign-schema.ts';

export type Json = Record<string, unknown>;

export const serviceName: Attribute = { key: 'service.name', value: 'shop', unit: '' };

export function resourceProfile(
  profile: Profile,
  attributes: readonly Attribute[] = [serviceName],
): ResourceProfile {
  return { resource: { attributes }, scopeName: 'test', scopeVersion: '1', scopeAttributes: [], profile };
}

/** A small valid request as plain JSON, to be changed in one place each. */
export function plainDictionary(): Json {
  return {
    string_table: [
      '',
      'samples',
      'count',
      'cpu',
      'nanoseconds',
      'main',
      'work',
      'thread.id',
      '/bin/app',
      'ns',
    ],
    mapping_table: [
      {},
      { memory_start: 4096, memory_limit: 8192, filename_strindex: 8, attribute_indices: [1] },
    ],
    function_table: [{}, { name_strindex: 5 }, { name_strindex: 6, filename_strindex: 8, start_line: 3 }],
    location_table: [
      {},
      { mapping_index: 1, address: 4097, lines: [{ function_index: 1, line: 7 }] },
      { mapping_index: 1, address: 4098, lines: [{ function_index: 2 }] },
    ],
    link_table: [{}, { trace_id: Buffer.alloc(16, 0xab), span_id: Buffer.alloc(8, 0xcd) }],
    attribute_table: [
      {},
      { key_strindex: 8, value: { string_value: 'not a build id' } },
      { key_strindex: 7, value: { int_value: 42 }, unit_strindex: 9 },
    ],
    stack_table: [{}, { location_indices: [2, 1] }, { location_indices: [1] }],
  };
}

export function plainProfile(): Json {
  return {
    sample_type: { type_strindex: 1, unit_strindex: 2 },
    period_type: { type_strindex: 3, unit_strindex: 4 },
    period: 52_631_578,
    time_unix_nano: '1700000000000000000',
    duration_nano: '10000000000',
    samples: [
      { stack_index: 1, values: [5] },
      { stack_index: 2, values: [7] },
    ],
  };
}

export function plainRequest({
  profile = {},
  dictionary = {},
}: {
  profile?: Json;
  dictionary?: Json;
} = {}): Uint8Array {
  return foreignEncode(ForeignOtlpRequest, {
    dictionary: { ...plainDictionary(), ...dictionary },
    resource_profiles: [{ scope_profiles: [{ profiles: [{ ...plainProfile(), ...profile }] }] }],
  });
}

export function decodePlain(
  change: { profile?: Json; dictionary?: Json } = {},
  options?: OtlpDecodeOptions,
): OtlpDecodeResult {
  return decodeOtlpRequest(plainRequest(change), options);
}

export function values(result: OtlpDecodeResult): string[] {
  return result.resourceProfiles.map(({ profile }) => profile.samples.values[0]!.join());
}

export function reasons(result: OtlpDecodeResult): Record<string, number> {
  return Object.fromEntries([
    ...result.rejected.map(({ what, reason, count }) => [`${what} ${reason}`, count]),
    ...result.repaired.map(({ reason, count }) => [reason, count]),
  ]);
}

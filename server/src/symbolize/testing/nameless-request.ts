// SPDX-License-Identifier: Apache-2.0
//
// OTLP export requests whose frames have addresses and no names, as eBPF profilers send them; written by protobufjs.

import { ForeignOtlpRequest } from '@hearthscope/profile/testing/foreign-schema';

export interface NamelessMapping {
  readonly start: bigint;
  readonly limit: bigint;
  readonly fileOffset: bigint;
  readonly filename: string;
  readonly buildId: string;
}

export interface NamelessSample {
  /** Addresses, leaf first, with the index of the mapping each lies in. */
  readonly frames: readonly { readonly mapping: number; readonly address: bigint }[];
  readonly value: number;
}

/** One profile of one service, measured now. */
export function namelessRequest(
  service: string,
  mappings: readonly NamelessMapping[],
  samples: readonly NamelessSample[],
): Uint8Array {
  const strings = ['', 'service.name', 'process.executable.build_id.gnu', 'profile.frame.type'];
  const string = (text: string) => {
    const known = strings.indexOf(text);
    return known >= 0 ? known : strings.push(text) - 1;
  };
  const attributes: object[] = [{}, { key_strindex: 3, value: { string_value: 'native' } }];
  const mapping_table: object[] = [{}];
  for (const { start, limit, fileOffset, filename, buildId } of mappings) {
    const attribute = attributes.push({ key_strindex: 2, value: { string_value: buildId } }) - 1;
    mapping_table.push({
      memory_start: start.toString(),
      memory_limit: limit.toString(),
      file_offset: fileOffset.toString(),
      filename_strindex: string(filename),
      attribute_indices: [attribute],
    });
  }
  const location_table: object[] = [{}];
  const stack_table: object[] = [{}];
  const encodedSamples = samples.map(({ frames, value }) => {
    const location_indices = frames.map(
      ({ mapping, address }) =>
        location_table.push({
          mapping_index: mapping + 1,
          address: address.toString(),
          attribute_indices: [1],
        }) - 1,
    );
    return { stack_index: stack_table.push({ location_indices }) - 1, values: [value] };
  });
  const profile = {
    sample_type: { type_strindex: string('samples'), unit_strindex: string('count') },
    period_type: { type_strindex: string('cpu'), unit_strindex: string('nanoseconds') },
    period: 1_000_000,
    time_unix_nano: (BigInt(Date.now()) * 1_000_000n).toString(),
    duration_nano: '10000000000',
    samples: encodedSamples,
  };
  return ForeignOtlpRequest.encode(
    ForeignOtlpRequest.fromObject({
      resource_profiles: [
        {
          resource: { attributes: [{ key: 'service.name', value: { string_value: service } }] },
          scope_profiles: [{ scope: {}, profiles: [profile] }],
        },
      ],
      dictionary: {
        mapping_table,
        location_table,
        function_table: [{}],
        link_table: [{}],
        attribute_table: attributes,
        stack_table,
        string_table: strings,
      },
    }),
  ).finish();
}

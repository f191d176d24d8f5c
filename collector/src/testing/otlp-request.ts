// SPDX-License-Identifier: Apache-2.0
//
// OTLP export requests for tests, written by protobufjs, so that no code of ours vouches for itself.

import { ForeignOtlpRequest, ForeignOtlpResponse } from '@hearthscope/profile/testing/foreign-schema';

export interface TestSample {
  /** Function names, root first. */
  readonly stack: readonly string[];
  readonly value: number | string;
  readonly attributes?: Readonly<Record<string, string | number>>;
}

export interface TestProfile {
  readonly resource?: Readonly<Record<string, string | number | boolean>>;
  readonly scope?: { name: string; version?: string; attributes?: Readonly<Record<string, string>> };
  /** `type:unit`; `samples:count` unless given. */
  readonly sampleType?: string;
  /** `type:unit`; `cpu:nanoseconds` unless given. */
  readonly periodType?: string;
  readonly period?: number | string;
  readonly timeUnixNanos: bigint;
  readonly samples: readonly TestSample[];
}

/** An ExportProfilesServiceRequest with one resource for each profile and one dictionary for all. */
export function encodeTestRequest(profiles: readonly TestProfile[]): Uint8Array {
  const strings = new Interned<string>(['']);
  const functions = new Interned<string>(['']);
  const stacks = new Interned<string>(['']);
  const attributes = new Interned<string>(['']);
  const valueType = (text: string) => {
    const [type = '', unit = ''] = text.split(':');
    return { type_strindex: strings.index(type), unit_strindex: strings.index(unit) };
  };
  const resource_profiles = profiles.map((profile) => ({
    resource: { attributes: keyValues(profile.resource ?? {}) },
    scope_profiles: [
      {
        scope: { ...profile.scope, attributes: keyValues(profile.scope?.attributes ?? {}) },
        profiles: [
          {
            sample_type: valueType(profile.sampleType ?? 'samples:count'),
            period_type: valueType(profile.periodType ?? 'cpu:nanoseconds'),
            period: profile.period ?? 0,
            time_unix_nano: profile.timeUnixNanos.toString(),
            duration_nano: '10000000000',
            samples: profile.samples.map(({ stack, value, attributes: own = {} }) => ({
              stack_index: stacks.index(stack.join(';')),
              values: [value],
              attribute_indices: Object.entries(own).map((pair) => attributes.index(JSON.stringify(pair))),
            })),
          },
        ],
      },
    ],
  }));
  const stack_table = stacks.all.map((text) => ({
    location_indices:
      text === ''
        ? []
        : text
            .split(';')
            .reverse()
            .map((name) => functions.index(name)),
  }));
  const function_table = functions.all.map((name) => ({ name_strindex: strings.index(name) }));
  const attribute_table = attributes.all.map((pair) => {
    if (pair === '') return {};
    const [key, value] = JSON.parse(pair) as [string, string | number];
    return { key_strindex: strings.index(key), value: anyValue(value) };
  });
  return ForeignOtlpRequest.encode(
    ForeignOtlpRequest.fromObject({
      resource_profiles,
      dictionary: {
        mapping_table: [{}],
        location_table: functions.all.map((_, index) =>
          index === 0 ? {} : { lines: [{ function_index: index }] },
        ),
        function_table,
        link_table: [{}],
        attribute_table,
        stack_table,
        string_table: strings.all,
      },
    }),
  ).finish();
}

/** The partial success of a response; zero and '' when there is none. */
export function decodeTestResponse(bytes: Uint8Array): { rejectedProfiles: number; errorMessage: string } {
  const { partial_success } = ForeignOtlpResponse.toObject(ForeignOtlpResponse.decode(bytes), {
    longs: Number,
  }) as {
    partial_success?: { rejected_profiles?: number; error_message?: string };
  };
  return {
    rejectedProfiles: partial_success?.rejected_profiles ?? 0,
    errorMessage: partial_success?.error_message ?? '',
  };
}

function keyValues(attributes: Readonly<Record<string, string | number | boolean>>): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { string_value: value };
  return typeof value === 'boolean' ? { bool_value: value } : { int_value: value };
}

class Interned<T> {
  readonly all: T[];

  constructor(initial: T[]) {
    this.all = initial;
  }

  index(value: T): number {
    const known = this.all.indexOf(value);
    return known >= 0 ? known : this.all.push(value) - 1;
  }
}

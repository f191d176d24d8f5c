// SPDX-License-Identifier: Apache-2.0
//
// push.v1.PushRequest messages for tests, written by protobufjs, so that no code of ours vouches for itself.

import { ForeignPprof, foreignEncode } from '@hearthscope/profile/testing/foreign-schema';
import protobuf from 'protobufjs';

const schema = protobuf.Root.fromJSON({
  nested: {
    PushRequest: { fields: { series: { rule: 'repeated', type: 'RawProfileSeries', id: 1 } } },
    RawProfileSeries: {
      fields: {
        labels: { rule: 'repeated', type: 'LabelPair', id: 1 },
        samples: { rule: 'repeated', type: 'RawSample', id: 2 },
      },
    },
    LabelPair: { fields: { name: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    RawSample: { fields: { rawProfile: { type: 'bytes', id: 1 }, ID: { type: 'string', id: 2 } } },
  },
});
const ForeignPushRequest = schema.lookupType('PushRequest');

export interface TestSeries {
  /** Names may repeat. */
  readonly labels: readonly (readonly [string, string])[];
  readonly samples: readonly { readonly rawProfile: Uint8Array; readonly ID?: string }[];
}

export function encodePushRequest(series: readonly TestSeries[]): Uint8Array {
  return foreignEncode(ForeignPushRequest, {
    series: series.map(({ labels, samples }) => ({
      labels: labels.map(([name, value]) => ({ name, value })),
      samples,
    })),
  });
}

export interface TestPprofSample {
  /** Function names, root first. */
  readonly stack: readonly string[];
  readonly values: readonly (number | string)[];
  readonly labels?: Readonly<Record<string, string | number>>;
}

export interface TestPprof {
  /** `type:unit` each; `cpu:nanoseconds` unless given. */
  readonly sampleTypes?: readonly string[];
  readonly periodType?: string;
  readonly timeNanos?: bigint;
  readonly samples: readonly TestPprofSample[];
  /** Fields of the message that are to be as given. */
  readonly change?: Readonly<Record<string, unknown>>;
}

/** A pprof with one location for each function, all in one mapping. */
export function encodeTestPprof({
  sampleTypes = ['cpu:nanoseconds'],
  periodType = 'cpu:nanoseconds',
  timeNanos = 0n,
  samples,
  change = {},
}: TestPprof): Uint8Array {
  const strings = [''];
  const string = (text: string) => {
    const known = strings.indexOf(text);
    return known >= 0 ? known : strings.push(text) - 1;
  };
  const valueType = (text: string) => {
    const [type = '', unit = ''] = text.split(':');
    return { type: string(type), unit: string(unit) };
  };
  const names: string[] = [];
  const location = (name: string) => {
    if (!names.includes(name)) names.push(name);
    return names.indexOf(name) + 1;
  };
  return foreignEncode(ForeignPprof, {
    sample_type: sampleTypes.map(valueType),
    period_type: valueType(periodType),
    period: 10_000_000,
    time_nanos: timeNanos.toString(),
    sample: samples.map(({ stack, values, labels = {} }) => ({
      location_id: stack.map(location).reverse(),
      value: values,
      label: Object.entries(labels).map(([key, value]) =>
        typeof value === 'number'
          ? { key: string(key), num: value }
          : { key: string(key), str: string(value) },
      ),
    })),
    mapping: [
      {
        id: 1,
        memory_start: 4096,
        memory_limit: 65_536,
        filename: string('/bin/app'),
        build_id: string('abcd'),
      },
    ],
    location: names.map((_, i) => ({
      id: i + 1,
      mapping_id: 1,
      address: 4096 + i,
      line: [{ function_id: i + 1, line: 7 }],
    })),
    function: names.map((name, i) => ({ id: i + 1, name: string(name) })),
    string_table: strings,
    ...change,
  });
}

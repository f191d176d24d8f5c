// SPDX-License-Identifier: Apache-2.0
//
// One request of the table of status codes, and the parts that its requests are made of.

import { create, toBinary } from '@bufbuild/protobuf';
import { ProfileSchema } from '../../server/gen/google/v1/profile_pb.js';

export interface StatusCase {
  /** Default: that of the route. */
  readonly path?: string;
  /** Default: POST. */
  readonly method?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

const NOW = Date.now();
const HOUR_MILLIS = 3_600_000;

export const GOOD_RANGE = { start: NOW - HOUR_MILLIS, end: NOW + HOUR_MILLIS } as const;
export const REVERSED_RANGE = { start: NOW, end: NOW - HOUR_MILLIS } as const;
export const NO_RANGE = { start: undefined, end: undefined } as const;

export async function statusOf(url: string, request: StatusCase): Promise<number> {
  const { path = '/', method = 'POST', query, body, contentType, headers } = request;
  const question = query === undefined ? '' : `?${new URLSearchParams(query)}`;
  const response = await fetch(`${url}${path}${question}`, {
    method,
    redirect: 'manual',
    headers: { ...headers, ...(contentType !== undefined && { 'content-type': contentType }) },
    ...(body !== undefined && { body: typeof body === 'string' ? body : Buffer.from(body) }),
  });
  await response.arrayBuffer();
  return response.status;
}

interface Pushed {
  readonly labels?: readonly { readonly name: string; readonly value: string }[];
  readonly timeMillis?: number;
  /** In place of one with a single stack. */
  readonly profile?: Uint8Array;
}

/** A push.v1.PushRequest of one profile, as JSON has it. */
export function pushJson({
  labels = [
    { name: '__name__', value: 'process_cpu' },
    { name: 'service_name', value: 'pushed' },
  ],
  timeMillis = NOW,
  profile = pprof(timeMillis),
}: Pushed): object {
  return { series: [{ labels, samples: [{ rawProfile: Buffer.from(profile).toString('base64') }] }] };
}

function pprof(timeMillis: number): Uint8Array {
  return toBinary(
    ProfileSchema,
    create(ProfileSchema, {
      stringTable: ['', 'cpu', 'nanoseconds', 'main'],
      sampleType: [{ type: 1n, unit: 2n }],
      periodType: { type: 1n, unit: 2n },
      period: 10_000_000n,
      timeNanos: BigInt(timeMillis) * 1_000_000n,
      function: [{ id: 1n, name: 3n }],
      location: [{ id: 1n, line: [{ functionId: 1n }] }],
      sample: [{ locationId: [1n], value: [10_000_000n] }],
    }),
  );
}

/** An ExportProfilesServiceRequest of one profile, as JSON. */
export function exportJson(timeMillis: number): string {
  return JSON.stringify({
    dictionary: {
      stringTable: ['', 'samples', 'count', 'cpu', 'nanoseconds', 'main'],
      mappingTable: [{}],
      functionTable: [{}, { nameStrindex: 5 }],
      locationTable: [{}, { lines: [{ functionIndex: 1 }] }],
      linkTable: [{}],
      attributeTable: [{}],
      stackTable: [{}, { locationIndices: [1] }],
    },
    resourceProfiles: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'otlp-json' } }] },
        scopeProfiles: [
          {
            profiles: [
              {
                sampleType: { typeStrindex: 1, unitStrindex: 2 },
                periodType: { typeStrindex: 3, unitStrindex: 4 },
                period: '10000000',
                timeUnixNano: `${timeMillis}000000`,
                durationNano: '1000000000',
                samples: [{ stackIndex: 1, values: ['5'] }],
              },
            ],
          },
        ],
      },
    ],
  });
}

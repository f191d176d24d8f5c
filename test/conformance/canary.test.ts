// SPDX-License-Identifier: Apache-2.0
//
// What Pyroscope's canary exporter pushes and then asks to see whether an installation works, with the same answers, by
// every client that can: @connectrpc/connect-node over Connect in both codecs, over gRPC and over gRPC-Web.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { type Profile, ProfileSchema } from '../../server/gen/google/v1/profile_pb.js';
import { PusherService } from '../../server/gen/push/v1/push_pb.js';
import { QuerierService } from '../../server/gen/querier/v1/querier_pb.js';
import { ExemplarType } from '../../server/gen/types/v1/types_pb.js';
import { type ConformanceServer, startConformanceServer } from '../harness/profiled-service.ts';

const TYPE = 'deadmans_switch:made_up:profilos:made_up:profilos';
const SPAN_ID = '00000bac2a5ab0c7';

let server: ConformanceServer;

before(async () => {
  server = await startConformanceServer();
});

after(() => server[Symbol.asyncDispose]());

const GZIP = { sendCompression: compressionGzip, compressMinBytes: 0, acceptCompression: [compressionGzip] };
const TRANSPORTS: Record<string, (baseUrl: string) => Transport> = {
  'connect-proto': (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: true }),
  'connect-json': (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
  'connect-proto-gzip': (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: '2', useBinaryFormat: true, ...GZIP }),
  'connect-json-gzip': (baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: '2', useBinaryFormat: false, ...GZIP }),
  grpc: (baseUrl) => createGrpcTransport({ baseUrl }),
  'grpc-gzip': (baseUrl) => createGrpcTransport({ baseUrl, ...GZIP }),
  'grpc-web': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
  'grpc-web-gzip': (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '2', ...GZIP }),
};

/** Stacks func1 ← func2 with 10, and func1 alone with 20 within a span. */
function deadMansSwitch(nowMillis: number): Profile {
  const strings = ['', 'made_up', 'profilos', 'func1', 'func2', 'profile_id', SPAN_ID];
  return create(ProfileSchema, {
    sampleType: [{ type: 1n, unit: 2n }],
    periodType: { type: 1n, unit: 2n },
    stringTable: strings,
    mapping: [{ id: 1n, hasFunctions: true }],
    function: [
      { id: 1n, name: 3n },
      { id: 2n, name: 4n },
    ],
    location: [
      { id: 1n, mappingId: 1n, line: [{ functionId: 1n }] },
      { id: 2n, mappingId: 1n, line: [{ functionId: 2n }] },
    ],
    sample: [
      { locationId: [1n, 2n], value: [10n] },
      { locationId: [1n], value: [20n], label: [{ key: 5n, str: 6n }] },
    ],
    timeNanos: BigInt(nowMillis) * 1_000_000n,
  });
}

interface Probe {
  readonly querier: Client<typeof QuerierService>;
  readonly service: string;
  /** Of every question. */
  readonly range: { readonly start: bigint; readonly end: bigint };
  readonly selection: {
    readonly start: bigint;
    readonly end: bigint;
    readonly labelSelector: string;
    readonly profileTypeID: string;
  };
}

async function push(transport: Transport, service: string): Promise<Probe> {
  const now = Date.now();
  const range = { start: BigInt(now), end: BigInt(now + 5000) };
  await createClient(PusherService, transport).push({
    series: [
      {
        labels: [
          { name: '__name__', value: 'deadmans_switch' },
          { name: 'service_name', value: service },
          { name: 'job', value: 'canary-exporter' },
        ],
        samples: [{ ID: randomUUID(), rawProfile: toBinary(ProfileSchema, deadMansSwitch(now)) }],
      },
    ],
  });
  return {
    querier: createClient(QuerierService, transport),
    service,
    range,
    selection: {
      ...range,
      labelSelector: `{service_name="${service}", job="canary-exporter"}`,
      profileTypeID: TYPE,
    },
  };
}

/** Values by stack, leaf first, as `func1>func2`. */
function stacksOf(profile: Profile): Record<string, bigint> {
  const names = new Map(profile.function.map(({ id, name }) => [id, profile.stringTable[Number(name)]!]));
  const locations = new Map(profile.location.map(({ id, line }) => [id, line]));
  const stacks: Record<string, bigint> = {};
  for (const { locationId, value } of profile.sample) {
    const stack = locationId
      .flatMap((id) => locations.get(id)!.map(({ functionId }) => names.get(functionId)!))
      .join('>');
    stacks[stack] = (stacks[stack] ?? 0n) + value[0]!;
  }
  return stacks;
}

async function probe({ querier, service, range, selection }: Probe): Promise<void> {
  const merged = await querier.selectMergeProfile(selection);
  assert.deepEqual(stacksOf(merged), { 'func1>func2': 10n, func1: 20n });

  const { profileTypes } = await querier.profileTypes(range);
  assert.ok(profileTypes.some(({ ID }) => ID === TYPE));

  const { labelsSet } = await querier.series({ ...range, labelNames: ['service_name', '__profile_type__'] });
  assert.ok(
    labelsSet.some(
      ({ labels }) =>
        labels.some(({ value }) => value === TYPE) && labels.some(({ value }) => value === service),
    ),
  );

  const matchers = [`{service_name="${service}"}`];
  const { names } = await querier.labelNames({ ...range, matchers });
  const expected = [
    '__name__',
    '__period_type__',
    '__period_unit__',
    '__profile_type__',
    '__service_name__',
    '__type__',
    '__unit__',
    'job',
    'service_name',
  ];
  assert.deepEqual(
    expected.filter((name) => !names.includes(name)),
    [],
    `of ${names}`,
  );
  assert.deepEqual((await querier.labelValues({ ...range, matchers, name: 'service_name' })).names, [
    service,
  ]);

  const { series } = await querier.selectSeries({ ...selection, step: 1000, groupBy: ['service_name'] });
  assert.equal(series.length, 1);
  assert.equal(series[0]!.points.length, 1);
  assert.deepEqual(
    series[0]!.labels.map(({ name, value }) => [name, value]),
    [['service_name', service]],
  );

  const { flamegraph } = await querier.selectMergeStacktraces(selection);
  assert.deepEqual([flamegraph!.names.length, flamegraph!.levels.length], [3, 3]);
  const ofSpan = await querier.selectMergeSpanProfile({ ...selection, spanSelector: [SPAN_ID] });
  assert.deepEqual([ofSpan.flamegraph!.names.length, ofSpan.flamegraph!.levels.length], [2, 2]);

  const withExemplars = await querier.selectSeries({
    ...selection,
    step: 5,
    exemplarType: ExemplarType.INDIVIDUAL,
  });
  const exemplar = withExemplars.series[0]!.points[0]!.exemplars[0]!;
  assert.equal(exemplar.value, 30n);
  const one = await querier.selectMergeStacktraces({ ...selection, profileIdSelector: [exemplar.profileId] });
  assert.deepEqual([one.flamegraph!.names.length, one.flamegraph!.levels.length], [3, 3]);

  const stats = await querier.getProfileStats({});
  assert.ok(stats.dataIngested && stats.oldestProfileTime > 0n && stats.newestProfileTime > 0n);
}

for (const [name, transportTo] of Object.entries(TRANSPORTS)) {
  test(`the canary's probes over ${name}`, async () => {
    const transport = transportTo(server.url);
    await probe(await push(transport, `canary-${name}`));
  });
}

interface RenderAnswer {
  readonly flamebearer: { readonly names: readonly string[]; readonly levels: readonly number[][] };
}

test("the canary's probes of render and render-diff", async () => {
  const { range, selection } = await push(TRANSPORTS['connect-proto']!(server.url), 'canary-render');
  const query = `${TYPE}${selection.labelSelector}`;
  const [from, until] = [String(range.start), String(range.end)];
  const questions = {
    render: { query, from, until },
    'render-diff': {
      leftQuery: query,
      leftFrom: from,
      leftUntil: until,
      rightQuery: query,
      rightFrom: from,
      rightUntil: until,
    },
  };
  for (const [path, parameters] of Object.entries(questions)) {
    const response = await fetch(`${server.url}/pyroscope/${path}?${new URLSearchParams(parameters)}`);
    assert.equal(response.status, 200, path);
    const { flamebearer } = (await response.json()) as RenderAnswer;
    assert.deepEqual([flamebearer.names.length, flamebearer.levels.length], [3, 3], path);
  }
});

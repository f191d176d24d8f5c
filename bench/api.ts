// SPDX-License-Identifier: Apache-2.0
//
// How many requests each door takes and how long they wait, for one gzipped pprof of about 50 kB, and how long each query of
// a page of Grafana's Profiles Drilldown takes. The peer is Grafana Pyroscope where the environment tells the path of its
// binary (HEARTHSCOPE_BENCH_PYROSCOPE), in the same run and with the same bytes.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { encodeOtlpRequest } from '@hearthscope/profile/codecs/otlp-encode';
import { decodePprof } from '@hearthscope/profile/codecs/pprof-decode';
import { CPU_PROFILE_TYPE, callQuerier } from '../test/harness/querier.ts';
import { temporaryDirectory } from '../test/harness/temporary-directory.ts';
import { ingestRequest, type LoadRequest, loadClient, pushRequest, sendAll } from './harness/load-client.ts';
import { threadCpuSeconds } from './harness/process-cost.ts';
import { type LoadedService, madeUpService, PROFILE_SECONDS } from './harness/profile-load.ts';
import {
  type ProfileServer,
  peerPath,
  startHearthscopeServer,
  startPeerServer,
} from './harness/profile-servers.ts';
import { percentile, printTable } from './harness/statistics.ts';

const requestsPerRun = Number(process.env.HEARTHSCOPE_BENCH_REQUESTS ?? 300);
const pageLoads = Number(process.env.HEARTHSCOPE_BENCH_PAGE_LOADS ?? 20);
const CONNECTIONS = [1, 16, 256] as const;
/** Different profiles, as answers to equal ones might be cached. */
const PROFILES = 50;
const SERVICES = 5;
const POINTS = 120;

type Door = '/ingest' | 'push' | 'OTLP';

const nowSeconds = Math.floor(Date.now() / 1000) - 60;

function requestsOf(services: readonly LoadedService[]): Record<Door, LoadRequest[]> {
  const requests: Record<Door, LoadRequest[]> = { '/ingest': [], push: [], OTLP: [] };
  let bytes = 0;
  for (let i = 0; i < PROFILES; i++) {
    const service = services[i % services.length]!;
    const time = nowSeconds - PROFILE_SECONDS * Math.floor(i / services.length);
    const profile = service.profile(BigInt(time) * 1_000_000_000n);
    bytes += profile.bytes.length;
    const labels = [
      { name: 'service_name', value: service.name },
      { name: 'pod', value: `pod-${i % 3}` },
    ];
    requests['/ingest'].push(ingestRequest(labels, time, time + PROFILE_SECONDS, profile.bytes));
    requests.push.push(pushRequest([{ name: '__name__', value: 'process_cpu' }, ...labels], profile.bytes));
    requests.OTLP.push(otlpRequest(service.name, profile.bytes));
  }
  console.log(`${PROFILES} profiles of ${(bytes / PROFILES / 1000).toFixed(1)} kB in gzip`);
  return requests;
}

/** What the pprof says, as OTLP says it: the native samples, without the pprof beside them. */
function otlpRequest(serviceName: string, pprof: Uint8Array): LoadRequest {
  const { profile } = decodePprof(gunzipSync(pprof));
  const resource = { attributes: [{ key: 'service.name', value: serviceName, unit: '' }] };
  const body = encodeOtlpRequest([
    { resource, scopeName: 'bench', scopeVersion: '', scopeAttributes: [], profile },
  ]);
  return { path: '/v1development/profiles', contentType: 'application/x-protobuf', body };
}

interface DoorFigures {
  readonly requestsPerSecond: number;
  readonly p99Millis: number;
  readonly cpuMillis: number;
}

async function measureDoor(
  server: ProfileServer,
  requests: readonly LoadRequest[],
  connections: number,
): Promise<DoorFigures> {
  const client = loadClient(server.port, connections);
  const count = Math.max(requestsPerRun, connections * 2);
  const all = Array.from({ length: count }, (_, i) => requests[i % requests.length]!);
  const cpu = threadCpuSeconds(server.pid);
  const start = performance.now();
  const millis = await sendAll(client, all, connections);
  const seconds = (performance.now() - start) / 1000;
  client.close();
  return {
    requestsPerSecond: count / seconds,
    p99Millis: percentile(millis, 0.99),
    cpuMillis: ((threadCpuSeconds(server.pid) - cpu) * 1000) / count,
  };
}

/** The queries of the page that shows all services, then those of the page of one, as Drilldown asks them. */
const QUERIES: readonly {
  readonly name: string;
  readonly method: string;
  readonly request: (service: string) => object;
}[] = [
  { name: 'profile types', method: 'ProfileTypes', request: () => ({}) },
  {
    name: 'series of names',
    method: 'Series',
    request: () => ({ labelNames: ['service_name', '__profile_type__'] }),
  },
  {
    name: 'label names of a service',
    method: 'LabelNames',
    request: (service) => ({
      matchers: [`{__profile_type__="${CPU_PROFILE_TYPE}",service_name="${service}"}`],
    }),
  },
  {
    name: 'label values of a service',
    method: 'LabelValues',
    request: (service) => ({
      name: 'pod',
      matchers: [`{__profile_type__="${CPU_PROFILE_TYPE}",service_name="${service}"}`],
    }),
  },
  {
    name: 'time series of all services',
    method: 'SelectSeries',
    request: () => ({ profileTypeID: CPU_PROFILE_TYPE, labelSelector: '{}', groupBy: ['service_name'] }),
  },
  {
    name: 'time series by pod',
    method: 'SelectSeries',
    request: (service) => ({
      profileTypeID: CPU_PROFILE_TYPE,
      labelSelector: `{service_name="${service}"}`,
      groupBy: ['pod'],
    }),
  },
  {
    name: 'flame graph of a service',
    method: 'SelectMergeStacktraces',
    request: (service) => ({
      profileTypeID: CPU_PROFILE_TYPE,
      labelSelector: `{service_name="${service}"}`,
      maxNodes: 16384,
    }),
  },
];

async function measureQueries(server: ProfileServer, service: string): Promise<number[][]> {
  const end = (nowSeconds + 60) * 1000;
  const start = end - 3600_000;
  const millis: number[][] = QUERIES.map(() => []);
  for (let load = 0; load < pageLoads; load++) {
    for (const [i, { method, request }] of QUERIES.entries()) {
      const began = performance.now();
      const step = (end - start) / 1000 / POINTS;
      await callQuerier(`http://127.0.0.1:${server.port}`, method, { start, end, step, ...request(service) });
      millis[i]!.push(performance.now() - began);
    }
  }
  return millis;
}

interface Figures {
  readonly doors: ReadonlyMap<string, DoorFigures>;
  readonly queries: readonly (readonly number[])[];
}

async function measure(server: ProfileServer, requests: Record<Door, LoadRequest[]>): Promise<Figures> {
  try {
    const doors = new Map<string, DoorFigures>();
    for (const [door, list] of Object.entries(requests)) {
      for (const connections of CONNECTIONS) {
        doors.set(`${door}, ${connections}`, await measureDoor(server, list, connections));
      }
    }
    return { doors, queries: await measureQueries(server, 'service-0') };
  } finally {
    await server.stop();
  }
}

function cells(own: number, peer: number | undefined, digits: number): string[] {
  return [
    own.toFixed(digits),
    peer?.toFixed(digits) ?? 'no peer',
    peer === undefined ? '' : (own / peer).toFixed(2),
  ];
}

const directory = temporaryDirectory('bench');
try {
  const requests = requestsOf(
    Array.from({ length: SERVICES }, (_, i) =>
      madeUpService({ name: `service-${i}`, seed: i + 1, stacks: 10_000, draws: 1200, newStacks: 0 }),
    ),
  );
  const own = await measure(await startHearthscopeServer(join(directory, 'own')), requests);
  const peerServer = await startPeerServer(join(directory, 'peer'));
  const peer = peerServer && (await measure(peerServer, requests));
  const figure = (pick: (figures: DoorFigures) => number, digits: number) => (name: string) =>
    cells(pick(own.doors.get(name)!), peer && pick(peer.doors.get(name)!), digits);
  printTable(
    `Requests with one profile, ${peerPath() === undefined ? 'no peer' : 'Pyroscope beside it'}`,
    [
      'door, connections',
      'requests/s',
      'peer',
      'ratio',
      'p99, ms',
      'peer',
      'ratio',
      'CPU of a request, ms',
      'peer',
      'ratio',
    ],
    [...own.doors.keys()].map((name) => [
      name,
      ...figure((door) => door.requestsPerSecond, 0)(name),
      ...figure((door) => door.p99Millis, 1)(name),
      ...figure((door) => door.cpuMillis, 2)(name),
    ]),
  );
  printTable(
    `Queries of a page load, ${pageLoads} times, ms`,
    ['query', 'p50', 'peer', 'ratio', 'p99', 'peer', 'ratio'],
    QUERIES.map(({ name }, i) => [
      name,
      ...cells(percentile(own.queries[i]!, 0.5), peer && percentile(peer.queries[i]!, 0.5), 1),
      ...cells(percentile(own.queries[i]!, 0.99), peer && percentile(peer.queries[i]!, 0.99), 1),
    ]),
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}

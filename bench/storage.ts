// SPDX-License-Identifier: Apache-2.0
//
// What it costs to receive, keep and read profiles, through the real server over HTTP, with Grafana Pyroscope beside it in
// the same run and with the same bytes where the environment tells the path of its binary (HEARTHSCOPE_BENCH_PYROSCOPE).
//
// Three loads: an hour of a few services with a profile of each pod every 15 s, for what it costs to take samples in and to
// keep them; the same with stacks most of which are new; and a week of ten services, ever denser towards its end, for
// queries. Samples are rows: the distinct stacks of a profile. CPU is that of the whole server process, so a figure "per core" does not depend on what
// else the machine does; times of queries do.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../test/harness/hearthscope.ts';
import { CPU_PROFILE_TYPE, callQuerier } from '../test/harness/querier.ts';
import { temporaryDirectory } from '../test/harness/temporary-directory.ts';
import { ingestRequest, type LoadRequest, loadClient, pushRequest, sendAll } from './harness/load-client.ts';
import { residentMegabytes, threadCpuSeconds } from './harness/process-cost.ts';
import { type LoadedService, madeUpService, PROFILE_SECONDS, realServices } from './harness/profile-load.ts';
import {
  type ProfileServer,
  peerPath,
  startHearthscopeServer,
  startPeerServer,
} from './harness/profile-servers.ts';
import { median, printTable } from './harness/statistics.ts';

/** 1 takes some minutes; the figures of docs/performance.md are of 4. */
const scale = Number(process.env.HEARTHSCOPE_BENCH_SCALE ?? 1);
const services = Number(process.env.HEARTHSCOPE_BENCH_SERVICES ?? 3);
/** The growth is measured from one service to so many. */
const manyServices = Number(process.env.HEARTHSCOPE_BENCH_MANY_SERVICES ?? 100);
/** A folder of pprof files to draw from instead of populations that are made up. */
const realProfiles = process.env.HEARTHSCOPE_BENCH_PROFILES;
/** How long the peer is given to merge its blocks before it is asked. */
const peerSettleSeconds = Number(process.env.HEARTHSCOPE_BENCH_PEER_SETTLE_SECONDS ?? 60);
const PODS = 10;
const QUERIED_SERVICES = 10;
/** Many, as the peer answers each request half a second late. */
const CONNECTIONS = 64;
const RUNS = 5;
const HEAVY_QUERIES = 8;
const HOUR = 3600;
const DAY = 24 * HOUR;

interface Load {
  readonly requests: LoadRequest[];
  readonly samples: number;
}

/** The end of what is sent: long enough ago that nothing of it is waited for. */
const endSeconds = Math.floor(Date.now() / 1000 / HOUR) * HOUR - 2 * HOUR;

function servicesLike(newStacks: number, count: number, stacks: number): LoadedService[] {
  const draws = (i: number) => [1500, 600, 4000][i % 3]!;
  if (realProfiles !== undefined) {
    return realServices(realProfiles, { seed: 1, draws: draws(0), newStacks }).slice(0, count);
  }
  return Array.from({ length: count }, (_, i) =>
    madeUpService({ name: `service-${i}`, seed: i + 1, stacks, draws: draws(i), newStacks }),
  );
}

/** Services that are there to be many. */
function quietServices(): LoadedService[] {
  return Array.from({ length: QUERIED_SERVICES - 1 }, (_, i) =>
    madeUpService({ name: `quiet-${i}`, seed: 100 + i, stacks: 500, draws: 100, newStacks: 0 }),
  );
}

/** Half of the profiles go to each door. */
function requestOf(service: LoadedService, pod: number, timeSeconds: number, isPush: boolean) {
  const { bytes, samples } = service.profile(BigInt(timeSeconds) * 1_000_000_000n);
  const labels = [
    { name: 'service_name', value: service.name },
    { name: 'pod', value: `${service.name}-${pod}` },
  ];
  const request = isPush
    ? pushRequest([{ name: '__name__', value: 'process_cpu' }, ...labels], bytes)
    : ingestRequest(labels, timeSeconds, timeSeconds + PROFILE_SECONDS, bytes);
  return { request, samples };
}

function loadAt(places: readonly { service: LoadedService; pod: number; timeSeconds: number }[]): Load {
  let samples = 0;
  const requests = places.map(({ service, pod, timeSeconds }, i) => {
    const made = requestOf(service, pod, timeSeconds, i % 2 === 0);
    samples += made.samples;
    return made.request;
  });
  return { requests, samples };
}

/** An hour with a profile of each pod every 15 s; two pods of each service at scale 1. */
function hourOf(population: readonly LoadedService[]): Load {
  const rounds = Math.min(HOUR / PROFILE_SECONDS, Math.ceil((HOUR / PROFILE_SECONDS) * scale));
  const pods = Math.max(1, Math.round(2 * scale));
  return loadAt(
    Array.from({ length: rounds }, (_, round) => endSeconds - HOUR + round * PROFILE_SECONDS).flatMap(
      (time) =>
        population.flatMap((service) =>
          Array.from({ length: pods }, (_, pod) => ({ service, pod, timeSeconds: time + pod })),
        ),
    ),
  );
}

/** A week, ever denser towards its end; of the services but the first there are few profiles. */
function weekOf([first, ...others]: readonly LoadedService[]): Load {
  const times = (periods: readonly [number, number, number]) => {
    const starts = [7 * DAY, DAY, HOUR, 0];
    return periods.flatMap((period, i) => {
      const length = starts[i]! - starts[i + 1]!;
      const count = Math.ceil(Math.min((length / period) * scale, length / PROFILE_SECONDS));
      return Array.from(
        { length: count },
        (_, n) => endSeconds - starts[i]! + Math.floor((n * length) / count),
      );
    });
  };
  const all = [
    ...times([3 * HOUR, 0.5 * HOUR, 60]).map((time) => ({ service: first!, time })),
    ...times([6 * HOUR, 2 * HOUR, 1200]).flatMap((time) => others.map((service) => ({ service, time }))),
  ].sort((a, b) => a.time - b.time);
  return loadAt(
    all.flatMap(({ service, time }) =>
      Array.from({ length: PODS }, (_, pod) => ({ service, pod, timeSeconds: time + pod })),
    ),
  );
}

interface Cost {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}

async function costOf(server: ProfileServer, work: () => Promise<unknown>): Promise<Cost> {
  const cpu = threadCpuSeconds(server.pid);
  const start = performance.now();
  await work();
  return {
    cpuSeconds: threadCpuSeconds(server.pid) - cpu,
    wallSeconds: (performance.now() - start) / 1000,
  };
}

async function send(server: ProfileServer, { requests }: Load): Promise<Cost> {
  const client = loadClient(server.port, CONNECTIONS);
  try {
    return await costOf(server, () => sendAll(client, requests, CONNECTIONS));
  } finally {
    client.close();
  }
}

const url = (server: ProfileServer) => `http://127.0.0.1:${server.port}`;

const RANGES = { '1 h': HOUR, '24 h': DAY, '7 d': 7 * DAY } as const;

function flameGraphQuery(
  server: ProfileServer,
  seconds: number,
): Promise<{ flamegraph?: { total: string } }> {
  return callQuerier(url(server), 'SelectMergeStacktraces', {
    profileTypeID: CPU_PROFILE_TYPE,
    labelSelector: `{service_name="${firstService}"}`,
    start: (endSeconds - seconds) * 1000,
    end: (endSeconds + 60) * 1000,
    maxNodes: 8192,
  });
}

function seriesQuery(server: ProfileServer): Promise<{ series?: unknown[] }> {
  return callQuerier(url(server), 'SelectSeries', {
    profileTypeID: CPU_PROFILE_TYPE,
    labelSelector: '{}',
    groupBy: ['service_name', 'pod'],
    step: HOUR,
    start: (endSeconds - 7 * DAY) * 1000,
    end: (endSeconds + 60) * 1000,
  });
}

/** Seconds, median of some runs after one that warms the caches up. */
async function queryTime(query: () => Promise<unknown>): Promise<number> {
  await query();
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    await query();
    times.push((performance.now() - start) / 1000);
  }
  return median(times);
}

interface Figures {
  readonly samplesPerCoreSecond: number;
  readonly samplesPerSecond: number;
  /** With what it takes to merge blocks. */
  readonly samplesPerCoreSecondInAll: number;
  readonly bytesPerSample: number;
  readonly bytesPerNewSample: number;
  readonly queries: ReadonlyMap<string, number>;
  readonly underLoad: {
    readonly share: number;
    readonly stallMillis: number;
    readonly residentMegabytes: number;
  };
  readonly growth: number;
  readonly totals: readonly string[];
}

let firstService = '';

interface Loads {
  readonly week: Load;
  readonly repeating: Load;
  readonly changing: Load;
  readonly more: Load;
  readonly one: Load;
  readonly many: Load;
}

interface Contender {
  readonly start: (directory: string) => Promise<ProfileServer>;
  /** Waits until what was sent is in the form in which it stays. @returns the server, which may be another one, and its CPU */
  readonly settle: (
    server: ProfileServer,
    directory: string,
  ) => Promise<{ server: ProfileServer; cpuSeconds: number }>;
}

async function metric(server: ProfileServer, pattern: RegExp): Promise<number> {
  const text = await (await fetch(`${url(server)}/metrics`)).text();
  return [...text.matchAll(new RegExp(pattern, 'gm'))].reduce((sum, match) => sum + Number(match[1]), 0);
}

/** A head as small as this is cut at once, so everything becomes blocks, which the first upkeep merges. */
const SMALL_HEAD = '--head-max-bytes=2MiB';
const UPKEEP_MILLIS = 900_000;

const hearthscope: Contender = {
  start: (directory) => startHearthscopeServer(directory),
  async settle(server, directory) {
    await server.stop();
    const cutting = await startHearthscopeServer(directory, [SMALL_HEAD]);
    // The start and the replay of the log are there for the measurement's sake alone.
    const startSeconds = threadCpuSeconds(cutting.pid);
    await eventually('all blocks merged', UPKEEP_MILLIS, async () => {
      const isMerged =
        (await metric(cutting, /^hearthscope_block_upkeep_runs (\d+)/)) > 0 &&
        (await metric(cutting, /^hearthscope_head_samples (\d+)/)) === 0;
      return isMerged ? true : undefined;
    });
    const cpuSeconds = threadCpuSeconds(cutting.pid) - startSeconds;
    await cutting.stop();
    return { server: await startHearthscopeServer(directory), cpuSeconds };
  },
};

const pyroscope: Contender = {
  start: async (directory) => (await startPeerServer(directory))!,
  async settle(server) {
    const { cpuSeconds } = await costOf(server, () => sleep(peerSettleSeconds * 1000));
    return { server, cpuSeconds };
  },
};

/** What is kept, without files that only wait to be removed. */
async function keptBytes(server: ProfileServer): Promise<number> {
  const inBlocks = await metric(server, /^hearthscope_block_bytes\{[^}]*\} (\d+)/);
  return inBlocks > 0 ? inBlocks : server.storedBytes();
}

/** Sends a load to a server of its own and waits until it is in its final form. */
async function stored(contender: Contender, directory: string, load: Load) {
  const first = await contender.start(directory);
  const sent = await send(first, load);
  const settled = await contender.settle(first, directory);
  const bytesPerSample = (await keptBytes(settled.server)) / load.samples;
  return { server: settled.server, sent, settleSeconds: settled.cpuSeconds, bytesPerSample };
}

async function measure(contender: Contender, directory: string, loads: Loads): Promise<Figures> {
  const repeating = await stored(contender, join(directory, 'repeating'), loads.repeating);
  await repeating.server.stop();
  const changing = await stored(contender, join(directory, 'changing'), loads.changing);
  await changing.server.stop();

  const { server } = await stored(contender, join(directory, 'week'), loads.week);
  const queries = new Map<string, number>();
  const totals: string[] = [];
  for (const [name, seconds] of Object.entries(RANGES)) {
    queries.set(
      `flame graph of ${PODS} pods, ${name}`,
      await queryTime(() => flameGraphQuery(server, seconds)),
    );
    totals.push((await flameGraphQuery(server, seconds)).flamegraph?.total ?? 'none');
  }
  queries.set(
    `time series of ${QUERIED_SERVICES * PODS} series, 7 d`,
    await queryTime(() => seriesQuery(server)),
  );
  const underLoad = await loadAndQueries(server, loads.more);
  await server.stop();

  return {
    samplesPerCoreSecond: loads.repeating.samples / repeating.sent.cpuSeconds,
    samplesPerSecond: loads.repeating.samples / repeating.sent.wallSeconds,
    samplesPerCoreSecondInAll:
      loads.repeating.samples / (repeating.sent.cpuSeconds + repeating.settleSeconds),
    bytesPerSample: repeating.bytesPerSample,
    bytesPerNewSample: changing.bytesPerSample,
    queries,
    underLoad,
    growth: await costGrowth(contender, directory, loads),
    totals,
  };
}

/** How much of its rate ingest keeps while heavy queries run, by CPU where both compete for it. */
async function loadAndQueries(server: ProfileServer, load: Load): Promise<Figures['underLoad']> {
  const alone = await send(server, load);
  const stop = new AbortController();
  let stallMillis = 0;
  let resident = 0;
  const watch = async () => {
    while (!stop.signal.aborted) {
      const start = performance.now();
      await fetch(`${url(server)}/ready`).then((response) => response.arrayBuffer());
      stallMillis = Math.max(stallMillis, performance.now() - start);
      resident = Math.max(resident, residentMegabytes(server.pid));
      await sleep(10);
    }
  };
  const query = async () => {
    while (!stop.signal.aborted) await flameGraphQuery(server, 7 * DAY);
  };
  const running = [watch(), ...Array.from({ length: HEAVY_QUERIES }, query)];
  const together = await send(server, load);
  stop.abort();
  await Promise.all(running);
  return { share: alone.wallSeconds / together.wallSeconds, stallMillis, residentMegabytes: resident };
}

/** CPU of a sample of many services over that of one; each is sent twice and the second time counts, as symbols are then known. */
async function costGrowth(contender: Contender, directory: string, { one, many }: Loads): Promise<number> {
  const costs: number[] = [];
  for (const [name, load] of Object.entries({ one, many })) {
    const server = await contender.start(join(directory, name));
    await send(server, load);
    costs.push((await send(server, load)).cpuSeconds / load.samples);
    await server.stop();
  }
  return costs[1]! / costs[0]!;
}

function rowsOf(own: Figures, peer: Figures | undefined): string[][] {
  const row = (
    name: string,
    value: (figures: Figures) => number,
    digits: number,
    target: string,
  ): string[] => {
    const [mine, other] = [value(own), peer && value(peer)];
    return [
      name,
      mine.toFixed(digits),
      other === undefined ? 'no peer' : other.toFixed(digits),
      other === undefined ? '' : (mine / other).toFixed(2),
      target,
    ];
  };
  return [
    row('ingest, samples/s per core until acknowledged', (f) => f.samplesPerCoreSecond, 0, ''),
    row(
      'ingest, samples/s per core, blocks merged',
      (f) => f.samplesPerCoreSecondInAll,
      0,
      '120000; ratio 3',
    ),
    row('ingest, samples/s by the clock', (f) => f.samplesPerSecond, 0, ''),
    row('bytes a sample on disk, stacks that repeat', (f) => f.bytesPerSample, 2, '3.5; ratio 0.4'),
    row('bytes a sample on disk, stacks that do not', (f) => f.bytesPerNewSample, 2, '14; ratio 0.4'),
    ...[...own.queries.keys()].map((name, i) =>
      row(
        `${name}, s`,
        (f) => f.queries.get(name)!,
        3,
        ['0.15', '0.3', '0.8', '0.2'][i]! + (i < 3 ? '; ratio 0.25' : ''),
      ),
    ),
    row('share of the ingest rate beside 8 queries', (f) => f.underLoad.share, 2, '0.70'),
    row('longest answer of /ready meanwhile, ms', (f) => f.underLoad.stallMillis, 0, '50'),
    row('resident memory meanwhile, MB', (f) => f.underLoad.residentMegabytes, 0, '1500'),
    row(`CPU of a sample, ${manyServices} services to 1`, (f) => f.growth, 2, '1'),
  ];
}

const directory = temporaryDirectory('bench');
try {
  const repeating = servicesLike(0, services, 20_000);
  const [queried] = repeating;
  firstService = queried!.name;
  const recent = (population: readonly LoadedService[], profiles: number) =>
    loadAt(
      Array.from({ length: profiles }, (_, i) => ({
        service: population[i % population.length]!,
        pod: i % PODS,
        timeSeconds: endSeconds + PROFILE_SECONDS * Math.floor(i / population.length),
      })),
    );
  const loads: Loads = {
    week: weekOf([queried!, ...quietServices()]),
    repeating: hourOf(repeating),
    changing: hourOf(servicesLike(0.8, services, 20_000)),
    more: recent(repeating, Math.ceil(300 * scale)),
    one: recent(servicesLike(0, 1, 2000), 2 * manyServices),
    many: recent(servicesLike(0, manyServices, 2000), 2 * manyServices),
  };
  const own = await measure(hearthscope, join(directory, 'own'), loads);
  const peer =
    peerPath() === undefined ? undefined : await measure(pyroscope, join(directory, 'peer'), loads);
  if (peer !== undefined && own.totals.join() !== peer.totals.join()) {
    console.log(`the totals differ: ${own.totals.join(', ')} against ${peer.totals.join(', ')}`);
  }
  printTable(
    `${loads.repeating.requests.length} profiles of an hour with ${loads.repeating.samples} samples, as many with new stacks (${loads.changing.samples}), ${loads.week.requests.length} of a week (${loads.week.samples})`,
    ['figure', 'hearthscope', 'Pyroscope', 'ratio', 'target'],
    rowsOf(own, peer),
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}

// SPDX-License-Identifier: Apache-2.0
//
// What unwinding without frame pointers costs at 99 Hz, beside a peer that does the same on the same load, in windows that
// alternate: time of the BPF programs for a sample of 15, 35 and 65 frames, CPU of the profiler, and its memory with 300
// processes of 60 binaries.
//
//   HEARTHSCOPE_BENCH_WINDOWS=3 (0: memory alone)  HEARTHSCOPE_BENCH_SECONDS=20   HEARTHSCOPE_BENCH_WARM_UP_SECONDS=40
//   HEARTHSCOPE_BENCH_PROCESSES=300
//   HEARTHSCOPE_BENCH_OTEL_PROFILER=path   PERF=path

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BuiltProgram, ProgramBuilder } from '../test/harness/program-builder.ts';
import { startServer } from '../test/harness/server.ts';
import { temporaryDirectory } from '../test/harness/temporary-directory.ts';
import { KNOWN_PROGRAMS } from '../test/testprogs/catalog.ts';
import { VARIANTS, variantsOf } from '../test/testprogs/variants.ts';
import { bpfMapMegabytes, bpfRun, residentMegabytes, withBpfStatistics } from './harness/process-cost.ts';
import { type Profiler, peerName, startAgent, startPeer } from './harness/profilers.ts';
import { median, printTable, spread } from './harness/statistics.ts';

const windows = Number(process.env.HEARTHSCOPE_BENCH_WINDOWS ?? 3);
const seconds = Number(process.env.HEARTHSCOPE_BENCH_SECONDS ?? 20);
const processes = Number(process.env.HEARTHSCOPE_BENCH_PROCESSES ?? 300);
const binaries = 60;
const frequencyHz = 99;
/** Tables are read, and the memory of the start is given back. */
const warmUpSeconds = Number(process.env.HEARTHSCOPE_BENCH_WARM_UP_SECONDS ?? 40);
/** Each of the 300 processes runs so long, a few at a time, and then stays, stopped: known, and in nobody's way. */
const runMillis = 300;
/** After the last of them. */
const settleSeconds = 15;
/** By frames of a stack, libc's and the thread's start included. */
const depths: readonly (readonly [frames: number, program: string, targetMicros: string])[] = [
  [15, 'recursion_9', '8'],
  [35, 'recursion_29', '12'],
  [65, 'recursion_59', '17'],
];

interface Window {
  readonly bpfMicros: number;
  readonly bpfPercent: number;
  readonly userPercent: number;
}

/**
 * CPU seconds that the threads of a process use in a time. It looks at each of them once a second: a thread that ends takes
 * its account with it, and a difference of sums would lose all that it ever used.
 */
async function cpuSecondsWithin(pid: number, windowSeconds: number): Promise<number> {
  let nanos = 0;
  let last = threadCpuNanos(pid);
  for (let second = 0; second < windowSeconds; second++) {
    await sleep(1000);
    const now = threadCpuNanos(pid);
    for (const [thread, used] of now) nanos += used - (last.get(thread) ?? 0);
    last = now;
  }
  return nanos / 1e9;
}

function threadCpuNanos(pid: number): Map<string, number> {
  const used = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const account = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
      used.set(thread, Number(account.split(' ')[0]));
    } catch {
      // The thread ended since the directory was read.
    }
  }
  return used;
}

async function measure({ pid }: Profiler): Promise<Window> {
  const before = bpfRun(pid);
  const cpuSeconds = await cpuSecondsWithin(pid, seconds);
  const bpf = bpfRun(pid);
  const bpfSeconds = bpf.seconds - before.seconds;
  return {
    bpfMicros: (bpfSeconds / Math.max(1, bpf.runs - before.runs)) * 1e6,
    bpfPercent: (100 * bpfSeconds) / seconds,
    userPercent: (100 * cpuSeconds) / seconds,
  };
}

const directory = temporaryDirectory('bench');
const builder = new ProgramBuilder();
const server = await startServer(directory);
const options = { frequencyHz, directory, otlpGrpcAddress: server.otlpGrpcAddress };
const load: ChildProcess[] = [];

function start(built: BuiltProgram, environment: NodeJS.ProcessEnv = process.env): ChildProcess {
  const child = spawn(built.path, ['100000', ...built.arguments], {
    stdio: 'ignore',
    env: { ...environment, ...built.program.environment },
  });
  load.push(child);
  return child;
}

function endLoad(): void {
  for (const child of load.splice(0)) child.kill('SIGKILL');
}

/** Starts the profiler for one look at it, so that the two never run at once. */
async function lookAt<T>(
  begin: () => Profiler | Promise<Profiler>,
  wait: number,
  look: (profiler: Profiler) => Promise<T>,
): Promise<T> {
  const profiler = await begin();
  try {
    await sleep(wait * 1000);
    return await look(profiler);
  } finally {
    await profiler.stop();
  }
}

async function compareCost(frames: number, program: string, targetMicros: string): Promise<void> {
  const variant = VARIANTS.find(({ name }) => name === 'gcc -O2')!;
  const built = await builder.build(KNOWN_PROGRAMS.find(({ name }) => name === program)!, variant);
  for (let cpu = 0; cpu < availableParallelism(); cpu++) start(built);
  const ours: Window[] = [];
  const theirs: Window[] = [];
  for (let window = 0; window < windows; window++) {
    ours.push(await lookAt(() => startAgent(options), warmUpSeconds, measure));
    if (peerName() !== undefined) theirs.push(await lookAt(() => startPeer(options), warmUpSeconds, measure));
  }
  endLoad();
  const of = (list: readonly Window[], figure: (window: Window) => number, digits: number) =>
    list.length === 0 ? '' : spread(list.map(figure), digits);
  const whole = ({ bpfPercent, userPercent }: Window) => bpfPercent + userPercent;
  printTable(
    `Stacks of ${frames} frames without frame pointers, ${frequencyHz} Hz, ${windows} windows of ${seconds} s, median (min to max)`,
    ['figure', 'agent', peerName() ?? 'no peer', 'target'],
    [
      ['BPF, µs per run', of(ours, (w) => w.bpfMicros, 1), of(theirs, (w) => w.bpfMicros, 1), targetMicros],
      ['BPF, % of one CPU', of(ours, (w) => w.bpfPercent, 3), of(theirs, (w) => w.bpfPercent, 3), ''],
      [
        'user space, % of one CPU',
        of(ours, (w) => w.userPercent, 3),
        of(theirs, (w) => w.userPercent, 3),
        '',
      ],
      ['both, % of one CPU', of(ours, whole, 3), of(theirs, whole, 3), ''],
      ...(theirs.length === 0
        ? []
        : [
            [
              'agent / peer, both',
              (median(ours.map(whole)) / median(theirs.map(whole))).toFixed(2),
              '',
              '0.5',
            ],
          ]),
    ],
  );
}

interface Memory {
  readonly resident: number;
  readonly maps: number;
  /** The part of `resident` that is maps: it must not count twice. */
  readonly mapped: number;
}

/** Resident memory of a process through which it sees BPF maps. */
function mappedMapMegabytes(pid: number): number {
  const mappings = readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  let kibibytes = 0;
  for (const mapping of mappings) {
    if (!/^.* anon_inode:bpf-map$/m.test(mapping)) continue;
    kibibytes += Number(mapping.match(/^Rss:\s+(\d+) kB/m)?.[1]);
  }
  return (kibibytes * 1024) / 1e6;
}

async function compareMemory(): Promise<void> {
  const candidates = KNOWN_PROGRAMS.filter(({ name }) => name !== 'processes').flatMap((program) =>
    variantsOf(program)
      .filter(({ compiler }) => builder.hasCompiler(compiler))
      .map((variant) => ({ program, variant })),
  );
  const step = candidates.length / binaries;
  const built = await Promise.all(
    Array.from({ length: binaries }, (_, i) => candidates[Math.floor(i * step)]!).map(
      ({ program, variant }) => builder.build(program, variant),
    ),
  );
  const populate = async () => {
    const lanes = Array.from({ length: availableParallelism() }, async (_, lane) => {
      for (let i = lane; i < processes; i += availableParallelism()) {
        const child = start(built[i % built.length]!, { ...process.env, GOMAXPROCS: '2' });
        await sleep(runMillis);
        child.kill('SIGSTOP');
      }
    });
    await Promise.all(lanes);
    await sleep(settleSeconds * 1000);
  };
  const look = async ({ pid }: Profiler): Promise<Memory> => {
    await populate();
    const memory = {
      resident: residentMegabytes(pid),
      maps: bpfMapMegabytes(pid),
      mapped: mappedMapMegabytes(pid),
    };
    endLoad();
    return memory;
  };
  const ours = await lookAt(() => startAgent(options), warmUpSeconds, look);
  const theirs =
    peerName() === undefined ? undefined : await lookAt(() => startPeer(options), warmUpSeconds, look);
  const row = (figure: string, of: (memory: Memory) => number, target: string) => [
    figure,
    of(ours).toFixed(1),
    theirs === undefined ? '' : of(theirs).toFixed(1),
    target,
  ];
  printTable(
    `Memory with ${processes} processes of ${binaries} binaries, MB`,
    ['figure', 'agent', peerName() ?? 'no peer', 'target'],
    [
      row('RSS', ({ resident }) => resident, ''),
      row('BPF maps', ({ maps }) => maps, ''),
      row('of RSS, maps that are mapped', ({ mapped }) => mapped, ''),
      row('both, each byte once', ({ resident, maps, mapped }) => resident + maps - mapped, '150'),
    ],
  );
}

try {
  if (peerName() === undefined) console.error('no peer: neither HEARTHSCOPE_BENCH_OTEL_PROFILER nor perf');
  await withBpfStatistics(async () => {
    for (const [frames, program, target] of windows > 0 ? depths : [])
      await compareCost(frames, program, target);
  });
  await compareMemory();
} finally {
  endLoad();
  await server.command.stop();
  builder.remove();
  rmSync(directory, { recursive: true, force: true });
}

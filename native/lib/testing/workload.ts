// SPDX-License-Identifier: Apache-2.0
//
// For tests: compiles and runs the programs that are sampled, and says why a host cannot run such tests.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadError, type ProcessEvent, type SampleBatch, type Sampler } from '../index.ts';

/** A reason to skip tests that sample the real kernel, or false. */
export function cannotSample(): string | false {
  if (process.getuid?.() !== 0) return 'NOT TESTED: sampling needs root';
  if (!existsSync('/sys/kernel/btf/vmlinux')) return 'NOT TESTED: this kernel has no BTF';
  const error = loadError();
  return error === null ? false : `NOT TESTED: ${error}`;
}

export interface FinishedProcess {
  /** What the program printed: the CPU time it took. */
  cpuMillis: number;
  exitCode: number | null;
}

export class RunningWorkload {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: the start in ticks of 10 ms since boot. */
  readonly startTicks: number;
  readonly finished: Promise<FinishedProcess>;

  constructor(program: string, args: string[]) {
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.pid = this.child.pid!;
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
    this.startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    let output = '';
    this.child.stdout!.on('data', (chunk) => {
      output += chunk;
    });
    this.finished = new Promise((resolve) => {
      this.child.once('close', (exitCode) => resolve({ cpuMillis: Number(output), exitCode }));
    });
  }
}

/** The compiled test program, in a folder of its own. */
export class WorkloadProgram {
  readonly path: string;
  readonly #folder: string;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'hearthscope-native-'));
    this.path = join(this.#folder, 'workload');
    const source = fileURLToPath(new URL('../../test-programs/workload.c', import.meta.url));
    execFileSync('cc', ['-O1', '-fno-omit-frame-pointer', '-pthread', '-o', this.path, source]);
  }

  run(...args: (string | number)[]): RunningWorkload {
    return new RunningWorkload(this.path, args.map(String));
  }

  /** A copy under another file name, which must hold no slash. */
  copyAs(name: string): string {
    const path = join(this.#folder, name);
    copyFileSync(this.path, path);
    return path;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

export interface Stack {
  pid: number;
  tid: number;
  comm: string;
  startTimeNanos: bigint;
  cgroupId: bigint;
  stopReason: number;
  kernelFrames: bigint[];
  userFrames: bigint[];
  count: number;
}

/** The rows of a batch as objects. */
export function stacksOf(batch: SampleBatch): Stack[] {
  return Array.from({ length: batch.length }, (_, i) => {
    const start = batch.frameStart[i]!;
    const split = start + batch.kernelFrameCount[i]!;
    return {
      pid: batch.pid[i]!,
      tid: batch.tid[i]!,
      comm: batch.comms[batch.comm[i]!]!,
      startTimeNanos: batch.startTimeNanos[i]!,
      cgroupId: batch.cgroupId[i]!,
      stopReason: batch.stopReason[i]!,
      kernelFrames: [...batch.frames.subarray(start, split)],
      userFrames: [...batch.frames.subarray(split, batch.frameStart[i + 1]!)],
      count: batch.count[i]!,
    };
  });
}

export function samplesIn(stacks: Stack[]): number {
  return stacks.reduce((sum, stack) => sum + stack.count, 0);
}

const PAGE_BYTES = 4096n;
/** In place of a table: see `ProcessMappings.tables`. */
const WITHOUT_FILE = -1;

/** Has all processes of the events walked by frame pointers, without any tables. */
export function walkByFramePointers(sampler: Sampler, events: ProcessEvent[]): void {
  for (const { pid, startTimeNanos, generation, snapshot } of events) {
    if (snapshot === null) continue;
    const { mappings } = snapshot;
    sampler.setProcessMappings(pid, startTimeNanos, generation, {
      starts: BigUint64Array.from(mappings, ({ start }) => start),
      pageCounts: Uint32Array.from(mappings, ({ start, limit }) => Number((limit - start) / PAGE_BYTES)),
      tables: new Int32Array(mappings.length).fill(WITHOUT_FILE),
      firstPages: new Int32Array(mappings.length),
    });
  }
}

/** Collects events and answers questions about one process. */
export class EventLog {
  readonly events: ProcessEvent[] = [];
  readonly record = (events: ProcessEvent[]): void => {
    this.events.push(...events);
  };

  of(pid: number, kind?: ProcessEvent['kind']): ProcessEvent[] {
    return this.events.filter((event) => event.pid === pid && (kind === undefined || event.kind === kind));
  }
}

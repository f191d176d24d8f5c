// SPDX-License-Identifier: Apache-2.0
//
// The only door to the addon: typed options in, typed arrays out. Importing it never fails; where the addon is
// missing (an installation of the server alone) `loadError()` says so and `Sampler.start` throws.

import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';
import { checkedInteger, NativeError } from './native-error.ts';
import {
  checkProcessMappings,
  checkUnwindTable,
  type ProcessMappings,
  type UnwindTable,
  type UnwindUsage,
} from './unwind-columns.ts';

export { NativeError } from './native-error.ts';
export type { ProcessMappings, UnwindTable, UnwindUsage } from './unwind-columns.ts';

/** Why the walk of a user stack ended; `SampleBatch.stopReason` indexes this. Same order as `bpf/include/events.h`. */
export const STOP_REASONS: readonly string[] = [
  /** The outermost frame: its unwind information says so, or a zero lies where an address belongs. */
  'end_of_stack',
  /** Kernel threads and io workers; a process whose memory is gone, in the midst of exec or exit. */
  'no_user_stack',
  /** 512 frames. */
  'truncated_max_frames',
  'read_failed',
  /** Of code without a file, which is walked by frame pointers. */
  'frame_pointer_invalid',
  /** Not an address of user space, or one that a frame pointer led to and that is not of code. */
  'return_address_invalid',
  'unsupported_32_bit',
  /** The process's mappings were not known in time, and its stack could not be kept. */
  'process_unknown',
  /** The walk reached a file whose table was not built in time. */
  'table_pending',
  /** An address in no executable mapping. */
  'no_mapping',
  /** None for the address, and frame pointers did not help either. */
  'no_unwind_info',
  /** The rule needs a register that is not known there, or no rule can say what the information says. */
  'unsupported_rule',
  /** A stack that was walked later, from the part of it that was kept, which ended before it did. */
  'stack_not_captured',
];

export interface FollowedProcess {
  pid: number;
  /** False for a recorder that is not to be sampled itself, only what it starts. */
  sampleItself: boolean;
}

export interface SamplerOptions {
  /** 1 to 999. */
  frequencyHz: number;
  /** Leaves out the samples of this process. */
  excludeSelf: boolean;
  /**
   * A power of two from 4 KiB to 256 MiB. Default: room for four drain intervals of samples of 200 frames on all
   * CPUs (see `defaultRingBytes`), at least 256 KiB.
   */
  ringBytes?: number;
  /** 10 to 10,000; default 250. */
  drainIntervalMillis?: number;
  /** Unique stacks held between two `takeBatch` calls; later new ones count as `lost_batch_full`. Default 65,536. */
  maxStacksPerBatch?: number;
  /** Bytes of unique stacks held between two `takeBatch` calls. Default 32 MiB. */
  maxBatchBytes?: number;
  /** Living sampled processes known to the kernel side (80 bytes each); more are announced over and over. Default 16,384. */
  maxProcesses?: number;
  /**
   * What ticks: CPU cycles, which hardware counts (not in most virtual machines), or the kernel's own clock. Default
   * `auto`: cycles where there are any.
   */
  event?: 'auto' | 'cycles' | 'cpu-clock';
  /** Memory for unwind tables and mappings, 4 MiB to 4 GiB, in steps of 4 MiB taken as they are needed. Default 64 MiB. */
  maxUnwindBytes?: number;
  /** Memory for stacks that wait to be walked, 64 KiB to 1 GiB. Default 8 MiB. */
  maxCapturedBytes?: number;
  /** Has the kernel keep run time of BPF programs (all of them, tens of ns a run), for `programStats`. Default false. */
  runStatistics?: boolean;
  /** When given, only these processes and their descendants (those that live already too) are sampled. */
  follow?: FollowedProcess[];
  /** Called on the event loop as processes come and go, and by `takeBatch` before it returns. */
  onProcessEvents: (events: ProcessEvent[]) => void;
}

export interface ProcessEvent {
  /**
   * - `first-seen`: the first sample of the process; may repeat for the same process when a table is full
   * - `exec`: its program was replaced
   * - `mapped`: a sample found that its executable mappings changed since the last snapshot (dlopen, JIT)
   * - `exit`: its last thread is going; no snapshot
   * - `needs-table`: a stack led into a mapping whose table is -2; once for each `setProcessMappings`; no snapshot
   */
  kind: 'first-seen' | 'exec' | 'mapped' | 'exit' | 'needs-table';
  pid: number;
  /** CLOCK_BOOTTIME of the thread-group leader; with the pid the key of a process. */
  startTimeNanos: bigint;
  /** Of the thread-group leader. */
  comm: string;
  kernelThread: boolean;
  /** Counts the exec and mapped events of the process, from 0 (32 bits, may wrap). */
  generation: number;
  /** Of `needs-table`: an address in the mapping, else 0. */
  address: bigint;
  /**
   * Read at the moment of the event. Null for `exit`, `needs-table` and kernel threads, and when the process was gone (counted):
   * what was read before still holds for the samples there are.
   */
  snapshot: ProcessSnapshot | null;
}

export interface ProcessSnapshot {
  /** Target of /proc/PID/exe, with " (deleted)" where the kernel says so; empty when it cannot be read. */
  exe: string;
  /** /proc/PID/cgroup as it is. */
  cgroup: string;
  /** More than 4,096 executable mappings, or 16 MiB of /proc/PID/maps: the rest is missing. */
  mapsTruncated: boolean;
  /** Executable ones only, ascending. */
  mappings: ProcessMapping[];
}

export interface ProcessMapping {
  start: bigint;
  limit: bigint;
  fileOffset: bigint;
  /** `major:minor` in hexadecimal, as in /proc/PID/maps: "fd:00". */
  device: string;
  /** 0 for memory without a file. */
  inode: bigint;
  /** "[vdso]", "" for anonymous memory, a path with " (deleted)" where the kernel says so; a newline in it is `\012`. */
  path: string;
}

/** Columns of unique stacks; row i of each belongs to stack i. */
export interface SampleBatch {
  startUnixNanos: bigint;
  endUnixNanos: bigint;
  frequencyHz: number;
  /** Unique stacks. */
  length: number;
  pid: Uint32Array;
  tid: Uint32Array;
  /** Of the thread-group leader, CLOCK_BOOTTIME. */
  startTimeNanos: BigUint64Array;
  /** Inode of the cgroup's folder: v2, else the first v1 controller of memory, pids, cpu that has the task outside its root, else 1. */
  cgroupId: BigUint64Array;
  /** Index into `comms`; the thread's name. */
  comm: Uint32Array;
  comms: string[];
  /** Index into `STOP_REASONS`. */
  stopReason: Uint8Array;
  /** 0 or 1. */
  kernelThread: Uint8Array;
  kernelFrameCount: Uint16Array;
  /** Low 16 bits of `ProcessEvent.generation` when the sample was taken: whose mappings its addresses belong to. */
  generation: Uint16Array;
  /** `length + 1` offsets into `frames`. */
  frameStart: Uint32Array;
  /**
   * Per stack the kernel frames, then the user frames, each leaf first. Kernel frames but the leaf are return addresses. User
   * frames are addresses to look up: exact where the thread stood or was struck by a signal, else within the call.
   */
  frames: BigUint64Array;
  /** Samples of this stack. */
  count: Uint32Array;
}

export interface ProgramStats {
  /** 0 unless `runStatistics` is on. */
  runTimeNanos: number;
  runCount: number;
  /** 0 before kernel 5.16. */
  verifiedInstructions: number;
}

export interface FeatureProbe {
  name: string;
  available: boolean;
  /** Without it the agent cannot run. */
  required: boolean;
  detail: string;
  lostWithout: string;
}

interface NativeOptions extends Omit<Required<SamplerOptions>, 'onProcessEvents' | 'follow'> {
  follow: FollowedProcess[] | undefined;
}

interface NativeSampler {
  cutBatch(): void;
  takeBatch(): SampleBatch;
  takeEvents(maxEvents: number): ProcessEvent[];
  counters(): Record<string, number>;
  onlineCpus(): number[];
  programStats(): Record<string, ProgramStats>;
  follow(process: FollowedProcess): void;
  unfollow(pid: number): void;
  addUnwindTable(table: UnwindTable): number;
  removeUnwindTable(id: number): void;
  setProcessMappings(pid: number, startTime: bigint, generation: number, mappings: ProcessMappings): void;
  forgetProcess(pid: number, startTimeNanos: bigint): void;
  unwindUsage(): UnwindUsage;
  event(): 'cycles' | 'cpu-clock';
  stop(): void;
}

interface Addon {
  NativeSampler: new (options: NativeOptions, onEvents: () => void) => NativeSampler;
  probeFeatures(): FeatureProbe[];
  inHostPidNamespace(): boolean;
  trimMemory(): void;
  libbpfVersion: string;
  stopReasons: string[];
}

type LoadedAddon = { addon: Addon } | { error: string };

function loadAddon(): LoadedAddon {
  const url = new URL('../build/Release/hearthscope.node', import.meta.url);
  try {
    const addon = createRequire(import.meta.url)(fileURLToPath(url)) as Addon;
    if (addon.stopReasons.join() !== STOP_REASONS.join()) {
      return { error: 'the addon was built from other sources; run `npm run bootstrap`' };
    }
    return { addon };
  } catch (error) {
    // Node appends the stack of requires on lines of their own.
    const message = error instanceof Error ? error.message : String(error);
    return { error: message.split('\n', 1)[0]! };
  }
}

let loaded: LoadedAddon | undefined;

function requireAddon(): Addon {
  loaded ??= loadAddon();
  if ('error' in loaded) {
    throw new NativeError(`the native addon cannot be loaded (run \`npm run bootstrap\`): ${loaded.error}`);
  }
  return loaded.addon;
}

/** Why the addon could not be loaded; null when it is. */
export function loadError(): string | null {
  loaded ??= loadAddon();
  return 'error' in loaded ? loaded.error : null;
}

/** For example "v1.1". Throws `NativeError` without the addon. */
export function libbpfVersion(): string {
  return requireAddon().libbpfVersion;
}

/** Tries what the agent needs of this kernel; takes about a second. Throws `NativeError` without the addon. */
export function probeFeatures(): FeatureProbe[] {
  return requireAddon().probeFeatures();
}

/**
 * Gives memory back that was only needed for a burst of work: what malloc keeps, and the pages of code that have not been
 * used since (those still needed come back one by one). Takes a few ms. Throws `NativeError` without the addon.
 */
export function trimMemory(): void {
  requireAddon().trimMemory();
}

/** Bytes of a deep sample: its header, and 200 kernel and user frames; ring header included. */
const DEEP_SAMPLE_BYTES = 8 + 48 + 200 * 8;
const DRAIN_INTERVALS_OF_SLACK = 4;
const MIN_DEFAULT_RING_BYTES = 256 * 1024;
const MAX_DEFAULT_RING_BYTES = 64 * 1024 * 1024;

/** Room for four drain intervals (the drain may be that late) of samples of 200 frames on every CPU. */
export function defaultRingBytes(cpuCount: number, frequencyHz: number, drainIntervalMillis: number): number {
  const samples = (cpuCount * frequencyHz * drainIntervalMillis * DRAIN_INTERVALS_OF_SLACK) / 1000;
  const needed = 2 ** Math.ceil(Math.log2(samples * DEEP_SAMPLE_BYTES));
  return Math.min(MAX_DEFAULT_RING_BYTES, Math.max(MIN_DEFAULT_RING_BYTES, needed));
}

function checkedFollow(process: FollowedProcess): FollowedProcess {
  const pid = checkedInteger('pid to follow', process.pid, 1, 2 ** 22);
  return { pid, sampleItself: process.sampleItself };
}

function checkedOptions(options: SamplerOptions, cpuCount: number): NativeOptions {
  const frequencyHz = checkedInteger('frequencyHz', options.frequencyHz, 1, 999);
  const drainIntervalMillis = checkedInteger(
    'drainIntervalMillis',
    options.drainIntervalMillis ?? 250,
    10,
    10_000,
  );
  const ringBytes = options.ringBytes ?? defaultRingBytes(cpuCount, frequencyHz, drainIntervalMillis);
  checkedInteger('ringBytes', ringBytes, 4096, 256 * 1024 * 1024);
  if (!Number.isInteger(Math.log2(ringBytes))) {
    throw new NativeError(`ringBytes must be a power of two, not ${ringBytes}`, 'EINVAL');
  }
  if (options.event !== undefined && !['auto', 'cycles', 'cpu-clock'].includes(options.event)) {
    throw new NativeError(`event must be auto, cycles or cpu-clock, not ${options.event}`, 'EINVAL');
  }
  return {
    frequencyHz,
    drainIntervalMillis,
    ringBytes,
    maxStacksPerBatch: checkedInteger('maxStacksPerBatch', options.maxStacksPerBatch ?? 65_536, 1, 2 ** 22),
    maxBatchBytes: checkedInteger('maxBatchBytes', options.maxBatchBytes ?? 2 ** 25, 4096, 2 ** 30),
    maxProcesses: checkedInteger('maxProcesses', options.maxProcesses ?? 16_384, 1, 2 ** 22),
    event: options.event ?? 'auto',
    maxUnwindBytes: checkedInteger('maxUnwindBytes', options.maxUnwindBytes ?? 2 ** 26, 2 ** 22, 2 ** 32),
    maxCapturedBytes: checkedInteger(
      'maxCapturedBytes',
      options.maxCapturedBytes ?? 2 ** 23,
      2 ** 16,
      2 ** 30,
    ),
    excludeSelf: options.excludeSelf,
    runStatistics: options.runStatistics ?? false,
    follow: options.follow?.map(checkedFollow),
  };
}

/** Process events turned into objects at once: about 5 ms of work. */
const MAX_EVENTS_PER_CHUNK = 128;

/** Runs the addon's part and gives its errors their errno's name. */
function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { message, errorNumber, log } = error as { message: string; errorNumber?: number; log?: string };
    const code = errorNumber ? getSystemErrorName(-errorNumber) : 'ERR_ADDON';
    const lastLines = log?.trimEnd().split('\n').slice(-3).join('\n');
    throw new NativeError(lastLines ? `${message}\n${lastLines}` : message, code, log);
  }
}

/**
 * Samples every CPU of this host until `stop()`. Several may run at once. It does not keep the process alive.
 *
 * `takeBatch` hands out each sample once. Before it returns, `onProcessEvents` has been called with what was
 * announced before these samples (at most 20 ms are waited for it; `event_waits_expired` counts when that was
 * too short), so a process is known before its first sample is read.
 *
 * User stacks are walked by what `addUnwindTable` and `setProcessMappings` have said. A sample that comes before is kept with
 * a part of its stack and walked as soon as they have, after five seconds with what there is; it is in the batch of then.
 * What is set during `onProcessEvents` is in time for the batch that is being taken.
 */
export class Sampler {
  readonly #native: NativeSampler;
  readonly #onProcessEvents: (events: ProcessEvent[]) => void;

  private constructor(options: SamplerOptions) {
    const addon = requireAddon();
    const native = checkedOptions(options, cpus().length);
    if (!addon.inHostPidNamespace()) {
      throw new NativeError(
        'the agent must see the pids of the host: start its container with them (hostPID, --pid=host)',
        'EPERM',
      );
    }
    this.#onProcessEvents = options.onProcessEvents;
    this.#native = translated(() => new addon.NativeSampler(native, () => this.#deliverInChunks()));
  }

  /** Throws `NativeError` for a bad option, without the addon, and when the kernel refuses; the message says why. */
  static start(options: SamplerOptions): Sampler {
    return new Sampler(options);
  }

  /** Everything sampled since the last call. After `stop()` what was left, then empty batches. */
  takeBatch(): SampleBatch {
    this.#native.cutBatch();
    while (this.#deliverEvents());
    return this.#native.takeBatch();
  }

  /** The event that ticks: cycles where the hardware counts them (see `SamplerOptions.event`). */
  get event(): 'cycles' | 'cpu-clock' {
    return this.#native.event();
  }

  /**
   * Copies the table where the kernel side reads it. Returns its id.
   * Throws `NativeError`: ENOSPC when `maxUnwindBytes` are used up (remove tables first), EINVAL for a malformed table.
   */
  addUnwindTable(table: UnwindTable): number {
    checkUnwindTable(table);
    return translated(() => this.#native.addUnwindTable(table));
  }

  /** Mappings that use the table count as not built from here on, and ask for one when a stack leads there. */
  removeUnwindTable(id: number): void {
    translated(() => this.#native.removeUnwindTable(checkedInteger('table id', id, 0, 2 ** 31 - 1)));
  }

  /**
   * Replaces what is known of the process, and walks the stacks that have waited for it. `generation` is that of the event
   * whose snapshot the mappings are from; older news than what is known, and news from before the process's last exec, have
   * no effect. Throws `NativeError`: ENOSPC and EINVAL as `addUnwindTable`, E2BIG when `maxProcesses` are known.
   */
  setProcessMappings(
    pid: number,
    startTimeNanos: bigint,
    generation: number,
    mappings: ProcessMappings,
  ): void {
    checkedInteger('pid', pid, 1, 2 ** 22);
    checkProcessMappings(mappings);
    translated(() => this.#native.setProcessMappings(pid, startTimeNanos, generation, mappings));
  }

  /** To be called when a process has ended and its last samples have been taken. */
  forgetProcess(pid: number, startTimeNanos: bigint): void {
    this.#native.forgetProcess(pid, startTimeNanos);
  }

  unwindUsage(): UnwindUsage {
    return this.#native.unwindUsage();
  }

  /** Cumulative counts by name; see native/README.md. They stay readable after `stop()`. */
  counters(): Record<string, number> {
    return this.#native.counters();
  }

  /** Ascending ids of the CPUs that are sampled now. */
  onlineCpus(): number[] {
    return this.#native.onlineCpus();
  }

  /** By name of the BPF program. Empty after `stop()`. */
  programStats(): Record<string, ProgramStats> {
    return this.#native.programStats();
  }

  /** Also follows this process and its descendants. Only for a sampler that was started with `follow`. */
  follow(process: FollowedProcess): void {
    const checked = checkedFollow(process);
    translated(() => this.#native.follow(checked));
  }

  /** Stops following one process; descendants it has already are followed still. */
  unfollow(pid: number): void {
    this.#native.unfollow(pid);
  }

  /** Detaches everything. Idempotent. */
  stop(): void {
    this.#native.stop();
  }

  /** One chunk per turn of the event loop, so that a thousand processes at start do not stall it. */
  #deliverInChunks(): void {
    if (this.#deliverEvents()) setImmediate(() => this.#deliverInChunks());
  }

  /** True when there may be more. */
  #deliverEvents(): boolean {
    const events = this.#native.takeEvents(MAX_EVENTS_PER_CHUNK);
    if (events.length > 0) this.#onProcessEvents(events);
    return events.length === MAX_EVENTS_PER_CHUNK;
  }
}

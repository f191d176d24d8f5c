// SPDX-License-Identifier: Apache-2.0
//
// The only door to the addon: typed options in, typed arrays out. Importing it never fails; where the addon is
// missing (an installation of the server alone) `loadError()` says so and `Sampler.start` throws.

import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';

/** Why the walk of a user stack ended; `SampleBatch.stopReason` indexes this. Same order as `bpf/include/events.h`. */
export const STOP_REASONS: readonly string[] = [
  /** A frame pointer of zero, which the ABI asks of the outermost frame (code without frame pointers may hold one by chance). */
  'end_of_stack',
  /** Kernel threads and io workers. */
  'no_user_stack',
  'truncated_max_frames',
  'read_failed',
  'frame_pointer_invalid',
  'return_address_invalid',
  'unsupported_32_bit',
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
   * A power of two from 4 KiB to 256 MiB. Default: room for four drain intervals of the largest samples on all
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
   */
  kind: 'first-seen' | 'exec' | 'mapped' | 'exit';
  pid: number;
  /** CLOCK_BOOTTIME of the thread-group leader; with the pid the key of a process. */
  startTimeNanos: bigint;
  /** Of the thread-group leader. */
  comm: string;
  kernelThread: boolean;
  /**
   * Read at the moment of the event. Null for exits and kernel threads, and when the process was gone (counted):
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
  /** `length + 1` offsets into `frames`. */
  frameStart: Uint32Array;
  /** Per stack the kernel frames, then the user frames, each leaf first. All but the leaf are return addresses. */
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

/** A failure of the addon or the kernel. */
export class NativeError extends Error {
  override readonly name = 'NativeError';
  /** Name of the errno ("EPERM"), or "ERR_ADDON" when no system call failed. */
  readonly code: string;
  /** The end of what libbpf and the verifier said; empty when they said nothing. */
  readonly log: string;

  constructor(message: string, code = 'ERR_ADDON', log = '') {
    super(message);
    this.code = code;
    this.log = log;
  }
}

interface NativeOptions extends Omit<Required<SamplerOptions>, 'onProcessEvents' | 'follow'> {
  follow: FollowedProcess[] | undefined;
}

interface NativeSampler {
  takeBatch(): SampleBatch;
  takeEvents(maxEvents: number): ProcessEvent[];
  counters(): Record<string, number>;
  onlineCpus(): number[];
  programStats(): Record<string, ProgramStats>;
  follow(process: FollowedProcess): void;
  unfollow(pid: number): void;
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

/** Bytes of the largest sample: its header, and 127 kernel and 127 user frames; ring header included. */
const LARGEST_SAMPLE_BYTES = 8 + 48 + 254 * 8;
const DRAIN_INTERVALS_OF_SLACK = 4;
const MIN_DEFAULT_RING_BYTES = 256 * 1024;
const MAX_DEFAULT_RING_BYTES = 64 * 1024 * 1024;

/** Room for four drain intervals (the drain may be that late) of the largest samples on every CPU. */
export function defaultRingBytes(cpuCount: number, frequencyHz: number, drainIntervalMillis: number): number {
  const samples = (cpuCount * frequencyHz * drainIntervalMillis * DRAIN_INTERVALS_OF_SLACK) / 1000;
  const needed = 2 ** Math.ceil(Math.log2(samples * LARGEST_SAMPLE_BYTES));
  return Math.min(MAX_DEFAULT_RING_BYTES, Math.max(MIN_DEFAULT_RING_BYTES, needed));
}

function checkedInteger(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new NativeError(`${name} must be a whole number from ${min} to ${max}, not ${value}`, 'EINVAL');
  }
  return value;
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
  return {
    frequencyHz,
    drainIntervalMillis,
    ringBytes,
    maxStacksPerBatch: checkedInteger('maxStacksPerBatch', options.maxStacksPerBatch ?? 65_536, 1, 2 ** 22),
    maxBatchBytes: checkedInteger('maxBatchBytes', options.maxBatchBytes ?? 2 ** 25, 4096, 2 ** 30),
    maxProcesses: checkedInteger('maxProcesses', options.maxProcesses ?? 16_384, 1, 2 ** 22),
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
    const batch = this.#native.takeBatch();
    while (this.#deliverEvents());
    return batch;
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

// SPDX-License-Identifier: Apache-2.0
//
// What is known of each process that was sampled: its mappings, and the service it belongs to. The key is pid and start
// time, so that two processes which had the same pid one after the other are never mixed.
//
// A process is one image after another: an exec replaces the program and its mappings, a dlopen or a JIT the mappings.
// Each announcement has a generation, and so has each sample: an address is resolved against the mappings of its moment.
// Entries live from the first sample until the second batch after the exit, which is the last that can hold a sample of
// the process.

import type { ProcessEvent, ProcessSnapshot } from '@hearthscope/native';
import type { Logger } from 'pino';
import type { AgentMetrics } from '../metrics.ts';
import { parseCgroups } from './cgroup.ts';
import { MappingSet } from './mapping-set.ts';
import { type MappedRegion, NANOS_PER_TICK, type Procfs } from './procfs.ts';
import { containerOf, KERNEL_IDENTITY, type ServiceIdentity } from './service-name.ts';
import type { ServiceResolver } from './service-resolver.ts';

/** What a process runs between two execs. */
interface Program {
  readonly comm: string;
  /** Path of the executable; '' when it could not be read in time. */
  readonly exe: string;
  /** Id of the container, or ''. */
  readonly containerId: string;
  /** Provisional, from comm and executable alone, until everything that names can come from has been read. */
  identity: ServiceIdentity;
}

/** A program and its mappings between two announcements. */
export class ProcessImage {
  readonly program: Program;
  /** Counts the announcements of the process (exec, new mappings). */
  readonly generation: number;
  mappings: MappingSet;
  /** The batch during which a newer image came, or undefined. */
  supersededInBatch: number | undefined;

  constructor(program: Program, generation: number, mappings: MappingSet) {
    this.program = program;
    this.generation = generation;
    this.mappings = mappings;
  }

  get comm(): string {
    return this.program.comm;
  }

  get exe(): string {
    return this.program.exe;
  }

  get containerId(): string {
    return this.program.containerId;
  }

  get identity(): ServiceIdentity {
    return this.program.identity;
  }
}

export interface Process {
  readonly pid: number;
  /** CLOCK_BOOTTIME of the thread-group leader's start. */
  readonly startTimeNanos: bigint;
  readonly kernelThread: boolean;
  /** Oldest first, never empty. */
  images: ProcessImage[];
  /** The batch during which the exit was announced, or undefined. */
  exitedInBatch: number | undefined;
  /** The last batch in which the mappings were read again. */
  refreshedInBatch: number;
  sampledInBatch: number;
  /** The process that had the pid before, while its samples may still come. */
  former: Process | undefined;
}

export interface ProcessTableLimits {
  /** Processes known at once; the one not sampled for longest goes first. */
  readonly maxProcesses: number;
  /** Processes per batch whose mappings are read again because an address hit none. */
  readonly maxRefreshesPerBatch: number;
}

export const DEFAULT_PROCESS_TABLE_LIMITS: ProcessTableLimits = {
  maxProcesses: 8192,
  maxRefreshesPerBatch: 64,
};

/** Images of one process that are kept at once: a young JIT is announced some thirty times within ten seconds. */
const MAX_IMAGES = 32;
/** A sample carries the low bits of its generation only. */
const GENERATION_MASK = 0xffff;
/** Of an image that was not announced. */
const UNKNOWN_GENERATION = 0;
const MAX_SIBLINGS = 3;

/** Is told what the kernel's side must know to unwind. */
export interface MappingsObserver {
  /** The newest image of the process is another, or its mappings are. */
  mappingsChanged(process: Process, image: ProcessImage): void;
  /** No sample of the process can come any more. */
  forgotten(process: Process): void;
}

const NO_OBSERVER: MappingsObserver = { mappingsChanged: () => {}, forgotten: () => {} };

export class ProcessTable {
  readonly #procfs: Procfs;
  readonly #resolver: ServiceResolver;
  readonly #metrics: AgentMetrics;
  readonly #logger: Logger;
  readonly #limits: ProcessTableLimits;
  #observer = NO_OBSERVER;
  /** In order of the last sample, oldest first. */
  readonly #byPid = new Map<number, Process>();
  readonly #exited = new Set<Process>();
  readonly #pendingIdentities = new Set<Promise<void>>();
  #batch = 0;
  #refreshes = 0;

  constructor(
    procfs: Procfs,
    resolver: ServiceResolver,
    metrics: AgentMetrics,
    logger: Logger,
    limits: ProcessTableLimits = DEFAULT_PROCESS_TABLE_LIMITS,
  ) {
    this.#procfs = procfs;
    this.#resolver = resolver;
    this.#metrics = metrics;
    this.#logger = logger;
    this.#limits = limits;
  }

  get size(): number {
    return this.#byPid.size;
  }

  /** From now on; one observer at a time. */
  observe(observer: MappingsObserver): void {
    this.#observer = observer;
  }

  /** Takes what the sampler announces, in its order. */
  apply(events: readonly ProcessEvent[]): void {
    for (const event of events) {
      if (event.kind === 'exit') this.#exit(event.pid, event.startTimeNanos);
      else if (event.kind !== 'needs-table') this.#appear(event);
    }
  }

  /** The process that a sample belongs to, or undefined when it was never announced (see {@link adopt}). */
  lookup(pid: number, startTimeNanos: bigint): Process | undefined {
    const process = this.#find(pid, startTimeNanos);
    if (process !== undefined && process.sampledInBatch !== this.#batch) {
      process.sampledInBatch = this.#batch;
      process.images = process.images.filter((image) => this.#mayStillBeSampled(image));
      this.#moveToEnd(pid);
    }
    return process;
  }

  /** The process that has this pid and start time, without noting that it was sampled. */
  find(pid: number, startTimeNanos: bigint): Process | undefined {
    return this.#find(pid, startTimeNanos);
  }

  /**
   * The image that a stack was taken from: that of its generation. When the announcement was lost, the newest in which
   * all user frames hit a mapping, preferring images whose comm the sample carries; else the one with the most hits.
   *
   * @param generation low 16 bits
   * @param frames user frames are `frames[from] .. frames[to - 1]`
   */
  imageOf(
    process: Process,
    generation: number,
    comm: string,
    frames: BigUint64Array,
    from: number,
    to: number,
  ): ProcessImage {
    const newest = process.images[process.images.length - 1]!;
    if (process.images.length === 1) return newest;
    const exact = process.images.findLast((image) => (image.generation & GENERATION_MASK) === generation);
    if (exact !== undefined) return exact;
    let best = newest;
    let bestScore = -1;
    for (let i = process.images.length - 1; i >= 0; i--) {
      const image = process.images[i]!;
      let score = image.comm === comm ? 0.5 : 0;
      for (let frame = from; frame < to; frame++) {
        if (image.mappings.find(Number(frames[frame]!)) !== undefined) score++;
      }
      if (score > bestScore) {
        best = image;
        bestScore = score;
      }
    }
    return best;
  }

  /** Makes an entry for a sampled process whose announcement was lost, from what /proc still says. */
  async adopt(pid: number, startTimeNanos: bigint, comm: string, kernelThread: boolean): Promise<Process> {
    this.#metrics.discoveryFailures.inc({ reason: 'unannounced' });
    let regions: MappedRegion[] = [];
    let exe = '';
    let cgroup = '';
    if (!kernelThread) {
      try {
        [regions, exe, cgroup] = await Promise.all([
          this.#procfs.maps(pid).then((maps) => maps.regions),
          this.#procfs.exe(pid),
          this.#procfs.cgroup(pid),
        ]);
        await this.#checkStart(pid, startTimeNanos);
      } catch {
        this.#metrics.discoveryFailures.inc({ reason: 'snapshot_missing' });
        [regions, exe, cgroup] = [[], '', ''];
      }
    }
    const known = this.#find(pid, startTimeNanos);
    if (known !== undefined) return known;
    const process = this.#insert(pid, startTimeNanos, kernelThread);
    const program = this.#program(process, comm, exe, cgroup);
    this.#push(process, new ProcessImage(program, UNKNOWN_GENERATION, MappingSet.of(regions)));
    process.sampledInBatch = this.#batch;
    return process;
  }

  /**
   * Reads the mappings again, because an address of the newest image hit none: a library was loaded after first sight.
   * At most once per batch and process. Resolves to true when the mappings were read.
   */
  async refresh(process: Process): Promise<boolean> {
    if (process.kernelThread || process.refreshedInBatch === this.#batch) return false;
    if (process.exitedInBatch !== undefined) return this.#refreshFailed('refresh_exited');
    if (this.#refreshes >= this.#limits.maxRefreshesPerBatch) return this.#refreshFailed('refresh_limit');
    this.#refreshes++;
    process.refreshedInBatch = this.#batch;
    const image = process.images[process.images.length - 1]!;
    try {
      await this.#checkStart(process.pid, process.startTimeNanos);
      const { regions, truncated } = await this.#procfs.maps(process.pid);
      await this.#checkStart(process.pid, process.startTimeNanos);
      if (truncated) this.#metrics.discoveryFailures.inc({ reason: 'mappings_truncated' });
      image.mappings = MappingSet.of(regions, image.mappings);
      this.#observer.mappingsChanged(process, image);
      return true;
    } catch {
      return this.#refreshFailed('refresh_failed');
    }
  }

  /**
   * Living processes that see the same files as this one, which has exited. Empty for a living process, and outside of
   * containers, where the host's own paths lead to the files.
   */
  siblingsOf(process: Process): number[] {
    const containerId = process.images.at(-1)!.containerId;
    const siblings: number[] = [];
    if (process.exitedInBatch === undefined || containerId === '') return siblings;
    for (const other of this.#byPid.values()) {
      if (other.exitedInBatch !== undefined || other.images.at(-1)?.containerId !== containerId) continue;
      siblings.push(other.pid);
      if (siblings.length === MAX_SIBLINGS) break;
    }
    return siblings;
  }

  /** Waits for the names of the processes announced so far, but not longer than `maxMillis`. */
  async settleIdentities(maxMillis: number): Promise<void> {
    if (this.#pendingIdentities.size === 0) return;
    const timeout = AbortSignal.timeout(maxMillis);
    const expired = new Promise<void>((resolve) => timeout.addEventListener('abort', () => resolve()));
    await Promise.race([Promise.all(this.#pendingIdentities), expired]);
    const late = this.#pendingIdentities.size;
    if (late > 0) this.#metrics.discoveryFailures.inc({ reason: 'identity_late' }, late);
  }

  /** Call once per batch, when it has been built: forgets the processes that can have no more samples. */
  endBatch(): void {
    for (const process of this.#exited) {
      if (this.#batch > process.exitedInBatch!) this.#remove(process);
    }
    this.#batch++;
    this.#refreshes = 0;
  }

  #appear(event: ProcessEvent): void {
    const { pid, startTimeNanos, comm, snapshot } = event;
    const process = this.#find(pid, startTimeNanos) ?? this.#insert(pid, startTimeNanos, event.kernelThread);
    if (snapshot === null && !event.kernelThread)
      this.#metrics.discoveryFailures.inc({ reason: 'snapshot_missing' });
    if (snapshot?.mapsTruncated === true)
      this.#metrics.discoveryFailures.inc({ reason: 'mappings_truncated' });
    const newest = process.images.at(-1);
    const former = event.kind === 'exec' ? undefined : newest;
    let mappings = former?.mappings ?? MappingSet.EMPTY;
    if (snapshot !== null) mappings = mappingsOf(snapshot, mappings);
    if (former !== undefined && former.generation === event.generation) {
      // An announcement that was repeated because a table was full.
      former.mappings = mappings;
      this.#observer.mappingsChanged(process, former);
      return;
    }
    const program =
      former?.program ?? this.#program(process, comm, snapshot?.exe ?? '', snapshot?.cgroup ?? '');
    this.#push(process, new ProcessImage(program, event.generation, mappings));
  }

  #push(process: Process, image: ProcessImage): void {
    const former = process.images.at(-1);
    if (former !== undefined) former.supersededInBatch = this.#batch;
    process.images.push(image);
    if (process.images.length > MAX_IMAGES) {
      process.images.shift();
      this.#metrics.discoveryFailures.inc({ reason: 'too_many_images' });
    }
    if (!process.kernelThread) this.#observer.mappingsChanged(process, image);
  }

  #mayStillBeSampled({ supersededInBatch }: ProcessImage): boolean {
    return supersededInBatch === undefined || this.#batch <= supersededInBatch + 1;
  }

  #program(process: Process, comm: string, exe: string, cgroup: string): Program {
    const { kernelThread } = process;
    const facts = { pid: process.pid, comm, exe, kernelThread, cgroups: parseCgroups(cgroup) };
    const containerId = containerOf(facts.cgroups)?.id ?? '';
    const program: Program = { comm, exe, containerId, identity: this.#resolver.provisional(facts) };
    if (kernelThread && program.identity === KERNEL_IDENTITY) return program;
    const pending = this.#resolver
      .resolve(facts, () => this.#checkStart(process.pid, process.startTimeNanos))
      .then((identity) => {
        program.identity = identity;
      })
      .catch((error: unknown) => {
        this.#metrics.discoveryFailures.inc({ reason: 'identity_failed' });
        this.#logger.warn({ err: error, pid: process.pid }, 'could not find out the service of a process');
      })
      .finally(() => this.#pendingIdentities.delete(pending));
    this.#pendingIdentities.add(pending);
    return program;
  }

  #exit(pid: number, startTimeNanos: bigint): void {
    const process = this.#find(pid, startTimeNanos);
    if (process === undefined) return;
    process.exitedInBatch = this.#batch;
    this.#exited.add(process);
  }

  #find(pid: number, startTimeNanos: bigint): Process | undefined {
    let process = this.#byPid.get(pid);
    while (process !== undefined && process.startTimeNanos !== startTimeNanos) process = process.former;
    return process;
  }

  #insert(pid: number, startTimeNanos: bigint, kernelThread: boolean): Process {
    const process: Process = {
      pid,
      startTimeNanos,
      kernelThread,
      images: [],
      exitedInBatch: undefined,
      refreshedInBatch: -1,
      sampledInBatch: -1,
      former: undefined,
    };
    const holder = this.#byPid.get(pid);
    if (holder !== undefined) {
      process.former = holder;
      // A new owner of the pid means that the former one has exited, whether or not its exit was announced.
      if (holder.exitedInBatch === undefined) {
        holder.exitedInBatch = this.#batch;
        this.#exited.add(holder);
      }
      this.#byPid.delete(pid);
    } else if (this.#byPid.size >= this.#limits.maxProcesses) {
      const oldest = this.#byPid.keys().next().value!;
      this.#metrics.discoveryFailures.inc({ reason: 'table_full' });
      for (let each = this.#byPid.get(oldest); each !== undefined; each = each.former) {
        this.#exited.delete(each);
        this.#observer.forgotten(each);
      }
      this.#byPid.delete(oldest);
    }
    this.#byPid.set(pid, process);
    return process;
  }

  #remove(process: Process): void {
    this.#exited.delete(process);
    this.#observer.forgotten(process);
    const holder = this.#byPid.get(process.pid);
    if (holder === process) {
      if (process.former === undefined) this.#byPid.delete(process.pid);
      else this.#byPid.set(process.pid, process.former);
      return;
    }
    for (let each = holder; each !== undefined; each = each.former) {
      if (each.former === process) each.former = process.former;
    }
  }

  #moveToEnd(pid: number): void {
    const holder = this.#byPid.get(pid)!;
    this.#byPid.delete(pid);
    this.#byPid.set(pid, holder);
  }

  #refreshFailed(reason: string): false {
    this.#metrics.discoveryFailures.inc({ reason });
    return false;
  }

  /** @throws Error when the pid belongs to no process or to another one */
  async #checkStart(pid: number, startTimeNanos: bigint): Promise<void> {
    if ((await this.#procfs.startTicks(pid)) !== startTimeNanos / NANOS_PER_TICK) {
      this.#metrics.discoveryFailures.inc({ reason: 'pid_reused' });
      throw new Error(`pid ${pid} belongs to another process now`);
    }
  }
}

function mappingsOf(snapshot: ProcessSnapshot, former: MappingSet): MappingSet {
  const regions = snapshot.mappings.map(({ start, limit, fileOffset, device, inode, path }) => ({
    start: Number(start),
    limit: Number(limit),
    fileOffset: Number(fileOffset),
    device,
    inode: Number(inode),
    path,
  }));
  return MappingSet.of(regions, former);
}

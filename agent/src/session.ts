// SPDX-License-Identifier: Apache-2.0
//
// What the always-on agent and a recording share: a running sampler, the processes it has seen and the names of their
// code. Each {@link SamplingSession.collect} hands out the samples since the last one, with names.

import { join } from 'node:path';
import { type FollowedProcess, type ProcessEvent, Sampler, STOP_REASONS } from '@hearthscope/native';
import type { DemangleMode } from '@hearthscope/profile/symbols/demangle/demangle';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { BatchResolver, type ResolvedBatch, type SymbolSource } from './build/batch-resolver.ts';
import { BinaryNamesCache } from './build/binary-names.ts';
import { KernelNames } from './build/kernel-names.ts';
import { type ContainerNames, DiskContainerNames } from './discovery/container.ts';
import { ProcessTable } from './discovery/process-table.ts';
import { Procfs } from './discovery/procfs.ts';
import { CompiledServiceRules, type ServiceRule } from './discovery/service-name.ts';
import { ServiceResolver } from './discovery/service-resolver.ts';
import type { AgentMetrics } from './metrics.ts';
import type { BinaryRef } from './symbolize/symbol-request.ts';
import { Symbolizer, type SymbolizerOptions } from './symbolize/symbolizer.ts';
import { StackReport } from './unwind/stack-report.ts';
import { DEFAULT_MAX_TABLE_CACHE_BYTES } from './unwind/table-cache.ts';
import { DEFAULT_MAX_UNWIND_BYTES, UnwindTables } from './unwind/unwind-tables.ts';
import { UnwindWorkerHandle } from './unwind/unwind-worker-handle.ts';

/** How code is named. */
export interface NamingChoices {
  /** `server`: names of native code are left to the server. Default `host`. */
  readonly symbolize?: 'host' | 'server';
  /** Default `full`. */
  readonly demangle?: DemangleMode;
  /** debuginfod servers for the symbols of stripped binaries; they need a cache directory. Default none. */
  readonly debuginfodUrls?: readonly string[];
}

export interface SessionOptions {
  readonly frequencyHz: number;
  readonly excludeSelf: boolean;
  /** Absent: all processes. */
  readonly follow?: readonly FollowedProcess[];
  readonly serviceRules: readonly ServiceRule[];
  readonly symbolCacheBytes: number;
  /** Memory of the unwind tables on the kernel's side; default {@link DEFAULT_MAX_UNWIND_BYTES}. */
  readonly maxUnwindBytes?: number;
  /** Where unwind tables and fetched symbols are kept between runs; absent: nowhere. */
  readonly cacheDirectory?: string;
  readonly naming?: NamingChoices;
  /** Called for each binary that was asked about, with a process that maps it; often for the same one. */
  readonly onBinary?: (buildId: string, ref: BinaryRef) => void;
  /** Longest wait of a batch for names; what is not known by then is shown as `binary+0xoffset`. */
  readonly symbolizeTimeoutMillis: number;
  readonly containerNames?: ContainerNames;
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
  readonly registry: Registry;
}

/** A batch waits this long for the environments of processes that were seen in its last moments. */
const IDENTITY_WAIT_MILLIS = 500;

/** From this part of the memory for tables on, it is noted which of them are used, to know what to give up. */
const NOTED_USAGE = 0.5;

export class SamplingSession {
  readonly #sampler: Sampler;
  readonly #unwind: UnwindTables;
  readonly #unwindWorker: UnwindWorkerHandle;
  readonly #report = new StackReport();
  readonly #notedUnwindBytes: number;
  readonly #symbolizer: Symbolizer;
  readonly #table: ProcessTable;
  readonly #resolver: BatchResolver;
  readonly #metrics: AgentMetrics;

  private constructor(
    sampler: Sampler,
    unwind: UnwindTables,
    unwindWorker: UnwindWorkerHandle,
    symbolizer: Symbolizer,
    table: ProcessTable,
    resolver: BatchResolver,
    metrics: AgentMetrics,
    maxUnwindBytes: number,
  ) {
    this.#notedUnwindBytes = maxUnwindBytes * NOTED_USAGE;
    this.#sampler = sampler;
    this.#unwind = unwind;
    this.#unwindWorker = unwindWorker;
    this.#symbolizer = symbolizer;
    this.#table = table;
    this.#resolver = resolver;
    this.#metrics = metrics;
  }

  /** @throws NativeError when the kernel refuses, HearthscopeError when a rule is wrong */
  static async start(options: SessionOptions): Promise<SamplingSession> {
    const { metrics, logger } = options;
    const rules = new CompiledServiceRules(options.serviceRules);
    const procfs = new Procfs();
    const containerNames = options.containerNames ?? new DiskContainerNames();
    const services = new ServiceResolver(procfs, rules, containerNames, metrics);
    const table = new ProcessTable(procfs, services, metrics, logger);
    const maxUnwindBytes = options.maxUnwindBytes ?? DEFAULT_MAX_UNWIND_BYTES;
    const sampler = Sampler.start({
      frequencyHz: options.frequencyHz,
      excludeSelf: options.excludeSelf,
      maxUnwindBytes,
      ...(options.follow === undefined ? {} : { follow: [...options.follow] }),
      // Called from the event loop only, when everything below exists.
      onProcessEvents: (events) => {
        table.apply(events);
        for (const event of events) if (event.kind === 'needs-table') askForTable(event);
      },
    });
    const unwindWorker = new UnwindWorkerHandle(
      options.cacheDirectory === undefined ? '' : join(options.cacheDirectory, 'unwind'),
      DEFAULT_MAX_TABLE_CACHE_BYTES,
      metrics,
      logger,
    );
    const unwind = new UnwindTables(sampler, unwindWorker, metrics);
    table.observe(unwind);
    const askForTable = ({ pid, startTimeNanos, address }: ProcessEvent): void => {
      const process = table.find(pid, startTimeNanos);
      if (process !== undefined) unwind.needed(process, address);
    };
    let symbolizer: Symbolizer;
    try {
      symbolizer = await Symbolizer.start(symbolizerOptions(options));
    } catch (error) {
      sampler.stop();
      throw error;
    }
    const binaries = new BinaryNamesCache();
    const kernel = new KernelNames();
    const resolver = new BatchResolver(
      table,
      options.onBinary === undefined ? symbolizer : reporting(symbolizer, options.onBinary),
      binaries,
      kernel,
      metrics,
      options.symbolizeTimeoutMillis,
    );
    metrics.watch('processes', 'Processes in the process table.', () => table.size);
    metrics.watch('named_binaries', 'Binaries with cached frames.', () => binaries.binaries);
    metrics.watch('named_frames', 'Cached frames of user space.', () => binaries.frames);
    metrics.watch('named_kernel_frames', 'Cached frames of the kernel.', () => kernel.size);
    metrics.watch('sampled_cpus', 'CPUs that are sampled.', () => sampler.onlineCpus().length);
    metrics.watchCounters(
      'sampler_events_total',
      'Counters of the BPF programs and of the addon: samples, lost samples, missed snapshots.',
      () => sampler.counters(),
    );
    metrics.watch('unwind_tables', 'Unwind tables that are loaded.', () => unwind.tables);
    metrics.watchUsage('unwind', 'Use of memory by the unwinder.', () => ({ ...sampler.unwindUsage() }));
    const session = new SamplingSession(
      sampler,
      unwind,
      unwindWorker,
      symbolizer,
      table,
      resolver,
      metrics,
      maxUnwindBytes,
    );
    metrics.watchStacks(session.#report);
    return session;
  }

  /** The samples since the last call. Must not be called again before it has resolved. */
  async collect(): Promise<ResolvedBatch> {
    const endTimer = this.#metrics.batchSeconds.startTimer();
    const batch = this.#sampler.takeBatch();
    const byReason = new Array<number>(STOP_REASONS.length).fill(0);
    for (let row = 0; row < batch.length; row++) byReason[batch.stopReason[row]!]! += batch.count[row]!;
    for (const [index, samples] of byReason.entries()) {
      if (samples > 0) this.#metrics.samplesByStopReason.inc({ stop_reason: STOP_REASONS[index]! }, samples);
    }
    await this.#table.settleIdentities(IDENTITY_WAIT_MILLIS);
    const resolved = await this.#resolver.resolve(batch);
    this.#report.add(resolved);
    this.#noteUseOfTables(resolved);
    this.#table.endBatch();
    this.#metrics.batches.inc();
    endTimer();
    return resolved;
  }

  /** How whole the stacks of all batches so far are, per binary. */
  get report(): StackReport {
    return this.#report;
  }

  /** Follows another process and its descendants. Only for a session that was started with `follow`. */
  follow(process: FollowedProcess): void {
    this.#sampler.follow(process);
  }

  counters(): Record<string, number> {
    return this.#sampler.counters();
  }

  /** Ends sampling; what was sampled until now can still be collected, once. */
  stopSampling(): void {
    this.#sampler.stop();
  }

  /** Ends everything. Idempotent. */
  async stop(): Promise<void> {
    this.#sampler.stop();
    await Promise.all([this.#symbolizer.stop(), this.#unwindWorker.stop()]);
  }

  #noteUseOfTables({ batch, processes, images }: ResolvedBatch): void {
    if (this.#sampler.unwindUsage().tableBytes < this.#notedUnwindBytes) return;
    for (let row = 0; row < batch.length; row++) {
      const first = batch.frameStart[row]! + batch.kernelFrameCount[row]!;
      for (let i = first; i < batch.frameStart[row + 1]!; i++) {
        const mapping = images[row]!.mappings.find(Number(batch.frames[i]!));
        if (mapping !== undefined) this.#unwind.noteUse(processes[row]!, mapping.file);
      }
    }
  }
}

/** The symbolizer, which also says which binaries it was asked about. */
function reporting(
  symbolizer: Symbolizer,
  onBinary: (buildId: string, ref: BinaryRef) => void,
): SymbolSource {
  return {
    leavesNamesToServer: symbolizer.leavesNamesToServer,
    async symbolize(request) {
      const response = await symbolizer.symbolize(request);
      for (const [i, ref] of request.binaries.entries()) onBinary(response.binaries[i]!.buildId, ref);
      return response;
    },
  };
}

function symbolizerOptions(options: SessionOptions): SymbolizerOptions {
  const { symbolCacheBytes, cacheDirectory, logger, registry } = options;
  const { symbolize, demangle, debuginfodUrls = [] } = options.naming ?? {};
  return {
    maxCacheBytes: symbolCacheBytes,
    ...(symbolize === undefined ? {} : { symbolize }),
    ...(demangle === undefined ? {} : { demangle }),
    ...(debuginfodUrls.length === 0 || cacheDirectory === undefined
      ? {}
      : { debuginfod: { servers: debuginfodUrls, cacheDir: join(cacheDirectory, 'debuginfod') } }),
    logger,
    registry,
  };
}

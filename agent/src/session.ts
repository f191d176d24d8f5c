// SPDX-License-Identifier: Apache-2.0
//
// What the always-on agent and a recording share: a running sampler, the processes it has seen and the names of their
// code. Each {@link SamplingSession.collect} hands out the samples since the last one, with names.

import { type FollowedProcess, Sampler, STOP_REASONS } from '@hearthscope/native';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { BatchResolver, type ResolvedBatch } from './build/batch-resolver.ts';
import { BinaryNamesCache } from './build/binary-names.ts';
import { KernelNames } from './build/kernel-names.ts';
import { type ContainerNames, DiskContainerNames } from './discovery/container.ts';
import { ProcessTable } from './discovery/process-table.ts';
import { Procfs } from './discovery/procfs.ts';
import { CompiledServiceRules, type ServiceRule } from './discovery/service-name.ts';
import { ServiceResolver } from './discovery/service-resolver.ts';
import type { AgentMetrics } from './metrics.ts';
import { Symbolizer } from './symbolize/symbolizer.ts';

export interface SessionOptions {
  readonly frequencyHz: number;
  readonly excludeSelf: boolean;
  /** Absent: all processes. */
  readonly follow?: readonly FollowedProcess[];
  readonly serviceRules: readonly ServiceRule[];
  readonly symbolCacheBytes: number;
  /** Longest wait of a batch for names; what is not known by then is shown as `binary+0xoffset`. */
  readonly symbolizeTimeoutMillis: number;
  readonly containerNames?: ContainerNames;
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
  readonly registry: Registry;
}

/** A batch waits this long for the environments of processes that were seen in its last moments. */
const IDENTITY_WAIT_MILLIS = 500;

export class SamplingSession {
  readonly #sampler: Sampler;
  readonly #symbolizer: Symbolizer;
  readonly #table: ProcessTable;
  readonly #resolver: BatchResolver;
  readonly #metrics: AgentMetrics;

  private constructor(
    sampler: Sampler,
    symbolizer: Symbolizer,
    table: ProcessTable,
    resolver: BatchResolver,
    metrics: AgentMetrics,
  ) {
    this.#sampler = sampler;
    this.#symbolizer = symbolizer;
    this.#table = table;
    this.#resolver = resolver;
    this.#metrics = metrics;
  }

  /** @throws NativeError when the kernel refuses, HearthscopeError when a rule is wrong */
  static async start(options: SessionOptions): Promise<SamplingSession> {
    const { metrics, logger, registry } = options;
    const rules = new CompiledServiceRules(options.serviceRules);
    const procfs = new Procfs();
    const containerNames = options.containerNames ?? new DiskContainerNames();
    const services = new ServiceResolver(procfs, rules, containerNames, metrics);
    const table = new ProcessTable(procfs, services, metrics, logger);
    const sampler = Sampler.start({
      frequencyHz: options.frequencyHz,
      excludeSelf: options.excludeSelf,
      ...(options.follow === undefined ? {} : { follow: [...options.follow] }),
      onProcessEvents: (events) => table.apply(events),
    });
    let symbolizer: Symbolizer;
    try {
      symbolizer = await Symbolizer.start({ maxCacheBytes: options.symbolCacheBytes, logger, registry });
    } catch (error) {
      sampler.stop();
      throw error;
    }
    const binaries = new BinaryNamesCache();
    const kernel = new KernelNames();
    const resolver = new BatchResolver(
      table,
      symbolizer,
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
    return new SamplingSession(sampler, symbolizer, table, resolver, metrics);
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
    this.#table.endBatch();
    this.#metrics.batches.inc();
    endTimer();
    return resolved;
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
    await this.#symbolizer.stop();
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// The main thread's handle of the ingest worker: storing profiles and asking about them, without stalling the event loop.

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { PipelineConfig } from '@hearthscope/collector/otlp-pipeline';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Querier } from '../query/querier.ts';
import { DEFAULT_QUERY_LIMITS, type QueryLimits } from '../query/query-limits.ts';
import type { QueryOptions } from '../query/query-scheduler.ts';
import type { WalLimits } from '../storage/wal/wal.ts';
import type {
  EngineConfig,
  EngineMessage,
  EngineMethod,
  EngineMethods,
  ErrorData,
  IngestOutcome,
  MetricSnapshot,
  NamingConfig,
  WorkerMessage,
} from './engine-protocol.ts';
import { MirroredMetric } from './mirrored-metric.ts';

export const DEFAULT_HEAD_MAX_BYTES = 512 * 1024 * 1024;

export interface EngineOptions {
  readonly dataDir: string;
  /** Memory that stored profiles may take; beyond it profiles are refused. */
  readonly headMaxBytes: number;
  readonly pipeline: PipelineConfig;
  readonly queryLimits?: Partial<QueryLimits>;
  readonly walLimits?: Partial<WalLimits>;
  /** Absent when what was stored without names is shown without. The port is given away. */
  readonly naming?: NamingConfig;
  readonly logger: Logger;
  /** Gets the metrics of the worker. */
  readonly registry: Registry;
}

interface PendingCall {
  readonly resolve: (value: never) => void;
  readonly reject: (error: HearthscopeError) => void;
}

export class Engine implements Querier {
  readonly #worker: Worker;
  readonly #logger: Logger;
  readonly #pending = new Map<number, PendingCall>();
  #lastId = 0;
  #storageFailure = '';
  /** Why the worker takes no calls any more. */
  #ended: string | undefined;
  #stopped: Promise<void> | undefined;
  #metrics: Promise<Map<string, MetricSnapshot>> | undefined;
  #lastMetrics = new Map<string, MetricSnapshot>();

  private constructor(worker: Worker, logger: Logger) {
    this.#worker = worker;
    this.#logger = logger;
  }

  /** Resolves when the WAL is replayed and the worker has loaded all its code and opened its files.
   * @throws HearthscopeError failed_precondition when the data directory is unwritable, in use, or of an unknown version */
  static async start(options: EngineOptions): Promise<Engine> {
    const {
      dataDir,
      headMaxBytes,
      pipeline,
      queryLimits,
      walLimits = {},
      naming,
      logger,
      registry,
    } = options;
    const config: EngineConfig = {
      dataDir,
      headMaxBytes,
      pipeline,
      queryLimits: { ...DEFAULT_QUERY_LIMITS, ...queryLimits },
      walLimits,
      naming,
    };
    const worker = new Worker(new URL(`./ingest-worker${extname(import.meta.url)}`, import.meta.url), {
      workerData: config,
      transferList: naming === undefined ? [] : [naming.port],
      name: 'hearthscope-ingest',
    });
    const engine = new Engine(worker, logger);
    const metrics = await engine.#started();
    for (const metric of metrics) {
      engine.#lastMetrics.set(metric.name, metric);
      new MirroredMetric(metric, registry, () => engine.#metric(metric.name));
    }
    return engine;
  }

  /** Stores what is good of an OTLP request and resolves once that is durable.
   * @param body an ExportProfilesServiceRequest, decompressed; its buffer is taken over
   * @throws HearthscopeError unavailable when nothing can be stored now; FormatError's code for malformed bytes */
  ingestOtlp(tenant: string, body: Uint8Array): Promise<IngestOutcome> {
    // A view of a larger buffer cannot be handed over alone.
    const owned = body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body);
    return this.#call('ingestOtlp', [tenant, owned], [owned.buffer as ArrayBuffer]);
  }

  profileTypes: Querier['profileTypes'] = (tenant, range, options) =>
    this.#query('profileTypes', [tenant, range], options);
  labelNames: Querier['labelNames'] = (tenant, request, options) =>
    this.#query('labelNames', [tenant, request], options);
  labelValues: Querier['labelValues'] = (tenant, request, options) =>
    this.#query('labelValues', [tenant, request], options);
  series: Querier['series'] = (tenant, request, options) => this.#query('series', [tenant, request], options);
  selectSeries: Querier['selectSeries'] = (tenant, request, options) =>
    this.#query('selectSeries', [tenant, request], options);
  mergeStacktraces: Querier['mergeStacktraces'] = (tenant, request, options) =>
    this.#query('mergeStacktraces', [tenant, request], options);
  profileStats: Querier['profileStats'] = (tenant, options) => this.#query('profileStats', [tenant], options);
  analyzeQuery: Querier['analyzeQuery'] = (tenant, request, options) =>
    this.#query('analyzeQuery', [tenant, request], options);

  /** Whether profiles can be stored, and if not, why. */
  ready(): { ready: boolean; reason: string } {
    const reason = this.#ended ?? this.#storageFailure;
    return { ready: reason === '', reason };
  }

  /** Waits for what is being written and closes the data directory. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    if (this.#ended !== undefined) return;
    const exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    const closed = this.#call('stop', []);
    this.#ended = 'the server is stopping';
    try {
      await closed;
    } finally {
      await exited;
    }
  }

  #started(): Promise<MetricSnapshot[]> {
    return new Promise((resolve, reject) => {
      this.#worker.on('message', (message: WorkerMessage) => {
        if (message.kind === 'started') resolve(message.metrics);
        else if (message.kind === 'start_failed') reject(errorOf(message.error));
        else this.#receive(message);
      });
      this.#worker.once('error', (error) => {
        reject(error);
        this.#logger.error({ err: error }, 'the ingest worker failed');
        this.#end(`the ingest worker failed: ${messageOf(error)}`);
      });
      this.#worker.once('exit', () => this.#end('the ingest worker ended'));
    });
  }

  #receive(message: WorkerMessage): void {
    switch (message.kind) {
      case 'result':
        this.#take(message.id)?.resolve(message.value as never);
        break;
      case 'failure':
        this.#take(message.id)?.reject(errorOf(message.error));
        break;
      case 'storage_state':
        this.#storageFailure = message.failure;
        break;
      case 'log':
        this.#logger[message.level](message.fields, message.message);
    }
  }

  #take(id: number): PendingCall | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #end(reason: string): void {
    this.#ended ??= reason;
    for (const { reject } of this.#pending.values()) reject(new HearthscopeError('unavailable', reason));
    this.#pending.clear();
  }

  async #query<Method extends keyof Querier>(
    method: Method,
    parameters: Parameters<EngineMethods[Method]>,
    { signal }: QueryOptions = {},
  ): Promise<Awaited<ReturnType<EngineMethods[Method]>>> {
    const answer = this.#call(method, parameters);
    const id = this.#lastId;
    const cancel = () => this.#worker.postMessage({ kind: 'cancel', id } satisfies EngineMessage);
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await answer;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  #call<Method extends EngineMethod>(
    method: Method,
    parameters: Parameters<EngineMethods[Method]>,
    transfer: readonly ArrayBuffer[] = [],
  ): ReturnType<EngineMethods[Method]> {
    const answer = new Promise<never>((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(new HearthscopeError('unavailable', this.#ended));
        return;
      }
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ kind: 'call', id, method, parameters } satisfies EngineMessage, transfer);
    });
    return answer as ReturnType<EngineMethods[Method]>;
  }

  /** All metrics of one scrape come from one question to the worker. */
  async #metric(name: string): Promise<MetricSnapshot> {
    this.#metrics ??= this.#readMetrics().finally(() => {
      this.#metrics = undefined;
    });
    return (await this.#metrics).get(name)!;
  }

  async #readMetrics(): Promise<Map<string, MetricSnapshot>> {
    if (this.#ended === undefined) {
      for (const metric of await this.#call('metrics', [])) this.#lastMetrics.set(metric.name, metric);
    }
    return this.#lastMetrics;
  }
}

function errorOf({ code, message }: ErrorData): HearthscopeError {
  return new HearthscopeError(code, message);
}

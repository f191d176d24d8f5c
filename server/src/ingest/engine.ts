// SPDX-License-Identifier: Apache-2.0
//
// The main thread's handle of the ingest worker: storing profiles and asking about them, without stalling the event loop.

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { LimitsConfig } from '@hearthscope/collector/limits/tenant-limits';
import type { PipelineConfig } from '@hearthscope/collector/pipeline-options';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Querier } from '../query/querier.ts';
import { DEFAULT_QUERY_LIMITS, type QueryLimits } from '../query/query-limits.ts';
import type { QueryOptions } from '../query/query-scheduler.ts';
import type { Readiness, ReceiverService } from '../receivers/receiver-context.ts';
import type { ServiceDeletion } from '../storage/blocks/manifest.ts';
import type { ObjectStoreConfig } from '../storage/object-store/object-store-config.ts';
import type { WalLimits } from '../storage/wal/wal.ts';
import {
  type EngineConfig,
  type EngineMessage,
  type EngineMethod,
  type EngineMethods,
  type ErrorData,
  type MetricSnapshot,
  type NamingConfig,
  QUERY_PARAMETERS,
  type WorkerMessage,
} from './engine-protocol.ts';
import { MirroredMetric } from './mirrored-metric.ts';

export const DEFAULT_HEAD_MAX_BYTES = 512 * 1024 * 1024;

export interface EngineOptions {
  readonly dataDir: string;
  /** Memory that stored profiles may take; beyond it profiles are refused. */
  readonly headMaxBytes: number;
  readonly pipeline: PipelineConfig;
  readonly limits: LimitsConfig;
  readonly queryLimits?: Partial<QueryLimits>;
  readonly walLimits?: Partial<WalLimits>;
  /** Where blocks are kept. Default: a folder of the data directory. */
  readonly objectStore?: ObjectStoreConfig | undefined;
  readonly blockCacheMaxBytes?: number | undefined;
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

export class Engine implements ReceiverService {
  /** Asks the worker. */
  readonly querier: Querier;
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
    this.querier = this.#forwardingQuerier();
  }

  /** Resolves when the WAL is replayed and the worker has loaded all its code and opened its files.
   * @throws HearthscopeError failed_precondition when the data directory is unwritable, in use, or of an unknown version */
  static async start(options: EngineOptions): Promise<Engine> {
    const {
      dataDir,
      headMaxBytes,
      pipeline,
      limits,
      queryLimits,
      walLimits = {},
      objectStore,
      blockCacheMaxBytes,
      naming,
      logger,
      registry,
    } = options;
    const config: EngineConfig = {
      dataDir,
      headMaxBytes,
      pipeline,
      limits,
      queryLimits: { ...DEFAULT_QUERY_LIMITS, ...queryLimits },
      walLimits,
      objectStore,
      blockCacheMaxBytes,
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

  exportOtlp: ReceiverService['exportOtlp'] = (tenant, body, encoding) => {
    const owned = ownedBytes(body);
    return this.#call('exportOtlp', [tenant, owned, encoding], [owned.buffer]);
  };

  push: ReceiverService['push'] = (tenant, body, encoding) => {
    const owned = ownedBytes(body);
    return this.#call('push', [tenant, owned, encoding], [owned.buffer]);
  };

  ingest: ReceiverService['ingest'] = (tenant, request) => {
    const body = ownedBytes(request.body);
    return this.#call('ingest', [tenant, { ...request, body }], [body.buffer]);
  };

  /** For every request from now on. */
  setLimits(limits: LimitsConfig): Promise<void> {
    return this.#call('setLimits', [limits]);
  }

  /** Resolves once no answer has the service's profiles any more that start up to the moment.
   * @throws HearthscopeError resource_exhausted when too many deletions are being worked on */
  deleteService(tenant: string, service: string, throughMillis: number): Promise<ServiceDeletion> {
    return this.#call('deleteService', [tenant, service, throughMillis]);
  }

  /** What was asked to be deleted and is not all removed yet. */
  deletions(tenant: string): Promise<readonly ServiceDeletion[]> {
    return this.#call('deletions', [tenant]);
  }

  /** Whether profiles can be stored, and if not, why. */
  readiness(): Readiness {
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

  #forwardingQuerier(): Querier {
    const methods = Object.entries(QUERY_PARAMETERS).map(([method, count]) => [
      method,
      (...given: readonly unknown[]) =>
        this.#query(method as keyof Querier, given.slice(0, count), given[count] as QueryOptions | undefined),
    ]);
    return Object.fromEntries(methods) as Querier;
  }

  async #query(
    method: keyof Querier,
    parameters: readonly unknown[],
    { signal }: QueryOptions = {},
  ): Promise<unknown> {
    const answer = this.#send(method, parameters);
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
    return this.#send(method, parameters, transfer) as ReturnType<EngineMethods[Method]>;
  }

  #send(
    method: EngineMethod,
    parameters: readonly unknown[],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<unknown> {
    return new Promise<never>((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(new HearthscopeError('unavailable', this.#ended));
        return;
      }
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ kind: 'call', id, method, parameters } satisfies EngineMessage, transfer);
    });
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

/** A view of a larger buffer cannot be handed over alone. */
function ownedBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const isWhole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
  return isWhole ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}

function errorOf({ code, message }: ErrorData): HearthscopeError {
  return new HearthscopeError(code, message);
}

// SPDX-License-Identifier: Apache-2.0
//
// The worker thread behind the engine: the pipeline, the store and the queries over it. It says 'started' when all its
// code is loaded and its files are open, because the process may lose its privileges after that.

import { parentPort, workerData } from 'node:worker_threads';
import { TenantAdmission } from '@hearthscope/collector/limits/admission';
import { limitsOf } from '@hearthscope/collector/limits/tenant-limits';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { Registry } from 'prom-client';
import { type Querier, StoreQuerier } from '../query/querier.ts';
import type { QueryOptions } from '../query/query-scheduler.ts';
import { retentionConfig } from '../storage/blocks/retention.ts';
import { LocalStore } from '../storage/local-store.ts';
import type { Log } from '../storage/log.ts';
import { FrameNamer } from '../symbolize/frame-namer.ts';
import {
  type EngineCall,
  type EngineConfig,
  type EngineMessage,
  type EngineMethods,
  type ErrorData,
  type MetricSnapshot,
  QUERY_PARAMETERS,
  type WorkerMessage,
} from './engine-protocol.ts';
import { errorCodeOf, ingestMetrics, queryMetrics, registerQueueMetrics } from './ingest-metrics.ts';
import { IngestRunner } from './ingest-runner.ts';

if (parentPort === null) throw new HearthscopeError('internal', 'the ingest worker is no program of its own');
const port = parentPort;
const config = workerData as EngineConfig;
const registry = new Registry();
const now = () => Date.now();
let { limits } = config;
const limitsOfTenant = (tenant: string) => limitsOf(limits, tenant);

function send(message: WorkerMessage): void {
  port.postMessage(message);
}

const log: Log = {
  info: (fields, message) => send({ kind: 'log', level: 'info', fields, message }),
  warn: (fields, message) => send({ kind: 'log', level: 'warn', fields, message }),
  error: (fields, message) => send({ kind: 'log', level: 'error', fields, message }),
};

function errorData(error: unknown): ErrorData {
  if (error instanceof HearthscopeError) return { code: error.code, message: error.message };
  log.error({ stack: error instanceof Error ? error.stack : String(error) }, 'a defect in the ingest worker');
  return { code: 'internal', message: messageOf(error) };
}

async function snapshot(): Promise<MetricSnapshot[]> {
  return (await registry.getMetricsAsJSON()).map(({ name, help, type, aggregator, values }) => ({
    name,
    help,
    type,
    aggregator,
    values,
  }));
}

const QUERIES = Object.keys(QUERY_PARAMETERS) as (keyof Querier)[];

function engineMethods(store: LocalStore): EngineMethods {
  const { naming } = config;
  const namer = naming && new FrameNamer(naming.port, naming.limits, registry);
  const querier = new StoreQuerier(store, {
    limits: config.queryLimits,
    limitsOf: limitsOfTenant,
    now,
    naming: namer,
  });
  registerQueueMetrics(registry, querier.scheduler);
  const runner = new IngestRunner({
    store,
    pipeline: config.pipeline,
    limitsOf: limitsOfTenant,
    admission: new TenantAdmission({ now }),
    now,
    metrics: ingestMetrics(registry),
  });
  return {
    ...(Object.fromEntries(QUERIES.map((method) => [method, querier[method]])) as unknown as Querier),
    exportOtlp: runner.exportOtlp,
    push: runner.push,
    ingest: runner.ingest,
    setLimits: async (changed) => {
      limits = changed;
      await store.setRetention(retentionConfig(changed));
    },
    deleteService: (tenant, service, throughMillis) => store.deleteService(tenant, service, throughMillis),
    deletions: (tenant) => store.deletions(tenant),
    metrics: snapshot,
    stop: async () => {
      try {
        await store.close();
      } finally {
        namer?.close();
        // The answer is sent first; without a port the thread has nothing left to live for.
        setImmediate(() => port.close());
      }
    },
  };
}

async function start(): Promise<void> {
  const store = await LocalStore.open({
    dataDir: config.dataDir,
    headMaxBytes: config.headMaxBytes,
    walLimits: config.walLimits,
    objectStore: config.objectStore,
    blockLimits: {
      retention: retentionConfig(limits),
      ...(config.blockCacheMaxBytes !== undefined && { cacheMaxBytes: config.blockCacheMaxBytes }),
    },
    registry,
    log,
    onStateChange: (failure) => send({ kind: 'storage_state', failure: failure ?? '' }),
  });
  const methods = engineMethods(store);
  const queries = queryMetrics(registry);
  const cancellations = new Map<number, AbortController>();
  const answer = async ({ id, method, parameters }: EngineCall) => {
    const isQuery = Object.hasOwn(QUERY_PARAMETERS, method);
    const stop = isQuery ? queries.seconds.startTimer({ method }) : undefined;
    const options: QueryOptions[] = [];
    if (isQuery) {
      const cancellation = new AbortController();
      cancellations.set(id, cancellation);
      options.push({ signal: cancellation.signal });
    }
    try {
      const call = methods[method] as (...parameters: readonly unknown[]) => Promise<unknown>;
      send({ kind: 'result', id, value: await call(...parameters, ...options) });
    } catch (error) {
      if (isQuery) queries.failures.inc({ method, code: errorCodeOf(error) });
      send({ kind: 'failure', id, error: errorData(error) });
    } finally {
      cancellations.delete(id);
      stop?.();
    }
  };
  port.on('message', (message: EngineMessage) => {
    if (message.kind === 'cancel') cancellations.get(message.id)?.abort();
    else void answer(message);
  });
  send({ kind: 'started', metrics: await snapshot() });
}

try {
  await start();
} catch (error) {
  send({ kind: 'start_failed', error: errorData(error) });
}

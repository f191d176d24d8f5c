// SPDX-License-Identifier: Apache-2.0
//
// The always-on agent: samples the host, names what it saw, and ships it every interval.
//
//   deadline ─▶ SamplingSession.collect ─▶ buildResourceProfiles ─▶ encodeRequests ─▶ Exporter ══▶ receiver
//
// One batch after the other; the exporter works beside, behind a bounded queue.

import { readFileSync } from 'node:fs';
import { trimMemory } from '@hearthscope/native';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { buildResourceProfiles } from './build/resource-profiles.ts';
import { DeadlineTimer } from './deadline-timer.ts';
import type { ServiceRule } from './discovery/service-name.ts';
import { Exporter } from './export/exporter.ts';
import { encodeRequests, type PayloadContent } from './export/request-encoder.ts';
import type { ExportTransport } from './export/transport.ts';
import { HostAttributes } from './host.ts';
import { AgentMetrics } from './metrics.ts';
import { type MetricsServer, startMetricsServer } from './metrics-server.ts';
import { type NamingChoices, SamplingSession } from './session.ts';
import { DebugInfoUploader } from './symbolize/debug-info-uploader.ts';

export interface ExportOptions {
  /** `http://host:4318` (either protocol), `https://…`; for gRPC also `host:4317`. */
  readonly endpoint: string;
  readonly protocol: 'grpc' | 'http';
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as X-Scope-OrgID; '' for none. */
  readonly tenant: string;
  /** Default `both`: docs/adr/0005-otlp.md says why. */
  readonly content: PayloadContent;
  /** Of one attempt. */
  readonly timeoutMillis: number;
  readonly queueMaxBytes: number;
  /** PEM file of the authorities to trust instead of the system's. */
  readonly caFile?: string;
}

export interface AgentOptions {
  /** Samples per second and CPU, 1 to 999; the CLI's default is 19. */
  readonly frequencyHz: number;
  /** Between two exports; the first ones of a fresh start come sooner. */
  readonly intervalMillis: number;
  readonly excludeSelf: boolean;
  readonly export: ExportOptions;
  readonly serviceRules: readonly ServiceRule[];
  readonly symbolCacheBytes: number;
  /** Memory of the unwind tables on the kernel's side. */
  readonly maxUnwindBytes?: number;
  /** Where unwind tables and fetched symbols are kept between runs; absent: nowhere. */
  readonly cacheDirectory?: string;
  readonly naming?: NamingChoices;
  /** Where /metrics listens; port null: nowhere, 0: any free port. */
  readonly metrics: { readonly host: string; readonly port: number | null };
  readonly logger: Logger;
  readonly registry: Registry;
}

export interface RunningAgent {
  readonly metricsPort: number | null;
  /** Ends sampling and delivers what was sampled; takes 8 s at most. Idempotent. */
  stop(): Promise<void>;
}

/** Doubles from here to the interval, so that somebody who waits for the first picture sees it soon. */
const FIRST_INTERVAL_MILLIS = 1000;
/** A batch goes out after this time with the names that are known; the next interval is then missed at worst. */
const SYMBOLIZE_TIMEOUT_MILLIS = 3000;
/** Memory of a burst of work (start-up, symbols of new binaries) is given back after this time at the latest. */
const TRIM_INTERVAL_MILLIS = 30_000;
/** Parts of the 8 s that stopping may take: the last batch, then its delivery. */
const LAST_BATCH_MILLIS = 4500;
const STOP_MILLIS = 7500;

/**
 * @throws NativeError when the kernel refuses to be sampled
 * @throws HearthscopeError invalid_argument for a wrong endpoint or rule, unavailable when the metrics port is taken
 */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const { logger, registry } = options;
  const metrics = new AgentMetrics(registry, logger);
  const uploader = options.naming?.symbolize === 'server' ? createUploader(options) : undefined;
  const transport = await createTransport(options.export);
  let metricsServer: MetricsServer | undefined;
  let session: SamplingSession;
  try {
    if (options.metrics.port !== null) {
      metricsServer = await startMetricsServer(registry, options.metrics.host, options.metrics.port);
    }
    session = await SamplingSession.start({
      frequencyHz: options.frequencyHz,
      excludeSelf: options.excludeSelf,
      serviceRules: options.serviceRules,
      symbolCacheBytes: options.symbolCacheBytes,
      ...(options.maxUnwindBytes === undefined ? {} : { maxUnwindBytes: options.maxUnwindBytes }),
      ...(options.cacheDirectory === undefined ? {} : { cacheDirectory: options.cacheDirectory }),
      ...(options.naming === undefined ? {} : { naming: options.naming }),
      ...(uploader && { onBinary: (buildId, ref) => uploader.offer(buildId, ref) }),
      symbolizeTimeoutMillis: SYMBOLIZE_TIMEOUT_MILLIS,
      metrics,
      logger,
      registry,
    });
  } catch (error) {
    await metricsServer?.close();
    transport.close();
    throw error;
  }
  const agent = new Agent(
    options,
    session,
    new Exporter(transport, options.export, metrics, logger),
    metrics,
  );
  return {
    metricsPort: metricsServer?.port ?? null,
    async stop() {
      await Promise.all([agent.stop(), uploader?.stop()]);
      await metricsServer?.close();
    },
  };
}

function headersOf({ headers, tenant }: ExportOptions): Record<string, string> {
  return tenant === '' ? { ...headers } : { ...headers, 'x-scope-orgid': tenant };
}

/** @throws the system's error when the file of authorities cannot be read */
function createUploader({
  export: { caFile, ...receiver },
  logger,
  registry,
}: AgentOptions): DebugInfoUploader {
  return new DebugInfoUploader({
    serverUrl: receiver.endpoint,
    headers: headersOf(receiver),
    ...(caFile === undefined ? {} : { authorities: readFileSync(caFile, 'utf8') }),
    logger,
    registry,
  });
}

async function createTransport(options: ExportOptions): Promise<ExportTransport> {
  const { endpoint, timeoutMillis, caFile } = options;
  const headers = headersOf(options);
  const transport = { endpoint, headers, timeoutMillis, ...(caFile === undefined ? {} : { caFile }) };
  if (options.protocol === 'grpc') {
    const { GrpcTransport } = await import('./export/grpc-transport.ts');
    return GrpcTransport.create(transport);
  }
  const { HttpTransport } = await import('./export/http-transport.ts');
  return new HttpTransport(transport);
}

class Agent {
  readonly #options: AgentOptions;
  readonly #session: SamplingSession;
  readonly #exporter: Exporter;
  readonly #metrics: AgentMetrics;
  readonly #host = new HostAttributes();
  readonly #timer = new DeadlineTimer();
  readonly #loop: Promise<void>;
  #trimmedAtMillis = 0;
  #stopping: Promise<void> | undefined;

  constructor(options: AgentOptions, session: SamplingSession, exporter: Exporter, metrics: AgentMetrics) {
    this.#options = options;
    this.#session = session;
    this.#exporter = exporter;
    this.#metrics = metrics;
    metrics.watch('export_queue_requests', 'Requests that wait.', () => exporter.queuedRequests);
    metrics.watch('export_queue_bytes', 'Bytes of the requests that wait.', () => exporter.queuedBytes);
    metrics.watchCounters('missed_intervals_total', 'Intervals that passed while a batch was built.', () => ({
      overrun: this.#timer.missed,
    }));
    void this.#host.load(metrics);
    this.#loop = this.#run();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #run(): Promise<void> {
    let intervalMillis = Math.min(FIRST_INTERVAL_MILLIS, this.#options.intervalMillis);
    while (await this.#timer.waitFor(intervalMillis)) {
      await this.#ship();
      this.#trimMemory(intervalMillis < this.#options.intervalMillis);
      intervalMillis = Math.min(intervalMillis * 2, this.#options.intervalMillis);
    }
  }

  /** One batch from the sampler to the exporter's queue. A failure costs this batch and not the agent. */
  async #ship(): Promise<void> {
    try {
      const resolved = await this.#session.collect();
      const profiles = buildResourceProfiles(resolved, this.#host.current);
      const requests = await encodeRequests(
        profiles,
        { content: this.#options.export.content, gzip: this.#exporter.wantsGzip },
        this.#metrics,
      );
      for (const request of requests) this.#exporter.enqueue(request);
    } catch (error) {
      this.#metrics.batchFailures.inc({ reason: 'internal' });
      this.#options.logger.error({ err: error }, 'a batch of samples was lost');
    }
  }

  /** @param isStarting then there is something to give back after each batch */
  #trimMemory(isStarting: boolean): void {
    const nowMillis = performance.now();
    if (!isStarting && nowMillis - this.#trimmedAtMillis < TRIM_INTERVAL_MILLIS) return;
    this.#trimmedAtMillis = nowMillis;
    trimMemory();
  }

  async #stop(): Promise<void> {
    const startedAtMillis = performance.now();
    this.#timer.stop();
    this.#session.stopSampling();
    const lastBatch = this.#loop.then(() => this.#ship()).then(() => true as const);
    if (!(await settledWithin(lastBatch, LAST_BATCH_MILLIS))) {
      this.#metrics.batchFailures.inc({ reason: 'shutdown' });
      this.#options.logger.warn('the last batch took too long and is not delivered');
    }
    await this.#exporter.flushAndClose(STOP_MILLIS - (performance.now() - startedAtMillis));
    await this.#session.stop();
  }
}

/** True when the promise has resolved by then. */
async function settledWithin(promise: Promise<true>, millis: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, millis, false);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

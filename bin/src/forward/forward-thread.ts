// SPDX-License-Identifier: Apache-2.0
//
// The collector's second thread, seen from the first: calls go over, and its metrics are shown as if they were here.

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { messageOf } from '@hearthscope/profile/errors';
import type { MetricSnapshot } from '@hearthscope/server/ingest/engine-protocol';
import { MirroredMetric } from '@hearthscope/server/ingest/mirrored-metric';
import type { Readiness, ReceiverService } from '@hearthscope/server/receivers/receiver-context';
import { CallClient } from '@hearthscope/server/worker-calls/call-client';
import type { AnswerMessage } from '@hearthscope/server/worker-calls/call-messages';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { ForwardMethods, ForwardWorkerData } from './forward-methods.ts';

const WORKER_CODE = new URL(`./forward-worker${extname(import.meta.url)}`, import.meta.url);

export class ForwardThread {
  readonly #worker: Worker;
  readonly #client: CallClient<ForwardMethods>;
  #lastMetrics = new Map<string, MetricSnapshot>();
  #metrics: Promise<void> | undefined;

  private constructor(data: ForwardWorkerData, logger: Logger) {
    this.#worker = new Worker(WORKER_CODE, { workerData: data });
    this.#client = new CallClient((message, transfer) => this.#worker.postMessage(message, [...transfer]));
    this.#worker.on('message', (message: AnswerMessage) => this.#client.receive(message));
    this.#worker.once('error', (error) => {
      logger.error({ err: error }, 'the forward worker failed');
      this.#client.end(`the forward worker failed: ${messageOf(error)}`);
    });
    this.#worker.once('exit', () => this.#client.end('the forward worker ended'));
  }

  /** Resolves when the thread has loaded all its code.
   * @throws HearthscopeError when it cannot start */
  static async start(data: ForwardWorkerData, logger: Logger, registry: Registry): Promise<ForwardThread> {
    const thread = new ForwardThread(data, logger);
    await thread.#readMetrics();
    for (const metric of thread.#lastMetrics.values()) {
      new MirroredMetric(metric, registry, () => thread.#metric(metric.name));
    }
    return thread;
  }

  exportOtlp: ReceiverService['exportOtlp'] = (tenant, body, encoding) =>
    this.#client.call('exportOtlp', [tenant, body, encoding]);

  push: ReceiverService['push'] = (tenant, body, encoding) =>
    this.#client.call('push', [tenant, body, encoding]);

  ingest: ReceiverService['ingest'] = (tenant, request) => this.#client.call('ingest', [tenant, request]);

  setLimits: ForwardMethods['setLimits'] = (limits) => this.#client.call('setLimits', [limits]);

  readiness(): Readiness {
    const { ended } = this.#client;
    return { ready: ended === undefined, reason: ended ?? '' };
  }

  async stop(): Promise<void> {
    if (this.#client.ended === undefined) await this.#client.call('stop', []);
    await this.#worker.terminate();
  }

  /** All metrics of one scrape come from one question to the thread. */
  async #metric(name: string): Promise<MetricSnapshot> {
    this.#metrics ??= this.#readMetrics().finally(() => {
      this.#metrics = undefined;
    });
    await this.#metrics;
    return this.#lastMetrics.get(name)!;
  }

  /** Those of before stay when the thread is gone. */
  async #readMetrics(): Promise<void> {
    if (this.#client.ended !== undefined) return;
    for (const metric of await this.#client.call('metrics', [])) this.#lastMetrics.set(metric.name, metric);
  }
}

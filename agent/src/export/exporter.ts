// SPDX-License-Identifier: Apache-2.0
//
// Delivers requests one after the other, oldest first, and tries again what is worth it: exponential backoff with full
// jitter, or as long as the receiver asks for. Nothing here blocks the sampling.

import type { Logger } from 'pino';
import type { AgentMetrics } from '../metrics.ts';
import { RequestQueue } from './request-queue.ts';
import type { ExportOutcome, ExportRequest, ExportTransport } from './transport.ts';

export interface ExporterOptions {
  readonly queueMaxBytes: number;
  readonly initialBackoffMillis?: number;
  readonly maxBackoffMillis?: number;
}

const DEFAULT_INITIAL_BACKOFF_MILLIS = 1000;
const DEFAULT_MAX_BACKOFF_MILLIS = 30_000;
/** A receiver's wish is honoured up to here; beyond, it would be a way to switch an agent off. */
export const MAX_RETRY_AFTER_MILLIS = 10 * 60_000;

export class Exporter {
  readonly #transport: ExportTransport;
  readonly #metrics: AgentMetrics;
  readonly #logger: Logger;
  readonly #queue: RequestQueue;
  readonly #initialBackoffMillis: number;
  readonly #maxBackoffMillis: number;
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;
  #failuresInRow = 0;
  #endWait: (() => void) | undefined;
  #flushing = false;
  #closed = false;

  constructor(transport: ExportTransport, options: ExporterOptions, metrics: AgentMetrics, logger: Logger) {
    this.#transport = transport;
    this.#metrics = metrics;
    this.#logger = logger;
    this.#initialBackoffMillis = options.initialBackoffMillis ?? DEFAULT_INITIAL_BACKOFF_MILLIS;
    this.#maxBackoffMillis = options.maxBackoffMillis ?? DEFAULT_MAX_BACKOFF_MILLIS;
    this.#queue = new RequestQueue(options.queueMaxBytes, (request, reason) => this.#drop(request, reason));
  }

  /** See {@link ExportTransport.wantsGzip}. */
  get wantsGzip(): boolean {
    return this.#transport.wantsGzip;
  }

  get queuedRequests(): number {
    return this.#queue.length;
  }

  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** Takes a request for delivery and returns at once. */
  enqueue(request: ExportRequest): void {
    if (this.#closed) {
      this.#drop(request, 'shutdown');
      return;
    }
    this.#queue.push(request);
    if (this.#flushing) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /**
   * Delivers what is queued with one attempt each, for at most `maxMillis`, and closes the transport. What is left then is
   * dropped and counted.
   */
  async flushAndClose(maxMillis: number): Promise<void> {
    this.#flushing = true;
    const deadline = setTimeout(() => this.#abort.abort(), maxMillis);
    this.#endWait?.();
    await this.#running;
    while (!this.#abort.signal.aborted) {
      const request = this.#queue.shift();
      if (request === undefined) break;
      const outcome = await this.#attempt(request);
      if (outcome.kind === 'retry') this.#drop(request, 'shutdown');
    }
    clearTimeout(deadline);
    this.#closed = true;
    for (let request = this.#queue.shift(); request !== undefined; request = this.#queue.shift()) {
      this.#drop(request, 'shutdown');
    }
    this.#transport.close();
  }

  /** Runs until the queue is empty or a flush takes over. */
  async #run(): Promise<void> {
    while (!this.#flushing) {
      const request = this.#queue.shift();
      if (request === undefined) return;
      const outcome = await this.#attempt(request);
      if (outcome.kind !== 'retry') continue;
      this.#queue.unshift(request);
      if (!this.#flushing) await this.#wait(this.#delayMillis(outcome.retryAfterMillis));
    }
  }

  async #attempt(request: ExportRequest): Promise<ExportOutcome> {
    const outcome = await this.#transport.send(request, this.#abort.signal);
    this.#metrics.exportRequests.inc({ outcome: outcome.kind });
    if (outcome.kind === 'accepted') {
      if (this.#failuresInRow > 0) {
        this.#logger.info({ failedAttempts: this.#failuresInRow }, 'the receiver takes profiles again');
      }
      this.#failuresInRow = 0;
      this.#metrics.exportedBytes.inc(request.body.byteLength);
      if (outcome.rejectedProfiles > 0) {
        this.#metrics.exportRejectedProfiles.inc(outcome.rejectedProfiles);
      }
      // Zero rejected profiles with a message is a warning, says the specification.
      if (outcome.message !== '') this.#metrics.logOnce('partial success', outcome.message);
    } else if (outcome.kind === 'refused') {
      this.#failuresInRow = 0;
      this.#drop(request, outcome.reason);
      this.#metrics.logOnce(`profiles refused (${outcome.reason})`, outcome.message);
    } else {
      this.#failuresInRow++;
      this.#metrics.exportRetries.inc({ reason: outcome.reason });
      if (this.#failuresInRow === 1) {
        this.#logger.warn(
          { reason: outcome.reason },
          `could not deliver profiles, trying again: ${outcome.message}`,
        );
      }
    }
    return outcome;
  }

  #delayMillis(retryAfterMillis: number | undefined): number {
    if (retryAfterMillis !== undefined) return Math.min(retryAfterMillis, MAX_RETRY_AFTER_MILLIS);
    const ceiling = Math.min(
      this.#maxBackoffMillis,
      this.#initialBackoffMillis * 2 ** (this.#failuresInRow - 1),
    );
    return Math.random() * ceiling;
  }

  async #wait(millis: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, millis);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endWait = undefined;
  }

  #drop(request: ExportRequest, reason: string): void {
    this.#metrics.exportDroppedRequests.inc({ reason });
    this.#metrics.exportDroppedBytes.inc({ reason }, request.body.byteLength);
    this.#metrics.logOnce('requests dropped', `a request was dropped: ${reason}`);
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Sends debug information of the binaries that were sampled to the server, which names frames when they are queried
// (`symbolize: server`). Nothing waits for it: binaries are offered, one is sent at a time in a worker that lives only as
// long as there is something to send, and what cannot be sent now is tried again later or given up and counted.

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { isUsableBuildId } from './debug-files.ts';
import type {
  UploadJob,
  UploadOutcome,
  UploadReport,
  UploadWorkerConfig,
} from './debug-info-upload-protocol.ts';
import type { BinaryRef } from './symbol-request.ts';

export interface DebugInfoUploaderOptions {
  /** Base URL of the server. */
  readonly serverUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** PEM of the authorities to trust, for https. */
  readonly authorities?: string;
  readonly limits?: Partial<DebugInfoUploadLimits>;
  readonly logger: Logger;
  readonly registry: Registry;
}

export interface DebugInfoUploadLimits {
  /** Larger files are not sent. As the server's own limit. */
  readonly maxFileBytes: number;
  readonly maxBytesPerSecond: number;
  /** Binaries that wait; further ones are not sent unless they are offered again later. */
  readonly maxWaiting: number;
  /** Build ids of which it is remembered what became of them. */
  readonly maxRemembered: number;
  /** One job; beyond it the worker is given up. */
  readonly jobTimeoutMillis: number;
  /** Pause before the second attempt; each further one is twice as long. */
  readonly retryMillis: number;
  readonly maxAttempts: number;
  /** How long the worker is kept without work. */
  readonly idleMillis: number;
}

export const DEFAULT_UPLOAD_LIMITS: DebugInfoUploadLimits = {
  maxFileBytes: 256 * 1024 * 1024,
  maxBytesPerSecond: 8 * 1024 * 1024,
  maxWaiting: 512,
  maxRemembered: 16_384,
  jobTimeoutMillis: 180_000,
  retryMillis: 60_000,
  maxAttempts: 5,
  idleMillis: 10_000,
};

/** The worker's JavaScript heap; files pass through in chunks outside of it. */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 4, stackSizeMb: 4 };
/** Outcomes that another attempt may change. `not_wanted` too: the agent that was asked instead may fail. */
const WORTH_ANOTHER_ATTEMPT: readonly UploadOutcome[] = ['unavailable', 'not_wanted', 'unsupported'];

interface Waiting extends UploadJob {
  attempts: number;
  /** Milliseconds of the monotonic clock. */
  notBefore: number;
}

export class DebugInfoUploader {
  readonly #options: DebugInfoUploaderOptions;
  readonly #limits: DebugInfoUploadLimits;
  readonly #uploads: Counter<'result'>;
  readonly #sentBytes: Counter;
  /** Build ids that wait or are done with, oldest first. */
  readonly #known = new Set<string>();
  readonly #waiting: Waiting[] = [];
  #worker: Worker | undefined;
  #finish: ((report: UploadReport) => void) | undefined;
  #wakeUp: NodeJS.Timeout | undefined;
  #isBusy = false;
  #isStopped = false;

  constructor(options: DebugInfoUploaderOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_UPLOAD_LIMITS, ...options.limits };
    const registers = [options.registry];
    this.#uploads = new Counter({
      name: 'hearthscope_agent_debuginfo_uploads_total',
      help: 'Attempts to send debug information to the server, by what became of them.',
      labelNames: ['result'],
      registers,
    });
    this.#sentBytes = new Counter({
      name: 'hearthscope_agent_debuginfo_sent_bytes_total',
      help: 'Bytes of debug information sent to the server.',
      registers,
    });
    const waiting = this.#waiting;
    new Gauge({
      name: 'hearthscope_agent_debuginfo_waiting',
      help: 'Binaries whose debug information waits to be sent.',
      registers,
      collect() {
        this.set(waiting.length);
      },
    });
  }

  /** Takes note of a binary that was sampled. Returns at once; a build id that is known already costs nothing.
   * @param ref a process that has it mapped now */
  offer(buildId: string, ref: BinaryRef): void {
    if (this.#isStopped || this.#known.has(buildId) || !isUsableBuildId(buildId)) return;
    if (this.#waiting.length >= this.#limits.maxWaiting) {
      this.#uploads.inc({ result: 'too_many_waiting' });
      return;
    }
    this.#remember(buildId);
    // Addresses are of no use for this, and there may be many.
    const job = { buildId, ref: { ...ref, fileOffsets: new BigUint64Array(0) } };
    this.#waiting.push({ ...job, attempts: 0, notBefore: 0 });
    void this.#work();
  }

  /** Gives up what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#wakeUp);
    this.#waiting.length = 0;
    await this.#endWorker();
  }

  #remember(buildId: string): void {
    this.#known.add(buildId);
    if (this.#known.size <= this.#limits.maxRemembered) return;
    const [oldest] = this.#known;
    this.#known.delete(oldest!);
  }

  /** Does what is due, one after the other, and comes back when more is. */
  async #work(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    clearTimeout(this.#wakeUp);
    for (let job = this.#takeDue(); job !== undefined; job = this.#takeDue()) {
      const report = await this.#send(job);
      if (this.#isStopped) break;
      this.#settle(job, report);
    }
    this.#isBusy = false;
    if (this.#isStopped) return;
    const next = Math.min(...this.#waiting.map(({ notBefore }) => notBefore));
    const idle = next - performance.now();
    const { idleMillis } = this.#limits;
    if (idle > idleMillis && this.#worker !== undefined) {
      this.#sleep(idleMillis, async () => {
        await this.#endWorker();
        await this.#work();
      });
    } else if (Number.isFinite(idle)) {
      this.#sleep(Math.max(1, idle), () => this.#work());
    }
  }

  #sleep(millis: number, then: () => Promise<void>): void {
    this.#wakeUp = setTimeout(() => void then(), millis);
    this.#wakeUp.unref();
  }

  #takeDue(): Waiting | undefined {
    const now = performance.now();
    const index = this.#waiting.findIndex(({ notBefore }) => notBefore <= now);
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  #settle(job: Waiting, { outcome, message, sentBytes }: UploadReport): void {
    const { retryMillis, maxAttempts } = this.#limits;
    const { buildId, ref } = job;
    this.#uploads.inc({ result: outcome });
    this.#sentBytes.inc(sentBytes);
    const log = { buildId, path: ref.path, outcome };
    if (outcome === 'uploaded') this.#options.logger.info({ ...log, sentBytes }, 'debug information sent');
    else this.#options.logger.debug(log, `debug information was not sent: ${message}`);
    job.attempts++;
    if (!WORTH_ANOTHER_ATTEMPT.includes(outcome) || job.attempts >= maxAttempts) return;
    job.notBefore = performance.now() + retryMillis * 2 ** (job.attempts - 1);
    this.#waiting.push(job);
  }

  async #send({ buildId, ref }: UploadJob): Promise<UploadReport> {
    const { promise, resolve } = Promise.withResolvers<UploadReport>();
    this.#finish = resolve;
    const timer = setTimeout(() => {
      resolve({ outcome: 'timeout', message: 'the job took too long', sentBytes: 0 });
      void this.#endWorker();
    }, this.#limits.jobTimeoutMillis);
    timer.unref();
    this.#worker ??= this.#startWorker();
    this.#worker.postMessage({ buildId, ref } satisfies UploadJob);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#finish = undefined;
    }
  }

  #startWorker(): Worker {
    const { serverUrl, headers, authorities = '' } = this.#options;
    const { maxFileBytes, maxBytesPerSecond } = this.#limits;
    const worker = new Worker(
      new URL(`./debug-info-upload-worker${extname(import.meta.url)}`, import.meta.url),
      {
        workerData: {
          serverUrl,
          headers,
          authorities,
          maxFileBytes,
          maxBytesPerSecond,
        } satisfies UploadWorkerConfig,
        resourceLimits: WORKER_LIMITS,
        name: 'debuginfo',
      },
    );
    worker.unref();
    const lose = (message: string): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#finish?.({ outcome: 'worker_lost', message, sentBytes: 0 });
    };
    worker.on('message', (report: UploadReport) => {
      if (this.#worker === worker) this.#finish?.(report);
    });
    worker.on('error', (error) => lose(messageOf(error)));
    worker.on('exit', (code) => lose(`exit code ${code}`));
    return worker;
  }

  async #endWorker(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#finish?.({ outcome: 'worker_lost', message: 'given up', sentBytes: 0 });
    await worker?.terminate();
  }
}

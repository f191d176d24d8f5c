// SPDX-License-Identifier: Apache-2.0
//
// The main thread's handle of the worker that parses files. One question is answered at a time, within limits of time and
// memory: a file over which the worker crashes or hangs costs one answer, and the next question gets another worker.
//
// The worker is started when there is something to read; where the process will be a user who cannot read the code any
// more, it is started at once and kept, and a second one waits with its code loaded.

import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { AdhocAnswer } from './adhoc-view.ts';
import type { AdhocMessage, AdhocQuestion } from './adhoc-worker.ts';

export interface AdhocReaderLimits {
  /** For one question. */
  readonly timeoutMillis: number;
  /** The worker's JavaScript heap. */
  readonly maxHeapMebibytes: number;
  /** Questions that wait. */
  readonly maxQueued: number;
  /** How long a worker without work is kept. */
  readonly idleMillis: number;
}

export const DEFAULT_ADHOC_READER_LIMITS: AdhocReaderLimits = {
  timeoutMillis: 20_000,
  maxHeapMebibytes: 512,
  maxQueued: 16,
  idleMillis: 60_000,
};

/** The code that workers run. */
export const ADHOC_WORKER_CODE = new URL(`./adhoc-worker${extname(import.meta.url)}`, import.meta.url);

interface Job {
  readonly question: AdhocQuestion;
  readonly resolve: (answer: AdhocAnswer) => void;
  readonly reject: (error: HearthscopeError) => void;
}

export class AdhocReader {
  readonly #limits: AdhocReaderLimits;
  readonly #logger: Logger;
  readonly #losses: Counter<'reason'>;
  readonly #repairs: Counter<'reason'>;
  readonly #queue: Job[] = [];
  #worker: Worker | undefined;
  /** Workers that wait to take its place, their code loaded. */
  #spares: Worker[] = [];
  #isKept = false;
  #current: { readonly job: Job; readonly timer: NodeJS.Timeout } | undefined;
  #idle: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(logger: Logger, registry: Registry, limits: AdhocReaderLimits = DEFAULT_ADHOC_READER_LIMITS) {
    this.#limits = limits;
    this.#logger = logger;
    this.#losses = new Counter({
      name: 'hearthscope_adhoc_worker_losses_total',
      help: 'Workers that crashed or hung over an ad hoc profile, by reason.',
      labelNames: ['reason'],
      registers: [registry],
    });
    this.#repairs = new Counter({
      name: 'hearthscope_adhoc_repairs_total',
      help: 'Parts of ad hoc profiles that were left out or changed when they were read, by reason.',
      labelNames: ['reason'],
      registers: [registry],
    });
  }

  /** Loads workers now and keeps them, for a process that cannot do so later. Resolves when they are loaded. */
  async loadNow(): Promise<void> {
    this.#isKept = true;
    this.#worker = this.#start();
    this.#spares.push(this.#start());
    // The first message says that the code is there; an error in its place is thrown.
    await Promise.all([this.#worker, ...this.#spares].map((worker) => once(worker, 'message')));
  }

  /** @throws HearthscopeError invalid_argument for a file that cannot be read, resource_exhausted when too many wait,
   * unavailable when the worker is lost over it */
  async ask(question: AdhocQuestion): Promise<AdhocAnswer> {
    if (this.#isStopped) throw new HearthscopeError('unavailable', 'the server is stopping');
    if (this.#queue.length >= this.#limits.maxQueued) {
      throw new HearthscopeError(
        'resource_exhausted',
        `${this.#queue.length} ad hoc profiles wait to be read; try again later`,
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<AdhocAnswer>();
    this.#queue.push({ question, resolve, reject });
    this.#dispatch();
    const answer = await promise;
    for (const [reason, count] of Object.entries(answer.repairs)) this.#repairs.inc({ reason }, count);
    return answer;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#idle);
    const stopping = new HearthscopeError('unavailable', 'the server is stopping');
    this.#takeCurrent()?.reject(stopping);
    for (const job of this.#queue.splice(0)) job.reject(stopping);
    const workers = [this.#worker, ...this.#spares];
    this.#worker = undefined;
    await Promise.all(workers.map((worker) => worker?.terminate()));
  }

  #dispatch(): void {
    if (this.#current !== undefined || this.#isStopped) return;
    clearTimeout(this.#idle);
    const job = this.#queue.shift();
    if (job === undefined) {
      if (!this.#isKept) this.#idle = setTimeout(() => this.#dismiss(), this.#limits.idleMillis).unref();
      return;
    }
    this.#worker ??= this.#spares.pop() ?? this.#start();
    const worker = this.#worker;
    const { timeoutMillis } = this.#limits;
    const timer = setTimeout(
      () => this.#lose(worker, 'timeout', `no answer within ${timeoutMillis} ms`),
      timeoutMillis,
    );
    this.#current = { job, timer };
    worker.postMessage(job.question);
  }

  #start(): Worker {
    const worker = new Worker(ADHOC_WORKER_CODE, {
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.maxHeapMebibytes },
      name: 'hearthscope-adhoc',
    });
    worker.unref();
    worker.on('message', (message: AdhocMessage) => {
      if (worker !== this.#worker || 'isLoaded' in message) return;
      const job = this.#takeCurrent();
      if ('answer' in message) job?.resolve(message.answer);
      else {
        const { code, message: text } = message.error;
        if (code === 'internal') this.#logger.error({ message: text }, 'an ad hoc profile was not read');
        job?.reject(new HearthscopeError(code, text));
      }
      this.#dispatch();
    });
    worker.on('error', (error) => this.#lose(worker, 'crash', messageOf(error)));
    worker.on('exit', (code) => this.#lose(worker, 'exit', `exit code ${code}`));
    return worker;
  }

  #dismiss(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
  }

  #lose(worker: Worker, reason: string, message: string): void {
    if (worker !== this.#worker) return;
    this.#losses.inc({ reason });
    this.#logger.warn({ reason }, `the worker for ad hoc profiles was lost: ${message}`);
    this.#dismiss();
    this.#takeCurrent()?.reject(
      new HearthscopeError('unavailable', `the profile could not be read: ${message}`),
    );
    this.#dispatch();
  }

  #takeCurrent(): Job | undefined {
    const current = this.#current;
    this.#current = undefined;
    clearTimeout(current?.timer);
    return current?.job;
  }
}

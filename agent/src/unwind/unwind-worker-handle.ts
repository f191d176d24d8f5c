// SPDX-License-Identifier: Apache-2.0
//
// The main thread's handle of the worker that reads unwind information. The worker lives only while there is work: new
// binaries come in bursts, and between them its memory is given back. A file that makes it crash or hang costs the
// answer in flight and is not touched again.

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { trimMemory } from '@hearthscope/native';
import { messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import type { AgentMetrics } from '../metrics.ts';
import type { BinaryRef } from '../symbolize/symbol-request.ts';
import {
  failedUnwindAnswer,
  type UnwindAnswer,
  type UnwindQuestion,
  type UnwindSource,
} from './unwind-answer.ts';

export interface UnwindWorkerOptions {
  /** Where tables are kept between runs; '' for nowhere. */
  readonly cacheDirectory: string;
  readonly maxCacheBytes: number;
  /** Binaries during whose reading an earlier worker was lost. */
  readonly quarantined: readonly string[];
}

/** To the main thread: `reading` before a file is parsed, `answer` once per question. */
export type UnwindWorkerMessage =
  | { readonly kind: 'reading'; readonly binary: string }
  | {
      readonly kind: 'answer';
      readonly answer: UnwindAnswer;
      readonly counts: Readonly<Record<string, number>>;
    };

/** The JavaScript heap; sections and tables lie outside of it. */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 4, stackSizeMb: 4 };
const ANSWER_TIMEOUT_MILLIS = 30_000;
const IDLE_MILLIS = 10_000;
/** Questions that wait; more are answered at once, and asked again when a stack leads there again. */
const MAX_WAITING = 1024;
const MAX_QUARANTINED = 1024;

interface Waiting {
  readonly ref: BinaryRef;
  readonly loadedContents: () => readonly string[];
  readonly resolve: (answer: UnwindAnswer) => void;
}

export class UnwindWorkerHandle implements UnwindSource {
  readonly #cacheDirectory: string;
  readonly #maxCacheBytes: number;
  readonly #metrics: AgentMetrics;
  readonly #logger: Logger;
  readonly #waiting: Waiting[] = [];
  readonly #quarantined = new Set<string>();
  #worker: Worker | undefined;
  #inFlight: Waiting | undefined;
  #reading = '';
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** @param cacheDirectory where tables are kept between runs; '' for nowhere */
  constructor(cacheDirectory: string, maxCacheBytes: number, metrics: AgentMetrics, logger: Logger) {
    this.#cacheDirectory = cacheDirectory;
    this.#maxCacheBytes = maxCacheBytes;
    this.#metrics = metrics;
    this.#logger = logger;
    // The first stacks ask at once.
    this.#worker = this.#start();
    this.#next();
  }

  unwindTable(ref: BinaryRef, loadedContents: () => readonly string[]): Promise<UnwindAnswer> {
    if (this.#isStopped) return Promise.resolve(failedUnwindAnswer('stopped'));
    if (this.#waiting.length >= MAX_WAITING) return Promise.resolve(failedUnwindAnswer('overloaded'));
    const { promise, resolve } = Promise.withResolvers<UnwindAnswer>();
    this.#waiting.push({ ref, loadedContents, resolve });
    this.#next();
    return promise;
  }

  /** Ends the worker; questions in flight are answered without tables. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const unanswered = [this.#inFlight, ...this.#waiting.splice(0)];
    this.#inFlight = undefined;
    for (const waiting of unanswered) waiting?.resolve(failedUnwindAnswer('stopped'));
    await this.#end();
  }

  /** One question at a time: the answer to each tells the next which contents are loaded. */
  #next(): void {
    if (this.#inFlight !== undefined) return;
    clearTimeout(this.#timer);
    this.#inFlight = this.#waiting.shift();
    if (this.#inFlight === undefined) {
      this.#timer = setTimeout(() => void this.#end(), IDLE_MILLIS).unref();
      return;
    }
    this.#worker ??= this.#start();
    const { ref, loadedContents } = this.#inFlight;
    this.#worker.postMessage({ ref, loadedContents: loadedContents() } satisfies UnwindQuestion);
    this.#timer = setTimeout(
      () => this.#lose('timeout', `no answer within ${ANSWER_TIMEOUT_MILLIS} ms`),
      ANSWER_TIMEOUT_MILLIS,
    );
  }

  #start(): Worker {
    const workerData: UnwindWorkerOptions = {
      cacheDirectory: this.#cacheDirectory,
      maxCacheBytes: this.#maxCacheBytes,
      quarantined: [...this.#quarantined],
    };
    const worker = new Worker(new URL(`./unwind-worker${extname(import.meta.url)}`, import.meta.url), {
      workerData,
      resourceLimits: WORKER_LIMITS,
      name: 'unwind',
    });
    const isCurrent = (): boolean => this.#worker === worker;
    worker.on('message', (message: UnwindWorkerMessage) => {
      if (!isCurrent()) return;
      if (message.kind === 'reading') this.#reading = message.binary;
      else this.#answer(message.answer, message.counts);
    });
    worker.on('error', (error) => {
      if (isCurrent()) this.#lose('crash', messageOf(error));
    });
    worker.on('exit', (code) => {
      if (isCurrent()) this.#lose('exit', `exit code ${code}`);
    });
    this.#reading = '';
    return worker;
  }

  #answer(answer: UnwindAnswer, counts: Readonly<Record<string, number>>): void {
    for (const [event, count] of Object.entries(counts)) this.#metrics.unwindEvents.inc({ event }, count);
    const answered = this.#inFlight;
    this.#inFlight = undefined;
    answered?.resolve(answer);
    // After those who waited for the answer have loaded the table, so that the next question names it as loaded.
    setImmediate(() => this.#next());
  }

  #lose(reason: string, message: string): void {
    this.#metrics.unwindEvents.inc({ event: `worker_${reason}` });
    this.#logger.warn({ reason, binary: this.#reading }, `unwind worker lost: ${message}`);
    if (this.#reading !== '' && this.#quarantined.size < MAX_QUARANTINED)
      this.#quarantined.add(this.#reading);
    void this.#end();
    this.#answer(failedUnwindAnswer('worker_lost'), {});
  }

  async #end(): Promise<void> {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    // A thread stuck in a system call (a dead network file system) cannot be ended; it must not hold up the agent's end.
    worker.unref();
    await Promise.race([worker.terminate(), new Promise((resolve) => setTimeout(resolve, 2000).unref())]);
    trimMemory();
  }
}

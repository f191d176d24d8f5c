// SPDX-License-Identifier: Apache-2.0
//
// The main thread's handle of the symbol worker. Files that clients have uploaded are parsed in a thread with its own
// memory limit and one after another, so that a file over which the thread crashes or hangs is known: it costs one
// answer, and is not touched again. The worker is started when there is something to do; where the process will be a user
// who cannot read the code any more, it is started at once, and a second one waits with its code loaded.

import { extname } from 'node:path';
import { type MessagePort, Worker } from 'node:worker_threads';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { DemangleMode } from '@hearthscope/profile/symbols/demangle/demangle';
import type { Logger } from 'pino';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type {
  AddressKind,
  DebugFiles,
  Inspection,
  SymbolAnswer,
  SymbolFailure,
  SymbolMessage,
  SymbolQuestion,
  SymbolWorkerConfig,
  WorkerCall,
  WorkerMessage,
  WorkerRequest,
} from './symbol-protocol.ts';

export interface SymbolizerOptions {
  /** Folders with a `.build-id` folder in them, searched for every tenant beside what was uploaded. */
  readonly debugDirectories: readonly string[];
  readonly demangle: DemangleMode;
  /** Whether workers can be started only now, because the code cannot be read later. */
  readonly mustLoadNow: boolean;
  /** What a tenant has uploaded for a build id. */
  readonly filesOf: (tenant: string, buildId: string) => DebugFiles;
  readonly limits?: Partial<SymbolizerLimits>;
  readonly logger: Logger;
  readonly registry: Registry;
}

export interface SymbolizerLimits {
  /** One request of the worker; beyond it the worker is given up. */
  readonly requestTimeoutMillis: number;
  /** How long a worker without work is kept, where another one can be started; it holds tables and their memory. */
  readonly idleMillis: number;
  /** Requests that wait for the worker; more are answered without names. */
  readonly maxQueuedRequests: number;
  /** Of the symbols of all binaries that the worker keeps open. */
  readonly maxTableBytes: number;
  /** The worker's JavaScript heap. */
  readonly maxWorkerHeapMebibytes: number;
  /** Files that are not touched again. */
  readonly maxQuarantined: number;
}

export const DEFAULT_SYMBOLIZER_LIMITS: SymbolizerLimits = {
  requestTimeoutMillis: 20_000,
  idleMillis: 60_000,
  maxQueuedRequests: 256,
  maxTableBytes: 128 * 1024 * 1024,
  maxWorkerHeapMebibytes: 256,
  maxQuarantined: 1024,
};

/** The code that workers run. */
export const SYMBOL_WORKER_CODE = new URL(`./symbol-worker${extname(import.meta.url)}`, import.meta.url);

/** How long no new worker is started after one could not be. */
const RESTART_PAUSE_MILLIS = 30_000;
/** A thread that is stuck in a system call cannot be ended; it must not hold up the server's end. */
const TERMINATION_PATIENCE_MILLIS = 2000;

interface Job {
  readonly call: WorkerCall;
  /** What is quarantined when the worker is lost over it. */
  readonly blame: string;
  readonly resolve: (answer: SymbolAnswer | Inspection) => void;
  readonly reject: (error: Failed) => void;
}

/** A job without an answer. */
class Failed extends HearthscopeError {
  readonly failure: SymbolFailure;

  constructor(failure: SymbolFailure, code: HearthscopeError['code'], message: string) {
    super(code, message);
    this.failure = failure;
  }
}

interface StartedWorker {
  readonly worker: Worker;
  /** Resolves to whether all its code is loaded; it is no use when not. */
  readonly ready: Promise<boolean>;
}

export class Symbolizer {
  readonly #options: SymbolizerOptions;
  readonly #limits: SymbolizerLimits;
  readonly #queue: Job[] = [];
  readonly #quarantined = new Set<string>();
  readonly #ports = new Set<MessagePort>();
  readonly #losses: Counter<'reason'>;
  readonly #failures: Counter<'reason'>;
  readonly #problems: Counter<'reason'>;
  readonly #seconds: Histogram<'request'>;
  #active: StartedWorker | undefined;
  #spare: StartedWorker | undefined;
  #current: { readonly job: Job; readonly timer: NodeJS.Timeout } | undefined;
  #isDispatching = false;
  #idle: NodeJS.Timeout | undefined;
  #noWorkerBefore = 0;
  #isStopped = false;

  private constructor(options: SymbolizerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_SYMBOLIZER_LIMITS, ...options.limits };
    const registers = [options.registry];
    this.#losses = new Counter({
      name: 'hearthscope_symbolize_worker_losses_total',
      help: 'Symbol workers that crashed, hung or did not start, and were replaced.',
      labelNames: ['reason'],
      registers,
    });
    this.#failures = new Counter({
      name: 'hearthscope_symbolize_failures_total',
      help: 'Look-ups in one binary that gave no names, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.#problems = new Counter({
      name: 'hearthscope_symbolize_problems_total',
      help: 'Parts of debug information that were damaged or left out, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'hearthscope_symbolize_request_seconds',
      help: 'Time of the symbol worker for one request.',
      labelNames: ['request'],
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
      registers,
    });
    const queue = this.#queue;
    new Gauge({
      name: 'hearthscope_symbolize_queued_requests',
      help: 'Requests that wait for the symbol worker.',
      registers,
      collect() {
        this.set(queue.length);
      },
    });
  }

  /** Resolves when the workers that must be loaded now are.
   * @throws HearthscopeError internal when they cannot be started */
  static async start(options: SymbolizerOptions): Promise<Symbolizer> {
    const symbolizer = new Symbolizer(options);
    if (!options.mustLoadNow) return symbolizer;
    symbolizer.#active = symbolizer.#startWorker();
    symbolizer.#spare = symbolizer.#startWorker();
    const started = await Promise.all([symbolizer.#active.ready, symbolizer.#spare.ready]);
    if (started.includes(false)) {
      await symbolizer.stop();
      throw new HearthscopeError('internal', 'the symbol worker does not start');
    }
    return symbolizer;
  }

  /** What a file is, whoever made it.
   * @throws HearthscopeError invalid_argument when it is not ELF or damaged, unavailable when the worker cannot say */
  async inspect(path: string): Promise<Inspection> {
    return (await this.#ask({ kind: 'inspect', path }, path)) as Inspection;
  }

  /** Names of addresses of one binary. Never rejects. */
  async lookUp(
    tenant: string,
    buildId: string,
    addressKind: AddressKind,
    addresses: BigUint64Array,
  ): Promise<SymbolAnswer> {
    const files = this.#options.filesOf(tenant, buildId);
    const blame = `${buildId} ${files.version}`;
    try {
      if (this.#quarantined.has(blame)) {
        throw new Failed('quarantined', 'unavailable', 'a worker was lost over this file before');
      }
      const call: WorkerCall = { kind: 'look_up', buildId, files, addressKind, addresses };
      const answer = (await this.#ask(call, blame)) as SymbolAnswer;
      if (answer.failure !== '') this.#failures.inc({ reason: answer.failure });
      else {
        for (const [reason, count] of Object.entries(answer.problems)) this.#problems.inc({ reason }, count);
      }
      return answer;
    } catch (error) {
      const failure = error instanceof Failed ? error.failure : 'unreadable';
      this.#failures.inc({ reason: failure });
      if (failure === 'unreadable') {
        this.#options.logger.warn(
          { tenant, buildId },
          `debug information is unreadable: ${messageOf(error)}`,
        );
      }
      return { frames: undefined, failure };
    }
  }

  /** Answers questions that come in through the port, and tells it when there is something new. */
  serve(port: MessagePort): void {
    this.#ports.add(port);
    port.on('close', () => this.#ports.delete(port));
    port.on('message', ({ id, tenant, buildId, kind, addresses }: SymbolQuestion) => {
      void this.lookUp(tenant, buildId, kind, addresses).then((answer) =>
        port.postMessage({ kind: 'answer', id, answer } satisfies SymbolMessage),
      );
    });
    port.unref();
  }

  /** To be called when the files of a build id have changed.
   * @param gone the version that is no more, '' for none */
  changed(tenant: string, buildId: string, gone: string): void {
    if (gone !== '') this.#active?.worker.postMessage({ forget: gone } satisfies WorkerRequest);
    for (const port of this.#ports) {
      port.postMessage({ kind: 'changed', tenant, buildId } satisfies SymbolMessage);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#idle);
    for (const port of this.#ports) port.close();
    const workers = [this.#active, this.#spare].flatMap((started) => started?.worker ?? []);
    this.#active = undefined;
    this.#spare = undefined;
    this.#settle('stopped', 'the server is stopping');
    while (this.#queue.length > 0) this.#fail(this.#queue.shift()!, 'stopped', 'the server is stopping');
    await Promise.all(workers.map(endWorker));
  }

  #ask(call: WorkerCall, blame: string): Promise<SymbolAnswer | Inspection> {
    const { promise, resolve, reject } = Promise.withResolvers<SymbolAnswer | Inspection>();
    const job: Job = { call, blame, resolve, reject };
    if (this.#isStopped) {
      this.#fail(job, 'stopped', 'the server is stopping');
    } else if (this.#queue.length >= this.#limits.maxQueuedRequests) {
      this.#fail(
        job,
        'overloaded',
        `${this.#queue.length} requests wait for the symbol worker; try again later`,
      );
    } else {
      this.#queue.push(job);
      void this.#dispatch();
    }
    return promise;
  }

  /** Gives the worker its next job, when it has none. */
  async #dispatch(): Promise<void> {
    if (this.#current !== undefined || this.#isDispatching) return;
    clearTimeout(this.#idle);
    if (this.#queue.length === 0) {
      this.#rest();
      return;
    }
    this.#isDispatching = true;
    const worker = await this.#readyWorker();
    this.#isDispatching = false;
    const job = this.#queue.shift();
    if (job === undefined) return;
    if (worker === undefined) {
      this.#fail(job, 'worker_unavailable', 'the symbol worker does not start; the log says why');
    } else if (this.#quarantined.has(job.blame)) {
      this.#fail(job, 'quarantined', 'a worker was lost over this file before');
    } else {
      const { requestTimeoutMillis } = this.#limits;
      const stop = this.#seconds.startTimer({ request: job.call.kind });
      const timer = setTimeout(
        () => this.#lose(worker, 'timeout', `no answer within ${requestTimeoutMillis} ms`),
        requestTimeoutMillis,
      );
      const settled = () => stop();
      this.#current = {
        job: { ...job, resolve: both(settled, job.resolve), reject: both(settled, job.reject) },
        timer,
      };
      worker.postMessage({ id: 0, call: job.call } satisfies WorkerRequest);
      return;
    }
    void this.#dispatch();
  }

  /** Gives up a worker that has had nothing to do for a while. */
  #rest(): void {
    if (this.#options.mustLoadNow || this.#active === undefined || this.#isStopped) return;
    this.#idle = setTimeout(() => {
      const idle = this.#active;
      this.#active = undefined;
      if (idle !== undefined) void endWorker(idle.worker);
    }, this.#limits.idleMillis);
    this.#idle.unref();
  }

  /** Undefined when none can be had at the moment. */
  async #readyWorker(): Promise<Worker | undefined> {
    if (this.#active === undefined) {
      if (performance.now() < this.#noWorkerBefore) return undefined;
      this.#active = this.#startWorker();
    }
    const { worker, ready } = this.#active;
    return (await ready) ? worker : undefined;
  }

  #startWorker(): StartedWorker {
    const { debugDirectories, demangle } = this.#options;
    const { maxTableBytes, maxWorkerHeapMebibytes } = this.#limits;
    const worker = new Worker(SYMBOL_WORKER_CODE, {
      workerData: { debugDirectories, demangle, maxTableBytes } satisfies SymbolWorkerConfig,
      resourceLimits: { maxOldGenerationSizeMb: maxWorkerHeapMebibytes, stackSizeMb: 4 },
      name: 'hearthscope-symbols',
    });
    const { promise: ready, resolve } = Promise.withResolvers<boolean>();
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'ready') resolve(true);
      else this.#receive(worker, message);
    });
    worker.on('error', (error) => {
      resolve(false);
      this.#lose(worker, 'crash', messageOf(error));
    });
    worker.on('exit', (code) => {
      resolve(false);
      this.#lose(worker, 'exit', `exit code ${code}`);
    });
    return { worker, ready };
  }

  #receive(worker: Worker, message: Exclude<WorkerMessage, { kind: 'ready' }>): void {
    if (this.#active?.worker !== worker || this.#current === undefined) return;
    const { job, timer } = this.#current;
    this.#current = undefined;
    clearTimeout(timer);
    if (message.kind === 'answer') job.resolve(message.answer);
    else job.reject(new Failed('unreadable', message.error.code, message.error.message));
    void this.#dispatch();
  }

  /** Gives a worker up. What it was busy with is not shown to another one. */
  #lose(worker: Worker, reason: string, message: string): void {
    const isActive = this.#active?.worker === worker;
    if (!isActive && this.#spare?.worker !== worker) return;
    const blame = isActive ? this.#current?.job.blame : undefined;
    if (blame === undefined) this.#noWorkerBefore = performance.now() + RESTART_PAUSE_MILLIS;
    else if (this.#quarantined.size < this.#limits.maxQuarantined) this.#quarantined.add(blame);
    this.#losses.inc({ reason });
    this.#options.logger.warn({ reason, file: blame }, `symbol worker lost: ${message}`);
    if (isActive) this.#active = undefined;
    else this.#spare = undefined;
    void endWorker(worker);
    if (!isActive) return;
    this.#settle(reason === 'timeout' ? 'timeout' : 'worker_lost', `the symbol worker was lost: ${message}`);
    this.#active = this.#spare;
    const wantsSpare = this.#options.mustLoadNow && blame !== undefined;
    this.#spare = wantsSpare ? this.#startWorker() : undefined;
    void this.#dispatch();
  }

  #settle(failure: SymbolFailure, message: string): void {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    clearTimeout(current.timer);
    this.#fail(current.job, failure, message);
  }

  #fail(job: Job, failure: SymbolFailure, message: string): void {
    const code = failure === 'overloaded' ? 'resource_exhausted' : 'unavailable';
    job.reject(new Failed(failure, code, message));
  }
}

function both<Value>(first: () => void, second: (value: Value) => void): (value: Value) => void {
  return (value) => {
    first();
    second(value);
  };
}

async function endWorker(worker: Worker): Promise<void> {
  worker.unref();
  const { promise: patience, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, TERMINATION_PATIENCE_MILLIS);
  await Promise.race([worker.terminate(), patience]);
  clearTimeout(timer);
}

// SPDX-License-Identifier: Apache-2.0
//
// The main thread's handle of the symbolizer. Files of other processes are opened and parsed in a worker thread with
// its own memory limit: a file that makes it crash or hang costs the answers in flight and is not touched again, and
// the event loop never waits for a disk.

import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import {
  failedBinary,
  type SymbolCounterName,
  type SymbolRequest,
  type SymbolResponse,
  symbolCounterNames,
  type WorkerMessage,
  type WorkerOptions,
  type WorkerRequest,
} from './symbol-request.ts';

export type { BinaryRef, BinarySymbols, SymbolRequest, SymbolResponse } from './symbol-request.ts';

/** Default of `maxCacheBytes`. */
export const defaultSymbolCacheBytes = 48 * 1024 * 1024;

export interface SymbolizerOptions {
  /** Limit of the symbol tables kept between requests. The kernel's own table, some 2 MiB, comes on top. */
  maxCacheBytes?: number;
  /** A request that takes longer is answered without names, and its worker is given up. Default 30 s. */
  requestTimeoutMillis?: number;
  logger: Logger;
  registry: Registry;
}

/** The JavaScript heap of the worker; symbol tables lie outside of it. A small young generation keeps RSS down. */
const workerLimits = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 4, stackSizeMb: 4 };
const defaultRequestTimeoutMillis = 30_000;
/** Requests that wait for the worker; more are answered without names at once. */
const maxPendingRequests = 8;
const maxQuarantined = 1024;

const counterHelp: Record<SymbolCounterName, string> = {
  failures: 'Binaries asked for that gave no names, by reason.',
  addresses: 'Addresses looked up, by outcome.',
  opened_files: 'Mapped files opened, by where they were found.',
  debug_files: 'Separate debug files looked for, by outcome.',
  dropped_symbols: 'Symbols, sections or lines left out of a symbol table, by reason.',
  cache_evictions: 'Symbol tables forgotten to stay within the limit of the cache.',
  kernel_reads: 'Reads of /proc/kallsyms, by what made them necessary or made them fail.',
};

interface Pending {
  readonly request: SymbolRequest;
  readonly resolve: (response: SymbolResponse) => void;
  readonly timer: NodeJS.Timeout;
}

export class Symbolizer {
  readonly #options: SymbolizerOptions;
  readonly #counters: Record<SymbolCounterName, Counter<'reason'>>;
  readonly #workerLosses: Counter<'reason'>;
  readonly #cacheBytes: Gauge;
  readonly #cacheTables: Gauge;
  readonly #kernelBytes: Gauge;
  readonly #pending = new Map<number, Pending>();
  readonly #quarantined = new Set<string>();
  readonly #logged = new Set<string>();
  #worker: Worker | undefined;
  #nextId = 1;
  /** The binary that the worker said it was about to read; it is to blame when the worker is lost. */
  #reading = '';
  #isStopped = false;

  private constructor(options: SymbolizerOptions) {
    this.#options = options;
    const registers = [options.registry];
    const counter = (name: string, help: string): Counter<'reason'> =>
      new Counter({
        name: `hearthscope_agent_symbol_${name}_total`,
        help,
        labelNames: ['reason'],
        registers,
      });
    const gauge = (name: string, help: string): Gauge =>
      new Gauge({ name: `hearthscope_agent_symbol_${name}`, help, registers });
    this.#counters = Object.fromEntries(
      symbolCounterNames.map((name) => [name, counter(name, counterHelp[name])]),
    ) as Record<SymbolCounterName, Counter<'reason'>>;
    this.#workerLosses = counter('worker_losses', 'Symbol workers that crashed or hung and were replaced.');
    this.#cacheBytes = gauge('cache_bytes', 'Bytes of the symbol tables kept.');
    this.#cacheTables = gauge('cache_tables', 'Number of the symbol tables kept.');
    this.#kernelBytes = gauge('kernel_bytes', 'Bytes of the table of kernel symbols.');
  }

  /** Starts the worker. Rejects when it cannot be started. */
  static async start(options: SymbolizerOptions): Promise<Symbolizer> {
    const symbolizer = new Symbolizer(options);
    await symbolizer.#startWorker();
    return symbolizer;
  }

  /**
   * Names for addresses of mapped files and of the kernel. Never rejects: what cannot be named has '' as its name, and
   * a binary that failed has the reason beside it.
   */
  symbolize(request: SymbolRequest): Promise<SymbolResponse> {
    if (this.#isStopped) return Promise.resolve(this.#unanswered(request, 'stopped'));
    if (this.#pending.size >= maxPendingRequests)
      return Promise.resolve(this.#unanswered(request, 'overloaded'));
    const { promise, resolve } = Promise.withResolvers<SymbolResponse>();
    const id = this.#nextId++;
    const timer = setTimeout(
      () => this.#loseWorker('timeout', `no answer within ${this.#timeoutMillis} ms`),
      this.#timeoutMillis,
    );
    this.#pending.set(id, { request, resolve, timer });
    if (this.#worker === undefined) {
      // The worker before was lost. Failing to start is handled as another loss.
      this.#startWorker().catch(() => {});
    }
    this.#worker?.postMessage({ id, request } satisfies WorkerRequest);
    return promise;
  }

  /** Ends the worker; requests in flight are answered without names. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const worker = this.#worker;
    this.#worker = undefined;
    this.#answerAll('stopped');
    await endWorker(worker);
  }

  get #timeoutMillis(): number {
    return this.#options.requestTimeoutMillis ?? defaultRequestTimeoutMillis;
  }

  #startWorker(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const workerData: WorkerOptions = {
      maxCacheBytes: this.#options.maxCacheBytes ?? defaultSymbolCacheBytes,
      quarantined: [...this.#quarantined],
    };
    const worker = new Worker(new URL(`./symbol-worker${extname(import.meta.url)}`, import.meta.url), {
      workerData,
      resourceLimits: workerLimits,
      name: 'symbols',
    });
    this.#worker = worker;
    this.#reading = '';
    const lose = (reason: string, error: unknown): void => {
      reject(
        new HearthscopeError('internal', `the symbol worker ended: ${messageOf(error)}`, { cause: error }),
      );
      if (this.#worker === worker) this.#loseWorker(reason, messageOf(error));
    };
    worker.on('message', (message: WorkerMessage) => {
      if (this.#worker !== worker) return;
      if (message.kind === 'ready') resolve();
      else if (message.kind === 'reading') this.#reading = message.binary;
      else this.#onAnswer(message);
    });
    worker.on('error', (error) => lose('crash', error));
    worker.on('exit', (code) => lose('exit', new Error(`exit code ${code}`)));
    return promise;
  }

  #onAnswer({ id, response, counts, cache }: Extract<WorkerMessage, { kind: 'answer' }>): void {
    this.#reading = '';
    for (const name of symbolCounterNames) {
      for (const [reason, count] of Object.entries(counts[name] ?? {})) {
        this.#counters[name].inc({ reason }, count);
        if (name === 'failures' || name === 'dropped_symbols') this.#logOnce(name, reason);
        if (reason === 'restricted')
          this.#logOnce(name, 'kernel addresses are hidden (kernel.kptr_restrict)');
      }
    }
    this.#cacheBytes.set(cache.bytes);
    this.#cacheTables.set(cache.tables);
    this.#kernelBytes.set(cache.kernelBytes);
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    pending.resolve(response);
  }

  /** Gives up the worker and all that it was asked. The next request starts another. */
  #loseWorker(reason: string, message: string): void {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#workerLosses.inc({ reason });
    if (this.#reading !== '' && this.#quarantined.size < maxQuarantined) this.#quarantined.add(this.#reading);
    this.#options.logger.warn({ reason, binary: this.#reading }, `symbol worker lost: ${message}`);
    this.#answerAll('worker_lost');
    void endWorker(worker);
  }

  #answerAll(failure: string): void {
    for (const { request, resolve, timer } of this.#pending.values()) {
      clearTimeout(timer);
      resolve(this.#unanswered(request, failure));
    }
    this.#pending.clear();
  }

  #unanswered({ binaries, kernelAddresses }: SymbolRequest, failure: string): SymbolResponse {
    this.#counters.failures.inc({ reason: failure }, binaries.length);
    const nameless = new Array<string>(kernelAddresses.length).fill('');
    return {
      binaries: binaries.map((ref) => failedBinary(ref, failure)),
      kernel: { names: nameless, modules: [...nameless] },
    };
  }

  #logOnce(what: string, reason: string): void {
    const key = `${what} ${reason}`;
    if (this.#logged.has(key)) return;
    this.#logged.add(key);
    this.#options.logger.info(
      { what, reason },
      'symbols are incomplete (counted from now on, not logged again)',
    );
  }
}

/** A thread stuck in a system call (a dead network file system) cannot be ended; it must not hold up the agent's end. */
async function endWorker(worker: Worker | undefined): Promise<void> {
  if (worker === undefined) return;
  worker.unref();
  const { promise: patience, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, maxTerminationMillis);
  await Promise.race([worker.terminate(), patience]);
  clearTimeout(timer);
}

const maxTerminationMillis = 2_000;

/**
 * What is shown for an address: its name, or `binary+0xoffset` with the virtual address in the ELF file. Nothing is
 * ever dropped for want of a name.
 */
export function displayName(name: string, path: string, elfAddress: bigint): string {
  if (name !== '') return name;
  const file = path.replace(/ \(deleted\)$/, '');
  const binary = file.slice(file.lastIndexOf('/') + 1);
  return `${binary === '' ? '[anonymous]' : binary}+0x${elfAddress.toString(16)}`;
}

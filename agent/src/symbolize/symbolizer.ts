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
import { DebuginfodClient, type DebuginfodOptions } from './debuginfod-client.ts';
import {
  failedBinary,
  type NamingOptions,
  noFrames,
  type SymbolCounterName,
  type SymbolRequest,
  type SymbolResponse,
  symbolCounterNames,
  type WorkerMessage,
  type WorkerOptions,
  type WorkerRequest,
  type WorkerTask,
  type WorkerTasks,
} from './symbol-request.ts';

export type { BinaryAnswer, BinaryRef, SymbolRequest, SymbolResponse } from './symbol-request.ts';

/** Default of `maxCacheBytes`. */
export const defaultSymbolCacheBytes = 48 * 1024 * 1024;

export interface SymbolizerOptions {
  /** Limit of the symbol tables kept between requests. The kernel's own table, some 2 MiB, comes on top. */
  maxCacheBytes?: number;
  /** A worker that answers nothing for this long is given up, and what it was asked has no names. Default 30 s. */
  requestTimeoutMillis?: number;
  /** `server`: names of user space are left to the server; the kernel and JIT code are named here. Default `host`. */
  symbolize?: NamingOptions['symbolize'];
  /** Default `full`. */
  demangle?: NamingOptions['demangle'];
  /** Inlined functions, files and lines. Default true. */
  lines?: boolean;
  /** Servers that are asked for debug files that are not on this host; absent: none. */
  debuginfod?: DebuginfodOptions;
  logger: Logger;
  registry: Registry;
}

/** The JavaScript heap of the worker; symbol tables lie outside of it. A small young generation keeps RSS down. */
const workerLimits = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 4, stackSizeMb: 4 };
const defaultRequestTimeoutMillis = 30_000;
/** Requests that wait for the worker; more are answered without names at once. A batch makes one for eight binaries. */
const maxPendingRequests = 128;
const maxQuarantined = 1024;

const counterHelp: Record<SymbolCounterName, string> = {
  failures: 'Binaries asked for that gave no names, by reason.',
  addresses: 'Addresses looked up, by outcome.',
  opened_files: 'Mapped files opened, by where they were found.',
  debug_files: 'Files with debug information looked for beside binaries, by outcome.',
  dropped_symbols: 'Symbols, sections or debug information left out, by reason.',
  cache_evictions: 'Binaries, or their debug information, forgotten to stay within the limit of the cache.',
  kernel_reads: 'Reads of /proc/kallsyms, by what made them necessary or made them fail.',
  runtime_code: 'Files with names of code compiled at run time (perf maps, jitdumps), by outcome.',
};

/** A request that the worker has. */
interface Pending {
  /** What came back; or, as a string, why nothing does. */
  readonly settle: (outcome: { readonly response: unknown } | string) => void;
  readonly timer: NodeJS.Timeout;
}

export class Symbolizer {
  readonly #options: SymbolizerOptions;
  readonly #counters: Record<SymbolCounterName, Counter<'reason'>>;
  readonly #workerLosses: Counter<'reason'>;
  readonly #cacheBytes: Gauge;
  readonly #cacheTables: Gauge;
  readonly #debugInfoBytes: Gauge;
  readonly #kernelBytes: Gauge;
  readonly #runtimeCodeBytes: Gauge;
  readonly #pending = new Map<number, Pending>();
  readonly #quarantined = new Set<string>();
  readonly #logged = new Set<string>();
  #worker: Worker | undefined;
  #debuginfod: DebuginfodClient | undefined;
  /** Build ids whose debug files have arrived since the last answer. */
  readonly #improved = new Set<string>();
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
    this.#cacheBytes = gauge('cache_bytes', 'Bytes of the binaries kept.');
    this.#cacheTables = gauge('cache_tables', 'Number of the binaries kept.');
    this.#debugInfoBytes = gauge('debug_info_bytes', 'Bytes of DWARF and pclntab in the binaries kept.');
    this.#kernelBytes = gauge('kernel_bytes', 'Bytes of the table of kernel symbols.');
    this.#runtimeCodeBytes = gauge('runtime_code_bytes', 'Bytes of the names of code compiled at run time.');
  }

  /** Starts the worker. Rejects when it cannot be started, or the directory of fetched files cannot be used. */
  static async start(options: SymbolizerOptions): Promise<Symbolizer> {
    const symbolizer = new Symbolizer(options);
    const { debuginfod } = options;
    if (debuginfod !== undefined && debuginfod.servers.length > 0 && options.symbolize !== 'server') {
      const onFetched = (buildId: string): void => symbolizer.#onFetched(buildId);
      symbolizer.#debuginfod = await DebuginfodClient.create(debuginfod, onFetched, options);
    }
    await symbolizer.#startWorker();
    return symbolizer;
  }

  /**
   * Names for addresses of mapped files, of JIT code and of the kernel. Never rejects: what cannot be named has no
   * frames, and a binary that failed has the reason beside it.
   */
  async symbolize(request: SymbolRequest): Promise<SymbolResponse> {
    const outcome = await this.#perform('symbols', request);
    if (typeof outcome === 'string') return this.#unanswered(request, outcome);
    if (this.#debuginfod !== undefined) {
      for (const { lacksDebugInfo, buildId } of outcome.response.binaries) {
        if (lacksDebugInfo) this.#debuginfod.want(buildId);
      }
    }
    const improvedBuildIds = [...this.#improved];
    this.#improved.clear();
    return { ...outcome.response, improvedBuildIds };
  }

  /** The worker looks for debug files again before anybody hears that there are more. */
  #onFetched(buildId: string): void {
    void this.#perform('forget', [buildId]).then(() => this.#improved.add(buildId));
  }

  /** Has the worker do a piece of work; resolves to the reason when it does not. */
  #perform<Task extends WorkerTask>(
    task: Task,
    request: WorkerTasks[Task]['request'],
  ): Promise<{ response: WorkerTasks[Task]['response'] } | string> {
    if (this.#isStopped) return Promise.resolve('stopped');
    if (this.#pending.size >= maxPendingRequests) return Promise.resolve('overloaded');
    const { promise, resolve } = Promise.withResolvers<
      { response: WorkerTasks[Task]['response'] } | string
    >();
    const id = this.#nextId++;
    const timer = setTimeout(
      () => this.#loseWorker('timeout', `no answer within ${this.#timeoutMillis} ms`),
      this.#timeoutMillis,
    );
    this.#pending.set(id, { settle: resolve as Pending['settle'], timer });
    if (this.#worker === undefined) {
      // The worker before was lost. Failing to start is handled as another loss.
      this.#startWorker().catch(() => {});
    }
    this.#worker?.postMessage({ task, id, request } as WorkerRequest);
    return promise;
  }

  /** True when names of user space are left to the server. */
  get leavesNamesToServer(): boolean {
    return this.#options.symbolize === 'server';
  }

  /** Ends the worker; requests in flight are answered without names. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const worker = this.#worker;
    this.#worker = undefined;
    this.#answerAll('stopped');
    await Promise.all([endWorker(worker), this.#debuginfod?.stop()]);
  }

  get #timeoutMillis(): number {
    return this.#options.requestTimeoutMillis ?? defaultRequestTimeoutMillis;
  }

  #startWorker(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const workerData: WorkerOptions = {
      maxCacheBytes: this.#options.maxCacheBytes ?? defaultSymbolCacheBytes,
      symbolize: this.#options.symbolize ?? 'host',
      demangle: this.#options.demangle ?? 'full',
      lines: this.#options.lines ?? true,
      ...(this.#debuginfod === undefined ? {} : { fetchedDirectory: this.#options.debuginfod!.cacheDir }),
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
    this.#debugInfoBytes.set(cache.debugInfoBytes);
    this.#kernelBytes.set(cache.kernelBytes);
    this.#runtimeCodeBytes.set(cache.runtimeCodeBytes);
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    // Those that waited behind have their whole time from now on.
    for (const { timer } of this.#pending.values()) timer.refresh();
    pending.settle({ response });
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
    for (const { settle, timer } of this.#pending.values()) {
      clearTimeout(timer);
      settle(failure);
    }
    this.#pending.clear();
  }

  #unanswered(request: SymbolRequest, failure: string): SymbolResponse {
    const { binaries, kernelAddresses, runtimeCode = [] } = request;
    this.#counters.failures.inc({ reason: failure }, binaries.length);
    const nameless = new Array<string>(kernelAddresses.length).fill('');
    return {
      binaries: binaries.map((ref) => failedBinary(ref, failure)),
      kernel: { names: nameless, modules: [...nameless] },
      runtimeCode: runtimeCode.map(({ addresses }) => ({ frames: noFrames(addresses.length), failure })),
      improvedBuildIds: [],
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
 * What is shown for an address that has no name: `binary+0xoffset`, where the offset is that in the file. It can be told
 * from any profile whose mappings say which part of the file they show, so the server shows the same for addresses that
 * come without names. Nothing is ever dropped for want of a name.
 */
export function addressName(path: string, fileOffset: bigint): string {
  const file = path.replace(/ \(deleted\)$/, '');
  const binary = file.slice(file.lastIndexOf('/') + 1);
  return `${binary === '' ? '[anonymous]' : binary}+0x${fileOffset.toString(16)}`;
}

// SPDX-License-Identifier: Apache-2.0
//
// Fetches debug files by build id from debuginfod servers: GET <server>/buildid/<build id>/debuginfo. It works beside the
// batches and never holds one up: what was fetched makes the names of later batches better. Only build ids that are
// nothing but hexadecimal digits are asked for, and what comes back must be an ELF file with that very build id.

import { closeSync, fstatSync, openSync } from 'node:fs';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { ElfFile } from '@hearthscope/profile/symbols/elf';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import { DebugFileStore } from './debug-file-store.ts';
import { isUsableBuildId } from './debug-files.ts';
import { readAt } from './mapped-file.ts';

export interface DebuginfodOptions {
  /** Base addresses, `http:` or `https:`, asked in this order. */
  readonly servers: readonly string[];
  /** Directory of the fetched files; nothing else may be in it. */
  readonly cacheDir: string;
  /** Default 1 GiB. */
  readonly maxCacheBytes?: number;
  /** A larger file is not fetched. Default 256 MiB. */
  readonly maxFileBytes?: number;
  /** Of one file from one server. Default 90 s. */
  readonly timeoutMillis?: number;
  /** After this time a file that no server had is asked for again. Default 1 hour. */
  readonly missingLifetimeMillis?: number;
}

export const defaultDebuginfodLimits = {
  maxCacheBytes: 1024 * 1024 * 1024,
  maxFileBytes: 256 * 1024 * 1024,
  timeoutMillis: 90_000,
  missingLifetimeMillis: 60 * 60_000,
} as const;

/** A file that could not be fetched for a reason that may pass is asked for again after this time. */
const retryMillis = 5 * 60_000;
/** Reasons that may be gone soon. All others say that this server has no file that can be used. */
const passingReasons: ReadonlySet<string> = new Set(['http_error', 'timeout', 'failed']);
const maxConcurrent = 2;
const maxWaiting = 512;
const maxRemembered = 4096;

/** Why a server gave no file. */
class FetchError extends Error {
  readonly reason: string;

  constructor(reason: string, message: string = reason) {
    super(message);
    this.reason = reason;
  }
}

export class DebuginfodClient {
  readonly #servers: readonly URL[];
  readonly #limits: { maxFileBytes: number; timeoutMillis: number };
  readonly #store: DebugFileStore;
  readonly #onFetched: (buildId: string) => void;
  readonly #logger: Logger;
  readonly #fetches: Counter<'reason'>;
  readonly #waiting = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  /** When a build id that failed may be tried again. */
  readonly #retryAt = new Map<string, number>();
  readonly #abort = new AbortController();
  readonly #logged = new Set<string>();

  private constructor(
    servers: readonly URL[],
    options: DebuginfodOptions,
    store: DebugFileStore,
    fetches: Counter<'reason'>,
    onFetched: (buildId: string) => void,
    logger: Logger,
    registry: Registry,
  ) {
    this.#servers = servers;
    this.#limits = { ...defaultDebuginfodLimits, ...options };
    this.#store = store;
    this.#fetches = fetches;
    this.#onFetched = onFetched;
    this.#logger = logger;
    registry.registerMetric(
      new Gauge({
        name: 'hearthscope_agent_debuginfod_cache_bytes',
        help: 'Bytes of the debug files that were fetched and are kept on disk.',
        registers: [],
        collect() {
          this.set(store.bytes);
        },
      }),
    );
  }

  /**
   * @param onFetched called when the file of a build id has arrived
   * @throws HearthscopeError invalid_argument for a server that is no address or has credentials in it
   */
  static async create(
    options: DebuginfodOptions,
    onFetched: (buildId: string) => void,
    { logger, registry }: { logger: Logger; registry: Registry },
  ): Promise<DebuginfodClient> {
    const servers = options.servers.map(serverAddress);
    const fetches = new Counter({
      name: 'hearthscope_agent_debuginfod_fetches_total',
      help: 'Debug files asked for at debuginfod servers, by outcome.',
      labelNames: ['reason'],
      registers: [registry],
    });
    const store = await DebugFileStore.open({
      directory: options.cacheDir,
      maxBytes: options.maxCacheBytes ?? defaultDebuginfodLimits.maxCacheBytes,
      missingLifetimeMillis: options.missingLifetimeMillis ?? defaultDebuginfodLimits.missingLifetimeMillis,
      onEvict: () => fetches.inc({ reason: 'evicted' }),
      now: Date.now,
    });
    return new DebuginfodClient(servers, options, store, fetches, onFetched, logger, registry);
  }

  /** Asks for the debug file of a binary that has none. Returns at once; does nothing for what is on its way or missing. */
  want(buildId: string): void {
    if (this.#abort.signal.aborted || this.#waiting.has(buildId) || this.#running.has(buildId)) return;
    if (!isUsableBuildId(buildId)) {
      this.#fetches.inc({ reason: 'malformed_build_id' });
      return;
    }
    if (this.#store.has(buildId)) {
      void this.#store.touch(buildId);
      return;
    }
    if (this.#store.isMissing(buildId) || (this.#retryAt.get(buildId) ?? 0) > performance.now()) return;
    if (this.#waiting.size >= maxWaiting) {
      this.#fetches.inc({ reason: 'too_many_waiting' });
      return;
    }
    this.#waiting.add(buildId);
    this.#startNext();
  }

  /** Resolves when nothing is on its way any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Breaks off what is on its way. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#waiting.clear();
    await this.settled();
  }

  #startNext(): void {
    for (const buildId of this.#waiting) {
      if (this.#running.size >= maxConcurrent) return;
      this.#waiting.delete(buildId);
      const running = this.#fetchFromAny(buildId).finally(() => {
        this.#running.delete(buildId);
        this.#startNext();
      });
      this.#running.set(buildId, running);
    }
  }

  async #fetchFromAny(buildId: string): Promise<void> {
    let isMissing = true;
    for (const server of this.#servers) {
      try {
        await this.#fetch(server, buildId);
        this.#fetches.inc({ reason: 'fetched' });
        this.#onFetched(buildId);
        return;
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        const reason = error instanceof FetchError ? error.reason : 'failed';
        if (passingReasons.has(reason)) isMissing = false;
        this.#fetches.inc({ reason });
        if (reason !== 'not_found') this.#logOnce(server, reason, error);
      }
    }
    if (isMissing)
      await this.#store.addMissing(buildId).catch(() => this.#fetches.inc({ reason: 'io_error' }));
    else this.#retryLater(buildId);
  }

  /** Fetches a file into the store. Throws FetchError, or what the disk or the network throws. */
  async #fetch(server: URL, buildId: string): Promise<void> {
    const base = server.href.endsWith('/') ? server.href : `${server.href}/`;
    const timeout = AbortSignal.timeout(this.#limits.timeoutMillis);
    const signal = AbortSignal.any([timeout, this.#abort.signal]);
    let part: string | undefined;
    try {
      const response = await fetch(new URL(`buildid/${buildId}/debuginfo`, base), {
        signal,
        credentials: 'omit',
        headers: { 'user-agent': 'hearthscope' },
      });
      if (response.status === 404) {
        await response.body?.cancel();
        throw new FetchError('not_found');
      }
      if (!response.ok || response.body === null) {
        await response.body?.cancel();
        throw new FetchError('http_error', `status ${response.status}`);
      }
      if (Number(response.headers.get('content-length')) > this.#limits.maxFileBytes) {
        await response.body.cancel();
        throw new FetchError('too_large');
      }
      part = await this.#write(response.body, buildId);
      checkBuildId(part, buildId);
      await this.#store.keep(buildId, part);
    } catch (error) {
      if (part !== undefined) await this.#store.discard(part);
      if (timeout.aborted) throw new FetchError('timeout', `no file within ${this.#limits.timeoutMillis} ms`);
      throw error;
    }
  }

  /** Writes a body to a new file, as long as it is not too large. */
  async #write(body: ReadableStream<Uint8Array>, buildId: string): Promise<string> {
    const { part, handle } = await this.#store.create(buildId);
    try {
      let written = 0;
      for await (const chunk of body) {
        written += chunk.byteLength;
        if (written > this.#limits.maxFileBytes) throw new FetchError('too_large');
        await handle.writeFile(chunk);
      }
      return part;
    } catch (error) {
      await this.#store.discard(part);
      throw error;
    } finally {
      await handle.close();
    }
  }

  #retryLater(buildId: string): void {
    this.#retryAt.delete(buildId);
    this.#retryAt.set(buildId, performance.now() + retryMillis);
    if (this.#retryAt.size > maxRemembered) this.#retryAt.delete(this.#retryAt.keys().next().value!);
  }

  #logOnce(server: URL, reason: string, error: unknown): void {
    const key = `${server.host} ${reason}`;
    if (this.#logged.has(key)) return;
    this.#logged.add(key);
    this.#logger.warn(
      { server: server.host, reason },
      `debuginfod: ${messageOf(error)} (counted from now on, not logged again)`,
    );
  }
}

function serverAddress(text: string): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new HearthscopeError(
      'invalid_argument',
      `debuginfod server ${JSON.stringify(text)} is no http(s) URL`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new HearthscopeError(
      'invalid_argument',
      `debuginfod server ${url.host}: credentials are not supported`,
    );
  }
  return url;
}

/** Throws FetchError when a file is no ELF file with this build id. */
function checkBuildId(path: string, buildId: string): void {
  const descriptor = openSync(path, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const access = {
      byteLength: size,
      read: (offset: number, length: number) => readAt(descriptor, offset, length),
    };
    const found = new ElfFile(access).buildId;
    if (found !== buildId) throw new FetchError('build_id_mismatch');
  } catch (error) {
    if (error instanceof FetchError) throw error;
    throw new FetchError('bad_elf', messageOf(error));
  } finally {
    closeSync(descriptor);
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Files on the local disk that can be had again: those used least recently go when the limit is reached. A file that
// somebody holds stays. Several who want a file at a time get it by one fetch, which ends when none of them wants it any more.
//
//   <directory>/files/<key>   whole objects, kept over restarts; what is found there is checked before its first use
//   <directory>/parts/…       parts of objects, and what is being fetched: emptied at the start

import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { crc32 } from 'node:zlib';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Log } from '../log.ts';
import { makeDirectory } from '../make-directory.ts';
import { checkSignal, type RequestOptions } from '../object-store/object-store.ts';
import type { HeldFile } from './block-files.ts';

export interface BlockCacheOptions {
  /** Nobody else's. */
  readonly directory: string;
  /** Of all files together. */
  readonly maxBytes: number;
  readonly log: Log;
}

/** A file that is wanted, and how it can be had. */
export interface WantedFile {
  /** Tells it from all others. An object's key, for a whole object. */
  readonly key: string;
  /** What it takes of the disk. */
  readonly bytes: number;
  /** CRC-32 of a whole object; undefined for a part, which is not kept over restarts. */
  readonly crc32: number | undefined;
  /** Writes the file. @throws HearthscopeError */
  readonly fetch: (path: string, signal: AbortSignal) => Promise<void>;
}

/** Plain data, for metrics. */
export interface BlockCacheCounts {
  readonly hits: number;
  /** Files that had to be fetched. */
  readonly misses: number;
  readonly evictions: number;
  readonly evictedBytes: number;
  /** Files that could not be had, by reason: an error code, or `damaged` for one on the disk that was fetched anew, `full`
   * when everything is held, and `not_removed`. */
  readonly failures: Readonly<Record<string, number>>;
  readonly usedBytes: number;
  readonly files: number;
}

interface Entry {
  readonly path: string;
  bytes: number;
  holders: number;
  /** Rejects when the file could not be had. */
  ready: Promise<void>;
  isReady: boolean;
  /** Of a file that an earlier run fetched. */
  isUnchecked: boolean;
  readonly stop: AbortController;
}

const FILES = 'files';
const PARTS = 'parts';
const FOLDER_MODE = 0o750;

export class BlockCache {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #log: Log;
  /** The one used last at the end. */
  readonly #entries = new Map<string, Entry>();
  readonly #failures = new Map<string, number>();
  #usedBytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;
  #evictedBytes = 0;

  private constructor({ directory, maxBytes, log }: BlockCacheOptions) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#log = log;
  }

  /** Takes over what an earlier run left.
   * @throws HearthscopeError failed_precondition when the folder cannot be used */
  static async open(options: BlockCacheOptions): Promise<BlockCache> {
    const cache = new BlockCache(options);
    try {
      makeDirectory(options.directory);
      await rm(join(options.directory, PARTS), { recursive: true, force: true });
      for (const name of [FILES, PARTS]) {
        await mkdir(join(options.directory, name), { recursive: true, mode: FOLDER_MODE });
      }
      await cache.#takeOver();
    } catch (error) {
      throw new HearthscopeError(
        'failed_precondition',
        `the folder of the block cache ${options.directory} cannot be used: ${messageOf(error)}`,
        { cause: error },
      );
    }
    return cache;
  }

  /** Whether a file is here, or on its way. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** @throws HearthscopeError resource_exhausted when it does not fit beside what is held; what `fetch` throws; the reason of
   * the signal. A failed fetch fails for all who wait for it, and the next one who asks tries again. */
  async hold(wanted: WantedFile, options: RequestOptions = {}): Promise<HeldFile> {
    checkSignal(options);
    let known = this.#entries.get(wanted.key);
    while (known !== undefined && !known.isReady && known.stop.signal.aborted) {
      // Those who wanted it are gone; it ends, and begins anew.
      await known.ready.catch(() => undefined);
      known = this.#entries.get(wanted.key);
    }
    const entry = known ?? this.#begin(wanted);
    if (entry.isUnchecked) {
      entry.isUnchecked = false;
      entry.isReady = false;
      entry.ready = this.#checkOrFetch(wanted, entry);
      entry.ready.catch(() => undefined);
    } else if (entry.isReady) {
      this.#hits++;
    }
    entry.holders++;
    this.#use(wanted.key, entry);
    try {
      await unlessAborted(entry.ready, options);
    } catch (error) {
      this.#release(entry);
      throw error;
    }
    let isHeld = true;
    return {
      path: entry.path,
      [Symbol.dispose]: () => {
        if (isHeld) this.#release(entry);
        isHeld = false;
      },
    };
  }

  /** Lets a file go before its turn, unless somebody holds it. */
  async drop(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry?.isReady && entry.holders === 0) await this.#remove(key, entry);
  }

  counts(): BlockCacheCounts {
    return {
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      evictedBytes: this.#evictedBytes,
      failures: Object.fromEntries(this.#failures),
      usedBytes: this.#usedBytes,
      files: this.#entries.size,
    };
  }

  async #takeOver(): Promise<void> {
    const root = join(this.#directory, FILES);
    const found: { key: string; path: string; bytes: number; mtimeMs: number }[] = [];
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const { size, mtimeMs } = await stat(path);
      found.push({ key: relative(root, path).split(sep).join('/'), path, bytes: size, mtimeMs });
    }
    for (const { key, path, bytes } of found.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      this.#usedBytes += bytes;
      this.#entries.set(key, {
        path,
        bytes,
        holders: 0,
        ready: Promise.resolve(),
        isReady: true,
        isUnchecked: true,
        stop: new AbortController(),
      });
    }
    await this.#makeRoom(0);
  }

  #begin(wanted: WantedFile): Entry {
    this.#usedBytes += wanted.bytes;
    const isWhole = wanted.crc32 !== undefined;
    const entry: Entry = {
      path: isWhole
        ? join(this.#directory, FILES, wanted.key)
        : join(this.#directory, PARTS, `${randomUUID()}.parquet`),
      bytes: wanted.bytes,
      holders: 0,
      ready: Promise.resolve(),
      isReady: false,
      isUnchecked: false,
      stop: new AbortController(),
    };
    this.#entries.set(wanted.key, entry);
    entry.ready = this.#fetch(wanted, entry);
    // Those who wait are told; when nobody does, it is counted all the same.
    entry.ready.catch(() => undefined);
    return entry;
  }

  async #checkOrFetch(wanted: WantedFile, entry: Entry): Promise<void> {
    if (entry.bytes === wanted.bytes && (await checksumOf(entry.path)) === wanted.crc32) {
      this.#hits++;
      entry.isReady = true;
      return;
    }
    this.#count('damaged');
    this.#log.warn({ key: wanted.key }, 'a file of the block cache is damaged; it is fetched again');
    await rm(entry.path, { force: true });
    this.#usedBytes += wanted.bytes - entry.bytes;
    entry.bytes = wanted.bytes;
    await this.#fetch(wanted, entry);
  }

  async #fetch(wanted: WantedFile, entry: Entry): Promise<void> {
    this.#misses++;
    const making = join(this.#directory, PARTS, `${randomUUID()}.making`);
    try {
      await this.#makeRoom(wanted.bytes);
      await wanted.fetch(making, entry.stop.signal);
      checkSignal({ signal: entry.stop.signal });
      await mkdir(dirname(entry.path), { recursive: true, mode: FOLDER_MODE });
      await rename(making, entry.path);
      entry.isReady = true;
    } catch (error) {
      const failure = cacheError(wanted.key, error);
      this.#count(isFull(failure) ? 'full' : failure.code);
      this.#usedBytes -= wanted.bytes;
      this.#entries.delete(wanted.key);
      await rm(making, { force: true }).catch(() => this.#count('not_removed'));
      throw failure;
    }
  }

  /** @param bytes of the file that is about to come, which are counted already */
  async #makeRoom(bytes: number): Promise<void> {
    for (const [key, entry] of this.#entries) {
      if (this.#usedBytes <= this.#maxBytes) return;
      if (!entry.isReady || entry.holders > 0) continue;
      this.#evictions++;
      this.#evictedBytes += entry.bytes;
      await this.#remove(key, entry);
    }
    if (this.#usedBytes <= this.#maxBytes) return;
    throw new CacheFull(
      'resource_exhausted',
      `a file of ${bytes} bytes does not fit into the block cache of ${this.#maxBytes} bytes beside those that are in use; raise its limit, or ask for less time or fewer series`,
    );
  }

  async #remove(key: string, entry: Entry): Promise<void> {
    this.#entries.delete(key);
    this.#usedBytes -= entry.bytes;
    try {
      await rm(entry.path, { force: true });
    } catch (error) {
      this.#count('not_removed');
      this.#log.warn({ key, err: error }, 'a file of the block cache could not be removed');
    }
  }

  #use(key: string, entry: Entry): void {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }

  #release(entry: Entry): void {
    entry.holders--;
    if (entry.holders === 0 && !entry.isReady) {
      entry.stop.abort(new HearthscopeError('canceled', 'nobody waits for the file any more'));
    }
  }

  #count(reason: string): void {
    this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
  }
}

class CacheFull extends HearthscopeError {}

function isFull(error: HearthscopeError): boolean {
  return error instanceof CacheFull;
}

function cacheError(key: string, error: unknown): HearthscopeError {
  if (error instanceof HearthscopeError) return error;
  return new HearthscopeError('unavailable', `${key} could not be kept locally: ${messageOf(error)}`, {
    cause: error,
  });
}

/** Undefined when the file cannot be read. */
async function checksumOf(path: string): Promise<number | undefined> {
  let checksum = 0;
  try {
    for await (const bytes of createReadStream(path)) checksum = crc32(bytes as Buffer, checksum);
  } catch {
    return undefined;
  }
  return checksum;
}

async function unlessAborted(promise: Promise<void>, options: RequestOptions): Promise<void> {
  const { signal } = options;
  if (signal === undefined) return promise;
  const aborted = Promise.withResolvers<void>();
  const abort = () => aborted.resolve();
  signal.addEventListener('abort', abort);
  try {
    await Promise.race([promise, aborted.promise]);
    checkSignal(options);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

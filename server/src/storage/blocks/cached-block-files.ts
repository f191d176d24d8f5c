// SPDX-License-Identifier: Apache-2.0
//
// The files of blocks that lie in a remote store, as local files. A file is fetched as a whole and compared with the checksum
// that its manifest has; of a large table of which a question needs some row groups only, these are fetched, and become a
// smaller table: its footer names no others, so SQL cannot read what is not there.

import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Log } from '../log.ts';
import {
  checkRange,
  checkSignal,
  type ObjectStore,
  type RequestOptions,
} from '../object-store/object-store.ts';
import { BlockCache, type BlockCacheCounts, type WantedFile } from './block-cache.ts';
import type { BlockFiles, HeldFile, HoldOptions, WantedRows } from './block-files.ts';
import type { RowRange } from './block-series.ts';
import { blockKey } from './block-writer.ts';
import type { BlockFile, BlockFileName, BlockMeta } from './manifest.ts';
import {
  type ColumnBounds,
  footerBytes,
  type ParquetFooter,
  parseFooter,
  TRAILER_BYTES,
} from './parquet-footer.ts';

export interface CachedBlockFilesOptions {
  readonly store: ObjectStore;
  /** Nobody else's. */
  readonly directory: string;
  readonly limits: BlockCacheLimits;
  readonly log: Log;
}

export interface BlockCacheLimits {
  /** Of all files together. */
  readonly maxBytes: number;
  /** Smaller tables are fetched as a whole. */
  readonly minPartialBytes: number;
  /** When more than this share of a table is needed, all of it is fetched. */
  readonly maxPartialShare: number;
  /** Footers that are kept in memory. */
  readonly maxFooterBytes: number;
  /** Bytes of one request. */
  readonly requestBytes: number;
  /** What lies between two parts is fetched with them when it is not more. */
  readonly gapBytes: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const DEFAULT_BLOCK_CACHE_LIMITS: BlockCacheLimits = {
  maxBytes: 10 * 1024 * MIB,
  minPartialBytes: 2 * MIB,
  maxPartialShare: 0.5,
  maxFooterBytes: 32 * MIB,
  requestBytes: 8 * MIB,
  gapBytes: 128 * KIB,
};

/** Plain data, for metrics. */
export interface CachedBlockFilesCounts extends BlockCacheCounts {
  /** Tables of which some row groups were fetched. */
  readonly partialFetches: number;
  readonly wholeFetches: number;
  /** Bytes that came from the store, for files and for ranges. */
  readonly fetchedBytes: number;
  /** Ranges that were read without a file. */
  readonly rangeReads: number;
  readonly footerBytes: number;
}

interface KnownFooter {
  /** Undefined for a table that cannot be had in parts. */
  footer: Promise<ParquetFooter | undefined>;
  bytes: number;
  /** The largest that was fetched. */
  part: Part | undefined;
}

/** Row groups of a table that are on the disk together. */
interface Part {
  readonly key: string;
  readonly groups: ReadonlySet<number>;
}

/** Fetched once more when the checksum differs. */
const WHOLE_ATTEMPTS = 2;
/** The end of a table that is read first: most footers are in it. */
const TAIL_BYTES = 64 * KIB;
const PARQUET_MAGIC = Buffer.from('PAR1', 'latin1');

export class CachedBlockFiles implements BlockFiles {
  readonly #store: ObjectStore;
  readonly #cache: BlockCache;
  readonly #limits: BlockCacheLimits;
  readonly #log: Log;
  /** By key; the one used last at the end. */
  readonly #footers = new Map<string, KnownFooter>();
  #footerBytes = 0;
  #partialFetches = 0;
  #wholeFetches = 0;
  #fetchedBytes = 0;
  #rangeReads = 0;

  private constructor({ store, limits, log }: CachedBlockFilesOptions, cache: BlockCache) {
    this.#store = store;
    this.#cache = cache;
    this.#limits = limits;
    this.#log = log;
  }

  /** @throws HearthscopeError failed_precondition when the folder cannot be used */
  static async open(options: CachedBlockFilesOptions): Promise<CachedBlockFiles> {
    const { directory, limits, log } = options;
    return new CachedBlockFiles(
      options,
      await BlockCache.open({ directory, maxBytes: limits.maxBytes, log }),
    );
  }

  /** @throws HearthscopeError not_found, resource_exhausted when it does not fit into the cache, data_loss for an object that
   * is not what its manifest says, and what the store throws */
  async hold(
    tenant: string,
    block: BlockMeta,
    name: BlockFileName,
    options: HoldOptions = {},
  ): Promise<HeldFile> {
    const key = blockKey(tenant, block.id, name);
    const file = fileOf(block, name);
    const part = await this.#partOf(key, name, file, options);
    if (part !== undefined) return part;
    return this.#cache.hold(
      {
        key,
        bytes: file.bytes,
        crc32: file.crc32,
        fetch: (path, signal) => this.#fetchWhole(key, file, path, signal),
      },
      options,
    );
  }

  async read(
    tenant: string,
    block: BlockMeta,
    name: BlockFileName,
    start: number,
    length: number,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    checkRange(start, length);
    const key = blockKey(tenant, block.id, name);
    const file = fileOf(block, name);
    if (this.#cache.has(key)) {
      using held = await this.hold(tenant, block, name, options);
      return await readLocal(held.path, start, Math.max(0, Math.min(length, file.bytes - start)));
    }
    this.#rangeReads++;
    return this.#range(key, file, start, length, options);
  }

  counts(): CachedBlockFilesCounts {
    return {
      ...this.#cache.counts(),
      partialFetches: this.#partialFetches,
      wholeFetches: this.#wholeFetches,
      fetchedBytes: this.#fetchedBytes,
      rangeReads: this.#rangeReads,
      footerBytes: this.#footerBytes,
    };
  }

  /** Undefined when the file is rather held as a whole. */
  async #partOf(
    key: string,
    name: BlockFileName,
    file: BlockFile,
    options: HoldOptions,
  ): Promise<HeldFile | undefined> {
    const { rows } = options;
    if (rows === undefined || !name.endsWith('.parquet') || this.#cache.has(key)) return undefined;
    if (file.bytes < this.#limits.minPartialBytes) return undefined;
    const known = this.#footerOf(key, file);
    const footer = await known.footer;
    checkSignal(options);
    if (footer === undefined) return undefined;
    const needed = neededGroups(footer, rows);
    const base = known.part !== undefined && this.#cache.has(known.part.key) ? known.part : undefined;
    if (base !== undefined && needed.every((group) => base.groups.has(group))) {
      return this.#holdPart(key, footer, base, undefined, options);
    }
    const groups = new Set([...needed, ...(base?.groups ?? [])]);
    if (bytesOfGroups(footer, groups) > file.bytes * this.#limits.maxPartialShare) return undefined;
    const part: Part = {
      key: `${key}~${[...groups].sort((a, b) => a - b).join(',')}`,
      groups,
    };
    const held = await this.#holdPart(key, footer, part, base, options);
    known.part = part;
    if (base !== undefined) await this.#cache.drop(base.key);
    return held;
  }

  /** @param base a part of the same table that need not be fetched again */
  #holdPart(
    key: string,
    footer: ParquetFooter,
    part: Part,
    base: Part | undefined,
    options: RequestOptions,
  ): Promise<HeldFile> {
    const groups = [...part.groups].sort((a, b) => a - b);
    const end = footer.encode(groups);
    const wanted: WantedFile = {
      key: part.key,
      bytes: PARQUET_MAGIC.length + bytesOfGroups(footer, groups) + end.length,
      crc32: undefined,
      fetch: async (path, signal) => {
        this.#partialFetches++;
        const target = await open(path, 'wx');
        try {
          await target.write(PARQUET_MAGIC, 0, PARQUET_MAGIC.length, 0);
          const copied = base === undefined ? new Set<number>() : await this.#copy(footer, base, target);
          const missing = groups.filter((group) => !copied.has(group));
          await this.#fetchGroups(key, footer, missing, target, signal);
          await target.write(end, 0, end.length, footer.start);
        } finally {
          await target.close();
        }
      },
    };
    return this.#cache.hold(wanted, options);
  }

  /** @returns the groups that are in the target now; none when the part has gone in between */
  async #copy(footer: ParquetFooter, base: Part, target: FileHandle): Promise<ReadonlySet<number>> {
    if (!this.#cache.has(base.key)) return new Set();
    const gone = async () => {
      throw new HearthscopeError('not_found', 'the part is gone');
    };
    try {
      using held = await this.#cache.hold({ key: base.key, bytes: 0, crc32: undefined, fetch: gone });
      for (const group of base.groups) {
        const { start, bytes } = footer.groups[group]!;
        await target.write(await readLocal(held.path, start, bytes), 0, bytes, start);
      }
      return base.groups;
    } catch (error) {
      this.#log.warn({ part: base.key, err: error }, 'a part of a block is fetched again');
      return new Set();
    }
  }

  async #fetchGroups(
    key: string,
    footer: ParquetFooter,
    groups: readonly number[],
    target: FileHandle,
    signal: AbortSignal,
  ): Promise<void> {
    const { gapBytes, requestBytes } = this.#limits;
    const ranges: { start: number; end: number }[] = [];
    for (const group of groups) {
      const { start, bytes } = footer.groups[group]!;
      const last = ranges.at(-1);
      const end = start + bytes;
      if (last !== undefined && start - last.end <= gapBytes && end - last.start <= requestBytes) {
        last.end = end;
      } else ranges.push({ start, end });
    }
    for (const { start, end } of ranges) {
      for (let at = start; at < end; at += requestBytes) {
        const bytes = await this.#fetch(key, at, Math.min(requestBytes, end - at), signal);
        await target.write(bytes, 0, bytes.length, at);
      }
    }
  }

  #footerOf(key: string, file: BlockFile): KnownFooter {
    const known: KnownFooter = this.#footers.get(key) ?? {
      footer: Promise.resolve(undefined),
      bytes: 0,
      part: undefined,
    };
    if (!this.#footers.has(key)) {
      known.footer = this.#readFooter(key, file, known);
      known.footer.catch(() => this.#forgetFooter(key, known));
    }
    this.#footers.delete(key);
    this.#footers.set(key, known);
    for (const [other, footer] of this.#footers) {
      if (this.#footerBytes <= this.#limits.maxFooterBytes || other === key) break;
      this.#forgetFooter(other, footer);
    }
    return known;
  }

  #forgetFooter(key: string, footer: KnownFooter): void {
    if (this.#footers.get(key) !== footer) return;
    this.#footers.delete(key);
    this.#footerBytes -= footer.bytes;
  }

  async #readFooter(key: string, file: BlockFile, known: KnownFooter): Promise<ParquetFooter | undefined> {
    const tailStart = Math.max(0, file.bytes - TAIL_BYTES);
    const tail = await this.#range(key, file, tailStart, file.bytes - tailStart, {});
    try {
      const length = footerBytes(tail.subarray(tail.length - TRAILER_BYTES), file.bytes);
      const start = file.bytes - TRAILER_BYTES - length;
      const isInTail = start >= tailStart;
      const bytes = isInTail
        ? tail.subarray(start - tailStart, start - tailStart + length)
        : await this.#range(key, file, start, length, {});
      const footer = parseFooter(bytes, start);
      if (this.#footers.get(key) === known) {
        known.bytes = isInTail ? tail.length : length;
        this.#footerBytes += known.bytes;
      }
      return footer;
    } catch (error) {
      if (error instanceof HearthscopeError && error.code !== 'invalid_argument') throw error;
      throw new HearthscopeError('data_loss', `${key}: ${messageOf(error)}`, { cause: error });
    }
  }

  async #fetchWhole(key: string, file: BlockFile, path: string, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#wholeFetches++;
      const checksum = await this.#fetchInto(key, file, path, signal);
      if (checksum === file.crc32) return;
      this.#log.warn({ key, attempt }, 'an object is not what its manifest says');
      if (attempt === WHOLE_ATTEMPTS) {
        throw new HearthscopeError(
          'data_loss',
          `${key} is damaged: its CRC-32 is ${checksum}, its manifest says ${file.crc32}`,
        );
      }
    }
  }

  /** Two requests are under way at a time. @returns the checksum of what came */
  async #fetchInto(key: string, file: BlockFile, path: string, signal: AbortSignal): Promise<number> {
    const { requestBytes } = this.#limits;
    const target = await open(path, 'w');
    try {
      let checksum = 0;
      const request = (start: number): Promise<Uint8Array> | undefined => {
        if (start >= file.bytes) return undefined;
        const bytes = this.#fetch(key, start, Math.min(requestBytes, file.bytes - start), signal);
        bytes.catch(() => undefined);
        return bytes;
      };
      let next = request(0);
      for (let start = 0; next !== undefined; start += requestBytes) {
        const current = next;
        next = request(start + requestBytes);
        const bytes = await current;
        checksum = crc32(bytes, checksum);
        await target.write(bytes, 0, bytes.length, start);
      }
      return checksum;
    } finally {
      await target.close();
    }
  }

  /** What of the range lies in the file. */
  #range(
    key: string,
    file: BlockFile,
    start: number,
    length: number,
    { signal }: RequestOptions,
  ): Promise<Uint8Array> {
    return this.#fetch(key, start, Math.max(0, Math.min(length, file.bytes - start)), signal);
  }

  /** @throws HearthscopeError data_loss when the object is shorter than its manifest says */
  async #fetch(
    key: string,
    start: number,
    length: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const bytes = await this.#store.getRange(key, start, length, { ...(signal && { signal }) });
    this.#fetchedBytes += bytes.length;
    if (bytes.length !== length) {
      throw new HearthscopeError('data_loss', `${key} is shorter than its manifest says`);
    }
    return bytes;
  }
}

function fileOf(block: BlockMeta, name: BlockFileName): BlockFile {
  const file = block.files[name];
  if (file === undefined) throw new HearthscopeError('not_found', `block ${block.id} has no file ${name}`);
  return file;
}

/** The row groups that may have wanted rows, ascending. */
function neededGroups(footer: ParquetFooter, wanted: readonly WantedRows[]): number[] {
  const needed: number[] = [];
  for (const [i, { bounds }] of footer.groups.entries()) {
    const mayHave = wanted.every(({ column, ranges }) => {
      const known = bounds.get(column);
      return known === undefined || overlaps(ranges, known);
    });
    if (mayHave) needed.push(i);
  }
  return needed;
}

/** @param ranges ascending; there may be many */
function overlaps(ranges: readonly RowRange[], { min, max }: ColumnBounds): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.limit > min) high = middle;
    else low = middle + 1;
  }
  return low < ranges.length && ranges[low]!.first <= max;
}

function bytesOfGroups(footer: ParquetFooter, groups: Iterable<number>): number {
  let sum = 0;
  for (const group of groups) sum += footer.groups[group]!.bytes;
  return sum;
}

async function readLocal(path: string, start: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await file.read(bytes, done, length - done, start + done);
      if (bytesRead === 0) {
        throw new HearthscopeError('data_loss', `${path} is shorter than it should be`);
      }
      done += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Unwind tables on disk, so that a restarted agent need not read every binary again. A file is named by a hash of the
// contents it was made from, written whole and renamed; what cannot be decoded is deleted and built anew. The directory
// belongs to the agent alone.

import { createHash, randomUUID } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { UnwindTable } from '@hearthscope/profile/unwind/unwind-table';
import { decodeUnwindTable, encodeUnwindTable } from '@hearthscope/profile/unwind/unwind-table-codec';

export const DEFAULT_MAX_TABLE_CACHE_BYTES = 256 * 1024 * 1024;
const SUFFIX = '.unwind';
/** After pruning this part of the limit is left, so that not every write prunes. */
const KEPT_AFTER_PRUNING = 0.8;

export type TableCacheEvent = 'hit' | 'miss' | 'damaged' | 'written' | 'write_failed' | 'evicted';

export class TableCache {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #count: (event: TableCacheEvent) => void;
  #bytes = 0;

  private constructor(directory: string, maxBytes: number, count: (event: TableCacheEvent) => void) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#count = count;
  }

  /** Makes the directory. Undefined when that is impossible: tables are then built at each start. */
  static open(
    directory: string,
    maxBytes: number,
    count: (event: TableCacheEvent) => void,
  ): TableCache | undefined {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      if (statSync(directory).uid !== process.getuid?.()) return undefined;
      chmodSync(directory, 0o700);
      const cache = new TableCache(directory, maxBytes, count);
      cache.#prune();
      return cache;
    } catch {
      return undefined;
    }
  }

  get(content: string): UnwindTable | undefined {
    const path = this.#pathOf(content);
    let bytes: Uint8Array;
    try {
      if (statSync(path).size > this.#maxBytes) return undefined;
      // Without the pool of Buffer, whose memory cannot be handed to another thread.
      bytes = new Uint8Array(readFileSync(path));
    } catch {
      this.#count('miss');
      return undefined;
    }
    try {
      const table = decodeUnwindTable(bytes);
      const now = new Date();
      utimesSync(path, now, now);
      this.#count('hit');
      return table;
    } catch {
      // Another version wrote it, or the disk has lost bits.
      this.#count('damaged');
      rmSync(path, { force: true });
      return undefined;
    }
  }

  /** A failure costs the entry and is counted: a full disk must not stop the agent. */
  set(content: string, table: UnwindTable): void {
    const path = this.#pathOf(content);
    const temporary = `${path}.${randomUUID()}`;
    try {
      const bytes = encodeUnwindTable(table);
      writeFileSync(temporary, bytes, { mode: 0o600, flag: 'wx' });
      renameSync(temporary, path);
      this.#bytes += bytes.byteLength;
      this.#count('written');
      if (this.#bytes > this.#maxBytes) this.#prune();
    } catch {
      this.#count('write_failed');
      rmSync(temporary, { force: true });
    }
  }

  /** Deletes what was not used for longest, and what an interrupted write left behind. */
  #prune(): void {
    const entries: { path: string; bytes: number; usedAtMillis: number }[] = [];
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      if (!name.endsWith(SUFFIX)) {
        rmSync(path, { force: true });
        continue;
      }
      const { size, mtimeMs } = statSync(path);
      entries.push({ path, bytes: size, usedAtMillis: mtimeMs });
    }
    this.#bytes = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    if (this.#bytes <= this.#maxBytes) return;
    entries.sort((a, b) => a.usedAtMillis - b.usedAtMillis);
    for (const { path, bytes } of entries) {
      if (this.#bytes <= this.#maxBytes * KEPT_AFTER_PRUNING) break;
      rmSync(path, { force: true });
      this.#bytes -= bytes;
      this.#count('evicted');
    }
  }

  #pathOf(content: string): string {
    return join(this.#directory, createHash('sha256').update(content).digest('hex') + SUFFIX);
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Debug files that were fetched from a server, on disk: `<build id>.debug`, and `<build id>.missing` for those that no
// server has. A file appears under its name at once and whole (written beside and renamed), so a worker may read the
// directory at any time. The least recently used files go when there are too many bytes.

import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface DebugFileStoreOptions {
  /** Belongs to the store alone; made when it is not there. */
  readonly directory: string;
  readonly maxBytes: number;
  /** A missing file is asked for again after this time. */
  readonly missingLifetimeMillis: number;
  /** Called for each file that is removed to make room. */
  readonly onEvict: () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** More files than this would be no cache any more: those that are found beyond are removed. */
const maxFiles = 16_384;
const directoryMode = 0o700;
const fileMode = 0o600;

export class DebugFileStore {
  readonly #options: DebugFileStoreOptions;
  /** Bytes by build id, the least recently used first. */
  readonly #files = new Map<string, number>();
  /** By build id, when it was found missing. */
  readonly #missing = new Map<string, number>();
  #bytes = 0;
  #nextPart = 0;

  private constructor(options: DebugFileStoreOptions) {
    this.#options = options;
  }

  /** Opens the directory and takes stock of what is in it. Rejects with the system's error. */
  static async open(options: DebugFileStoreOptions): Promise<DebugFileStore> {
    const store = new DebugFileStore(options);
    await mkdir(options.directory, { recursive: true, mode: directoryMode });
    await store.#takeStock();
    return store;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(buildId: string): boolean {
    return this.#files.has(buildId);
  }

  /** True when no server had the file not long ago. */
  isMissing(buildId: string): boolean {
    const since = this.#missing.get(buildId);
    return since !== undefined && since > this.#options.now() - this.#options.missingLifetimeMillis;
  }

  /** Notes that a file was used, so that others go before it. */
  async touch(buildId: string): Promise<void> {
    const bytes = this.#files.get(buildId);
    if (bytes === undefined) return;
    this.#files.delete(buildId);
    this.#files.set(buildId, bytes);
    const now = new Date(this.#options.now());
    await utimes(this.#path(`${buildId}.debug`), now, now).catch(() => {});
  }

  async addMissing(buildId: string): Promise<void> {
    const now = this.#options.now();
    this.#missing.delete(buildId);
    this.#missing.set(buildId, now);
    const path = this.#path(`${buildId}.missing`);
    await writeFile(path, '', { mode: fileMode });
    await utimes(path, new Date(now), new Date(now));
    for (const oldest of this.#missing.keys()) {
      if (this.#missing.size <= maxFiles) break;
      this.#missing.delete(oldest);
      await rm(this.#path(`${oldest}.missing`), { force: true });
    }
  }

  /** A new file to write to; {@link keep} or {@link discard} it afterwards. */
  async create(buildId: string): Promise<{ part: string; handle: FileHandle }> {
    const part = this.#path(`${buildId}.${process.pid}-${this.#nextPart++}.part`);
    return { part, handle: await open(part, 'wx', fileMode) };
  }

  async discard(part: string): Promise<void> {
    await rm(part, { force: true });
  }

  /** Gives a written file its name, and makes room for it. */
  async keep(buildId: string, part: string): Promise<void> {
    const { size } = await stat(part);
    await rename(part, this.#path(`${buildId}.debug`));
    await rm(this.#path(`${buildId}.missing`), { force: true });
    this.#missing.delete(buildId);
    this.#add(buildId, size);
    await this.#makeRoom();
  }

  async #takeStock(): Promise<void> {
    const found: { buildId: string; kind: string; bytes: number; modifiedMillis: number }[] = [];
    for (const name of await readdir(this.#options.directory)) {
      const match = /^([0-9a-f]+)\.(?:(debug|missing)|[0-9-]+\.part)$/.exec(name);
      if (match === null) continue;
      if (match[2] === undefined) {
        // Left by a process that was killed while it wrote.
        await rm(this.#path(name), { force: true });
        continue;
      }
      const { size, mtimeMs, isFile } = await stat(this.#path(name)).then((s) => ({
        size: s.size,
        mtimeMs: s.mtimeMs,
        isFile: s.isFile(),
      }));
      if (isFile) found.push({ buildId: match[1]!, kind: match[2], bytes: size, modifiedMillis: mtimeMs });
    }
    found.sort((a, b) => a.modifiedMillis - b.modifiedMillis);
    for (const { buildId, kind, bytes, modifiedMillis } of found) {
      if (kind === 'debug') this.#add(buildId, bytes);
      else this.#missing.set(buildId, modifiedMillis);
    }
    await this.#makeRoom();
  }

  #add(buildId: string, bytes: number): void {
    this.#bytes += bytes - (this.#files.get(buildId) ?? 0);
    this.#files.delete(buildId);
    this.#files.set(buildId, bytes);
  }

  async #makeRoom(): Promise<void> {
    for (const [buildId, bytes] of this.#files) {
      if (this.#bytes <= this.#options.maxBytes && this.#files.size <= maxFiles) return;
      this.#files.delete(buildId);
      this.#bytes -= bytes;
      await rm(this.#path(`${buildId}.debug`), { force: true });
      this.#options.onEvict();
    }
  }

  #path(name: string): string {
    return join(this.#options.directory, name);
  }
}

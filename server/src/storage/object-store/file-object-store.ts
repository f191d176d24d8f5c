// SPDX-License-Identifier: Apache-2.0
//
// Objects as files below one folder. An object is written under a temporary name, made durable, and then given its name in
// one step, so that a crash leaves an object whole or not at all. What a crash leaves in the folder of temporary files is
// removed at a start some time later: until then it may be what another server of the same folder is writing.

import { randomUUID } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import {
  copyFile,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  unlink,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { makeDirectory } from '../make-directory.ts';
import { checkObjectKey, checkObjectPrefix } from './object-key.ts';
import {
  checkRange,
  checkSignal,
  type ObjectInfo,
  type ObjectStore,
  type RequestOptions,
} from './object-store.ts';

/** Not a part of any key: keys hold no `~`. */
const TEMPORARY_FOLDER = '~tmp';
/** Nothing takes longer to be written. */
const TEMPORARY_MILLIS = 24 * 3_600_000;
const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;

export class FileObjectStore implements ObjectStore {
  readonly location: string;
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
    this.location = `file:${root}`;
  }

  /** Makes the folder, and removes what writers left unfinished.
   * @throws HearthscopeError failed_precondition when the folder cannot be used */
  static async open(root: string): Promise<FileObjectStore> {
    try {
      makeDirectory(root);
      const temporary = join(root, TEMPORARY_FOLDER);
      await mkdir(temporary, { recursive: true, mode: FOLDER_MODE });
      await removeOldFiles(temporary);
    } catch (error) {
      throw new HearthscopeError(
        'failed_precondition',
        `the object folder ${root} cannot be used: ${messageOf(error)}`,
        { cause: error },
      );
    }
    return new FileObjectStore(root);
  }

  /** For readers beside a server that may be running: makes and removes nothing.
   * @throws HearthscopeError failed_precondition when there is no such folder */
  static async openForReading(root: string): Promise<FileObjectStore> {
    try {
      await readdir(root);
    } catch (error) {
      throw new HearthscopeError(
        'failed_precondition',
        `the object folder ${root} cannot be read: ${messageOf(error)}`,
        { cause: error },
      );
    }
    return new FileObjectStore(root);
  }

  localPath(key: string): string {
    checkObjectKey(key);
    return join(this.#root, key);
  }

  async getRange(
    key: string,
    start: number,
    length: number,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    checkRange(start, length);
    checkSignal(options);
    return this.#reading(key, async (path) => {
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        const status = await file.stat();
        if (!status.isFile()) throw notFound(key);
        const { size } = status;
        const wanted = Math.max(0, Math.min(length, size - start));
        const bytes = Buffer.allocUnsafe(wanted);
        for (let done = 0; done < wanted; ) {
          const { bytesRead } = await file.read(bytes, done, wanted - done, start + done);
          if (bytesRead === 0)
            throw new HearthscopeError('data_loss', `${key} became shorter while it was read`);
          done += bytesRead;
        }
        return bytes;
      } finally {
        await file.close();
      }
    });
  }

  async get(key: string, maxBytes: number, options: RequestOptions = {}): Promise<Uint8Array> {
    const info = await this.head(key, options);
    if (info === undefined) throw notFound(key);
    if (info.sizeBytes > maxBytes) {
      throw new HearthscopeError(
        'resource_exhausted',
        `${key} has ${info.sizeBytes} bytes, at most ${maxBytes} are read`,
      );
    }
    return this.getRange(key, 0, info.sizeBytes);
  }

  async head(key: string, options: RequestOptions = {}): Promise<ObjectInfo | undefined> {
    const path = this.localPath(key);
    checkSignal(options);
    try {
      const status = await lstat(path);
      return status.isFile() ? { key, sizeBytes: status.size } : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw storageError(key, error);
    }
  }

  async put(key: string, bytes: Uint8Array, options: RequestOptions = {}): Promise<void> {
    await this.#writing(key, options, async (temporary, path) => {
      await writeDurably(temporary, bytes);
      await rename(temporary, path);
    });
  }

  async putFile(key: string, source: string, options: RequestOptions = {}): Promise<void> {
    await this.#writing(key, options, async (temporary, path) => {
      await copyFile(source, temporary, constants.COPYFILE_FICLONE);
      const file = await open(temporary, 'r+');
      try {
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    });
  }

  async putIfAbsent(key: string, bytes: Uint8Array, options: RequestOptions = {}): Promise<boolean> {
    return this.#writing(key, options, async (temporary, path) => {
      await writeDurably(temporary, bytes);
      try {
        // Unlike a rename, a link never takes the place of what is there.
        await link(temporary, path);
        return true;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
        throw error;
      } finally {
        await unlink(temporary);
      }
    });
  }

  async *list(prefix: string, options: RequestOptions = {}): AsyncIterable<ObjectInfo> {
    checkObjectPrefix(prefix);
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    for await (const info of this.#listFolder(folder, options)) if (info.key.startsWith(prefix)) yield info;
  }

  async *folders(prefix: string, options: RequestOptions = {}): AsyncIterable<string> {
    checkObjectPrefix(prefix);
    checkSignal(options);
    for (const entry of await this.#entries(prefix)) if (entry.isDirectory()) yield entry.name;
  }

  async delete(key: string, options: RequestOptions = {}): Promise<void> {
    const path = this.localPath(key);
    checkSignal(options);
    try {
      await unlink(path);
    } catch (error) {
      if (!isMissing(error)) throw storageError(key, error);
    }
    // Most often it holds other objects; one that is empty would be listed for ever.
    await rmdir(dirname(path)).catch(() => undefined);
  }

  async close(): Promise<void> {}

  /** @param folder a prefix that ends with `/`, or '' */
  async *#listFolder(folder: string, options: RequestOptions): AsyncGenerator<ObjectInfo> {
    checkSignal(options);
    for (const entry of await this.#entries(folder)) {
      if (entry.isDirectory()) yield* this.#listFolder(`${folder}${entry.name}/`, options);
      else if (entry.isFile()) {
        const info = await this.head(folder + entry.name);
        if (info !== undefined) yield info;
      }
    }
  }

  /** In the order of keys; empty when there is no such folder. */
  async #entries(folder: string): Promise<Dirent[]> {
    try {
      const entries = await readdir(join(this.#root, folder), { withFileTypes: true });
      // A folder's name is compared as the keys below it are: with the `/` behind it.
      return entries
        .filter(({ name }) => name !== TEMPORARY_FOLDER)
        .map((entry) => ({ entry, order: entry.isDirectory() ? `${entry.name}/` : entry.name }))
        .sort((a, b) => (a.order < b.order ? -1 : 1))
        .map(({ entry }) => entry);
    } catch (error) {
      if (isMissing(error)) return [];
      throw storageError(folder, error);
    }
  }

  async #reading<Result>(key: string, read: (path: string) => Promise<Result>): Promise<Result> {
    const path = this.localPath(key);
    try {
      return await read(path);
    } catch (error) {
      if (isMissing(error)) throw notFound(key);
      throw storageError(key, error);
    }
  }

  /** Makes the folders of an object and its name durable around `write`. */
  async #writing<Result>(
    key: string,
    options: RequestOptions,
    write: (temporary: string, path: string) => Promise<Result>,
  ): Promise<Result> {
    const path = this.localPath(key);
    checkSignal(options);
    const temporary = join(this.#root, TEMPORARY_FOLDER, randomUUID());
    try {
      const made = await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
      const result = await write(temporary, path);
      await syncFolder(dirname(path));
      // New folders are names in the folders above them.
      if (made !== undefined) {
        for (
          let folder = dirname(dirname(path));
          folder.length >= dirname(made).length;
          folder = dirname(folder)
        ) {
          await syncFolder(folder);
        }
      }
      return result;
    } catch (error) {
      await rm(temporary, { force: true });
      throw storageError(key, error);
    }
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', FILE_MODE);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function notFound(key: string): HearthscopeError {
  return new HearthscopeError('not_found', `there is no object ${key}`);
}

function storageError(key: string, error: unknown): HearthscopeError {
  if (error instanceof HearthscopeError) return error;
  return new HearthscopeError('unavailable', `object ${key}: ${messageOf(error)}`, { cause: error });
}

async function removeOldFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (mtimeMs + TEMPORARY_MILLIS < Date.now()) await rm(path, { recursive: true, force: true });
  }
}

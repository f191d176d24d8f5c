// SPDX-License-Identifier: Apache-2.0
//
// One uploaded file on disk: a folder that holds the file as it came and what is known of it. The folder is made
// elsewhere, made durable, and then takes its place by one rename, so that it is there as a whole or not at all.
//
//   <data dir>/debuginfo/
//     staging/<random>/                            being written or being removed; emptied at each start
//     tenants/<tenant>/<build id>/<kind>/elf       kind is `executable` or `debug`
//                                      /metadata.json

import { createHash, randomUUID } from 'node:crypto';
import { constants, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDurableFolder, syncFolder, writeFileDurably } from '../settings/durable-file.ts';
import type { DebugFileKind } from '../symbolize/symbol-protocol.ts';

export const ELF_NAME = 'elf';
const METADATA_NAME = 'metadata.json';
const METADATA_VERSION = 1;
const MAX_METADATA_BYTES = 16 * 1024;
const FOLDER_MODE = 0o750;
const FILE_MODE = 0o640;
const MAX_PLACE_ATTEMPTS = 3;

/** What is known of a stored file; written beside it. */
export interface FileMetadata {
  readonly buildId: string;
  readonly kind: DebugFileKind;
  /** What the client called it; for people. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** e_machine of the ELF header. */
  readonly machine: number;
  readonly hasSymbolTable: boolean;
  readonly hasDebugInfo: boolean;
  readonly startedAtUnixMillis: number;
  readonly finishedAtUnixMillis: number;
}

/** A file that is being received. Dispose of it in any case: what was not placed is removed. */
export class StagedFile implements AsyncDisposable {
  readonly folder: string;
  readonly elfPath: string;
  readonly #hash = createHash('sha256');
  readonly #handle: FileHandle;
  #sizeBytes = 0;
  #isOpen = true;

  private constructor(folder: string, handle: FileHandle) {
    this.folder = folder;
    this.elfPath = join(folder, ELF_NAME);
    this.#handle = handle;
  }

  /** @param staging the folder for what is not yet in its place */
  static async create(staging: string): Promise<StagedFile> {
    const folder = join(staging, randomUUID());
    await mkdir(folder, { mode: FOLDER_MODE });
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    return new StagedFile(folder, await open(join(folder, ELF_NAME), flags, FILE_MODE));
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk);
    for (let written = 0; written < chunk.length; ) {
      written += (await this.#handle.write(chunk, written)).bytesWritten;
    }
    this.#sizeBytes += chunk.length;
  }

  /** Makes the bytes durable; nothing can be written any more.
   * @returns their SHA-256 in hex */
  async finish(): Promise<string> {
    await this.#handle.sync();
    await this.#close();
    return this.#hash.digest('hex');
  }

  /** Puts it where readers find it, with its metadata.
   * @returns false when there was something already, which stays */
  async place(target: string, metadata: FileMetadata): Promise<boolean> {
    await writeFileDurably(
      join(this.folder, METADATA_NAME),
      JSON.stringify({ version: METADATA_VERSION, ...metadata }),
    );
    for (let attempt = 1; ; attempt++) {
      await makeDurableFolder(dirname(target));
      try {
        await rename(this.folder, target);
        await syncFolder(dirname(target));
        return true;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
        // The folder of the build id went away with what was in it before.
        if (code !== 'ENOENT' || attempt === MAX_PLACE_ATTEMPTS) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#handle.close();
  }
}

/** Takes a stored file out of its place by one rename, then removes it, and the folder it was in when that is empty. */
export async function removeStored(folder: string, staging: string): Promise<void> {
  const away = join(staging, randomUUID());
  await rename(folder, away);
  await rm(away, { recursive: true, force: true });
  await removeIfEmpty(dirname(folder));
}

/** Removes a folder unless there is something in it. */
export async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOENT') throw error;
  }
}

/** The metadata of a stored file, and when it was used last; undefined for what is no such thing. */
export function readStored(
  folder: string,
): { metadata: FileMetadata; lastUsedUnixMillis: number } | undefined {
  try {
    const elf = statSync(join(folder, ELF_NAME));
    const metadataPath = join(folder, METADATA_NAME);
    if (!elf.isFile() || statSync(metadataPath).size > MAX_METADATA_BYTES) return undefined;
    const metadata = JSON.parse(readFileSync(metadataPath, 'utf8')) as FileMetadata & { version: number };
    if (metadata.version !== METADATA_VERSION || metadata.sizeBytes !== elf.size) return undefined;
    return { metadata, lastUsedUnixMillis: elf.mtimeMs };
  } catch {
    return undefined;
  }
}

/** The names in a folder, which is made when it is not there. */
export function namesIn(folder: string): string[] {
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  return readdirSync(folder);
}

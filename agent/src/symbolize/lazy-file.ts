// SPDX-License-Identifier: Apache-2.0
//
// A file that is opened when it is read and closed between requests: an open file would block unmounting, and readers of
// debug information are kept for minutes. When it is opened again it must still be the same file in the same state.

import { FormatError } from '@hearthscope/profile/errors';
import type { RandomAccess } from '@hearthscope/profile/symbols/random-access';
import { type FileIdentity, isSameIdentity, OpenedFile } from './mapped-file.ts';

/** The file could not be read, which says nothing about its contents. */
export class FileUnreadableError extends FormatError {
  constructor(offset: number, reason: string) {
    super('file', offset, `cannot be read: ${reason}`);
    this.name = 'FileUnreadableError';
  }
}

export class LazyFile implements RandomAccess {
  readonly byteLength: number;
  readonly identity: FileIdentity;
  readonly #open: () => OpenedFile | string;
  #file: OpenedFile | undefined;

  /** @param open opens the file again, or says why not */
  constructor(file: OpenedFile, open: () => OpenedFile | string) {
    this.byteLength = file.byteLength;
    this.identity = file.identity;
    this.#file = file;
    this.#open = open;
  }

  /** Takes over a file that was opened elsewhere, in the same state. */
  attach(file: OpenedFile): void {
    if (this.#file !== file) this.close();
    this.#file = file;
  }

  /** Throws FileUnreadableError when the file is gone, was changed, or the disk fails. */
  read(offset: number, length: number, scratch?: Uint8Array): Uint8Array {
    this.#file ??= this.#reopen(offset);
    try {
      return this.#file.read(offset, length, scratch);
    } catch (error) {
      throw new FileUnreadableError(offset, (error as NodeJS.ErrnoException).code ?? 'io_error');
    }
  }

  close(): void {
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
  }

  #reopen(offset: number): OpenedFile {
    const file = this.#open();
    if (!(file instanceof OpenedFile)) throw new FileUnreadableError(offset, file);
    if (isSameIdentity(file.identity, this.identity)) return file;
    file[Symbol.dispose]();
    throw new FileUnreadableError(offset, 'replaced');
  }
}

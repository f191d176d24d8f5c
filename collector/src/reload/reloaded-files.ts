// SPDX-License-Identifier: Apache-2.0
//
// Files that are read again from time to time, so that what they say can change while the process runs. The content is
// compared, and not the time of change: configurations that are mounted into containers are swapped by links. What cannot
// be read or understood changes nothing: the last good content stays in force.

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';

export type ReloadFailure = 'unreadable' | 'too_large' | 'invalid';

interface FileSet {
  /** Read together: their contents are one value. */
  readonly paths: readonly string[];
  /** Of each file. */
  readonly maxBytes: number;
}

export interface ReloadOptions<T> extends FileSet {
  readonly periodMillis: number;
  /** @throws HearthscopeError when the contents cannot be used */
  readonly parse: (contents: readonly Buffer[]) => T;
  /** Called with each new value but the first. What it throws counts as `invalid`. */
  readonly onChange?: (value: T) => void;
  /** Called after each attempt that found the files in order, changed or not. */
  readonly onSuccess?: () => void;
  /** @param isNew whether the failure differs from that of the time before: once is enough for a log */
  readonly onFailure: (reason: ReloadFailure, error: HearthscopeError, isNew: boolean) => void;
}

class ReloadError extends HearthscopeError {
  readonly reason: ReloadFailure;

  constructor(reason: ReloadFailure, message: string, cause?: unknown) {
    super('failed_precondition', message, { cause });
    this.reason = reason;
  }
}

export class ReloadedFiles<T> {
  readonly #options: ReloadOptions<T>;
  readonly #timer: NodeJS.Timeout;
  #contents: readonly Buffer[];
  #value: T;
  #lastFailure = '';

  /** Reads the files for the first time.
   * @throws HearthscopeError failed_precondition naming the file */
  constructor(options: ReloadOptions<T>) {
    this.#options = options;
    this.#contents = readAll(options);
    this.#value = parseAll(options, this.#contents);
    this.#timer = setInterval(() => this.check(), options.periodMillis);
    this.#timer.unref();
  }

  /** What the last good contents say. */
  get value(): T {
    return this.#value;
  }

  /** Reads the files again, now. Never throws. */
  check(): void {
    const { onSuccess, onFailure } = this.#options;
    try {
      this.#reload();
      this.#lastFailure = '';
      onSuccess?.();
    } catch (error) {
      if (!(error instanceof ReloadError)) throw error;
      onFailure(error.reason, error, error.message !== this.#lastFailure);
      this.#lastFailure = error.message;
    }
  }

  #reload(): void {
    const contents = readAll(this.#options);
    if (contents.every((content, index) => content.equals(this.#contents[index]!))) return;
    const value = parseAll(this.#options, contents);
    blaming(this.#options, () => this.#options.onChange?.(value));
    this.#contents = contents;
    this.#value = value;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function readAll({ paths, maxBytes }: FileSet): Buffer[] {
  return paths.map((path) => readBounded(path, maxBytes));
}

function readBounded(path: string, maxBytes: number): Buffer {
  let file: number | undefined;
  try {
    // A pipe without a writer would be waited for.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = fstatSync(file);
    if (!status.isFile()) throw new ReloadError('unreadable', `${path} is no regular file`);
    if (status.size > maxBytes) {
      throw new ReloadError('too_large', `${path} has ${status.size} bytes, at most ${maxBytes} are allowed`);
    }
    return readFileSync(file);
  } catch (error) {
    if (error instanceof ReloadError) throw error;
    throw new ReloadError('unreadable', `cannot read ${path}: ${messageOf(error)}`, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function parseAll<T>(options: ReloadOptions<T>, contents: readonly Buffer[]): T {
  return blaming(options, () => options.parse(contents));
}

/** What goes wrong with the contents is reported with the names of the files. */
function blaming<T>({ paths }: FileSet, change: () => T): T {
  try {
    return change();
  } catch (error) {
    throw new ReloadError('invalid', `${paths.join(', ')}: ${messageOf(error)}`, error);
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// The binaries whose files are open and whose tables are in memory, the least recently used closed first.

import { join } from 'node:path';
import { BinaryNames } from './binary-names.ts';
import { FileAccess } from './file-access.ts';
import { inspectFile } from './inspect-file.ts';
import type { DebugFileKind, DebugFiles, SymbolWorkerConfig } from './symbol-protocol.ts';

/** Binaries that are open at a time; each has up to two files open. */
const MAX_OPEN_BINARIES = 64;

class OpenBinary implements Disposable {
  readonly names: BinaryNames;
  readonly #files: DisposableStack;

  constructor(names: BinaryNames, files: DisposableStack) {
    this.names = names;
    this.#files = files;
  }

  [Symbol.dispose](): void {
    this.#files.dispose();
  }
}

export class OpenBinaries {
  readonly #config: SymbolWorkerConfig;
  /** In the order of their last use. */
  readonly #open = new Map<string, OpenBinary>();

  constructor(config: SymbolWorkerConfig) {
    this.#config = config;
  }

  /** Undefined when there is no file of this build id.
   * @param buildId lower-case hex, at least one byte
   * @throws FormatError, and the system's errors */
  get(buildId: string, files: DebugFiles): BinaryNames | undefined {
    const key = `${buildId} ${files.version}`;
    const known = this.#open.get(key);
    if (known !== undefined) {
      this.#open.delete(key);
      this.#open.set(key, known);
      return known.names;
    }
    const opened = this.#openFiles(buildId, files);
    if (opened === undefined) return undefined;
    this.#open.set(key, opened);
    this.trim();
    return opened.names;
  }

  /** Closes the files of a version, as they are gone. */
  forget(version: string): void {
    for (const [key, binary] of this.#open) {
      if (!key.endsWith(` ${version}`)) continue;
      this.#open.delete(key);
      binary[Symbol.dispose]();
    }
  }

  /** Brings memory and open files back below their limits; to be called after a look-up, which takes memory. */
  trim(): void {
    let bytes = 0;
    for (const { names } of this.#open.values()) bytes += names.byteSize;
    for (const [key, binary] of this.#open) {
      if (bytes <= this.#config.maxTableBytes && this.#open.size <= MAX_OPEN_BINARIES) return;
      if (this.#open.size === 1) {
        binary.names.shrink();
        return;
      }
      bytes -= binary.names.byteSize;
      this.#open.delete(key);
      binary[Symbol.dispose]();
    }
  }

  #openFiles(buildId: string, uploaded: DebugFiles): OpenBinary | undefined {
    using opened = new DisposableStack();
    const halves: Partial<Record<DebugFileKind, FileAccess>> = {};
    for (const kind of ['executable', 'debug'] as const) {
      const path = uploaded[kind];
      if (path !== undefined) halves[kind] = opened.use(FileAccess.open(path));
    }
    let problem: unknown;
    for (const path of this.#candidates(buildId)) {
      try {
        const file = openIfThere(path);
        if (file === undefined) continue;
        const { buildId: found, kind } = inspectFile(opened.use(file));
        if (found === buildId) halves[kind] ??= file;
      } catch (error) {
        // What the operator's folders hold may be damaged, while another file is not.
        problem = error;
      }
    }
    if (halves.executable === undefined && halves.debug === undefined) {
      if (problem !== undefined) throw problem;
      return undefined;
    }
    const names = new BinaryNames(halves, this.#config.demangle);
    return new OpenBinary(names, opened.move());
  }

  #candidates(buildId: string): string[] {
    return this.#config.debugDirectories.flatMap((directory) => {
      const path = join(directory, '.build-id', buildId.slice(0, 2), buildId.slice(2));
      return [`${path}.debug`, path];
    });
  }
}

function openIfThere(path: string): FileAccess | undefined {
  try {
    return FileAccess.open(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

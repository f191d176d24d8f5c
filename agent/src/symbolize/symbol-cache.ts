// SPDX-License-Identifier: Apache-2.0
//
// Binaries that were read, the least recently used forgotten first, bounded by bytes. Beside it: what could not be
// read, kept for a while so that a damaged file is not parsed again with every batch.

import type { LoadSegment } from '@hearthscope/profile/symbols/elf';
import type { SymbolTable } from '@hearthscope/profile/symbols/symbol-table';

/** What is kept of a binary. */
export interface LoadedBinary {
  readonly buildId: string;
  readonly segments: readonly LoadSegment[];
  /** Undefined when the symbols could not be read; addresses can still be mapped. */
  readonly table: SymbolTable | undefined;
  /** '' or why there are no names. */
  readonly failure: string;
}

/** Bytes that a binary costs besides its table: its key, segments, and entries in the maps. */
const overheadBytes = 2048;

/** File states remembered per cache; each is a short string that leads to a binary. */
const maxAliases = 8192;

export class SymbolCache {
  readonly #maxBytes: number;
  readonly #onEvict: () => void;
  /** By key, the least recently used first. */
  readonly #binaries = new Map<string, LoadedBinary>();
  /** From the state of a file to the key of its binary: files with equal contents share one. */
  readonly #aliases = new Map<string, string>();
  #bytes = 0;

  constructor(maxBytes: number, onEvict: () => void) {
    this.#maxBytes = maxBytes;
    this.#onEvict = onEvict;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#binaries.size;
  }

  /** The binary that a file in this state was found to be. */
  getByAlias(alias: string): LoadedBinary | undefined {
    const key = this.#aliases.get(alias);
    return key === undefined ? undefined : this.get(key, alias);
  }

  /** The binary with this key; the file state `alias` leads to it from now on. */
  get(key: string, alias: string): LoadedBinary | undefined {
    const binary = this.#binaries.get(key);
    if (binary === undefined) {
      this.#aliases.delete(alias);
      return undefined;
    }
    this.#binaries.delete(key);
    this.#binaries.set(key, binary);
    this.#remember(alias, key);
    return binary;
  }

  /** Keeps a binary, unless it alone is over the limit, and forgets others until the limit holds. */
  set(key: string, alias: string, binary: LoadedBinary): void {
    const bytes = bytesOf(binary);
    if (bytes > this.#maxBytes) {
      this.#onEvict();
      return;
    }
    const replaced = this.#binaries.get(key);
    if (replaced !== undefined) this.#forget(key, replaced);
    for (const [oldest, old] of this.#binaries) {
      if (this.#bytes + bytes <= this.#maxBytes) break;
      this.#forget(oldest, old);
      this.#onEvict();
    }
    this.#binaries.set(key, binary);
    this.#bytes += bytes;
    this.#remember(alias, key);
  }

  #forget(key: string, binary: LoadedBinary): void {
    this.#binaries.delete(key);
    this.#bytes -= bytesOf(binary);
  }

  #remember(alias: string, key: string): void {
    this.#aliases.delete(alias);
    this.#aliases.set(alias, key);
    if (this.#aliases.size > maxAliases) this.#aliases.delete(this.#aliases.keys().next().value!);
  }
}

function bytesOf(binary: LoadedBinary): number {
  return overheadBytes + (binary.table?.byteLength ?? 0);
}

/** Failures by key, each for a limited time; the oldest are dropped when there are too many. */
export class FailureCache {
  readonly #lifetimeMillis: number;
  readonly #maxEntries: number;
  readonly #failures = new Map<string, { reason: string; expiresAt: number }>();

  constructor(lifetimeMillis: number, maxEntries: number) {
    this.#lifetimeMillis = lifetimeMillis;
    this.#maxEntries = maxEntries;
  }

  get(key: string, now: number): string | undefined {
    const failure = this.#failures.get(key);
    if (failure === undefined) return undefined;
    if (failure.expiresAt > now) return failure.reason;
    this.#failures.delete(key);
    return undefined;
  }

  set(key: string, reason: string, now: number): void {
    this.#failures.delete(key);
    this.#failures.set(key, { reason, expiresAt: now + this.#lifetimeMillis });
    if (this.#failures.size > this.#maxEntries) this.#failures.delete(this.#failures.keys().next().value!);
  }
}

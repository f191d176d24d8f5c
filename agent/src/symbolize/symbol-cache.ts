// SPDX-License-Identifier: Apache-2.0
//
// Binaries that were read, the least recently used forgotten first, bounded by bytes. What a binary costs changes with
// what is asked of it, since debug information is read when it is needed. Beside it: what could not be read, kept for a
// while so that a damaged file is not parsed again with every batch.

import type { BinarySymbols } from '@hearthscope/profile/symbols/binary-symbols';
import type { LoadSegment } from '@hearthscope/profile/symbols/elf';
import type { LazyFile } from './lazy-file.ts';

/** What is kept of a binary. */
export interface LoadedBinary {
  readonly buildId: string;
  readonly segments: readonly LoadSegment[];
  /** Undefined when there are none or they could not be read; addresses can still be mapped. */
  readonly symbols: BinarySymbols | undefined;
  /** '' or why there are no names. */
  readonly failure: string;
  readonly lacksDebugInfo: boolean;
  /** The mapped file; undefined for the vdso. */
  readonly file: LazyFile | undefined;
  /** The other files that describe the binary; grows when split DWARF is read. */
  readonly companions: readonly LazyFile[];
}

/** Bytes that a binary costs besides its tables: its key, segments, and entries in the maps. */
const overheadBytes = 2048;

/**
 * The part of the cache that debug information may take between two requests. Reading it again costs time while new
 * addresses come in, and after that it is not needed any more.
 */
const debugInfoPart = 0.5;

/** File states remembered per cache; each is a short string that leads to a binary. */
const maxAliases = 8192;

interface Entry {
  readonly binary: LoadedBinary;
  bytes: number;
  debugInfoBytes: number;
  usedAtMillis: number;
}

export class SymbolCache {
  readonly #maxBytes: number;
  readonly #onEvict: (what: 'full' | 'debug_info') => void;
  /** By key, the least recently used first. */
  readonly #entries = new Map<string, Entry>();
  /** From the state of a file to the key of its binary: files with equal contents share one. */
  readonly #aliases = new Map<string, string>();
  #bytes = 0;
  #debugInfoBytes = 0;

  /** @param onEvict called for each binary that is forgotten, or whose debug information is */
  constructor(maxBytes: number, onEvict: (what: 'full' | 'debug_info') => void) {
    this.#maxBytes = maxBytes;
    this.#onEvict = onEvict;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The part of {@link bytes} that is debug information. */
  get debugInfoBytes(): number {
    return this.#debugInfoBytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The binary that a file in this state was found to be. */
  getByAlias(alias: string, nowMillis: number): LoadedBinary | undefined {
    const key = this.#aliases.get(alias);
    return key === undefined ? undefined : this.get(key, alias, nowMillis);
  }

  /** The binary with this key; the file state `alias` leads to it from now on. */
  get(key: string, alias: string, nowMillis: number): LoadedBinary | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#aliases.delete(alias);
      return undefined;
    }
    entry.usedAtMillis = nowMillis;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#remember(alias, key);
    return entry.binary;
  }

  /** Keeps a binary; {@link trim} follows once it has answered. */
  set(key: string, alias: string, binary: LoadedBinary, nowMillis: number): void {
    this.#forget(key);
    this.#entries.set(key, { binary, bytes: 0, debugInfoBytes: 0, usedAtMillis: nowMillis });
    this.#remember(alias, key);
  }

  /**
   * Counts again what the binary costs after it was asked, and makes room: first debug information goes, of the least
   * recently used first, until it takes no more than its part and all together fit; then whole binaries. One that is over
   * the limit alone does not stay either.
   */
  trim(binary: LoadedBinary): void {
    for (const [key, entry] of this.#entries) {
      if (entry.binary !== binary) continue;
      this.#measure(entry);
      if (entry.bytes > this.#maxBytes) this.#releaseDebugInfo(entry);
      if (entry.bytes <= this.#maxBytes) break;
      this.#forget(key);
      this.#onEvict('full');
    }
    const maxDebugInfoBytes = this.#maxBytes * debugInfoPart;
    for (const entry of this.#entries.values()) {
      if (this.#bytes <= this.#maxBytes && this.#debugInfoBytes <= maxDebugInfoBytes) return;
      this.#releaseDebugInfo(entry);
    }
    for (const key of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#forget(key);
      this.#onEvict('full');
    }
  }

  /** Forgets the debug information of binaries that were not asked for since `nowMillis` - `idleMillis`. */
  releaseIdle(nowMillis: number, idleMillis: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.usedAtMillis > nowMillis - idleMillis) return;
      this.#releaseDebugInfo(entry);
    }
  }

  /** Forgets all binaries with one of these build ids. */
  forgetBuilds(buildIds: ReadonlySet<string>): void {
    for (const [key, { binary }] of this.#entries) if (buildIds.has(binary.buildId)) this.#forget(key);
  }

  #releaseDebugInfo(entry: Entry): void {
    if (entry.debugInfoBytes === 0) return;
    entry.binary.symbols?.releaseDebugInfo();
    this.#onEvict('debug_info');
    this.#measure(entry);
  }

  #measure(entry: Entry): void {
    const bytes = overheadBytes + (entry.binary.symbols?.byteSize ?? 0);
    const debugInfoBytes = entry.binary.symbols?.debugInfoBytes ?? 0;
    this.#bytes += bytes - entry.bytes;
    this.#debugInfoBytes += debugInfoBytes - entry.debugInfoBytes;
    entry.bytes = bytes;
    entry.debugInfoBytes = debugInfoBytes;
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    this.#debugInfoBytes -= entry.debugInfoBytes;
  }

  #remember(alias: string, key: string): void {
    this.#aliases.delete(alias);
    this.#aliases.set(alias, key);
    if (this.#aliases.size > maxAliases) this.#aliases.delete(this.#aliases.keys().next().value!);
  }
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

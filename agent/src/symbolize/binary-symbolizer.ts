// SPDX-License-Identifier: Apache-2.0
//
// Names for addresses in mapped files: opens the file, reads its symbols once, keeps them by build id, and looks up.
// It does its I/O synchronously and is meant for a worker thread; tests call it directly.

import { crc32 } from 'node:zlib';
import { FormatError } from '@hearthscope/profile/errors';
import { type BinaryFiles, BinarySymbols, hasDwarf } from '@hearthscope/profile/symbols/binary-symbols';
import type { DwarfLimits } from '@hearthscope/profile/symbols/dwarf/dwarf-limits';
import { ElfFile, sectionType, virtualAddressOf } from '@hearthscope/profile/symbols/elf';
import { DebugFiles, isUsableBuildId } from './debug-files.ts';
import { FileUnreadableError, LazyFile } from './lazy-file.ts';
import { type FileIdentity, identityKey, OpenedFile, openMappedFile } from './mapped-file.ts';
import { zstdNames } from './name-compression.ts';
import { FailureCache, type LoadedBinary, SymbolCache } from './symbol-cache.ts';
import type { SymbolCounters } from './symbol-counters.ts';
import {
  type BinaryAnswer,
  type BinaryRef,
  binaryKey,
  failedBinary,
  type NamedFrames,
  type NamingOptions,
  noFrames,
} from './symbol-request.ts';
import { readVdso } from './vdso.ts';

/** Damaged files are tried again after this time: a file may have been read while it was being written. */
const failureLifetimeMillis = 10 * 60_000;
const maxFailures = 4096;
/** Debug information that nobody asked for in this time is forgotten; it is read again when it is needed. */
export const debugInfoIdleMillis = 60_000;
/** 32-bit processes have a vdso of their own, which no 64-bit process can read here. */
const limit32Bit = 0x1_0000_0000n;
const maxChecksumBytes = 16 * 1024 * 1024;
const checksumWindowBytes = 64 * 1024;
/** Of one binary: the agent as a whole is to stay below 150 MB. */
const dwarfLimits: DwarfLimits = { maxBytes: 12 * 1024 * 1024, maxInflatedBytes: 40 * 1024 * 1024 };

export interface BinarySymbolizerOptions extends NamingOptions {
  readonly maxCacheBytes: number;
  readonly counters: SymbolCounters;
  /** Called before the file behind `binary` is opened and parsed, so that a crash can be blamed on it. */
  readonly onReading?: (binary: string) => void;
  /** Binaries that are not touched. */
  readonly quarantined?: ReadonlySet<string>;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

/** A binary whose file is open, or why there is none. */
type Loaded = { readonly binary: LoadedBinary; readonly file: OpenedFile | undefined } | string;

export class BinarySymbolizer {
  readonly #options: BinarySymbolizerOptions;
  readonly #counters: SymbolCounters;
  readonly #cache: SymbolCache;
  readonly #debugFiles: DebugFiles;
  readonly #failures = new FailureCache(failureLifetimeMillis, maxFailures);
  readonly #now: () => number;
  #vdso: LoadedBinary | undefined;

  constructor(options: BinarySymbolizerOptions) {
    this.#options = options;
    this.#counters = options.counters;
    this.#cache = new SymbolCache(options.maxCacheBytes, (what) =>
      this.#counters.add('cache_evictions', what),
    );
    this.#debugFiles = new DebugFiles(options);
    this.#now = options.now ?? (() => performance.now());
  }

  /** Bytes and number of the tables that are kept. */
  get cache(): { bytes: number; tables: number; debugInfoBytes: number } {
    const { bytes, size, debugInfoBytes } = this.#cache;
    return { bytes, tables: size, debugInfoBytes };
  }

  /** Answers in the order of `refs`. Never throws: what fails has its reason in the answer. */
  symbolize(refs: readonly BinaryRef[]): BinaryAnswer[] {
    // A process that has ended may share its file with one that lives and was found.
    const found = new Map<string, BinaryRef>();
    const answers = refs.map((ref) => {
      const answer = this.#answer(ref);
      if (typeof answer !== 'string') found.set(binaryKey(ref), ref);
      return answer;
    });
    return refs.map((ref, i) => {
      let answer = answers[i]!;
      const sibling = found.get(binaryKey(ref));
      if (typeof answer === 'string' && sibling !== undefined) {
        answer = this.#answer({ ...sibling, fileOffsets: ref.fileOffsets });
      }
      return this.#counted(typeof answer === 'string' ? failedBinary(ref, answer) : answer);
    });
  }

  /** Forgets debug information that was not needed for a minute. */
  releaseIdle(): void {
    this.#cache.releaseIdle(this.#now(), debugInfoIdleMillis);
  }

  /** Forgets the binaries with these build ids, so that their debug files are looked for again. */
  forget(buildIds: readonly string[]): void {
    this.#cache.forgetBuilds(new Set(buildIds));
  }

  #counted(answer: BinaryAnswer): BinaryAnswer {
    const count = answer.elfAddresses.length;
    if (answer.failure !== '') {
      this.#counters.add('failures', answer.failure);
      this.#counters.add('addresses', 'failed', count);
    } else {
      const { frameStart } = answer.frames;
      let named = 0;
      for (let i = 0; i < count; i++) if (frameStart[i + 1]! > frameStart[i]!) named++;
      this.#counters.add('addresses', 'named', named);
      const isLeft = this.#options.symbolize === 'server';
      this.#counters.add('addresses', isLeft ? 'left_to_server' : 'unnamed', count - named);
    }
    return answer;
  }

  /** The answer for one ref, or the reason why its file is not to be had. */
  #answer(ref: BinaryRef): BinaryAnswer | string {
    const loaded = this.#load(ref);
    if (typeof loaded === 'string') return loaded;
    const { binary, file } = loaded;
    try {
      if (file !== undefined) binary.file?.attach(file);
      return this.#lookUp(ref, binary);
    } finally {
      binary.file?.close();
      for (const companion of binary.companions) companion.close();
    }
  }

  #lookUp(ref: BinaryRef, binary: LoadedBinary): BinaryAnswer {
    const { buildId, failure, segments, symbols, lacksDebugInfo } = binary;
    const elfAddresses = ref.fileOffsets.map((offset) => virtualAddressOf(segments, offset) ?? offset);
    let frames = noFrames(elfAddresses.length);
    if (symbols !== undefined) {
      frames = namedFrames(symbols.lookUp(elfAddresses));
      this.#takeProblems(symbols);
      this.#cache.trim(binary);
    }
    return { buildId, frames, elfAddresses, failure, lacksDebugInfo };
  }

  /** The binary behind a mapping, or the reason why it is not to be had. */
  #load(ref: BinaryRef): Loaded {
    if (this.#options.quarantined?.has(binaryKey(ref)) === true) return 'quarantined';
    if (ref.path === '[vdso]') return ref.limit <= limit32Bit ? 'vdso_32bit' : this.#loadVdso();
    if (!ref.path.startsWith('/') || ref.path.startsWith('//anon') || ref.inode === 0n) return 'anonymous';
    this.#options.onReading?.(binaryKey(ref));
    const file = openMappedFile(ref);
    if (!(file instanceof OpenedFile)) return file;
    this.#counters.add('opened_files', file.source);
    const alias = identityKey(file.identity);
    const now = this.#now();
    const binary =
      this.#failures.get(alias, now) ?? this.#cache.getByAlias(alias, now) ?? this.#read(file, ref, alias);
    if (typeof binary === 'string') {
      file[Symbol.dispose]();
      return binary;
    }
    return { binary, file };
  }

  #read(file: OpenedFile, ref: BinaryRef, alias: string): LoadedBinary | string {
    const lazy = new LazyFile(file, () => openMappedFile(ref));
    try {
      const elf = new ElfFile(lazy);
      const key = cacheKey(elf, file.identity, alias);
      const known = this.#cache.get(key, alias, this.#now());
      if (known !== undefined) return known;
      const binary = this.#readBinary(elf, lazy, ref);
      this.#cache.set(key, alias, binary, this.#now());
      return binary;
    } catch (error) {
      const reason = reasonOf(error);
      this.#failures.set(alias, reason, this.#now());
      return reason;
    }
  }

  #readBinary(elf: ElfFile, file: LazyFile, ref: BinaryRef): LoadedBinary {
    if (this.#options.symbolize === 'server') return withoutNames(elf, file);
    const { files, opened } = this.#debugFiles.find(elf, file.identity, ref);
    const lacksDebugInfo = files.debug === undefined && !hasDwarf(elf) && isUsableBuildId(elf.buildId);
    return { ...this.#readSymbols(elf, files), file, companions: opened, lacksDebugInfo };
  }

  #readSymbols(
    elf: ElfFile,
    files: BinaryFiles,
  ): Pick<LoadedBinary, 'buildId' | 'segments' | 'symbols' | 'failure'> {
    const { buildId, segments } = elf;
    try {
      const { lines, demangle } = this.#options;
      const symbols = BinarySymbols.read(files, { compression: zstdNames, lines, demangle, dwarfLimits });
      const problems = this.#takeProblems(symbols);
      const isEmpty = symbols.symbolCount === 0 && !symbols.hasDebugInfo;
      const failure = !isEmpty ? '' : problems > 0 ? 'bad_symbols' : 'no_symbols';
      return { buildId, segments, symbols, failure };
    } catch (error) {
      // The headers are sound, so addresses can still be translated and the build id is known.
      if (!(error instanceof FormatError) || error instanceof FileUnreadableError) throw error;
      return { buildId, segments, symbols: undefined, failure: 'bad_symbols' };
    }
  }

  /** Counts what was damaged or left out, and returns how much that was. */
  #takeProblems(symbols: BinarySymbols): number {
    let total = 0;
    for (const [reason, count] of Object.entries(symbols.takeProblems())) {
      this.#counters.add('dropped_symbols', reason, count);
      total += count;
    }
    return total;
  }

  #loadVdso(): Loaded {
    if (this.#vdso === undefined) {
      const image = readVdso();
      if (image === undefined) return 'vdso_unavailable';
      const elf = new ElfFile(image);
      // Named here in any case: there is no file that a server could have.
      const symbols = this.#readSymbols(elf, { binary: elf });
      this.#vdso = { ...symbols, file: undefined, companions: [], lacksDebugInfo: false };
      this.#counters.add('opened_files', 'vdso');
    }
    return { binary: this.#vdso, file: undefined };
  }
}

/** What `symbolize: server` keeps: enough to translate addresses. */
function withoutNames({ buildId, segments }: ElfFile, file: LazyFile): LoadedBinary {
  return { buildId, segments, symbols: undefined, failure: '', lacksDebugInfo: false, file, companions: [] };
}

function namedFrames({ displayNames, names, ...chains }: ReturnType<BinarySymbols['lookUp']>): NamedFrames {
  return { ...chains, names: displayNames, systemNames: names };
}

/**
 * Copies of a file share a table by build id. Linkers leave symbol names out of the build id, so a checksum of the names
 * is part of the key. Only root's files share: anybody can write a build id into a binary and give the host's libc
 * strange names.
 */
function cacheKey(elf: ElfFile, identity: FileIdentity, alias: string): string {
  return elf.buildId !== '' && identity.ownerUid === 0n && elf.hasSections
    ? `build-id ${elf.buildId} ${identity.size} ${checksumOfNames(elf)}`
    : `file ${alias}`;
}

/** A checksum of the first `maxChecksumBytes` of the string tables. Throws FormatError on a damaged section table. */
function checksumOfNames(elf: ElfFile): number {
  let checksum = 0;
  let remaining = maxChecksumBytes;
  const scratch = new Uint8Array(checksumWindowBytes);
  for (const { type, offset, size } of elf.sections) {
    if (type !== sectionType.strtab) continue;
    const end = Math.min(offset + Math.min(size, remaining), elf.access.byteLength);
    for (let at = offset; at < end; at += checksumWindowBytes) {
      const bytes = elf.access.read(at, Math.min(checksumWindowBytes, end - at), scratch);
      checksum = crc32(bytes, checksum);
      remaining -= bytes.byteLength;
    }
  }
  return checksum;
}

function reasonOf(error: unknown): string {
  return error instanceof FormatError && !(error instanceof FileUnreadableError) ? 'bad_elf' : 'io_error';
}

// SPDX-License-Identifier: Apache-2.0
//
// Names for addresses in mapped files: opens the file, reads its symbols once, keeps them by build id, and looks up.
// It does its I/O synchronously and is meant for a worker thread; tests call it directly.

import { crc32 } from 'node:zlib';
import { FormatError } from '@hearthscope/profile/errors';
import { ElfFile, sectionType, virtualAddressOf } from '@hearthscope/profile/symbols/elf';
import { hasSymtab, readElfSymbols } from '@hearthscope/profile/symbols/elf-symbols';
import type { RandomAccess } from '@hearthscope/profile/symbols/random-access';
import { type FileIdentity, OpenedFile, openHostFile, openMappedFile } from './mapped-file.ts';
import { zstdNames } from './name-compression.ts';
import { FailureCache, type LoadedBinary, SymbolCache } from './symbol-cache.ts';
import type { SymbolCounters } from './symbol-counters.ts';
import { type BinaryRef, type BinarySymbols, binaryKey, failedBinary } from './symbol-request.ts';
import { readVdso } from './vdso.ts';

/** Damaged files are tried again after this time: a file may have been read while it was being written. */
const failureLifetimeMillis = 10 * 60_000;
const maxFailures = 4096;
/** 32-bit processes have a vdso of their own, which no 64-bit process can read here. */
const limit32Bit = 0x1_0000_0000n;
const maxChecksumBytes = 16 * 1024 * 1024;
const checksumWindowBytes = 64 * 1024;
const debugFileRoot = '/usr/lib/debug/.build-id';

export interface BinarySymbolizerOptions {
  readonly maxCacheBytes: number;
  readonly counters: SymbolCounters;
  /** Called before the file behind `binary` is opened and parsed, so that a crash can be blamed on it. */
  readonly onReading?: (binary: string) => void;
  /** Binaries that are not touched. */
  readonly quarantined?: ReadonlySet<string>;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

export class BinarySymbolizer {
  readonly #counters: SymbolCounters;
  readonly #cache: SymbolCache;
  readonly #failures = new FailureCache(failureLifetimeMillis, maxFailures);
  readonly #onReading: (binary: string) => void;
  readonly #quarantined: ReadonlySet<string>;
  readonly #now: () => number;
  #vdso: LoadedBinary | undefined;

  constructor(options: BinarySymbolizerOptions) {
    this.#counters = options.counters;
    this.#cache = new SymbolCache(options.maxCacheBytes, () => this.#counters.add('cache_evictions', 'full'));
    this.#onReading = options.onReading ?? (() => {});
    this.#quarantined = options.quarantined ?? new Set();
    this.#now = options.now ?? (() => performance.now());
  }

  /** Bytes and number of the tables that are kept. */
  get cache(): { bytes: number; tables: number } {
    return { bytes: this.#cache.bytes, tables: this.#cache.size };
  }

  /** Answers in the order of `refs`. Never throws: what fails has its reason in the answer. */
  symbolize(refs: readonly BinaryRef[]): BinarySymbols[] {
    const loaded = refs.map((ref) => this.#load(ref));
    // A process that has ended may share its file with one that lives and was found.
    const found = new Map<string, LoadedBinary>();
    for (const [i, binary] of loaded.entries()) {
      if (typeof binary !== 'string') found.set(binaryKey(refs[i]!), binary);
    }
    return refs.map((ref, i) => this.#answer(ref, found.get(binaryKey(ref)) ?? loaded[i]!));
  }

  #answer(ref: BinaryRef, binary: LoadedBinary | string): BinarySymbols {
    const answer = typeof binary === 'string' ? failedBinary(ref, binary) : lookUp(ref, binary);
    const count = answer.names.length;
    if (answer.failure !== '') {
      this.#counters.add('failures', answer.failure);
      this.#counters.add('addresses', 'failed', count);
    } else {
      const named = answer.names.reduce((sum, name) => sum + (name === '' ? 0 : 1), 0);
      this.#counters.add('addresses', 'named', named);
      this.#counters.add('addresses', 'unnamed', count - named);
    }
    return answer;
  }

  /** The binary behind a mapping, or the reason why it is not to be had. */
  #load(ref: BinaryRef): LoadedBinary | string {
    if (this.#quarantined.has(binaryKey(ref))) return 'quarantined';
    if (ref.path === '[vdso]') return ref.limit <= limit32Bit ? 'vdso_32bit' : this.#loadVdso();
    if (!ref.path.startsWith('/') || ref.path.startsWith('//anon') || ref.inode === 0n) return 'anonymous';
    this.#onReading(binaryKey(ref));
    const file = openMappedFile(ref);
    if (!(file instanceof OpenedFile)) return file;
    using _ = file;
    this.#counters.add('opened_files', file.source);
    const alias = aliasOf(file.identity);
    return this.#failures.get(alias, this.#now()) ?? this.#cache.getByAlias(alias) ?? this.#read(file, alias);
  }

  #read(file: OpenedFile, alias: string): LoadedBinary | string {
    try {
      const elf = new ElfFile(file);
      const key = cacheKey(elf, file.identity, alias);
      const known = this.#cache.get(key, alias);
      if (known !== undefined) return known;
      const binary = this.#readBinary(elf);
      this.#cache.set(key, alias, binary);
      return binary;
    } catch (error) {
      const reason = reasonOf(error);
      this.#failures.set(alias, reason, this.#now());
      return reason;
    }
  }

  #readBinary(elf: ElfFile): LoadedBinary {
    const { buildId, segments } = elf;
    try {
      using debugFile = hasSymtab(elf) ? undefined : this.#openDebugFile(buildId);
      const files = debugFile === undefined ? [elf] : [elf, debugFile.elf];
      const { table, problems } = readElfSymbols(files, zstdNames);
      this.#counters.add('dropped_symbols', 'too_many', table.loss.tooMany);
      this.#counters.add('dropped_symbols', 'names_too_large', table.loss.namesTooLarge);
      this.#counters.add('dropped_symbols', 'unreadable_name', table.loss.unreadableName);
      this.#counters.add('dropped_symbols', 'name_cut', table.loss.namesCut);
      this.#counters.add('dropped_symbols', 'bad_section', problems.length);
      const failure = table.size > 0 ? '' : problems.length > 0 ? 'bad_symbols' : 'no_symbols';
      return { buildId, segments, table, failure };
    } catch (error) {
      // The headers are sound, so addresses can still be translated and the build id is known.
      if (!(error instanceof FormatError)) throw error;
      return { buildId, segments, table: undefined, failure: 'bad_symbols' };
    }
  }

  /** The separate debug file of a stripped binary, where the distribution put it. */
  #openDebugFile(buildId: string): DebugFile | undefined {
    if (buildId.length < 4) return undefined;
    const file = openHostFile(`${debugFileRoot}/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`);
    if (!(file instanceof OpenedFile)) {
      this.#counters.add('debug_files', file === 'gone' ? 'absent' : file);
      return undefined;
    }
    const debugFile = DebugFile.open(file, buildId);
    if (debugFile instanceof DebugFile) {
      this.#counters.add('debug_files', 'used');
      return debugFile;
    }
    file[Symbol.dispose]();
    this.#counters.add('debug_files', debugFile);
    return undefined;
  }

  #loadVdso(): LoadedBinary | string {
    if (this.#vdso === undefined) {
      const image: RandomAccess | undefined = readVdso();
      if (image === undefined) return 'vdso_unavailable';
      this.#vdso = this.#readBinary(new ElfFile(image));
      this.#counters.add('opened_files', 'vdso');
    }
    return this.#vdso;
  }
}

/** A debug file whose build id is the one that was asked for. */
class DebugFile implements Disposable {
  readonly elf: ElfFile;
  readonly #file: OpenedFile;

  private constructor(elf: ElfFile, file: OpenedFile) {
    this.elf = elf;
    this.#file = file;
  }

  /** Takes over `file` on success, else returns the reason. */
  static open(file: OpenedFile, buildId: string): DebugFile | string {
    try {
      const elf = new ElfFile(file);
      if (elf.buildId !== buildId) return 'build_id_mismatch';
      return hasSymtab(elf) ? new DebugFile(elf, file) : 'no_symtab';
    } catch (error) {
      return reasonOf(error);
    }
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

function lookUp(ref: BinaryRef, binary: LoadedBinary): BinarySymbols {
  const elfAddresses = ref.fileOffsets.map((offset) => virtualAddressOf(binary.segments, offset) ?? offset);
  // Names are what the file has; a demangler would go here, where each name is seen once per request.
  const names = binary.table?.namesAt(elfAddresses) ?? new Array<string>(elfAddresses.length).fill('');
  return { buildId: binary.buildId, names, elfAddresses, failure: binary.failure };
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

function aliasOf({ device, inode, size, modifiedNanos }: FileIdentity): string {
  return `${device}:${inode}:${size}:${modifiedNanos}`;
}

function reasonOf(error: unknown): string {
  return error instanceof FormatError ? 'bad_elf' : 'io_error';
}

// SPDX-License-Identifier: Apache-2.0
//
// Finds the files that describe a stripped binary, where distributions, debuggers and compilers put them:
//
//   separate debug file   /usr/lib/debug/.build-id/ab/cdef….debug                 the build id must be equal
//                         the directory of fetched files                          the build id must be equal
//                         .gnu_debuglink: beside, in .debug/, in /usr/lib/debug/  the CRC-32 must be equal
//   shared by dwz         by the build id in .gnu_debugaltlink, else by its path  the build id must be equal
//   split DWARF           binary.dwp beside; .dwo files by name                   the unit's id is checked by its reader
//
// Each is looked for in the root of the process, then on the host. It must be a regular file of root or of the owner of
// the binary: else anybody could give strange names to the host's libc.

import { crc32 } from 'node:zlib';
import { FormatError } from '@hearthscope/profile/errors';
import { type BinaryFiles, hasDwarf } from '@hearthscope/profile/symbols/binary-symbols';
import { readAlternateLink, readDebugLink } from '@hearthscope/profile/symbols/debug-links';
import { ElfFile } from '@hearthscope/profile/symbols/elf';
import { LazyFile } from './lazy-file.ts';
import { type FileIdentity, OpenedFile, openCompanion } from './mapped-file.ts';
import { hostRoot, processRoot } from './root-path.ts';
import type { SymbolCounters } from './symbol-counters.ts';
import type { BinaryRef } from './symbol-request.ts';

/** Larger files are not opened: nothing that is read on a host at run time should be. */
const maxFileBytes = 4n * 1024n * 1024n * 1024n;
/** The checksum of a larger file is not computed, so .gnu_debuglink does not lead to it. */
const maxChecksumBytes = 1024 * 1024 * 1024;
const checksumWindowBytes = 256 * 1024;
const maxSplitFiles = 4096;
const debugRoot = '/usr/lib/debug';

/** What was found for one binary, with the files to close after each request. */
export interface FoundFiles {
  readonly files: BinaryFiles;
  readonly opened: LazyFile[];
}

export interface DebugFileOptions {
  readonly counters: SymbolCounters;
  /** Directory of fetched debug files, `<build id>.debug`; absent: there is none. */
  readonly fetchedDirectory?: string;
}

export class DebugFiles {
  readonly #counters: SymbolCounters;
  readonly #fetchedDirectory: string | undefined;

  constructor(options: DebugFileOptions) {
    this.#counters = options.counters;
    this.#fetchedDirectory = options.fetchedDirectory;
  }

  /** Everything that describes `binary` beside itself. Never throws for what it does not find. */
  find(binary: ElfFile, identity: FileIdentity, ref: BinaryRef): FoundFiles {
    const search = new Search(ref, identity.ownerUid, this.#counters);
    const path = ref.path.replace(/ \(deleted\)$/, '');
    const debug = hasDwarf(binary) ? undefined : this.#findDebug(binary, path, search);
    const alternate = this.#findAlternate(debug?.elf ?? binary, debug?.path ?? path, search);
    const isSplit = (debug?.elf ?? binary).section('.debug_addr') !== undefined;
    const dwp = isSplit ? search.openFirst('dwp', [path, debug?.path ?? path].map(dwpPath)) : undefined;
    const files: BinaryFiles = {
      binary,
      ...(debug === undefined ? {} : { debug: debug.elf }),
      ...(alternate === undefined ? {} : { alternate: alternate.elf }),
      ...(dwp === undefined ? {} : { dwp: dwp.elf }),
      openDwo: (name, compDir) => search.openDwo(name, compDir, directoryOf(path)),
    };
    return { files, opened: search.opened };
  }

  #findDebug(binary: ElfFile, path: string, search: Search): Found | undefined {
    const { buildId } = binary;
    const isSameBuild = (elf: ElfFile): string => (elf.buildId === buildId ? '' : 'build_id_mismatch');
    if (isUsableBuildId(buildId)) {
      const found =
        search.openFirst('debug', [buildIdPath(buildId)], isSameBuild) ??
        (this.#fetchedDirectory === undefined
          ? undefined
          : search.openOwn('debug_fetched', `${this.#fetchedDirectory}/${buildId}.debug`, isSameBuild));
      if (found !== undefined) return found;
    }
    const link = readable(() => readDebugLink(binary));
    if (link === undefined) return undefined;
    const directory = directoryOf(path);
    const candidates = [directory, `${directory}/.debug`, `${debugRoot}${directory}`].map(
      (where) => `${where}/${link.name}`,
    );
    return search.openFirst(
      'debug_link',
      candidates.filter((candidate) => candidate !== path),
      (elf) =>
        buildId !== '' && elf.buildId !== '' && elf.buildId !== buildId
          ? 'build_id_mismatch'
          : checksumOf(elf) === link.crc32
            ? ''
            : 'checksum_mismatch',
    );
  }

  #findAlternate(holder: ElfFile, holderPath: string, search: Search): Found | undefined {
    const link = readable(() => readAlternateLink(holder));
    if (link === undefined) return undefined;
    const byPath = link.path.startsWith('/') ? link.path : `${directoryOf(holderPath)}/${link.path}`;
    const candidates = isUsableBuildId(link.buildId) ? [buildIdPath(link.buildId), byPath] : [byPath];
    return search.openFirst('dwz', candidates, (elf) =>
      elf.buildId === link.buildId ? '' : 'build_id_mismatch',
    );
  }
}

/** A file that was found. */
interface Found {
  readonly elf: ElfFile;
  readonly path: string;
}

/** One search for the files of one binary: whose they may be, and what was opened. */
class Search {
  readonly opened: LazyFile[] = [];
  readonly #roots: readonly string[];
  readonly #ownerUid: bigint;
  readonly #counters: SymbolCounters;

  constructor(ref: BinaryRef, ownerUid: bigint, counters: SymbolCounters) {
    this.#roots = [...[ref.pid, ...(ref.siblingPids ?? [])].map(processRoot), hostRoot];
    this.#ownerUid = ownerUid;
    this.#counters = counters;
  }

  /** The first of `paths` that can be opened, in any of the roots, and that `check` accepts by returning ''. */
  openFirst(
    what: string,
    paths: readonly string[],
    check: (elf: ElfFile) => string = () => '',
  ): Found | undefined {
    let refusal = 'absent';
    for (const path of paths) {
      for (const root of this.#roots) {
        const found = this.#open(root, path, check);
        if (typeof found !== 'string') return this.#take(what, found.file, { elf: found.elf, path });
        if (found !== 'gone') refusal = found;
      }
    }
    this.#counters.add('debug_files', `${what}_${refusal}`);
    return undefined;
  }

  /** A file in a directory of our own. */
  openOwn(what: string, path: string, check: (elf: ElfFile) => string): Found | undefined {
    const found = this.#open('/', path, check);
    if (typeof found !== 'string') return this.#take(what, found.file, { elf: found.elf, path });
    this.#counters.add('debug_files', `${what}_${found === 'gone' ? 'absent' : found}`);
    return undefined;
  }

  openDwo(name: string, compDir: string, binaryDirectory: string): ElfFile | undefined {
    if (this.opened.length >= maxSplitFiles) {
      this.#counters.add('debug_files', 'dwo_too_many');
      return undefined;
    }
    const own = name.slice(name.lastIndexOf('/') + 1);
    const recorded = name.startsWith('/') ? name : `${compDir}/${name}`;
    return this.openFirst('dwo', [recorded, `${binaryDirectory}/${own}`])?.elf;
  }

  #open(
    root: string,
    path: string,
    check: (elf: ElfFile) => string,
  ): { elf: ElfFile; file: LazyFile } | string {
    const open = (): OpenedFile | string =>
      openCompanion(root, path, ({ ownerUid, size }) =>
        ownerUid !== 0n && ownerUid !== this.#ownerUid && ownerUid !== ownUid
          ? 'foreign_owner'
          : size > maxFileBytes
            ? 'too_large'
            : '',
      );
    const opened = open();
    if (!(opened instanceof OpenedFile)) return opened;
    const file = new LazyFile(opened, open);
    try {
      const elf = new ElfFile(file, { allowRelocatable: true });
      const refusal = check(elf);
      if (refusal === '') return { elf, file };
      file.close();
      return refusal;
    } catch (error) {
      file.close();
      if (error instanceof FormatError) return 'bad_elf';
      throw error;
    }
  }

  #take(what: string, file: LazyFile, found: Found): Found {
    this.opened.push(file);
    this.#counters.add('debug_files', `${what}_used`);
    return found;
  }
}

/** Our own files are as good as root's: without root, tests and a rootless agent see no others. */
const ownUid = BigInt(process.getuid?.() ?? 0);

/** Build ids name files, so they must be nothing but digits; the shortest that anybody writes has 4 bytes. */
export function isUsableBuildId(buildId: string): boolean {
  return /^([0-9a-f]{2}){4,64}$/.test(buildId);
}

function buildIdPath(buildId: string): string {
  return `${debugRoot}/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`;
}

function dwpPath(path: string): string {
  return `${path}.dwp`;
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function readable<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** The CRC-32 of a whole file, or -1 when it is too large for that. */
function checksumOf({ access }: ElfFile): number {
  if (access.byteLength > maxChecksumBytes) return -1;
  let checksum = 0;
  const scratch = new Uint8Array(checksumWindowBytes);
  for (let at = 0; at < access.byteLength; at += checksumWindowBytes) {
    const length = Math.min(checksumWindowBytes, access.byteLength - at);
    checksum = crc32(access.read(at, length, scratch), checksum);
  }
  return checksum;
}

// SPDX-License-Identifier: Apache-2.0
//
// Opens the file behind a mapping and makes its unwind table, or takes it from the disk cache. Does its I/O synchronously
// and belongs into the worker: the file may be hostile.

import { FormatError } from '@hearthscope/profile/errors';
import { ElfFile } from '@hearthscope/profile/symbols/elf';
import { buildUnwindTable } from '@hearthscope/profile/unwind/build-unwind-table';
import { identityKey, OpenedFile, openMappedFile } from '../symbolize/mapped-file.ts';
import { binaryKey } from '../symbolize/symbol-request.ts';
import { readVdso } from '../symbolize/vdso.ts';
import type { TableCache } from './table-cache.ts';
import {
  failedUnwindAnswer,
  type TextSegment,
  type UnwindAnswer,
  type UnwindQuestion,
} from './unwind-answer.ts';

export interface TableReaderOptions {
  /** Called before the file behind `binary` is opened and parsed, so that a crash can be blamed on it. */
  readonly onReading: (binary: string) => void;
  readonly quarantined: ReadonlySet<string>;
  readonly cache?: TableCache | undefined;
  /** Things in the file's unwind information that were left out, by reason. */
  readonly onProblem: (reason: string, count: number) => void;
}

export class TableReader {
  readonly #options: TableReaderOptions;

  constructor(options: TableReaderOptions) {
    this.#options = options;
  }

  /** Never throws: what fails has its reason in the answer. */
  read({ ref, loadedContents }: UnwindQuestion): UnwindAnswer {
    const binary = binaryKey(ref);
    if (this.#options.quarantined.has(binary)) return failedUnwindAnswer('quarantined');
    try {
      if (ref.path === '[vdso]') return this.#readVdso(loadedContents);
      if (!ref.path.startsWith('/') || ref.inode === 0n) return failedUnwindAnswer('anonymous');
      this.#options.onReading(binary);
      const file = openMappedFile(ref);
      if (!(file instanceof OpenedFile)) return failedUnwindAnswer(file);
      using _ = file;
      const identity = identityKey(file.identity);
      const elf = new ElfFile(file);
      const isRoots = file.identity.ownerUid === 0n;
      // Anybody can write a build id into a binary; only root's files are taken by their word.
      const content =
        isRoots && elf.buildId !== '' ? `build-id ${elf.buildId} ${file.identity.size}` : `file ${identity}`;
      return this.#answer(elf, identity, content, loadedContents, isRoots);
    } catch (error) {
      return failedUnwindAnswer(error instanceof FormatError ? 'bad_elf' : 'io_error');
    }
  }

  #readVdso(loadedContents: readonly string[]): UnwindAnswer {
    const image = readVdso();
    if (image === undefined) return failedUnwindAnswer('vdso_unavailable');
    return this.#answer(new ElfFile(image), '[vdso]', '[vdso]', loadedContents, false);
  }

  #answer(
    elf: ElfFile,
    identity: string,
    content: string,
    loadedContents: readonly string[],
    useCache: boolean,
  ): UnwindAnswer {
    const about = { identity, content, segments: textSegmentsOf(elf), failure: '' };
    if (loadedContents.includes(content)) return { ...about, source: 'loaded' };
    const cache = useCache ? this.#options.cache : undefined;
    const cached = cache?.get(content);
    if (cached !== undefined) return { ...about, table: cached, source: 'cache' };
    const built = buildUnwindTable(elf);
    if (built === undefined) return { ...about, content: '', failure: 'no_unwind_info', source: 'none' };
    for (const [reason, count] of Object.entries(built.problems)) this.#options.onProblem(reason, count);
    cache?.set(content, built.table);
    return { ...about, table: built.table, source: 'built' };
  }
}

function textSegmentsOf({ segments }: ElfFile): TextSegment[] {
  return segments
    .filter(({ isExecutable }) => isExecutable)
    .map(({ fileOffset, fileSize, address }) => ({
      fileOffset: Number(fileOffset),
      fileSize: Number(fileSize),
      address: Number(address),
    }));
}

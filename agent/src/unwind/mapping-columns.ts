// SPDX-License-Identifier: Apache-2.0
//
// The executable mappings of a process as the kernel's side wants them: sorted columns, neighbours without a file merged
// (a JIT makes thousands of them), each with the table it is unwound by.

import type { ProcessMappings } from '@hearthscope/native';
import type { MappedFile, Mapping, MappingSet } from '../discovery/mapping-set.ts';
import type { TextSegment } from './unwind-answer.ts';

/** Stands for a table in `ProcessMappings.tables`. */
export const tableState = {
  /** No file behind the memory: frame pointers. */
  none: -1,
  /** The kernel's side asks for it when a stack leads there. */
  notBuilt: -2,
  /** The file has no unwind information: frame pointers. */
  withoutInformation: -3,
} as const;

/** What is known of the table of one file. */
export interface FileTable {
  /** The loaded table, or one of `tableState`. */
  readonly table: number;
  /** Page of the table's first row; 0 without a table. */
  readonly firstPage: number;
  readonly segments: readonly TextSegment[];
}

export const PAGE_BYTES = 4096;
/** What one process may have; the kernel's side takes no more. */
export const MAX_MAPPINGS = 4096;

/** True where there is something to read: a file, or the vdso's image in memory. */
export function isReadable({ inode, path }: MappedFile): boolean {
  return inode !== 0 || path === '[vdso]';
}

/**
 * @param tableOf is asked once per mapping with a file
 * @returns the columns, and how many mappings were left out because there are too many
 */
export function mappingColumns(
  mappings: MappingSet,
  tableOf: (file: MappedFile) => FileTable,
): { columns: ProcessMappings; dropped: number } {
  const merged: { start: number; limit: number; table: number; firstPage: number }[] = [];
  for (const mapping of mappings) {
    const { start, limit } = mapping;
    const last = merged.at(-1);
    if (!isReadable(mapping.file)) {
      if (last !== undefined && last.table === tableState.none && last.limit === start) last.limit = limit;
      else merged.push({ start, limit, table: tableState.none, firstPage: 0 });
      continue;
    }
    const file = tableOf(mapping.file);
    const address = file.table >= 0 ? elfAddressOf(mapping, file.segments) : undefined;
    if (file.table >= 0 && address === undefined) {
      // Executable memory that the file does not call code: nothing is known of it.
      merged.push({ start, limit, table: tableState.withoutInformation, firstPage: 0 });
    } else {
      const firstPage = address === undefined ? 0 : Math.floor(address / PAGE_BYTES) - file.firstPage;
      merged.push({ start, limit, table: file.table, firstPage });
    }
  }
  const kept = merged.slice(0, MAX_MAPPINGS);
  return {
    columns: {
      starts: BigUint64Array.from(kept, ({ start }) => BigInt(start)),
      pageCounts: Uint32Array.from(kept, ({ start, limit }) => (limit - start) / PAGE_BYTES),
      tables: Int32Array.from(kept, ({ table }) => table),
      firstPages: Int32Array.from(kept, ({ firstPage }) => firstPage),
    },
    dropped: merged.length - kept.length,
  };
}

/** Where the ELF file wants the first byte of the mapping, which page rounding may place before its segment. */
function elfAddressOf(mapping: Mapping, segments: readonly TextSegment[]): number | undefined {
  const limit = mapping.fileOffset + (mapping.limit - mapping.start);
  const segment = segments.find(
    ({ fileOffset, fileSize }) => fileOffset < limit && mapping.fileOffset < fileOffset + fileSize,
  );
  return segment && segment.address + (mapping.fileOffset - segment.fileOffset);
}

// SPDX-License-Identifier: Apache-2.0
//
// .gnu_debugdata: an xz-compressed ELF file inside a stripped one, with the .symtab of what .dynsym does not name.
// Fedora and its relatives have it in every binary.

import { ElfFile } from './elf.ts';
import { readSectionContents } from './elf-section-contents.ts';
import { memoryAccess } from './random-access.ts';
import { unpackXz } from './xz/xz-container.ts';

/** Limits of the reader. A section beyond them is refused. */
export const miniDebugInfoLimits = {
  maxPackedBytes: 16 * 1024 * 1024,
  maxUnpackedBytes: 64 * 1024 * 1024,
} as const;

/** The file inside `file`, or undefined when it has none. Throws FormatError when it is damaged or too large. */
export function readMiniDebugInfo(file: ElfFile): ElfFile | undefined {
  const section = file.section('.gnu_debugdata');
  if (section === undefined) return undefined;
  const packed = readSectionContents(file, section, miniDebugInfoLimits.maxPackedBytes);
  return new ElfFile(memoryAccess(unpackXz(packed, miniDebugInfoLimits.maxUnpackedBytes)));
}

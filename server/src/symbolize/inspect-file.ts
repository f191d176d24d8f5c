// SPDX-License-Identifier: Apache-2.0
//
// What an uploaded file is, by its headers alone: whether it is ELF at all, of which build id, and which half of a binary.

import { ElfFile, type ElfSection, sectionFlag, sectionType } from '@hearthscope/profile/symbols/elf';
import { hasSymtab } from '@hearthscope/profile/symbols/elf-symbols';
import type { RandomAccess } from '@hearthscope/profile/symbols/random-access';
import type { Inspection } from './symbol-protocol.ts';

const DEBUG_INFO_SECTION = '.debug_info';
/** As older linkers name it when it is compressed. */
const COMPRESSED_DEBUG_INFO_SECTION = '.zdebug_info';

/** @throws FormatError for what is no ELF file of an executable or a shared object, and for damaged headers */
export function inspectFile(access: RandomAccess): Inspection {
  const elf = new ElfFile(access);
  return {
    buildId: elf.buildId,
    kind: hasCode(elf) ? 'executable' : 'debug',
    machine: elf.machine,
    hasSymbolTable: hasSymtab(elf),
    hasDebugInfo: elf.sections.some(
      ({ name, type }) =>
        type !== sectionType.nobits &&
        (name === DEBUG_INFO_SECTION || name === COMPRESSED_DEBUG_INFO_SECTION),
    ),
  };
}

/** Separate debug files keep the headers of code without its bytes. */
function hasCode({ sections, segments }: ElfFile): boolean {
  const code = sections.filter(isCode);
  if (code.length > 0) return code.some(({ type }) => type !== sectionType.nobits);
  return segments.some(({ isExecutable, fileSize }) => isExecutable && fileSize > 0n);
}

function isCode({ flags }: ElfSection): boolean {
  return (flags & sectionFlag.execinstr) !== 0 && (flags & sectionFlag.alloc) !== 0;
}

// SPDX-License-Identifier: Apache-2.0
//
// Contents of one ELF section, unpacked where the linker packed them (SHF_COMPRESSED with zlib or zstd). What a section
// claims to be is checked against a limit before anything is allocated.
//
//   Elf64_Chdr │ u32 type │ u32 reserved │ u64 size │ u64 alignment │ packed bytes
//   Elf32_Chdr │ u32 type │ u32 size     │ u32 alignment            │ packed bytes

import { FormatError } from '../errors.ts';
import { type ElfFile, type ElfSection, sectionFlag, sectionType } from './elf.ts';
import { readExactly, viewOf } from './random-access.ts';
import { sectionCompressions, unpackSection } from './section-compression.ts';

/**
 * The bytes of a section, at most `maxBytes` of them.
 *
 * @throws FormatError when it has no bytes in the file, is larger, lies outside of the file, or its packing is damaged
 */
export function readSectionContents(file: ElfFile, section: ElfSection, maxBytes: number): Uint8Array {
  const { offset, name } = section;
  if (section.type === sectionType.nobits)
    throw new FormatError('elf', offset, `section ${name} has no bytes`);
  if (section.size > maxBytes) throw tooLarge(section, section.size, maxBytes);
  const bytes = readExactly(file.access, 'elf', offset, section.size, `section ${name}`);
  if ((section.flags & sectionFlag.compressed) === 0) return bytes;

  const headerBytes = file.is64 ? 24 : 12;
  if (bytes.byteLength < headerBytes) {
    throw new FormatError('elf', offset, `section ${name} is shorter than its compression header`);
  }
  const header = viewOf(bytes);
  const size = file.is64 ? Number(header.getBigUint64(8, true)) : header.getUint32(4, true);
  if (size > maxBytes) throw tooLarge(section, size, maxBytes);
  const kind = sectionCompressions[header.getUint32(0, true)];
  if (kind === undefined) throw new FormatError('elf', offset, `section ${name} has an unknown compression`);
  const unpacked = unpackSection(kind, bytes.subarray(headerBytes), size);
  if (unpacked.byteLength !== size) {
    throw new FormatError(
      'elf',
      offset,
      `section ${name} unpacks to ${unpacked.byteLength} bytes, not ${size}`,
    );
  }
  return unpacked;
}

function tooLarge({ name, offset }: ElfSection, size: number, maxBytes: number): FormatError {
  return new FormatError('elf', offset, `section ${name} of ${size} bytes is larger than ${maxBytes}`);
}

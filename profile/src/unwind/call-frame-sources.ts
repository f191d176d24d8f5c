// SPDX-License-Identifier: Apache-2.0
//
// Where a file keeps call frame information. .eh_frame is found by its section, or, in a file without section headers,
// as the program finds it when it runs: PT_GNU_EH_FRAME leads to .eh_frame_hdr, and that to .eh_frame.
//
//   .eh_frame_hdr │ version 1 │ encoding of pointer │ of count │ of table │ pointer to .eh_frame │ …

import { FormatError } from '../errors.ts';
import { type ElfFile, type ElfSection, sectionType, segmentType } from '../symbols/elf.ts';
import { readSectionContents } from '../symbols/elf-section-contents.ts';
import { readExactly } from '../symbols/random-access.ts';
import { CallFrameCursor } from './call-frame-cursor.ts';
import type { CallFrameLimits, CallFrameSection } from './call-frame-entries.ts';

/** Bytes of .eh_frame_hdr up to and with the longest pointer. */
const maxHeaderBytes = 16;

/** The .eh_frame of a file, undefined when it has none. Throws FormatError when it lies outside of the file. */
export function ehFrameOf(elf: ElfFile, limits: CallFrameLimits): CallFrameSection | undefined {
  const section = elf.hasSections ? elf.section('.eh_frame') : undefined;
  return hasContents(section)
    ? sectionOf(elf, section, 'eh_frame', limits)
    : ehFrameByProgramHeader(elf, limits);
}

/** The .debug_frame of a file, unpacked, undefined when it has none. Throws FormatError when it cannot be read. */
export function debugFrameOf(elf: ElfFile, limits: CallFrameLimits): CallFrameSection | undefined {
  const section = elf.hasSections ? elf.section('.debug_frame') : undefined;
  return hasContents(section) ? sectionOf(elf, section, 'debug_frame', limits) : undefined;
}

/** Separate debug files have headers of sections whose bytes stayed in the binary. */
function hasContents(section: ElfSection | undefined): section is ElfSection {
  return section !== undefined && section.type !== sectionType.nobits && section.size > 0;
}

function sectionOf(
  elf: ElfFile,
  section: ElfSection,
  format: CallFrameSection['format'],
  { maxSectionBytes }: CallFrameLimits,
): CallFrameSection {
  return {
    format,
    bytes: readSectionContents(elf, section, maxSectionBytes),
    fileOffset: section.offset,
    address: Number(section.address),
    endsAtZero: false,
  };
}

function ehFrameByProgramHeader(
  elf: ElfFile,
  { maxSectionBytes }: CallFrameLimits,
): CallFrameSection | undefined {
  const header = elf.programHeaders.find(({ type }) => type === segmentType.gnuEhFrame);
  if (header === undefined || header.fileSize === 0n) return undefined;
  const offset = Number(header.offset);
  const length = Math.min(Number(header.fileSize), maxHeaderBytes);
  const bytes = readExactly(elf.access, 'eh_frame_hdr', offset, length, '.eh_frame_hdr');
  const cursor = new CallFrameCursor(bytes, 'eh_frame_hdr', offset);
  const version = cursor.u8();
  if (version !== 1) throw cursor.error(`version ${version}`, 0);
  const encoding = cursor.u8();
  cursor.skip(2);
  const address = cursor.pointer(encoding, 8, Number(header.address));
  if (address === undefined) return undefined;

  const segment = elf.segments.find(
    (s) => address >= Number(s.address) && address < Number(s.address) + Number(s.fileSize),
  );
  if (segment === undefined) throw new FormatError('eh_frame_hdr', offset, '.eh_frame lies in no segment');
  const fileOffset = Number(segment.fileOffset) + (address - Number(segment.address));
  // Nothing says how long it is: an entry of length 0 ends it, at the latest the segment.
  const segmentLimit = Math.min(Number(segment.fileOffset) + Number(segment.fileSize), elf.access.byteLength);
  const size = Math.min(segmentLimit - fileOffset, maxSectionBytes);
  return {
    format: 'eh_frame',
    bytes: readExactly(elf.access, 'elf', fileOffset, size, '.eh_frame'),
    fileOffset,
    address,
    endsAtZero: true,
  };
}

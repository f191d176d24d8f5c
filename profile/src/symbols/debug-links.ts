// SPDX-License-Identifier: Apache-2.0
//
// What a binary says about where its debug information lies.
//
//   .gnu_debuglink     name \0 │ zeros to a multiple of 4 │ u32 CRC-32 of the debug file
//   .gnu_debugaltlink  path \0 │ build id of the file that several debug files share (dwz)

import { FormatError } from '../errors.ts';
import { type ElfFile, hexOf } from './elf.ts';
import { readSectionContents } from './elf-section-contents.ts';

const maxLinkBytes = 4096;
const decoder = new TextDecoder('utf-8');

export interface DebugLink {
  /** A file name without directory. */
  readonly name: string;
  readonly crc32: number;
}

export interface AlternateLink {
  /** Absolute, or relative to the directory of the file that has the link. */
  readonly path: string;
  /** Lower-case hex. */
  readonly buildId: string;
}

/** Undefined when there is no link or its name is none. Throws FormatError when the section is damaged. */
export function readDebugLink(file: ElfFile): DebugLink | undefined {
  const link = readLink(file, '.gnu_debuglink');
  if (link === undefined || link.name.includes('/') || link.name === '.' || link.name === '..')
    return undefined;
  const at = Math.ceil((link.end + 1) / 4) * 4;
  if (at + 4 > link.bytes.byteLength) {
    throw new FormatError('elf', link.offset, '.gnu_debuglink has no checksum');
  }
  const { buffer, byteOffset } = link.bytes;
  return { name: link.name, crc32: new DataView(buffer, byteOffset + at, 4).getUint32(0, true) };
}

/** Undefined when there is no link. Throws FormatError when the section is damaged. */
export function readAlternateLink(file: ElfFile): AlternateLink | undefined {
  const link = readLink(file, '.gnu_debugaltlink');
  if (link === undefined) return undefined;
  const buildId = hexOf(link.bytes.subarray(link.end + 1));
  return { path: link.name, buildId };
}

function readLink(
  file: ElfFile,
  sectionName: string,
): { name: string; bytes: Uint8Array; end: number; offset: number } | undefined {
  const section = file.section(sectionName);
  if (section === undefined) return undefined;
  const bytes = readSectionContents(file, section, maxLinkBytes);
  const end = bytes.indexOf(0);
  if (end <= 0) throw new FormatError('elf', section.offset, `${sectionName} has no name`);
  return { name: decoder.decode(bytes.subarray(0, end)), bytes, end, offset: section.offset };
}

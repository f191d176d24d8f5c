// SPDX-License-Identifier: Apache-2.0
//
// How linkers pack debug sections, unpacked by node's zlib.

import { inflateSync, zstdDecompressSync } from 'node:zlib';
import { FormatError, messageOf } from '../errors.ts';

export type SectionCompression = 'zlib' | 'zstd';

/** By `ch_type` of a compression header. */
export const sectionCompressions: Readonly<Record<number, SectionCompression>> = { 1: 'zlib', 2: 'zstd' };

/** Unpacks to at most `maxOutputBytes`. Throws FormatError when the bytes are damaged or are more. */
export function unpackSection(
  kind: SectionCompression,
  bytes: Uint8Array,
  maxOutputBytes: number,
): Uint8Array {
  // One chunk of the full size: else the pieces and their joined copy would be in memory together.
  const size = Math.max(maxOutputBytes, 64);
  const options = { maxOutputLength: size, chunkSize: size };
  try {
    return kind === 'zlib' ? inflateSync(bytes, options) : zstdDecompressSync(bytes, options);
  } catch (error) {
    throw new FormatError('elf', 0, `a section cannot be unpacked: ${messageOf(error)}`);
  }
}

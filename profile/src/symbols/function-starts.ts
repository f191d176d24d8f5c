// SPDX-License-Identifier: Apache-2.0
//
// Where functions begin, from the sorted table of .eh_frame_hdr. It has no names, but it knows functions that no symbol
// names: a symbol without a size (assembly) must not reach into one of those.
//
//   │ version 1 │ pointer, count and table encoding │ .eh_frame │ count │ { start, FDE } …   4 bytes each, sorted

import { FormatError } from '../errors.ts';
import { type ElfFile, sectionType, segmentType } from './elf.ts';
import { readExactly, viewOf } from './random-access.ts';

/** A larger table is not read: then symbols without a size reach to the next symbol. */
const maxTableBytes = 8 * 1024 * 1024;
const headerBytes = 12;
const entryBytes = 8;
/** DW_EH_PE_pcrel | sdata4, udata4, and DW_EH_PE_datarel | sdata4: what linkers write. */
const usualEncodings = [0x1b, 0x03, 0x3b];

/**
 * Starts of functions as ascending distances from the file's base address; none when the file does not say or says it
 * in an unusual way.
 */
export function readFunctionStarts(file: ElfFile): Float64Array {
  const none = new Float64Array(0);
  const header = file.programHeaders.find(({ type }) => type === segmentType.gnuEhFrame);
  // A separate debug file has the program header, but no bytes.
  if (header === undefined || header.fileSize < BigInt(headerBytes)) return none;
  if (file.section('.eh_frame_hdr')?.type === sectionType.nobits) return none;
  const offset = Number(header.offset);
  try {
    const start = viewOf(readExactly(file.access, 'elf', offset, headerBytes, 'eh_frame_hdr'));
    if (start.getUint8(0) !== 1 || usualEncodings.some((encoding, i) => start.getUint8(i + 1) !== encoding)) {
      return none;
    }
    const count = Math.min(
      start.getUint32(8, true),
      Math.floor((Number(header.fileSize) - headerBytes) / entryBytes),
    );
    if (count * entryBytes > maxTableBytes) return none;
    const table = viewOf(
      readExactly(file.access, 'elf', offset + headerBytes, count * entryBytes, 'eh_frame_hdr table'),
    );
    const distance = Number(header.address - file.base);
    const starts = new Float64Array(count);
    for (let i = 0; i < count; i++) starts[i] = distance + table.getInt32(i * entryBytes, true);
    return starts.sort();
  } catch (error) {
    if (error instanceof FormatError) return none;
    throw error;
  }
}

/** The first of the ascending `starts` that lies after `distance`, infinity when there is none. */
export function nextStart(starts: Float64Array, distance: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= distance) low = middle + 1;
    else high = middle;
  }
  return starts[low] ?? Number.POSITIVE_INFINITY;
}

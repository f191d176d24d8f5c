// SPDX-License-Identifier: Apache-2.0
//
// What the addresses of a mapping are: places in one process, or those of the ELF file itself. Senders differ: an eBPF
// agent gives a binary's own addresses, which are the same in every process and are what its symbol tables speak of; a
// runtime's profiler gives addresses of its process, from which only the offset in the file can be had. The latter need
// the program headers of the executable to be named, the former do not.

/** Files are linked to begin at 0 or not far above it (0x400000, 0x8048000); processes place them far higher. */
const MAX_LINKED_ORIGIN = 0x1000_0000n;

/** The address that offset 0 of the file is linked at, when the mapping is given in addresses of its ELF file. */
export function linkedOrigin(start: bigint, fileOffset: bigint): bigint | undefined {
  const origin = start - fileOffset;
  return origin >= 0n && origin < MAX_LINKED_ORIGIN ? origin : undefined;
}

/** Where mappings of files of which only offsets are known are put: the same for all processes, and where no file is
 * linked to. */
export const UNLINKED_START = MAX_LINKED_ORIGIN;

/** No file is as large. What claims to lie further in keeps its offset, but not its place. */
export const MAX_PLACED_OFFSET = 0x8000_0000_0000_0000n;

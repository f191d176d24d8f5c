// SPDX-License-Identifier: Apache-2.0
//
// An ELF file on disk, for tests: read where it is asked, as an agent does.

import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { ElfFile } from '../../symbols/elf.ts';
import type { RandomAccess } from '../../symbols/random-access.ts';

/** Opens the file at each read, so that nothing has to be closed. */
export function elfAt(path: string): ElfFile {
  const access: RandomAccess = {
    byteLength: statSync(path).size,
    read(offset, length) {
      const descriptor = openSync(path, 'r');
      try {
        const bytes = new Uint8Array(length);
        return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset));
      } finally {
        closeSync(descriptor);
      }
    },
  };
  return new ElfFile(access);
}

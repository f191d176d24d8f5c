// SPDX-License-Identifier: Apache-2.0
//
// The same program under many build ids, for tests that need many files.

import { ElfFile } from '@hearthscope/profile/symbols/elf';
import { memoryAccess } from '@hearthscope/profile/symbols/random-access';

/** A copy of an ELF file whose build id is a number. */
export function withBuildId(bytes: Buffer, number: number): { buildId: string; copy: Buffer } {
  const own = new ElfFile(memoryAccess(bytes)).buildId;
  const buildId = number.toString(16).padStart(own.length, '0');
  const copy = Buffer.from(bytes);
  copy.write(buildId, copy.indexOf(Buffer.from(own, 'hex')), 'hex');
  return { buildId, copy };
}

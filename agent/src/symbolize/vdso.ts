// SPDX-License-Identifier: Apache-2.0
//
// The vdso: a small ELF image the kernel maps into every process. It has no file; all 64-bit processes have the same
// one, so our own is read.

import { closeSync, openSync, readFileSync } from 'node:fs';
import { memoryAccess, type RandomAccess } from '@hearthscope/profile/symbols/random-access';
import { readAt } from './mapped-file.ts';

const maxVdsoBytes = 1024 * 1024;

/** The image of our own vdso, or undefined when this process has none that can be read. */
export function readVdso(): RandomAccess | undefined {
  const line = readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .find((entry) => entry.endsWith(' [vdso]'));
  const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line ?? '');
  if (range === null) return undefined;
  const start = Number(BigInt(`0x${range[1]}`));
  const length = Number(BigInt(`0x${range[2]}`)) - start;
  if (length > maxVdsoBytes) return undefined;
  const memory = openSync('/proc/self/mem', 'r');
  try {
    return memoryAccess(readAt(memory, start, length));
  } finally {
    closeSync(memory);
  }
}

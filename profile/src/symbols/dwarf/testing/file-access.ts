// SPDX-License-Identifier: Apache-2.0
//
// Files as the readers see them, for tests and for comparing: opened once, read by position.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { inflateSync, zstdDecompressSync } from 'node:zlib';
import type { RandomAccess } from '../../random-access.ts';
import type { Inflate } from '../debug-sections.ts';

/** A file of the machine; `close` it when done. `bytesRead` counts what was read so far. */
export function openFileAccess(path: string): RandomAccess & { close(): void; readonly bytesRead: number } {
  const descriptor = openSync(path, 'r');
  let bytesRead = 0;
  return {
    byteLength: fstatSync(descriptor).size,
    get bytesRead() {
      return bytesRead;
    },
    read(offset, length, scratch = new Uint8Array(length)) {
      const count = readSync(descriptor, scratch, 0, length, offset);
      bytesRead += count;
      return scratch.subarray(0, count);
    },
    close: () => closeSync(descriptor),
  };
}

/** Unpacks in one chunk of the whole size, since chunks would be joined into a second copy. */
export const inflate = (
  kind: Parameters<Inflate>[0],
  bytes: Uint8Array,
  maxOutputLength: number,
): Uint8Array => {
  const options = { maxOutputLength, chunkSize: Math.max(64, maxOutputLength) };
  return kind === 'zlib' ? inflateSync(bytes, options) : zstdDecompressSync(bytes, options);
};

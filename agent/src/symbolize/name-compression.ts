// SPDX-License-Identifier: Apache-2.0
//
// The compression that the agent gives to symbol tables: zstd at its fastest, 16 KiB blocks.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { NameCompression } from '@hearthscope/profile/symbols/name-store';

/** Blocks shrink to 2 to 4 KiB; node would take 16 KiB of fresh memory for each. */
const options = { chunkSize: 4096, params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export const zstdNames: NameCompression = {
  compress: (bytes) => zstdCompressSync(bytes, options),
  decompress: (bytes, byteLength) =>
    zstdDecompressSync(bytes, { chunkSize: Math.max(byteLength, 64), maxOutputLength: byteLength }),
};

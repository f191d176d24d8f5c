// SPDX-License-Identifier: Apache-2.0
//
// Frames are compressed when that makes them smaller: columns of small numbers shrink to a fraction, and the disk is the
// slowest thing on the ingest path.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { FormatError, HearthscopeError } from '@hearthscope/profile/errors';
import { MAX_PAYLOAD_BYTES, type StoredPayload } from './segment-format.ts';

/** Below this, zstd's own header eats what it saves. */
const MIN_COMPRESSED_BYTES = 256;
const ZSTD_LEVEL = 1;

/** @throws HearthscopeError resource_exhausted when the payload is too large for a frame */
export function storedPayload(raw: Buffer): StoredPayload {
  if (raw.length > MAX_PAYLOAD_BYTES) {
    throw new HearthscopeError(
      'resource_exhausted',
      `a profile of ${raw.length} bytes is too large to store, the limit is ${MAX_PAYLOAD_BYTES}`,
    );
  }
  if (raw.length >= MIN_COMPRESSED_BYTES) {
    const bytes = zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
    if (bytes.length < raw.length) return { bytes, compressed: true, rawBytes: raw.length };
  }
  return { bytes: raw, compressed: false, rawBytes: raw.length };
}

/** @throws FormatError when the bytes do not decompress to what the frame says */
export function rawPayload({ bytes, compressed, rawBytes }: StoredPayload): Uint8Array {
  if (rawBytes > MAX_PAYLOAD_BYTES) throw new FormatError('WAL frame', 0, `a payload of ${rawBytes} bytes`);
  if (!compressed) return bytes;
  let raw: Buffer;
  try {
    raw = zstdDecompressSync(bytes, { maxOutputLength: Math.max(rawBytes, 1) });
  } catch (error) {
    throw new FormatError('WAL frame', 0, `zstd: ${(error as Error).message}`);
  }
  if (raw.length !== rawBytes) {
    throw new FormatError('WAL frame', 0, `${raw.length} bytes where ${rawBytes} were announced`);
  }
  return raw;
}

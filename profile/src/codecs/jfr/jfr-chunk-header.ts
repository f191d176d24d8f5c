// SPDX-License-Identifier: Apache-2.0
//
// A recording is a row of chunks, each readable by itself. The header of a chunk, big-endian, never compressed:
//
//    0  magic "FLR\0"         24  offset of the metadata event
//    4  major u2, minor u2    32  start, nanoseconds since the Unix epoch
//    8  size of the chunk     40  duration, nanoseconds
//   16  offset of the last    48  start, ticks
//       checkpoint event      56  ticks per second
//                             64  flags u4: bit 0 integers are compressed (the upper bytes are the writer's own)
//   68  events

import type { JfrReader } from './jfr-reader.ts';

export const CHUNK_HEADER_BYTES = 68;

const MAGIC = 0x464c_5200;
const MAJOR_VERSION = 2;
const COMPRESSED_INTEGERS = 1;

export interface ChunkHeader {
  /** Byte positions in the recording, not in the chunk. */
  readonly start: number;
  readonly end: number;
  readonly checkpoint: number;
  readonly metadata: number;
  readonly ticksPerSecond: number;
  readonly compressed: boolean;
}

/** Reads the header that starts at `reader.pos`; the reader's limit must be the recording's end.
 * @throws FormatError when there is no header of a chunk that lies in the recording as a whole */
export function readChunkHeader(reader: JfrReader): ChunkHeader {
  const start = reader.pos;
  reader.need(CHUNK_HEADER_BYTES);
  if (reader.fixedInt() !== MAGIC) reader.fail('no magic "FLR\\0" where a chunk starts', start);
  const major = reader.fixedShort();
  const minor = reader.fixedShort();
  if (major !== MAJOR_VERSION) {
    reader.fail(
      `version ${major}.${minor} of the format is not supported, only ${MAJOR_VERSION}.x`,
      start + 4,
    );
  }
  const size = reader.fixedLong();
  if (size < CHUNK_HEADER_BYTES) reader.fail(`the size of the chunk is ${size}`, start + 8);
  if (size > reader.limit - start) {
    reader.fail(
      `the chunk is truncated: it has ${size} bytes, the recording ${reader.limit - start} more`,
      start + 8,
    );
  }
  const checkpoint = start + reader.fixedLong();
  const metadata = start + reader.fixedLong();
  reader.skip(24);
  const ticksPerSecond = reader.fixedLong();
  const compressed = (reader.fixedInt() & COMPRESSED_INTEGERS) !== 0;
  return { start, end: start + size, checkpoint, metadata, ticksPerSecond, compressed };
}

/** What a chunk can be skipped without. @throws FormatError when its header leads outside of it or has no clock */
export function checkChunkHeader(reader: JfrReader, header: ChunkHeader): void {
  const { start, end, checkpoint, metadata, ticksPerSecond } = header;
  const isInside = (position: number) => position >= start + CHUNK_HEADER_BYTES && position < end;
  if (!isInside(checkpoint)) {
    reader.fail(`the checkpoint's offset ${checkpoint - start} is outside of the chunk`, start + 16);
  }
  if (!isInside(metadata)) {
    reader.fail(`the metadata's offset ${metadata - start} is outside of the chunk`, start + 24);
  }
  if (!(ticksPerSecond > 0 && Number.isFinite(ticksPerSecond))) {
    reader.fail(`${ticksPerSecond} ticks per second`, start + 56);
  }
}

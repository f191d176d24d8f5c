// SPDX-License-Identifier: Apache-2.0
//
// The segment that is being written.

import { randomBytes } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  encodeFrameHeader,
  encodeSegmentHeader,
  MARKER_BYTES,
  SEGMENT_HEADER_BYTES,
  type StoredPayload,
  segmentName,
} from './segment-format.ts';

const SEGMENT_MODE = 0o640;

export class SegmentFile {
  readonly sequence: number;
  readonly path: string;
  /** What the header says of the segment before this one. */
  readonly previousBytes: number;
  readonly #file: FileHandle;
  readonly #marker: Buffer;
  #durableBytes = SEGMENT_HEADER_BYTES;
  #frames = 0;

  private constructor(
    file: FileHandle,
    identity: { sequence: number; path: string; previousBytes: number; marker: Buffer },
  ) {
    this.#file = file;
    this.#marker = identity.marker;
    this.sequence = identity.sequence;
    this.path = identity.path;
    this.previousBytes = identity.previousBytes;
  }

  /** Creates the file, and makes its header and its name durable. Leaves no file behind when it fails. */
  static async create(directory: string, sequence: number, previousBytes: number): Promise<SegmentFile> {
    const path = join(directory, segmentName(sequence));
    const marker = randomBytes(MARKER_BYTES);
    const file = await open(path, 'wx', SEGMENT_MODE);
    try {
      const segment = new SegmentFile(file, { sequence, path, previousBytes, marker });
      await segment.#writeAll([encodeSegmentHeader({ sequence, marker, previousBytes })], 0);
      await file.datasync();
      await syncDirectory(directory);
      return segment;
    } catch (error) {
      await file.close();
      await unlink(path);
      throw error;
    }
  }

  /** Everything up to here has been acknowledged. */
  get durableBytes(): number {
    return this.#durableBytes;
  }

  get frames(): number {
    return this.#frames;
  }

  /** Writes frames and returns once they are durable. After an error nothing more may be written: the kernel may have
   * dropped the pages that it could not write, and a second fsync would then succeed without them.
   * @returns bytes written */
  async append(payloads: readonly StoredPayload[]): Promise<number> {
    const buffers = payloads.flatMap((payload, i) => [
      encodeFrameHeader(this.#marker, this.#frames + i, payload),
      payload.bytes,
    ]);
    const bytes = await this.#writeAll(buffers, this.#durableBytes);
    await this.#file.datasync();
    this.#durableBytes += bytes;
    this.#frames += payloads.length;
    return bytes;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** `writev` may write less than it was given. */
  async #writeAll(buffers: readonly Uint8Array[], position: number): Promise<number> {
    let rest = [...buffers];
    let written = 0;
    while (rest.length > 0) {
      // The kernel takes at most 1024 buffers at once.
      const { bytesWritten } = await this.#file.writev(rest.slice(0, 1024), position + written);
      written += bytesWritten;
      rest = withoutBytes(rest, bytesWritten);
    }
    return written;
  }
}

function withoutBytes(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  let i = 0;
  while (i < buffers.length && skip >= buffers[i]!.length) skip -= buffers[i++]!.length;
  const rest = buffers.slice(i);
  if (skip > 0) rest[0] = rest[0]!.subarray(skip);
  return rest;
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

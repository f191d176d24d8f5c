// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a WAL segment: its header, and the header of each frame. docs/formats/wal.md draws them and says why they
// are as they are. The first 64 bytes of a segment keep this layout in every version.

import { crc32 } from 'node:zlib';

export const SEGMENT_VERSION = 1;
export const SEGMENT_HEADER_BYTES = 64;
export const FRAME_HEADER_BYTES = 32;
export const MARKER_BYTES = 8;

/** Stored bytes of one frame's payload. */
export const MAX_PAYLOAD_BYTES = 256 * 1024 * 1024;

const MAGIC = Buffer.from('hearthwl', 'latin1');
const HEADER_CRC_OFFSET = SEGMENT_HEADER_BYTES - 4;
const FRAME_CRC_OFFSET = FRAME_HEADER_BYTES - 4;

const FLAG_ZSTD = 1;

const SEGMENT_NAME = /^(\d{12})\.wal$/;

export function segmentName(sequence: number): string {
  return `${String(sequence).padStart(12, '0')}.wal`;
}

/** Undefined when the name is not that of a segment. */
export function segmentSequence(name: string): number | undefined {
  const digits = SEGMENT_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export interface SegmentHeader {
  readonly sequence: number;
  /** 8 random bytes that begin each frame of the segment; foreign payloads cannot imitate them. */
  readonly marker: Buffer;
  /** Length of the segment numbered before this one up to which it was acknowledged: what follows there was written by
   * a write that failed. 0 when there is no such segment. */
  readonly previousBytes: number;
}

export function encodeSegmentHeader({ sequence, marker, previousBytes }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(SEGMENT_VERSION, 8);
  marker.copy(bytes, 16);
  bytes.writeBigUInt64LE(BigInt(sequence), 24);
  bytes.writeBigUInt64LE(BigInt(previousBytes), 32);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER_CRC_OFFSET)), HEADER_CRC_OFFSET);
  return bytes;
}

export type DecodedSegmentHeader =
  | { readonly kind: 'valid'; readonly header: SegmentHeader }
  | { readonly kind: 'unknown_version'; readonly version: number }
  | { readonly kind: 'damaged' };

/** @param bytes the beginning of the segment, or all of it when it is shorter than a header */
export function decodeSegmentHeader(bytes: Buffer): DecodedSegmentHeader {
  if (
    bytes.length < SEGMENT_HEADER_BYTES ||
    !bytes.subarray(0, MAGIC.length).equals(MAGIC) ||
    bytes.readUInt32LE(HEADER_CRC_OFFSET) !== crc32(bytes.subarray(0, HEADER_CRC_OFFSET))
  ) {
    return { kind: 'damaged' };
  }
  const version = bytes.readUInt32LE(8);
  if (version !== SEGMENT_VERSION) return { kind: 'unknown_version', version };
  return {
    kind: 'valid',
    header: {
      marker: Buffer.from(bytes.subarray(16, 16 + MARKER_BYTES)),
      sequence: Number(bytes.readBigUInt64LE(24)),
      previousBytes: Number(bytes.readBigUInt64LE(32)),
    },
  };
}

/** A frame's payload as it is stored. */
export interface StoredPayload {
  readonly bytes: Uint8Array;
  readonly compressed: boolean;
  /** Bytes once decompressed. */
  readonly rawBytes: number;
}

export interface FrameHeader {
  /** Position among the frames of the segment, from 0: tells how many were lost in damaged bytes. */
  readonly index: number;
  readonly payloadBytes: number;
  readonly payloadCrc: number;
  readonly rawBytes: number;
  readonly compressed: boolean;
}

export function encodeFrameHeader(marker: Buffer, index: number, payload: StoredPayload): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
  marker.copy(bytes, 0);
  bytes.writeUInt32LE(payload.bytes.length, 8);
  bytes.writeUInt32LE(crc32(payload.bytes), 12);
  bytes.writeUInt32LE(index, 16);
  bytes.writeUInt32LE(payload.compressed ? FLAG_ZSTD : 0, 20);
  bytes.writeUInt32LE(payload.rawBytes, 24);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, FRAME_CRC_OFFSET)), FRAME_CRC_OFFSET);
  return bytes;
}

/** Undefined when there is no intact frame header at `offset`. Its checksum covers the marker, so that a header found by
 * searching is one that this segment's writer wrote. */
export function decodeFrameHeader(segment: Buffer, offset: number, marker: Buffer): FrameHeader | undefined {
  if (offset + FRAME_HEADER_BYTES > segment.length) return undefined;
  const bytes = segment.subarray(offset, offset + FRAME_HEADER_BYTES);
  if (!bytes.subarray(0, MARKER_BYTES).equals(marker)) return undefined;
  if (bytes.readUInt32LE(FRAME_CRC_OFFSET) !== crc32(bytes.subarray(0, FRAME_CRC_OFFSET))) return undefined;
  return {
    payloadBytes: bytes.readUInt32LE(8),
    payloadCrc: bytes.readUInt32LE(12),
    index: bytes.readUInt32LE(16),
    compressed: (bytes.readUInt32LE(20) & FLAG_ZSTD) !== 0,
    rawBytes: bytes.readUInt32LE(24),
  };
}

// SPDX-License-Identifier: Apache-2.0
//
// Finds every intact frame of a segment. Damage costs the frames it hits and no other: a frame whose payload is damaged
// is stepped over by its length, and where a header is damaged the next one is searched by the segment's marker.

import { crc32 } from 'node:zlib';
import {
  decodeFrameHeader,
  decodeSegmentHeader,
  FRAME_HEADER_BYTES,
  MARKER_BYTES,
  SEGMENT_HEADER_BYTES,
  type StoredPayload,
} from './segment-format.ts';

/** Why bytes of a segment could not be used. */
export type DamageReason = 'segment_header' | 'frame_header' | 'payload_checksum' | 'torn_tail';

export interface SegmentScan {
  readonly payloads: readonly StoredPayload[];
  /** Bytes up to the end of the last intact frame. */
  readonly intactBytes: number;
  /** Regions that could not be used, in order. */
  readonly damage: readonly {
    readonly reason: DamageReason;
    readonly offset: number;
    readonly bytes: number;
  }[];
  /** Frames missing between intact ones, as their numbers tell. */
  readonly lostFrames: number;
}

/** @param segment the whole file, at most up to its bound */
export function scanSegment(segment: Buffer): SegmentScan {
  const damage: { reason: DamageReason; offset: number; bytes: number }[] = [];
  const payloads: StoredPayload[] = [];
  const decoded = decodeSegmentHeader(segment);
  if (decoded.kind !== 'valid') {
    damage.push({
      reason: 'segment_header',
      offset: 0,
      bytes: Math.min(segment.length, SEGMENT_HEADER_BYTES),
    });
  }
  // Where the header is damaged the first frame still has the marker, and its checksum confirms it.
  const marker =
    decoded.kind === 'valid'
      ? decoded.header.marker
      : segment.subarray(SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES + MARKER_BYTES);
  let offset = SEGMENT_HEADER_BYTES;
  let intactBytes = Math.min(segment.length, SEGMENT_HEADER_BYTES);
  let nextIndex = 0;
  let lostFrames = 0;
  while (offset < segment.length) {
    const header = decodeFrameHeader(segment, offset, marker);
    const start = offset + FRAME_HEADER_BYTES;
    const end = start + (header?.payloadBytes ?? 0);
    if (header === undefined || end > segment.length) {
      const next = nextHeader(segment, offset + 1, marker);
      const reason = next === undefined ? 'torn_tail' : 'frame_header';
      damage.push({ reason, offset, bytes: (next ?? segment.length) - offset });
      offset = next ?? segment.length;
      continue;
    }
    lostFrames += Math.max(0, header.index - nextIndex);
    nextIndex = header.index + 1;
    offset = end;
    const bytes = segment.subarray(start, end);
    if (crc32(bytes) !== header.payloadCrc) {
      damage.push({ reason: 'payload_checksum', offset: start, bytes: bytes.length });
      lostFrames++;
      continue;
    }
    payloads.push({ bytes, compressed: header.compressed, rawBytes: header.rawBytes });
    intactBytes = end;
  }
  return { payloads, intactBytes, damage, lostFrames };
}

function nextHeader(segment: Buffer, from: number, marker: Buffer): number | undefined {
  if (marker.length < MARKER_BYTES) return undefined;
  for (let at = segment.indexOf(marker, from); at >= 0; at = segment.indexOf(marker, at + 1)) {
    if (decodeFrameHeader(segment, at, marker) !== undefined) return at;
  }
  return undefined;
}

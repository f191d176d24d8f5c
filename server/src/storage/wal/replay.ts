// SPDX-License-Identifier: Apache-2.0
//
// Reads a WAL directory at start: every intact frame, in the order it was written, exactly once.

import { open, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Log } from '../log.ts';
import { rawPayload } from './payload.ts';
import {
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  SEGMENT_VERSION,
  segmentName,
  segmentSequence,
} from './segment-format.ts';
import { type DamageReason, type SegmentScan, scanSegment } from './segment-scan.ts';

export type ReplayProblem = DamageReason | 'undecodable_frame' | 'missing_segment';

export const REPLAY_PROBLEMS: readonly ReplayProblem[] = [
  'segment_header',
  'frame_header',
  'payload_checksum',
  'torn_tail',
  'undecodable_frame',
  'missing_segment',
];

export interface ReplayResult {
  readonly frames: number;
  readonly segments: number;
  readonly bytes: number;
  /** Frames that are known to be lost in damaged bytes. */
  readonly lostFrames: number;
  /** Number and length of the last segment; both 0 when there is none. */
  readonly lastSequence: number;
  readonly lastBytes: number;
}

export interface ReplayOptions {
  readonly directory: string;
  /** Called with each intact frame's decompressed payload and the number of its segment. A HearthscopeError it throws is
   * counted and the frame is skipped. */
  readonly onFrame: (payload: Uint8Array, sequence: number) => void;
  readonly onProblem: (problem: ReplayProblem) => void;
  readonly log: Log;
}

/** @throws HearthscopeError failed_precondition when a segment has an unknown version: nothing is read then */
export async function replayWal(options: ReplayOptions): Promise<ReplayResult> {
  const { directory, log, onProblem } = options;
  const sequences = (await readdir(directory))
    .map(segmentSequence)
    .filter((sequence) => sequence !== undefined)
    .sort((a, b) => a - b);
  const acknowledgedBytes = await readAcknowledgedBytes(directory, sequences);
  const totals = { frames: 0, segments: sequences.length, bytes: 0, lostFrames: 0 };
  let lastSequence = 0;
  let lastBytes = 0;
  for (const sequence of sequences) {
    const name = segmentName(sequence);
    if (lastSequence !== 0 && sequence !== lastSequence + 1) {
      onProblem('missing_segment');
      log.error({ before: name, missing: sequence - lastSequence - 1 }, 'WAL segments are missing');
    }
    const file = await readFile(join(directory, name));
    const segment = file.subarray(0, acknowledgedBytes.get(sequence) ?? file.length);
    const scan = scanSegment(segment);
    for (const { reason, offset, bytes } of scan.damage) {
      onProblem(reason);
      log.warn({ segment: name, reason, offset, bytes }, 'WAL bytes could not be used');
    }
    totals.bytes += file.length;
    totals.lostFrames += scan.lostFrames;
    for (const payload of scan.payloads) {
      try {
        options.onFrame(rawPayload(payload), sequence);
        totals.frames++;
      } catch (error) {
        if (!(error instanceof HearthscopeError)) throw error;
        totals.lostFrames++;
        onProblem('undecodable_frame');
        log.error({ segment: name, error: messageOf(error) }, 'a WAL frame could not be read');
      }
    }
    const keptBytes =
      sequence === sequences.at(-1)
        ? await trimmedBytes(join(directory, name), file.length, scan)
        : segment.length;
    if (keptBytes > 0) {
      lastSequence = sequence;
      lastBytes = keptBytes;
    }
  }
  return { ...totals, lastSequence, lastBytes };
}

/** Lengths of segments as the segments after them know them.
 * @throws HearthscopeError failed_precondition for a segment of an unknown version */
export async function readAcknowledgedBytes(
  directory: string,
  sequences: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const lengths = new Map<number, number>();
  for (const sequence of sequences) {
    const decoded = decodeSegmentHeader(await readHeader(join(directory, segmentName(sequence))));
    if (decoded.kind === 'unknown_version') {
      throw new HearthscopeError(
        'failed_precondition',
        `WAL segment ${segmentName(sequence)} has format version ${decoded.version}, this Hearthscope reads version ${SEGMENT_VERSION}; run the version that wrote it, or move the data directory away`,
      );
    }
    if (decoded.kind === 'valid' && decoded.header.previousBytes !== 0) {
      lengths.set(sequence - 1, decoded.header.previousBytes);
    }
  }
  return lengths;
}

async function readHeader(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(SEGMENT_HEADER_BYTES),
      0,
      SEGMENT_HEADER_BYTES,
      0,
    );
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Cuts off what a crash left half written at the end of the last segment, so that it is reported once, and removes the
 * segment when it has nothing in it, so that starts do not pile such files up. Damage of any other kind stays.
 * @returns the length that is left, 0 when the segment was removed */
async function trimmedBytes(path: string, fileBytes: number, scan: SegmentScan): Promise<number> {
  const torn = scan.damage.at(-1)?.reason === 'torn_tail';
  const neverUsed =
    fileBytes < SEGMENT_HEADER_BYTES || (scan.damage.length === 0 && scan.payloads.length === 0);
  if (neverUsed) {
    await unlink(path);
    return 0;
  }
  if (!torn) return fileBytes;
  const keptBytes = scan.damage.at(-1)!.offset;
  const file = await open(path, 'r+');
  try {
    await file.truncate(keptBytes);
    await file.sync();
  } finally {
    await file.close();
  }
  return keptBytes;
}

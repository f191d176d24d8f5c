// SPDX-License-Identifier: Apache-2.0
//
// Whether the write-ahead log can be replayed as a whole. Nothing is cut off or removed, unlike at a start.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { decodeFrame } from '../frame-codec.ts';
import { rawPayload } from '../wal/payload.ts';
import { readAcknowledgedBytes } from '../wal/replay.ts';
import { segmentName, segmentSequence } from '../wal/segment-format.ts';
import { scanSegment } from '../wal/segment-scan.ts';
import type { OnProblem } from './verify-block.ts';

export interface VerifiedWal {
  readonly segments: number;
  /** Intact ones: profiles that are not in blocks yet, or only just. */
  readonly frames: number;
}

/** @param isServed whether a server may be writing the last segment right now */
export async function verifyWal(
  directory: string,
  isServed: boolean,
  onProblem: OnProblem,
): Promise<VerifiedWal> {
  const sequences = (await readdir(directory))
    .map(segmentSequence)
    .filter((sequence) => sequence !== undefined)
    .sort((a, b) => a - b);
  let frames = 0;
  let acknowledged: ReadonlyMap<number, number>;
  try {
    acknowledged = await readAcknowledgedBytes(directory, sequences);
  } catch (error) {
    if (!(error instanceof HearthscopeError)) throw error;
    onProblem('wal', error.message);
    return { segments: sequences.length, frames };
  }
  for (const [i, sequence] of sequences.entries()) {
    const name = segmentName(sequence);
    const key = `wal/${name}`;
    const isLast = i === sequences.length - 1;
    if (i > 0 && sequence !== sequences[i - 1]! + 1) onProblem(key, 'segments before it are missing');
    const file = await readFile(join(directory, name)).catch((error: NodeJS.ErrnoException) => {
      // A server removes segments whose profiles are in blocks.
      if (isServed && error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (file === undefined) continue;
    const scan = scanSegment(file.subarray(0, acknowledged.get(sequence) ?? file.length));
    for (const { reason, offset, bytes } of scan.damage) {
      // The normal mark of a crash, or of a server at work.
      if (isLast && reason === 'torn_tail') continue;
      onProblem(key, `${bytes} bytes at ${offset} cannot be used: ${reason}`);
    }
    for (const payload of scan.payloads) {
      try {
        decodeFrame(rawPayload(payload));
        frames++;
      } catch (error) {
        if (!(error instanceof HearthscopeError)) throw error;
        onProblem(key, `a frame cannot be read: ${error.message}`);
      }
    }
  }
  return { segments: sequences.length, frames };
}

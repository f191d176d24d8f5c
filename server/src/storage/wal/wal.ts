// SPDX-License-Identifier: Apache-2.0
//
// The write-ahead log. What `append` has acknowledged is on disk: one write and one fsync serve all who wait at that
// moment, so the more there is to do, the less each fsync costs.
//
// After a failed write or fsync nothing is acknowledged any more. The segment is given up, never
// written again, and a new one is tried at intervals; its header says where the acknowledged part of the old one ends.

import { readdir, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Log } from '../log.ts';
import type { WalMetrics } from '../storage-metrics.ts';
import { type ReplayResult, replayWal } from './replay.ts';
import { SegmentFile, syncDirectory } from './segment-file.ts';
import {
  FRAME_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  type StoredPayload,
  segmentSequence,
} from './segment-format.ts';

export interface WalLimits {
  /** A segment that has reached this size is followed by a new one. */
  readonly maxSegmentBytes: number;
  /** Frames of one write; a single larger request is written alone. */
  readonly maxGroupBytes: number;
  /** How long after a failed write a new segment is tried. */
  readonly retryMillis: number;
  /** After a failure, the free space that the file system must have before writing is tried again. */
  readonly minFreeBytes: number;
}

export const DEFAULT_WAL_LIMITS: WalLimits = {
  maxSegmentBytes: 64 * 1024 * 1024,
  maxGroupBytes: 8 * 1024 * 1024,
  retryMillis: 5_000,
  minFreeBytes: 64 * 1024 * 1024,
};

export interface WalOptions {
  readonly directory: string;
  readonly limits: WalLimits;
  /** Called with the payload of each frame that is in the log already; see {@link replayWal}. */
  readonly onFrame: (payload: Uint8Array, sequence: number) => void;
  /** New segments have higher numbers than this: what is known of segments that were removed must not be said of new ones.
   * 0 for none. */
  readonly lastKnownSequence: number;
  /** Called when writing begins to fail, with the reason, and with undefined when it works again. */
  readonly onStateChange: (failure: string | undefined) => void;
  readonly metrics: WalMetrics;
  readonly log: Log;
}

interface Waiting {
  readonly payloads: readonly StoredPayload[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: HearthscopeError) => void;
}

export class Wal {
  readonly #options: WalOptions;
  #segment: SegmentFile;
  #queue: Waiting[] = [];
  #failure: HearthscopeError | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  /** The write in progress, or the last one. */
  #writing: Promise<void> = Promise.resolve();
  #busy = false;

  private constructor(options: WalOptions, segment: SegmentFile) {
    this.#options = options;
    this.#segment = segment;
  }

  /** Replays what the directory holds and opens a new segment.
   * @throws HearthscopeError failed_precondition for a segment of an unknown version, unavailable when the directory
   * cannot be written */
  static async open(options: WalOptions): Promise<{ wal: Wal; replay: ReplayResult }> {
    const { directory, metrics } = options;
    try {
      const replay = await replayWal({
        ...options,
        onProblem: (reason) => metrics.replayProblems.inc({ reason }),
      });
      metrics.replayedFrames.inc(replay.frames);
      metrics.lostFrames.inc(replay.lostFrames);
      // The length of the segment before can only be told of the one right before.
      const isNext = replay.lastSequence >= options.lastKnownSequence;
      const segment = await SegmentFile.create(
        directory,
        Math.max(replay.lastSequence, options.lastKnownSequence) + 1,
        isNext ? replay.lastBytes : 0,
      );
      return { wal: new Wal(options, segment), replay };
    } catch (error) {
      throw error instanceof HearthscopeError ? error : unavailable('cannot open the WAL', error);
    }
  }

  /** Resolves once the payloads are on disk.
   * @throws HearthscopeError unavailable when they are not, or may not be; nobody must rely on them then */
  append(payloads: readonly StoredPayload[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closed)
      return Promise.reject(new HearthscopeError('unavailable', 'the storage is shutting down'));
    const bytes = payloads.reduce((sum, payload) => sum + payload.bytes.length + FRAME_HEADER_BYTES, 0);
    return new Promise((resolve, reject) => {
      this.#queue.push({ payloads, bytes, resolve, reject });
      if (!this.#busy) {
        this.#busy = true;
        this.#writing = this.#writeQueue();
      }
    });
  }

  /** Begins a new segment, unless nothing was written to the last one. Nothing may be appended meanwhile.
   * @returns the last segment of those before, 0 when there is none
   * @throws HearthscopeError unavailable when the log cannot be written */
  async rotate(): Promise<number> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
    const full = this.#segment;
    if (full.frames === 0) return full.sequence - 1;
    try {
      this.#segment = await SegmentFile.create(this.#options.directory, full.sequence + 1, full.durableBytes);
    } catch (error) {
      throw unavailable('the WAL cannot begin a new segment', error);
    }
    await full.close();
    return full.sequence;
  }

  /** Removes segments whose frames are all kept elsewhere, `sequence` the last of them; the one that is written stays. */
  async removeThrough(sequence: number): Promise<void> {
    const { directory } = this.#options;
    for (const name of await readdir(directory)) {
      const number = segmentSequence(name);
      if (number === undefined || number > sequence || number === this.#segment.sequence) continue;
      await unlink(join(directory, name));
    }
    await syncDirectory(directory);
  }

  /** Writes what is waiting, then closes the segment. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    await this.#writing;
    await this.#segment.close();
  }

  async #writeQueue(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#writeGroup(group);
        for (const waiting of group) waiting.resolve();
      } catch (error) {
        this.#fail(error, group);
      }
    }
    this.#busy = false;
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    do {
      bytes += this.#queue[count++]!.bytes;
    } while (
      count < this.#queue.length &&
      bytes + this.#queue[count]!.bytes <= this.#options.limits.maxGroupBytes
    );
    return this.#queue.splice(0, count);
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const { metrics, limits, directory } = this.#options;
    const full = this.#segment;
    if (full.frames > 0 && full.durableBytes >= limits.maxSegmentBytes) {
      this.#segment = await SegmentFile.create(directory, full.sequence + 1, full.durableBytes);
      await full.close();
    }
    const payloads = group.flatMap((waiting) => waiting.payloads);
    const stop = metrics.commitSeconds.startTimer();
    const bytes = await this.#segment.append(payloads);
    stop();
    metrics.groupFrames.observe(payloads.length);
    metrics.writtenBytes.inc(bytes);
  }

  #fail(error: unknown, group: readonly Waiting[]): void {
    const { log, metrics } = this.#options;
    const failure = unavailable('the WAL cannot be written', error);
    this.#failure = failure;
    metrics.failures.inc({ reason: errorCode(error) });
    log.error(
      { segment: this.#segment.path, error: messageOf(error) },
      'the WAL cannot be written; profiles are refused until it can',
    );
    this.#options.onStateChange(failure.message);
    for (const waiting of [...group, ...this.#queue]) waiting.reject(failure);
    this.#queue = [];
    this.#scheduleRetry();
  }

  #scheduleRetry(): void {
    if (this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#writing = this.#recover();
    }, this.#options.limits.retryMillis);
  }

  async #recover(): Promise<void> {
    const { directory, limits, log } = this.#options;
    try {
      const { bavail, bsize } = await statfs(directory);
      if (bavail * bsize < limits.minFreeBytes) {
        throw new HearthscopeError('unavailable', `only ${bavail * bsize} bytes are free`);
      }
      await this.#replaceSegment();
      this.#failure = undefined;
      this.#options.onStateChange(undefined);
      log.info({ segment: this.#segment.path }, 'the WAL can be written again');
    } catch {
      // The reason was logged when writing failed; it still stands.
      this.#scheduleRetry();
    }
  }

  /** A new segment in place of the one that failed, which is removed when nothing in it was acknowledged. */
  async #replaceSegment(): Promise<void> {
    const { directory } = this.#options;
    const failed = this.#segment;
    if (failed.durableBytes > SEGMENT_HEADER_BYTES) {
      this.#segment = await SegmentFile.create(directory, failed.sequence + 1, failed.durableBytes);
    } else {
      await unlink(failed.path);
      await syncDirectory(directory);
      this.#segment = await SegmentFile.create(directory, failed.sequence, failed.previousBytes);
    }
    // Whether closing the failed file works changes nothing any more.
    await failed.close().catch(() => undefined);
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

function unavailable(what: string, error: unknown): HearthscopeError {
  const hint = errorCode(error) === 'ENOSPC' ? '; free some space on its disk' : '';
  return new HearthscopeError('unavailable', `${what}: ${messageOf(error)}${hint}`, { cause: error });
}

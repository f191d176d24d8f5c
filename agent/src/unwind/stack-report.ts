// SPDX-License-Identifier: Apache-2.0
//
// How whole the stacks are, per binary: of how many samples the walk led through it, and how often it ended there before
// the thread's start, and why.

import { STOP_REASONS } from '@hearthscope/native';
import type { ResolvedBatch } from '../build/batch-resolver.ts';

/** Stop reasons of stacks that reach the start of their thread. */
export const COMPLETE_STOP_REASONS: ReadonlySet<string> = new Set(['end_of_stack', 'no_user_stack']);

export interface BinaryStacks {
  /** Path of the binary, or what the kernel calls the memory. */
  readonly binary: string;
  /** Samples with at least one frame in it. */
  readonly samples: number;
  /** Samples whose walk ended in it before the thread's start, by stop reason. */
  readonly stoppedBy: Readonly<Record<string, number>>;
}

interface Entry {
  samples: number;
  /** By index of STOP_REASONS. */
  readonly stopped: number[];
  lastRow: number;
}

/** Binaries told apart; all further ones are one. */
export const MAX_REPORTED_BINARIES = 256;
export const OTHER_BINARIES = '[other]';
const NO_FRAME = '[no frame]';

export class StackReport {
  readonly #byBinary = new Map<string, Entry>();
  #row = 0;
  #samples = 0;
  #complete = 0;

  /** Adds the samples of user space of one batch. */
  add({ batch, frames }: ResolvedBatch): void {
    for (let row = 0; row < batch.length; row++) {
      const reason = batch.stopReason[row]!;
      if (STOP_REASONS[reason] === 'no_user_stack') continue;
      const count = batch.count[row]!;
      const isComplete = COMPLETE_STOP_REASONS.has(STOP_REASONS[reason]!);
      this.#row++;
      this.#samples += count;
      if (isComplete) this.#complete += count;
      let outermost: Entry | undefined;
      for (
        let i = batch.frameStart[row]! + batch.kernelFrameCount[row]!;
        i < batch.frameStart[row + 1]!;
        i++
      ) {
        outermost = this.#countOnce(frames[i]!.mapping.filename, count);
      }
      outermost ??= this.#countOnce(NO_FRAME, count);
      if (!isComplete) outermost.stopped[reason]! += count;
    }
  }

  /** Samples of user space, and those of them whose stack reaches the start of its thread. */
  get totals(): { samples: number; complete: number } {
    return { samples: this.#samples, complete: this.#complete };
  }

  /** Most sampled first. */
  binaries(): BinaryStacks[] {
    return [...this.#byBinary]
      .map(([binary, { samples, stopped }]) => ({ binary, samples, stoppedBy: byReason(stopped) }))
      .sort((a, b) => b.samples - a.samples);
  }

  #countOnce(binary: string, count: number): Entry {
    let entry = this.#byBinary.get(binary);
    if (entry === undefined) {
      if (this.#byBinary.size >= MAX_REPORTED_BINARIES && binary !== OTHER_BINARIES) {
        return this.#countOnce(OTHER_BINARIES, count);
      }
      entry = { samples: 0, stopped: STOP_REASONS.map(() => 0), lastRow: 0 };
      this.#byBinary.set(binary, entry);
    }
    if (entry.lastRow !== this.#row) {
      entry.lastRow = this.#row;
      entry.samples += count;
    }
    return entry;
  }
}

function byReason(stopped: readonly number[]): Record<string, number> {
  const named: Record<string, number> = {};
  for (const [reason, count] of stopped.entries()) {
    if (count > 0) named[STOP_REASONS[reason]!] = count;
  }
  return named;
}

// SPDX-License-Identifier: Apache-2.0
//
// Frames of code that was compiled at run time, by process. A compiler moves and discards code, so an address is asked
// for again with each batch and its frame is only kept to stay the same object as long as its name stays the same.

import type { Process } from '../discovery/process-table.ts';
import { anonymousFrame, type Frame, type FrameLine } from './frame.ts';

/** Addresses kept of one process; beyond that it starts again from nothing. */
const MAX_ADDRESSES = 16_384;

export class RuntimeCodeNames {
  readonly #byProcess = new WeakMap<Process, Map<number, Frame>>();

  get(process: Process, address: number): Frame | undefined {
    return this.#byProcess.get(process)?.get(address);
  }

  /** @param lines none when nobody knows the name: then it is forgotten */
  add(process: Process, address: number, region: string, lines: readonly FrameLine[]): void {
    let frames = this.#byProcess.get(process);
    if (frames === undefined) {
      frames = new Map();
      this.#byProcess.set(process, frames);
    }
    if (lines.length === 0) {
      frames.delete(address);
      return;
    }
    const known = frames.get(address);
    if (known !== undefined && isSame(known.lines, lines)) return;
    if (frames.size >= MAX_ADDRESSES) frames.clear();
    frames.set(address, anonymousFrame(address, region, lines));
  }
}

function isSame(a: readonly FrameLine[], b: readonly FrameLine[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, file, line }, i) => name === b[i]!.name && file === b[i]!.file && line === b[i]!.line)
  );
}

// SPDX-License-Identifier: Apache-2.0
//
// Frames of addresses that are looked up in an order of the reader's own, unit by unit; `finish` puts them into the
// order in which they were asked for.

import type { SourceFrames } from '../source-frames.ts';

/** Collects the frames of each address in turn, innermost first. */
export class FrameCollector {
  /** Per address in the order asked for: its first frame here, and their count. */
  readonly #first: Uint32Array;
  readonly #counts: Uint32Array;
  readonly #names: string[] = [];
  readonly #files: string[] = [];
  readonly #lines: number[] = [];
  readonly #columns: number[] = [];
  readonly #startLines: number[] = [];

  constructor(addressCount: number) {
    this.#first = new Uint32Array(addressCount);
    this.#counts = new Uint32Array(addressCount);
  }

  /** What is added next belongs to the address with that position. */
  begin(position: number): void {
    this.#first[position] = this.#names.length;
  }

  add(name: string, startLine: number, file: string, line: number, column: number): void {
    this.#names.push(name);
    this.#files.push(file);
    this.#lines.push(line >>> 0);
    this.#columns.push(column >>> 0);
    this.#startLines.push(startLine >>> 0);
  }

  end(position: number): void {
    this.#counts[position] = this.#names.length - this.#first[position]!;
  }

  finish(): SourceFrames {
    const addressCount = this.#first.length;
    const frameCount = this.#names.length;
    const frameStart = new Uint32Array(addressCount + 1);
    const order = new Uint32Array(frameCount);
    let at = 0;
    for (let i = 0; i < addressCount; i++) {
      for (let frame = 0; frame < this.#counts[i]!; frame++) order[at++] = this.#first[i]! + frame;
      frameStart[i + 1] = at;
    }
    const kept = order.subarray(0, at);
    return {
      frameStart,
      names: Array.from(kept, (frame) => this.#names[frame]!),
      files: Array.from(kept, (frame) => this.#files[frame]!),
      lines: kept.map((frame) => this.#lines[frame]!),
      columns: kept.map((frame) => this.#columns[frame]!),
      startLines: kept.map((frame) => this.#startLines[frame]!),
    };
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// What a source of names (DWARF, Go's pclntab, symbol tables) says about addresses: for each one a chain of functions,
// the inlined ones first. Columns instead of objects, since thousands of addresses are asked for at once and the answer
// travels between threads.
//
//   address      0            1        2
//   frameStart [ 0            2        2       3 ]      address 1 is unknown
//   names      [ push_back, fill,            main ]     fill called push_back, which was inlined into it

/** Chains of the addresses asked for, in their order. */
export interface SourceFrames {
  /** Address i has the frames `frameStart[i] .. frameStart[i + 1]`, the innermost first; none when it is unknown. */
  readonly frameStart: Uint32Array;
  /** As the compiler wrote it: the linkage name where there is one, else the plain name. */
  readonly names: string[];
  /** Full path as far as it is known, '' when unknown. */
  readonly files: string[];
  /** 0 unknown. For all but the innermost frame of an address: the line of the call. */
  readonly lines: Uint32Array;
  readonly columns: Uint32Array;
  /** Line of the function's declaration, 0 unknown. */
  readonly startLines: Uint32Array;
}

/** The answer of a source that knows none of `addressCount` addresses. */
export function noSourceFrames(addressCount: number): SourceFrames {
  return {
    frameStart: new Uint32Array(addressCount + 1),
    names: [],
    files: [],
    lines: new Uint32Array(0),
    columns: new Uint32Array(0),
    startLines: new Uint32Array(0),
  };
}

/** Collects chains address by address: `add` the frames of one, innermost first, then `endAddress`. */
export class SourceFramesBuilder {
  readonly #frameStart: number[] = [0];
  readonly #names: string[] = [];
  readonly #files: string[] = [];
  readonly #lines: number[] = [];
  readonly #columns: number[] = [];
  readonly #startLines: number[] = [];

  add(name: string, file = '', line = 0, column = 0, startLine = 0): void {
    this.#names.push(name);
    this.#files.push(file);
    this.#lines.push(line);
    this.#columns.push(column);
    this.#startLines.push(startLine);
  }

  endAddress(): void {
    this.#frameStart.push(this.#names.length);
  }

  finish(): SourceFrames {
    return {
      frameStart: Uint32Array.from(this.#frameStart),
      names: this.#names,
      files: this.#files,
      lines: Uint32Array.from(this.#lines),
      columns: Uint32Array.from(this.#columns),
      startLines: Uint32Array.from(this.#startLines),
    };
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Named ranges of code that a JIT compiler makes, moves and discards. A compiler says what is new and never what is
// gone, so what is written over older code takes its place, and nothing of the older code stays, not even the part that
// was not written over: it has been discarded.
//
// The ranges lie in chunks of a few hundred, so that one more costs little wherever it belongs.

/** Limits of one process. Code beyond them has no name, which is counted. */
export const codeRangeLimits = {
  maxRanges: 131_072,
  /** Bytes of names and line tables together. */
  maxBytes: 16 * 1024 * 1024,
} as const;

/** Lines of one piece of code. Row i holds from `offsets[i]` to the next. */
export interface CodeLines {
  /** Distances from the start of the code, ascending. */
  readonly offsets: Uint32Array;
  readonly lines: Uint32Array;
  readonly files: readonly string[];
  /** Indexes into `files`. */
  readonly fileOf: Uint16Array;
}

/** One piece of code. */
export interface Code {
  readonly name: string;
  readonly lines?: CodeLines;
}

interface Chunk {
  readonly starts: number[];
  readonly ends: number[];
  readonly codes: Code[];
}

const chunkRanges = 512;
/** What a range costs besides its name: three array slots, an object and a string header. */
const bytesPerRange = 96;

export class CodeRanges {
  readonly #chunks: Chunk[] = [];
  #size = 0;
  #bytes = 0;

  get size(): number {
    return this.#size;
  }

  get byteSize(): number {
    return this.#bytes + this.#size * bytesPerRange;
  }

  /** Adds a piece of code in place of what overlaps it. False when it does not fit the limits any more. */
  add(start: number, end: number, code: Code): boolean {
    this.removeWithin(start, end);
    const bytes = bytesOf(code);
    if (this.#size >= codeRangeLimits.maxRanges || this.#bytes + bytes > codeRangeLimits.maxBytes)
      return false;
    const { chunk, index } = this.#placeOf(start);
    chunk.starts.splice(index, 0, start);
    chunk.ends.splice(index, 0, end);
    chunk.codes.splice(index, 0, code);
    this.#size++;
    this.#bytes += bytes;
    if (chunk.starts.length > 2 * chunkRanges) this.#split(chunk);
    return true;
  }

  /** The code at an address, with the address that it starts at. */
  find(address: number): { readonly code: Code; readonly start: number } | undefined {
    const at = this.#lastStartingAtOrBelow(address);
    if (at === undefined || address >= at.chunk.ends[at.index]!) return undefined;
    return { code: at.chunk.codes[at.index]!, start: at.chunk.starts[at.index]! };
  }

  /** Removes all code that reaches into a range. */
  removeWithin(start: number, end: number): void {
    for (;;) {
      const at = this.#lastStartingAtOrBelow(end - 1);
      if (at === undefined || at.chunk.ends[at.index]! <= start) return;
      const { chunk, index } = at;
      this.#size--;
      this.#bytes -= bytesOf(chunk.codes[index]!);
      chunk.starts.splice(index, 1);
      chunk.ends.splice(index, 1);
      chunk.codes.splice(index, 1);
      if (chunk.starts.length === 0) this.#chunks.splice(this.#chunks.indexOf(chunk), 1);
    }
  }

  /** Where a range that starts at `start` belongs. */
  #placeOf(start: number): { chunk: Chunk; index: number } {
    const before = this.#lastStartingAtOrBelow(start);
    if (before !== undefined) return { chunk: before.chunk, index: before.index + 1 };
    const [first] = this.#chunks;
    if (first !== undefined) return { chunk: first, index: 0 };
    const chunk: Chunk = { starts: [], ends: [], codes: [] };
    this.#chunks.push(chunk);
    return { chunk, index: 0 };
  }

  #lastStartingAtOrBelow(address: number): { chunk: Chunk; index: number } | undefined {
    const chunk =
      this.#chunks[lastAtOrBelow(this.#chunks.length, (i) => this.#chunks[i]!.starts[0]!, address)];
    if (chunk === undefined) return undefined;
    return { chunk, index: lastAtOrBelow(chunk.starts.length, (i) => chunk.starts[i]!, address) };
  }

  #split(chunk: Chunk): void {
    const second: Chunk = {
      starts: chunk.starts.splice(chunkRanges),
      ends: chunk.ends.splice(chunkRanges),
      codes: chunk.codes.splice(chunkRanges),
    };
    this.#chunks.splice(this.#chunks.indexOf(chunk) + 1, 0, second);
  }
}

/** The line at a distance from the start of some code; line 0 when it is not known. */
export function lineAt(lines: CodeLines | undefined, offset: number): { file: string; line: number } {
  const row = lines && lastAtOrBelow(lines.offsets.length, (i) => lines.offsets[i]!, offset);
  if (lines === undefined || row === undefined || row < 0) return { file: '', line: 0 };
  return { file: lines.files[lines.fileOf[row]!]!, line: lines.lines[row]! };
}

/** The last of `count` ascending values that is not above `target`, or -1. */
function lastAtOrBelow(count: number, value: (index: number) => number, target: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (value(middle) <= target) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function bytesOf({ name, lines }: Code): number {
  const lineBytes =
    lines === undefined
      ? 0
      : lines.offsets.length * 10 + lines.files.reduce((sum, file) => sum + file.length, 100);
  return name.length + lineBytes;
}

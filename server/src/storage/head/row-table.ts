// SPDX-License-Identifier: Apache-2.0
//
// The samples of a tenant, in order of arrival; those of one profile lie together, so series, time and profile are not
// repeated per row. Chunks of fixed size: a table of millions of rows grows without copying.

import type { Profile } from '@hearthscope/profile/profile';

const CHUNK_SHIFT = 13;
const CHUNK_ROWS = 1 << CHUNK_SHIFT;

/** stack, attribute set, link: 4 bytes each; value: 8. */
export const ROW_BYTES = 20;
export const ROW_CHUNK_BYTES = CHUNK_ROWS * ROW_BYTES;

/** A part of the table that lies in one piece: rows `from .. to` of the columns. */
export interface RowSlice {
  readonly from: number;
  readonly to: number;
  /** Rows of the tenant's stack table. */
  readonly stack: Uint32Array;
  /** Rows of the tenant's attribute sets, 0 for none. */
  readonly attributeSet: Uint32Array;
  /** Rows of the tenant's links, 0 for none. */
  readonly link: Uint32Array;
  readonly value: BigInt64Array;
  /** The values as two words a row, low word first. */
  readonly valueWords: Uint32Array;
}

type Chunk = Omit<RowSlice, 'from' | 'to'>;

/** Samples whose indexes are those of the tenant's tables. */
export interface SampleRows {
  readonly stack: Uint32Array;
  readonly attributeSet: Uint32Array;
  readonly link: Uint32Array;
  readonly value: Profile['samples']['values'][number];
}

export class RowTable {
  readonly #chunks: Chunk[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** @returns the first new row. Memory was accounted by the caller, so this does not fail. */
  append(rows: SampleRows): number {
    const first = this.#length;
    for (let done = 0; done < rows.stack.length; ) {
      const at = this.#length & (CHUNK_ROWS - 1);
      if (at === 0) this.#chunks.push(newChunk());
      const chunk = this.#chunks.at(-1)!;
      const to = Math.min(rows.stack.length, done + CHUNK_ROWS - at);
      chunk.stack.set(rows.stack.subarray(done, to), at);
      chunk.attributeSet.set(rows.attributeSet.subarray(done, to), at);
      chunk.link.set(rows.link.subarray(done, to), at);
      chunk.value.set(rows.value.subarray(done, to), at);
      this.#length += to - done;
      done = to;
    }
    return first;
  }

  /** The pieces that together are the rows `from .. to`. */
  *slices(from: number, to: number): Generator<RowSlice> {
    for (let row = from; row < to; ) {
      const chunk = this.#chunks[row >>> CHUNK_SHIFT]!;
      const start = row & (CHUNK_ROWS - 1);
      const end = Math.min(CHUNK_ROWS, start + to - row);
      yield { ...chunk, from: start, to: end };
      row += end - start;
    }
  }
}

function newChunk(): Chunk {
  const value = new BigInt64Array(CHUNK_ROWS);
  return {
    stack: new Uint32Array(CHUNK_ROWS),
    attributeSet: new Uint32Array(CHUNK_ROWS),
    link: new Uint32Array(CHUNK_ROWS),
    value,
    valueWords: new Uint32Array(value.buffer),
  };
}

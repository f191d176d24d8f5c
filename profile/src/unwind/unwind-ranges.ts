// SPDX-License-Identifier: Apache-2.0
//
// Address ranges that sources of unwind information describe, and how several sources are laid over each other: the
// first source that describes an address wins, a later one fills what is left. Ranges are columns, since a browser has
// a million of them.

import type { UnwindRule } from './unwind-rule.ts';
import type { UnwindCommand } from './unwind-table.ts';
import type { UnwindTableBuilder } from './unwind-table-builder.ts';

/** What one source (.eh_frame, Go's pclntab, known stubs, …) describes. */
export interface UnwindRanges {
  /** Ascending first addresses of ranges that do not overlap. */
  readonly starts: Float64Array;
  /** Exclusive ends. */
  readonly limits: Float64Array;
  /**
   * Adds the rows of range `index` for the addresses from `start` up to `limit`, a part of that range. The first row
   * is at `start`.
   */
  addRows(index: number, start: number, limit: number, builder: UnwindTableBuilder): void;
}

/** Parts of ranges, ascending and disjoint: the addresses `starts[i]` to `limits[i]` are described by a range of a source. */
export interface UnwindPieces {
  readonly count: number;
  readonly starts: Float64Array;
  readonly limits: Float64Array;
  /** Number of the source, in the order in which they were laid. */
  readonly sources: Uint16Array;
  /** The range of that source. */
  readonly indexes: Uint32Array;
}

/** No pieces: where laying begins. */
export const noPieces: UnwindPieces = {
  count: 0,
  starts: new Float64Array(0),
  limits: new Float64Array(0),
  sources: new Uint16Array(0),
  indexes: new Uint32Array(0),
};

/** `pieces`, and between them the parts of `ranges` that they leave free, marked as of `source`. */
export function fillPieces(pieces: UnwindPieces, ranges: UnwindRanges, source: number): UnwindPieces {
  const rangeCount = ranges.starts.length;
  if (rangeCount === 0) return pieces;
  // Each piece and each range ends one part at most, and each piece splits at most one range.
  const capacity = pieces.count * 2 + rangeCount;
  const starts = new Float64Array(capacity);
  const limits = new Float64Array(capacity);
  const sources = new Uint16Array(capacity);
  const indexes = new Uint32Array(capacity);
  let count = 0;
  let piece = 0;
  const push = (start: number, limit: number, of: number, index: number): void => {
    starts[count] = start;
    limits[count] = limit;
    sources[count] = of;
    indexes[count++] = index;
  };
  const pushPiece = (): void => {
    push(pieces.starts[piece]!, pieces.limits[piece]!, pieces.sources[piece]!, pieces.indexes[piece]!);
    piece++;
  };
  for (let range = 0; range < rangeCount; range++) {
    let from = ranges.starts[range]!;
    const limit = ranges.limits[range]!;
    while (piece < pieces.count && pieces.limits[piece]! <= from) pushPiece();
    while (piece < pieces.count && pieces.starts[piece]! < limit) {
      const taken = pieces.starts[piece]!;
      if (from < taken) push(from, taken, source, range);
      from = Math.max(from, pieces.limits[piece]!);
      // A piece that reaches into the next range is still needed there.
      if (from > limit) break;
      pushPiece();
    }
    if (from < limit) push(from, limit, source, range);
  }
  while (piece < pieces.count) pushPiece();
  return { count, starts, limits, sources, indexes };
}

/** Addresses with one rule or command. */
export type RuleRange = readonly [start: number, limit: number, rule: UnwindRule | UnwindCommand];

/** Ranges in any order; where several overlap, the one that is named first wins. For some dozens. */
export function rangesOfRules(ranges: readonly RuleRange[]): UnwindRanges {
  let pieces = noPieces;
  for (const [i, [start, limit]] of ranges.entries()) {
    if (!(start < limit)) continue;
    const single = { starts: Float64Array.of(start), limits: Float64Array.of(limit), addRows: () => {} };
    pieces = fillPieces(pieces, single, i);
  }
  const { count, starts, limits, sources } = pieces;
  return {
    starts: starts.subarray(0, count),
    limits: limits.subarray(0, count),
    addRows(index, start, _limit, builder) {
      const rule = ranges[sources[index]!]![2];
      builder.add(start, typeof rule === 'number' ? rule : builder.rule(rule));
    },
  };
}

// SPDX-License-Identifier: Apache-2.0
//
// Two profiles as one flame graph. The server aligns both sides to the same nodes and sends levels of
//
//   [ baseline: gap, total, self;  comparison: gap, total, self;  index into names ]
//
// A bar of the difference is as wide as the mean of its shares of both sides: of two ranges of different length or
// load neither drowns the other, and what is gone keeps its place. Each side alone is a flame graph too, with the same
// names, so that a path of names is the same frame in all three.

import { type FlameLayout, type FlameLevel, layoutFlameGraph, malformed, VALUES_PER_NODE } from './layout.ts';

/** As the server sends it: seven values per node. */
export interface FlameDiffMessage {
  readonly names: readonly string[];
  readonly levels: readonly FlameLevel[];
}

/** One side's values of each node, in the order of the layout of the difference. */
export interface SideColumns {
  /** Of all nodes; 0 when the side is empty. */
  readonly whole: number;
  readonly total: Float64Array;
  readonly self: Float64Array;
}

export interface DiffLayout {
  /** Widths are shares: its root is 1 wide, or 0 when both sides are empty. */
  readonly layout: FlameLayout;
  readonly left: SideColumns;
  readonly right: SideColumns;
}

const DIFF_VALUES_PER_NODE = 7;
const LEFT = 0;
const RIGHT = 3;
const NAME = 6;

/** @throws HearthscopeError data_loss naming the level, when the levels do not nest or exceed a limit */
export function layoutDiff({ names, levels }: FlameDiffMessage): DiffLayout {
  const length = countBars(levels);
  const left = {
    whole: wholeOf(levels, LEFT),
    total: new Float64Array(length),
    self: new Float64Array(length),
  };
  const right = {
    whole: wholeOf(levels, RIGHT),
    total: new Float64Array(length),
    self: new Float64Array(length),
  };
  const sides = Number(left.whole > 0) + Number(right.whole > 0);
  const leftScale = left.whole > 0 ? 1 / (left.whole * sides) : 0;
  const rightScale = right.whole > 0 ? 1 / (right.whole * sides) : 0;
  let node = 0;
  const shares = levels.map(({ values }) => {
    const bars = new Float64Array((values.length / DIFF_VALUES_PER_NODE) * VALUES_PER_NODE);
    let leftEnd = 0;
    let rightEnd = 0;
    let end = 0;
    for (let at = 0, to = 0; at < values.length; at += DIFF_VALUES_PER_NODE, to += VALUES_PER_NODE) {
      const leftStart = leftEnd + Number(values[at + LEFT]);
      const rightStart = rightEnd + Number(values[at + RIGHT]);
      left.total[node] = Number(values[at + LEFT + 1]);
      left.self[node] = Number(values[at + LEFT + 2]);
      right.total[node] = Number(values[at + RIGHT + 1]);
      right.self[node] = Number(values[at + RIGHT + 2]);
      leftEnd = leftStart + left.total[node]!;
      rightEnd = rightStart + right.total[node]!;
      const start = leftStart * leftScale + rightStart * rightScale;
      bars[to] = start - end;
      bars[to + 1] = left.total[node]! * leftScale + right.total[node]! * rightScale;
      bars[to + 2] = left.self[node]! * leftScale + right.self[node]! * rightScale;
      bars[to + 3] = Number(values[at + NAME]);
      end = start + bars[to + 1]!;
      node++;
    }
    return { values: bars };
  });
  return { layout: layoutFlameGraph({ names, levels: shares }), left, right };
}

/** One side alone; frames that it does not have are left out. */
export function layoutSide({ names, levels }: FlameDiffMessage, side: 'left' | 'right'): FlameLayout {
  const offset = side === 'left' ? LEFT : RIGHT;
  const ofSide = levels.map(({ values }) => {
    const bars: number[] = [];
    let gap = 0;
    for (let at = 0; at < values.length; at += DIFF_VALUES_PER_NODE) {
      gap += Number(values[at + offset]);
      const total = Number(values[at + offset + 1]);
      if (total === 0) continue;
      bars.push(gap, total, Number(values[at + offset + 2]), Number(values[at + NAME]));
      gap = 0;
    }
    return { values: bars };
  });
  return layoutFlameGraph({ names, levels: ofSide.filter(({ values }) => values.length > 0) });
}

function countBars(levels: readonly FlameLevel[]): number {
  let count = 0;
  levels.forEach(({ values }, level) => {
    if (values.length % DIFF_VALUES_PER_NODE !== 0) throw malformed(level, 'a bar is cut short');
    count += values.length / DIFF_VALUES_PER_NODE;
  });
  return count;
}

function wholeOf(levels: readonly FlameLevel[], offset: number): number {
  return Number(levels[0]?.values[offset + 1] ?? 0);
}

// SPDX-License-Identifier: Apache-2.0
//
// Which bars are worth drawing. A graph of 100 000 nodes has a few thousand bars of half a pixel or more on any screen;
// the others are skipped without being looked at, so that a frame costs what is seen and not what is there.

import type { FlameLayout } from './layout.ts';

/** The part of the x axis that the canvas shows, in units of value. */
export interface FlameView {
  readonly start: number;
  readonly width: number;
}

/** Nodes that overlap the view and are at least `minTotal` wide, in depth order, of depths below `depthLimit`. */
export function visibleNodes(
  layout: FlameLayout,
  view: FlameView,
  minTotal: number,
  depthLimit: number,
): number[] {
  if (layout.length === 0) return [];
  const { x, total, childStart, depth } = layout;
  const viewEnd = view.start + view.width;
  const nodes: number[] = total[0]! >= minTotal ? [0] : [];
  // A child is never wider than its parent, so the children of a bar that is too small need no look. `nodes` grows
  // while it is walked: it is the queue of a breadth-first search.
  for (let at = 0; at < nodes.length; at++) {
    const parent = nodes[at]!;
    if (depth[parent]! + 1 >= depthLimit) break;
    const limit = childStart[parent + 1]!;
    let child = firstEndingAfter(layout, view.start, childStart[parent]!, limit);
    while (child < limit && x[child]! < viewEnd) {
      if (total[child]! >= minTotal) {
        nodes.push(child);
        child++;
      } else {
        // Every bar that ends within minTotal of this one's start is too small as well.
        child = Math.max(child + 1, firstEndingAfter(layout, x[child]! + minTotal, child + 1, limit));
      }
    }
  }
  return nodes;
}

/** The first node of `start .. limit`, which must be siblings, whose right edge is right of `edge`. */
function firstEndingAfter(layout: FlameLayout, edge: number, start: number, limit: number): number {
  let low = start;
  let high = limit;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (layout.x[middle]! + layout.total[middle]! > edge) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The node of one depth that covers `value` on the x axis, or -1. */
export function nodeAt(layout: FlameLayout, depth: number, value: number): number {
  const start = layout.levelStart[depth];
  const limit = layout.levelStart[depth + 1];
  if (start === undefined || limit === undefined) return -1;
  const node = firstEndingAfter(layout, value, start, limit);
  return node < limit && layout.x[node]! <= value ? node : -1;
}

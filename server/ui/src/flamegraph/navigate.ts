// SPDX-License-Identifier: Apache-2.0
//
// Walking the graph by keyboard: to the parent, the widest child, or the neighbour in the same row. Bars too small to
// see are stepped over.

import type { FlameLayout } from './layout.ts';

export type Direction = 'up' | 'down' | 'left' | 'right';

export function directionOfKey(key: string): Direction | undefined {
  switch (key) {
    case 'ArrowUp':
      return 'up';
    case 'ArrowDown':
      return 'down';
    case 'ArrowLeft':
      return 'left';
    case 'ArrowRight':
      return 'right';
    default:
      return undefined;
  }
}

/** The node one step away from `node`, or `node` itself where there is none. Rows are bounded by the bar of `root`,
 * the node zoomed into: what lies beside it is out of sight. */
export function step(
  layout: FlameLayout,
  node: number,
  direction: Direction,
  root: number,
  minTotal: number,
): number {
  switch (direction) {
    case 'up':
      return layout.parent[node]!;
    case 'down':
      return downFrom(layout, node, root, minTotal);
    case 'left':
      return beside(layout, node, -1, root, minTotal);
    case 'right':
      return beside(layout, node, 1, root, minTotal);
  }
}

function downFrom(layout: FlameLayout, node: number, root: number, minTotal: number): number {
  let widest = node;
  for (let child = layout.childStart[node]!; child < layout.childStart[node + 1]!; child++) {
    if (!overlaps(layout, child, root)) continue;
    if (layout.total[child]! < minTotal) continue;
    if (widest === node || layout.total[child]! > layout.total[widest]!) widest = child;
  }
  return widest;
}

function beside(layout: FlameLayout, node: number, by: 1 | -1, root: number, minTotal: number): number {
  const depth = layout.depth[node]!;
  const start = layout.levelStart[depth]!;
  const limit = layout.levelStart[depth + 1]!;
  for (let other = node + by; other >= start && other < limit && overlaps(layout, other, root); other += by) {
    if (layout.total[other]! >= minTotal) return other;
  }
  return node;
}

function overlaps(layout: FlameLayout, node: number, root: number): boolean {
  const rootEnd = layout.x[root]! + layout.total[root]!;
  return layout.x[node]! < rootEnd && layout.x[node]! + layout.total[node]! > layout.x[root]!;
}

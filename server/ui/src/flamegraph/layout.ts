// SPDX-License-Identifier: Apache-2.0
//
// The flame graph as columns. The server sends levels of [gap, total, self, nameIndex], where gap is the distance from
// the end of the bar before it. They become one row per node, ordered by depth and then by x:
//
//   depth 0   0 total                          children of node n are childStart[n] .. childStart[n + 1],
//   depth 1   1 main        2 kthread          because parents are in order and so are their children;
//   depth 2   3 run  4 gc   5 schedule         nodes of depth d are levelStart[d] .. levelStart[d + 1]
//
// Values are doubles: exact below 2^53, which is 104 days of CPU time in nanoseconds; a bar on a screen needs no more.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { frameKinds } from './frame-kind.ts';

/** One level: four values per node. The server sends int64 as decimal strings. */
export interface FlameLevel {
  readonly values: ArrayLike<string | number>;
}

export interface FlameGraphMessage {
  readonly names: readonly string[];
  readonly levels: readonly FlameLevel[];
}

export interface FlameLayout {
  /** Number of nodes; node 0 is the root. 0 when there is nothing to show. */
  readonly length: number;
  readonly names: readonly string[];
  /** Left edge, in units of value. */
  readonly x: Float64Array;
  readonly total: Float64Array;
  readonly self: Float64Array;
  /** Index into names. */
  readonly name: Uint32Array;
  /** Index into FRAME_KINDS. */
  readonly kind: Uint8Array;
  readonly depth: Uint16Array;
  /** The root is its own parent. */
  readonly parent: Uint32Array;
  /** `length + 1` long. */
  readonly childStart: Uint32Array;
  /** One more element than there are levels. */
  readonly levelStart: Uint32Array;
}

export const MAX_NODES = 2_000_000;
export const MAX_DEPTH = 65_535;
export const VALUES_PER_NODE = 4;
/** Doubles of different magnitude do not nest to the last bit above 2^53. */
const RELATIVE_SLACK = 1e-9;

/** @throws HearthscopeError data_loss naming the level, when the levels do not nest or exceed a limit */
export function layoutFlameGraph({ names, levels }: FlameGraphMessage): FlameLayout {
  const length = countNodes(levels);
  const layout = {
    length,
    names,
    x: new Float64Array(length),
    total: new Float64Array(length),
    self: new Float64Array(length),
    name: new Uint32Array(length),
    depth: new Uint16Array(length),
    parent: new Uint32Array(length),
    childStart: new Uint32Array(length + 1),
    levelStart: new Uint32Array(levels.length + 1),
  };
  const { x, total, self, name, depth, parent, levelStart } = layout;
  let node = 0;
  levels.forEach(({ values }, level) => {
    levelStart[level] = node;
    const slack = RELATIVE_SLACK * (total[0] ?? 0);
    let end = 0;
    let candidate = levelStart[level - 1] ?? 0;
    for (let at = 0; at < values.length; at += VALUES_PER_NODE) {
      const start = end + Number(values[at]);
      end = start + Number(values[at + 1]);
      x[node] = start;
      total[node] = Number(values[at + 1]);
      self[node] = Number(values[at + 2]);
      name[node] = Number(values[at + 3]);
      depth[node] = level;
      if (!(total[node]! >= 0 && end < Number.POSITIVE_INFINITY && Number(values[at + 3]) in names)) {
        throw malformed(level, `bar ${at / VALUES_PER_NODE} is not a bar`);
      }
      if (level > 0) {
        const parentLimit = levelStart[level]!;
        const middle = start + total[node]! / 2;
        while (candidate < parentLimit && x[candidate]! + total[candidate]! < middle) candidate++;
        const isInside =
          candidate < parentLimit &&
          start >= x[candidate]! - slack &&
          end <= x[candidate]! + total[candidate]! + slack;
        if (!isInside) throw malformed(level, `bar ${at / VALUES_PER_NODE} lies outside every bar above it`);
        parent[node] = candidate;
      } else if (at > 0) {
        throw malformed(level, 'there is more than one root');
      }
      node++;
    }
  });
  levelStart[levels.length] = length;
  indexChildren(layout);
  return { ...layout, kind: frameKinds(layout) };
}

function countNodes(levels: readonly FlameLevel[]): number {
  if (levels.length > MAX_DEPTH) throw malformed(MAX_DEPTH, `it is deeper than ${MAX_DEPTH}`);
  let count = 0;
  levels.forEach(({ values }, level) => {
    if (values.length % VALUES_PER_NODE !== 0) throw malformed(level, 'a bar is cut short');
    count += values.length / VALUES_PER_NODE;
  });
  if (count > MAX_NODES) throw malformed(0, `it has more than ${MAX_NODES} bars`);
  return count;
}

/** Fills childStart from parent: nodes are in breadth-first order, so the children of all nodes are one run. */
function indexChildren({
  length,
  parent,
  childStart,
}: Pick<FlameLayout, 'length' | 'parent' | 'childStart'>): void {
  let child = Math.min(1, length);
  for (let node = 0; node < length; node++) {
    childStart[node] = child;
    while (child < length && parent[child] === node) child++;
  }
  childStart[length] = length;
}

export function malformed(level: number, what: string): HearthscopeError {
  return new HearthscopeError(
    'data_loss',
    `The server's flame graph cannot be read: in level ${level}, ${what}.`,
  );
}

/** Names from below the root down to the node; empty for the root. */
export function pathOf(layout: FlameLayout, node: number): string[] {
  const path: string[] = [];
  for (let at = node; at > 0; at = layout.parent[at]!) path.push(layout.names[layout.name[at]!]!);
  return path.reverse();
}

/** The root, its child, … down to the node itself. */
export function ancestry(layout: FlameLayout, node: number): number[] {
  const nodes = [node];
  for (let at = node; at > 0; ) {
    at = layout.parent[at]!;
    nodes.push(at);
  }
  return nodes.reverse();
}

/** The node at the path, or as much of the path as exists: a refresh may lose the deepest frames. */
export function nodeAtPath(layout: FlameLayout, path: readonly string[]): number {
  let node = 0;
  for (const name of path) {
    let found = -1;
    for (let child = layout.childStart[node]!; child < layout.childStart[node + 1]!; child++) {
      if (layout.names[layout.name[child]!] === name) {
        found = child;
        break;
      }
    }
    if (found === -1) return node;
    node = found;
  }
  return node;
}

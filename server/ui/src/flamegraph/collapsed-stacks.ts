// SPDX-License-Identifier: Apache-2.0
//
// A flame graph as collapsed stacks, one a line: `main;run;parse 1200`, which most tools for flame graphs read.

import type { FlameLayout } from './layout.ts';

/** Semicolons part frames and line ends part stacks, so that neither can be in a name. */
const SEPARATORS = /[;\n\r]/g;

/** Lines in the order of the graph from left to right and deepest first, each with its end; '' for an empty graph. */
export function collapsedStacks(layout: FlameLayout): string {
  const lines: string[] = [];
  const names = layout.names.map((name) => name.replace(SEPARATORS, ' ') || '[unknown]');
  const path: string[] = [];
  const nodes = layout.length > 0 ? [0] : [];
  while (nodes.length > 0) {
    const node = nodes.pop()!;
    // The root stands for everything and is no frame.
    path.length = Math.max(0, layout.depth[node]! - 1);
    if (node > 0) path.push(names[layout.name[node]!]!);
    if (node > 0 && layout.self[node]! > 0) lines.push(`${path.join(';')} ${layout.self[node]!}\n`);
    for (let child = layout.childStart[node + 1]! - 1; child >= layout.childStart[node]!; child--) {
      nodes.push(child);
    }
  }
  return lines.join('');
}

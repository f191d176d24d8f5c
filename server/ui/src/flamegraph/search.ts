// SPDX-License-Identifier: Apache-2.0
//
// Search by name. Plain text is found anywhere in a name whatever its case; /text/ is a regular expression.

import type { FlameLayout } from './layout.ts';

/** True for the names that match. */
export type NameMatcher = (name: string) => boolean;

/** A pattern longer than this is a mistake, and a regular expression could make it an expensive one. */
export const MAX_PATTERN_CHARS = 500;

/** undefined for an empty search.
 * @throws SyntaxError for a regular expression that is not one */
export function nameMatcher(search: string): NameMatcher | undefined {
  const text = search.trim().slice(0, MAX_PATTERN_CHARS);
  if (text === '') return undefined;
  const expression = /^\/(.+)\/$/s.exec(text);
  if (expression !== null) {
    const pattern = new RegExp(expression[1]!, 'i');
    return (name) => pattern.test(name);
  }
  const wanted = text.toLowerCase();
  return (name) => name.toLowerCase().includes(wanted);
}

export interface SearchMatches {
  /** 1 for each name that matches, by name index. */
  readonly names: Uint8Array;
  readonly nodeCount: number;
  /** The matching nodes that are not below another match. */
  readonly nodes: readonly number[];
  /** Sum of the totals of `nodes`: one below another match is part of that match and not counted again. */
  readonly total: number;
}

export function searchFlameGraph(layout: FlameLayout, matches: NameMatcher): SearchMatches {
  const names = Uint8Array.from(layout.names, (name) => (matches(name) ? 1 : 0));
  const covered = new Uint8Array(layout.length);
  let nodeCount = 0;
  let total = 0;
  const nodes: number[] = [];
  // The root stands for everything and is no frame. Parents come before their children.
  for (let node = 1; node < layout.length; node++) {
    const isMatch = names[layout.name[node]!] === 1;
    const isCovered = covered[layout.parent[node]!] === 1;
    if (isMatch) nodeCount++;
    if (isMatch && !isCovered) {
      total += layout.total[node]!;
      nodes.push(node);
    }
    if (isMatch || isCovered) covered[node] = 1;
  }
  return { names, nodeCount, nodes, total };
}

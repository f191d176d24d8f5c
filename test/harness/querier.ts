// SPDX-License-Identifier: Apache-2.0
//
// A client of the query API that knows nothing of ours: fetch, JSON, and the published encoding of flame graphs.

export interface FlameGraphNode {
  readonly name: string;
  readonly total: number;
  readonly self: number;
  readonly depth: number;
  readonly parent: FlameGraphNode | null;
}

interface FlameGraph {
  readonly names: string[];
  readonly levels: { values: string[] }[];
  readonly total: string;
}

export const CPU_PROFILE_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

/** Calls one method of the querier; an HTTP error becomes an Error that holds the body. */
export async function callQuerier<T>(baseUrl: string, method: string, request: object): Promise<T> {
  const response = await fetch(`${baseUrl}/querier.v1.QuerierService/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`${method}: HTTP ${response.status} ${body}`);
  return JSON.parse(body) as T;
}

/** The merged flame graph of a selector over the last `minutes`, as nodes in breadth-first order; empty without data. */
export async function flameGraph(
  baseUrl: string,
  labelSelector: string,
  { minutes = 30, profileTypeID = CPU_PROFILE_TYPE, maxNodes = 16_384, spanSelector = [] as string[] } = {},
): Promise<FlameGraphNode[]> {
  const now = Date.now();
  const { flamegraph } = await callQuerier<{ flamegraph?: FlameGraph }>(baseUrl, 'SelectMergeStacktraces', {
    profileTypeID,
    labelSelector,
    start: now - minutes * 60_000,
    end: now + 60_000,
    maxNodes,
    spanSelector,
  });
  return flamegraph ? decodeLevels(flamegraph) : [];
}

/** Each level is quadruples: distance from the previous bar, total, self, index of the name. */
function decodeLevels({ names, levels }: FlameGraph): FlameGraphNode[] {
  type Placed = FlameGraphNode & { x: number };
  const nodes: Placed[] = [];
  let above: Placed[] = [];
  for (const [depth, level] of (levels ?? []).entries()) {
    const row: Placed[] = [];
    let x = 0;
    for (let i = 0; i < level.values.length; i += 4) {
      const [distance, total, self, name] = level.values.slice(i, i + 4).map(Number) as [
        number,
        number,
        number,
        number,
      ];
      x += distance;
      const left = x;
      const parent = above.find((node) => left >= node.x && left + total <= node.x + node.total) ?? null;
      if (depth > 0 && parent === null) throw new Error(`level ${depth}: a bar outside every parent`);
      row.push({ name: names[name] ?? '', total, self, depth, parent, x: left });
      x += total;
    }
    nodes.push(...row);
    above = row;
  }
  return nodes;
}

/** Sum of the totals of all outermost nodes with that name. */
export function totalOf(nodes: readonly FlameGraphNode[], name: string): number {
  let sum = 0;
  for (const node of nodes) {
    if (node.name !== name) continue;
    let ancestor = node.parent;
    while (ancestor !== null && ancestor.name !== name) ancestor = ancestor.parent;
    if (ancestor === null) sum += node.total;
  }
  return sum;
}

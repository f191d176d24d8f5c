// SPDX-License-Identifier: Apache-2.0
//
// Where the reader is in the graph: the frames from the root to the one zoomed into, each a way back to it, and the
// figures of the last.

import type { DescribeFrame } from '../flamegraph/frame-figures.ts';
import { ancestry, type FlameLayout, nodeAtPath, pathOf } from '../flamegraph/layout.ts';
import { Icon } from './icons.tsx';

/** Of a deeper path the middle is left out; the graph shows it. */
const MAX_CRUMBS = 6;

export interface PathBarProps {
  readonly layout: FlameLayout;
  readonly describe: DescribeFrame;
  readonly root: readonly string[];
  readonly onRoot: (path: readonly string[]) => void;
  readonly onCopy: (name: string) => void;
}

export function PathBar({ layout, describe, root, onRoot, onCopy }: PathBarProps) {
  const node = nodeAtPath(layout, root);
  const figures = describe(node);
  const nodes = ancestry(layout, node);
  const left = nodes.length > MAX_CRUMBS ? [nodes[0]!, ...nodes.slice(1 - MAX_CRUMBS)] : nodes;
  return (
    <div class="path-bar">
      <nav aria-label="Path to the frame">
        <ol class="crumbs">
          {left.map((crumb, index) => (
            <li key={crumb}>
              {index === 1 && left.length < nodes.length && <span class="crumb-gap">…</span>}
              {crumb === node ? (
                <b title={figures.name}>{crumb === 0 ? 'All frames' : figures.name}</b>
              ) : (
                <button type="button" onClick={() => onRoot(pathOf(layout, crumb))}>
                  {crumb === 0 ? 'All frames' : layout.names[layout.name[crumb]!]}
                </button>
              )}
            </li>
          ))}
        </ol>
      </nav>
      {node > 0 && (
        <button
          type="button"
          class="button is-icon is-quiet"
          aria-label="Copy the frame's name"
          title="Copy the frame's name"
          onClick={() => onCopy(figures.name)}
        >
          <Icon name="copy" />
        </button>
      )}
      <p class="path-figures">
        {figures.summary.map((text, at) =>
          at === 0 ? <b key={text}>{text}</b> : <span key={text}>{text}</span>,
        )}
      </p>
      {node > 0 && (
        <button type="button" class="button is-quiet" onClick={() => onRoot([])}>
          <Icon name="zoomOut" />
          Reset zoom
        </button>
      )}
    </div>
  );
}

// SPDX-License-Identifier: Apache-2.0
//
// The card beside the pointer, or beside the bar that the keyboard is at.

import { useLayoutEffect, useRef } from 'preact/hooks';
import type { FrameFigures } from './frame-figures.ts';
import type { FrameKind } from './frame-kind.ts';

const OFFSET = 14;
const MARGIN = 8;

export interface FlameTooltipProps {
  readonly id: string;
  readonly figures: FrameFigures;
  /** In pixels of the window. */
  readonly x: number;
  readonly y: number;
}

const KIND_TEXT: Readonly<Record<FrameKind, string | undefined>> = {
  user: undefined,
  kernel: 'Kernel',
  unresolved: 'No symbol',
  truncated: 'Small frames that the server merged',
};

export function FlameTooltip({ id, figures, x, y }: FlameTooltipProps) {
  const card = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const { style, offsetWidth, offsetHeight } = card.current!;
    const fitsRight = x + OFFSET + offsetWidth + MARGIN <= innerWidth;
    const fitsBelow = y + OFFSET + offsetHeight + MARGIN <= innerHeight;
    style.left = `${Math.max(MARGIN, fitsRight ? x + OFFSET : x - OFFSET - offsetWidth)}px`;
    style.top = `${Math.max(MARGIN, fitsBelow ? y + OFFSET : y - OFFSET - offsetHeight)}px`;
  });
  const kind = KIND_TEXT[figures.kind];
  const { columns, rows } = figures;
  return (
    <div ref={card} id={id} class="flame-tooltip" role="tooltip">
      <p class="flame-tooltip-name">{figures.name}</p>
      {kind !== undefined && <p class="flame-tooltip-kind">{kind}</p>}
      <table>
        {columns !== undefined && (
          <thead>
            <tr>
              <td />
              {columns.map((column, at) => (
                <th key={at} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
        )}
        <tbody>
          {rows.map(({ title, cells }) => (
            <tr key={title}>
              <th scope="row">{title}</th>
              {cells.map((cell, at) => (
                <td key={at}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

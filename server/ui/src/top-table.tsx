// SPDX-License-Identifier: Apache-2.0
//
// The table of functions: the flame graph's accessible twin, and the quickest answer to "what is hot". Only rows near
// the window exist, so that ten thousand functions scroll as well as ten. What the columns hold comes from outside:
// see single-table.tsx and diff-table.tsx.

import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { functionRows, nextSort, type RowSource, rowWindow, type SortOrder } from './function-rows.ts';
import { Icon } from './parts/icons.tsx';

/** As the style sheet has it. */
const TABLE_ROW_HEIGHT = 30;

export interface FigureColumn {
  readonly key: string;
  readonly title: string;
  /** By name index; what the column is sorted by. */
  readonly figures: Float64Array;
  readonly cell: (name: number) => ComponentChildren;
}

export interface TopTableProps {
  readonly label: string;
  readonly source: RowSource;
  readonly columns: readonly FigureColumn[];
  readonly firstOrder: SortOrder;
  readonly colour: (name: number) => string;
  /** 1 for each name to show, by name index; undefined shows all. */
  readonly matches: Uint8Array | undefined;
  readonly onPick: (name: string) => void;
}

export function TopTable({ label, source, columns, firstOrder, colour, matches, onPick }: TopTableProps) {
  const [order, setOrder] = useState(firstOrder);
  const [active, setActive] = useState(0);
  const [scrollTop, setScrollTop] = useState(0);
  const [viewHeight, setViewHeight] = useState(0);
  const scroller = useRef<HTMLDivElement>(null);
  const hasMoved = useRef(false);

  const figures = columns.find(({ key }) => key === order.key)?.figures;
  const rows = useMemo(
    () => functionRows(source, figures, order.isDescending, matches),
    [source, figures, order, matches],
  );
  const activeRow = Math.min(active, rows.length - 1);
  const { first, limit } = rowWindow(rows.length, TABLE_ROW_HEIGHT, scrollTop, viewHeight);

  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setViewHeight(scroller.current!.clientHeight));
    observer.observe(scroller.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (!hasMoved.current) return;
    hasMoved.current = false;
    scroller.current!.querySelector<HTMLElement>(`[data-row="${activeRow}"] button`)?.focus();
  });

  const moveTo = (row: number): void => {
    const next = Math.max(0, Math.min(rows.length - 1, row));
    const { current: box } = scroller;
    const top = next * TABLE_ROW_HEIGHT;
    // The header row sticks to the top and takes one row of the height.
    if (top < box!.scrollTop) box!.scrollTop = top;
    const lowest = top + 2 * TABLE_ROW_HEIGHT - box!.clientHeight;
    if (lowest > box!.scrollTop) box!.scrollTop = lowest;
    setScrollTop(box!.scrollTop);
    setActive(next);
    hasMoved.current = true;
  };
  const keyDown = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(viewHeight / TABLE_ROW_HEIGHT) - 2);
    if (!(event.target as Element).closest('tbody')) return;
    if (event.key === 'ArrowDown') moveTo(activeRow + 1);
    else if (event.key === 'ArrowUp') moveTo(activeRow - 1);
    else if (event.key === 'PageDown') moveTo(activeRow + page);
    else if (event.key === 'PageUp') moveTo(activeRow - page);
    else if (event.key === 'Home') moveTo(0);
    else if (event.key === 'End') moveTo(rows.length - 1);
    else return;
    event.preventDefault();
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: catches keys of the buttons within.
    <div
      ref={scroller}
      class="top-scroller"
      onScroll={() => setScrollTop(scroller.current!.scrollTop)}
      onKeyDown={keyDown}
    >
      <table class={`top-table has-${columns.length}`} aria-rowcount={rows.length + 1} aria-label={label}>
        <thead>
          <tr aria-rowindex={1}>
            {[{ key: 'name', title: 'Function' }, ...columns].map(({ key, title }) => (
              <th
                key={key}
                scope="col"
                aria-sort={order.key === key ? (order.isDescending ? 'descending' : 'ascending') : 'none'}
              >
                <button type="button" onClick={() => setOrder(nextSort(order, key))}>
                  {title}
                  {order.key === key && (
                    <span class={`sort-mark ${order.isDescending ? '' : 'is-up'}`}>
                      <Icon name="chevron" />
                    </span>
                  )}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {first > 0 && <tr style={{ height: `${first * TABLE_ROW_HEIGHT}px` }} />}
          {rows.slice(first, limit).map((name, offset) => {
            const row = first + offset;
            const text = source.names[name]!;
            return (
              <tr key={name} data-row={row} aria-rowindex={row + 2}>
                <th scope="row">
                  <button
                    type="button"
                    tabIndex={row === activeRow ? 0 : -1}
                    title={text}
                    onClick={() => onPick(text)}
                    onFocus={() => setActive(row)}
                  >
                    <span class="swatch" style={{ background: colour(name) }} />
                    {text}
                  </button>
                </th>
                {columns.map(({ key, cell }) => (
                  <td key={key}>{cell(name)}</td>
                ))}
              </tr>
            );
          })}
          {limit < rows.length && <tr style={{ height: `${(rows.length - limit) * TABLE_ROW_HEIGHT}px` }} />}
        </tbody>
      </table>
      {rows.length === 0 && <p class="top-none">No function matches the search.</p>}
    </div>
  );
}

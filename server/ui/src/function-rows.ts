// SPDX-License-Identifier: Apache-2.0
//
// The order of the table of functions, and which of its rows are near enough to the window to exist.

import { TRUNCATED_CODE } from './flamegraph/frame-kind.ts';
import type { FunctionTotals } from './flamegraph/function-totals.ts';

export const SORT_KEYS = ['name', 'self', 'total'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface SortOrder {
  readonly key: SortKey;
  readonly isDescending: boolean;
}

export const DEFAULT_SORT: SortOrder = { key: 'self', isDescending: true };

/** The order after a click on a column: figures start with the largest, names with A. */
export function nextSort(order: SortOrder, key: SortKey): SortOrder {
  return order.key === key
    ? { key, isDescending: !order.isDescending }
    : { key, isDescending: key !== 'name' };
}

/** Name indexes in order; of equal figures the name decides. `matches` 1 keeps a name, undefined keeps all. What the
 * server merged is no function and may well be larger than any: it comes last, whatever the order. */
export function functionRows(
  functions: FunctionTotals,
  names: readonly string[],
  order: SortOrder,
  matches: Uint8Array | undefined,
): number[] {
  const rows = [...functions.name].filter((name) => matches === undefined || matches[name] === 1);
  const byName = (a: number, b: number): number => (names[a]! < names[b]! ? -1 : 1);
  const merged = (name: number): number => Number(functions.kind[name] === TRUNCATED_CODE);
  const sign = order.isDescending ? -1 : 1;
  const column = order.key === 'name' ? undefined : functions[order.key];
  return rows.sort(
    (a, b) =>
      merged(a) - merged(b) ||
      (column === undefined ? sign * byName(a, b) : sign * (column[a]! - column[b]!) || byName(a, b)),
  );
}

export interface RowWindow {
  readonly first: number;
  readonly limit: number;
}

const ROWS_BEYOND = 12;

/** The rows to make: those seen and a few beyond, so that scrolling shows no gap. */
export function rowWindow(
  rowCount: number,
  rowHeight: number,
  scrollTop: number,
  viewHeight: number,
): RowWindow {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - ROWS_BEYOND);
  const limit = Math.min(rowCount, Math.ceil((scrollTop + viewHeight) / rowHeight) + ROWS_BEYOND);
  return { first: Math.min(first, limit), limit };
}

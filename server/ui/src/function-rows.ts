// SPDX-License-Identifier: Apache-2.0
//
// The order of the table of functions, and which of its rows are near enough to the window to exist.

export interface SortOrder {
  /** `name`, or the key of a column of figures. */
  readonly key: string;
  readonly isDescending: boolean;
}

/** The order after a click on a column: figures start with the largest, names with A. */
export function nextSort(order: SortOrder, key: string): SortOrder {
  return order.key === key
    ? { key, isDescending: !order.isDescending }
    : { key, isDescending: key !== 'name' };
}

export interface RowSource {
  /** Indexes into `names`, one for each function. */
  readonly name: Uint32Array;
  readonly names: readonly string[];
  /** What the server merged is no function and may well be larger than any: it comes last, whatever the order. */
  readonly isMerged: (name: number) => boolean;
}

/** Name indexes in order; of equal figures the name decides. `figures` are by name index, undefined to sort by name.
 * `matches` 1 keeps a name, undefined keeps all. */
export function functionRows(
  { name, names, isMerged }: RowSource,
  figures: Float64Array | undefined,
  isDescending: boolean,
  matches: Uint8Array | undefined,
): number[] {
  const rows = [...name].filter((each) => matches === undefined || matches[each] === 1);
  const byName = (a: number, b: number): number => (names[a]! < names[b]! ? -1 : 1);
  const sign = isDescending ? -1 : 1;
  return rows.sort(
    (a, b) =>
      Number(isMerged(a)) - Number(isMerged(b)) ||
      (figures === undefined ? sign * byName(a, b) : sign * (figures[a]! - figures[b]!) || byName(a, b)),
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

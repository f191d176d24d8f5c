// SPDX-License-Identifier: Apache-2.0
//
// The cells of a heat map: one for each step of time and each range of values in which there are profiles or spans.

import type { HeatmapExemplar, HeatmapSlot } from './api/heatmap.ts';
import type { Direction } from './flamegraph/navigate.ts';
import type { TimeWindow } from './time-range.ts';

export interface HeatmapCell extends TimeWindow {
  readonly bucket: number;
  /** Values from `low` to below `high`, in the last bucket up to it. */
  readonly low: number;
  readonly high: number;
  readonly count: number;
  /** The largest of the cell, where the server says which. */
  readonly exemplar: HeatmapExemplar | undefined;
}

export interface HeatmapCells {
  /** By time, and of one step from the smallest values up. */
  readonly cells: readonly HeatmapCell[];
  readonly bucketCount: number;
  readonly low: number;
  readonly high: number;
  readonly maxCount: number;
}

export function heatmapCells(slots: readonly HeatmapSlot[], stepMillis: number): HeatmapCells {
  const starts = slots[0]?.bucketStarts ?? [];
  const width = starts.length > 1 ? starts[1]! - starts[0]! : 1;
  const cells: HeatmapCell[] = [];
  for (const { timestampMillis, counts, exemplars } of slots) {
    counts.forEach((count, bucket) => {
      const low = starts[bucket];
      if (count === 0 || low === undefined) return;
      const high = starts[bucket + 1] ?? low + width;
      const isLast = bucket === starts.length - 1;
      cells.push({
        startMillis: timestampMillis - stepMillis,
        endMillis: timestampMillis,
        bucket,
        low,
        high,
        count,
        exemplar: exemplars.find(({ value }) => value >= low && (value < high || isLast)),
      });
    });
  }
  return {
    cells,
    bucketCount: starts.length,
    low: starts[0] ?? 0,
    high: (starts.at(-1) ?? 0) + width,
    maxCount: Math.max(0, ...cells.map(({ count }) => count)),
  };
}

/** Where a cell lies in a window and a scale, each from 0 to 1; y counts from below. */
export interface CellPlace {
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly top: number;
}

export function placeOf(cell: HeatmapCell, { bucketCount }: HeatmapCells, window: TimeWindow): CellPlace {
  const length = window.endMillis - window.startMillis;
  const x = (millis: number): number => Math.min(1, Math.max(0, (millis - window.startMillis) / length));
  return {
    left: x(cell.startMillis),
    right: x(cell.endMillis),
    bottom: cell.bucket / bucketCount,
    top: (cell.bucket + 1) / bucketCount,
  };
}

/** The cell at a place, or -1. */
export function cellAt(map: HeatmapCells, window: TimeWindow, x: number, y: number): number {
  return map.cells.findIndex((cell) => {
    const { left, right, bottom, top } = placeOf(cell, map, window);
    return x >= left && x < right && y >= bottom && y < top;
  });
}

/** The nearest cell in a direction, or the same one where there is none: up and down within a step of time, left and
 * right to the nearest value of the step beside it. */
export function nextCell({ cells }: HeatmapCells, from: number, direction: Direction): number {
  const cell = cells[from];
  if (cell === undefined) return cells.length > 0 ? cells.length - 1 : -1;
  if (direction === 'up' || direction === 'down') {
    const next = from + (direction === 'up' ? 1 : -1);
    return cells[next]?.endMillis === cell.endMillis ? next : from;
  }
  const beside = cells.filter(({ endMillis }) =>
    direction === 'right' ? endMillis > cell.endMillis : endMillis < cell.endMillis,
  );
  const step = (direction === 'right' ? beside[0] : beside.at(-1))?.endMillis;
  const candidates = beside.filter(({ endMillis }) => endMillis === step);
  const distance = (other: HeatmapCell): number => Math.abs(other.bucket - cell.bucket);
  const nearest = candidates.reduce<HeatmapCell | undefined>(
    (best, other) => (best === undefined || distance(other) < distance(best) ? other : best),
    undefined,
  );
  return nearest === undefined ? from : cells.indexOf(nearest);
}

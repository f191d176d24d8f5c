// SPDX-License-Identifier: Apache-2.0
//
// How many profiles or spans there are, by time and by size. A click on a cell opens the largest that it holds, or its
// step of time where the sender gave no id.

import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks';
import type { HeatmapKind, HeatmapSlot } from './api/heatmap.ts';
import type { ColourScheme } from './flamegraph/colour.ts';
import { directionOfKey } from './flamegraph/navigate.ts';
import {
  cellAt,
  type HeatmapCell,
  type HeatmapCells,
  heatmapCells,
  nextCell,
  placeOf,
} from './heatmap-cells.ts';
import { absoluteRange, formatInstant, type TimeRange, type TimeWindow } from './time-range.ts';
import { formatValue, type Measure } from './units.ts';
import type { Single } from './url-state.ts';

const GAP = 1;
/** A cell of one among thousands is still seen. */
const MIN_ALPHA = 0.18;

export interface HeatmapProps {
  readonly slots: readonly HeatmapSlot[];
  readonly kind: HeatmapKind;
  readonly stepMillis: number;
  readonly window: TimeWindow;
  readonly measure: Measure;
  readonly scheme: ColourScheme;
  readonly label: string;
  readonly onSingle: ((single: Single) => void) | undefined;
  readonly onRange: (range: TimeRange) => void;
}

export function Heatmap(props: HeatmapProps) {
  const { slots, kind, stepMillis, window, measure, scheme, label, onSingle, onRange } = props;
  const id = useId();
  const canvas = useRef<HTMLCanvasElement>(null);
  const map = useMemo(() => heatmapCells(slots, stepMillis), [slots, stepMillis]);
  const [cursor, setCursor] = useState(-1);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const cell = map.cells[cursor];

  useEffect(() => {
    const box = canvas.current!;
    const observer = new ResizeObserver(() => setSize({ width: box.clientWidth, height: box.clientHeight }));
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  useEffect(() => setCursor(-1), [map]);
  useEffect(() => paint(canvas.current!, map, window, cursor), [map, window, cursor, size, scheme]);

  const open = (at: number): void => {
    const found = map.cells[at];
    if (found === undefined) return;
    const single = singleOf(found, kind);
    if (single !== undefined && onSingle !== undefined) onSingle(single);
    else onRange(absoluteRange(found.startMillis, found.endMillis));
  };
  const pointed = (event: MouseEvent): number => {
    const bounds = canvas.current!.getBoundingClientRect();
    const x = (event.clientX - bounds.left) / bounds.width;
    return cellAt(map, window, x, 1 - (event.clientY - bounds.top) / bounds.height);
  };
  const keyDown = (event: KeyboardEvent): void => {
    const direction = directionOfKey(event.key);
    if (direction !== undefined) setCursor(nextCell(map, cursor, direction));
    else if (event.key === 'Enter') open(cursor);
    else return;
    event.preventDefault();
  };
  const reading = cell && describeCell(cell, kind, measure, onSingle !== undefined);
  return (
    <div class="heatmap">
      <p class="timeline-reading" aria-live="polite">
        {reading}
      </p>
      <div class="heatmap-scale" aria-hidden="true">
        <span>{map.bucketCount > 0 ? formatValue(map.high, measure.unit) : ''}</span>
        <span>{map.bucketCount > 0 ? formatValue(map.low, measure.unit) : ''}</span>
      </div>
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: the canvas takes the arrow keys itself. */}
      <canvas
        ref={canvas}
        class="heatmap-canvas"
        tabIndex={0}
        role="application"
        aria-roledescription="heat map"
        aria-label={`Heat map of ${kind} by size: ${label}`}
        aria-describedby={`${id}-keys`}
        onPointerMove={(event) => setCursor(pointed(event))}
        onPointerLeave={() => setCursor(-1)}
        onClick={(event) => open(pointed(event))}
        onKeyDown={keyDown}
      />
      <div class="heatmap-times" aria-hidden="true">
        <span>{formatInstant(window.startMillis, false)}</span>
        <span>{formatInstant(window.endMillis, false)}</span>
      </div>
      <p id={`${id}-keys`} class="visually-hidden">
        Arrow keys move between cells, Enter opens the largest {kind === 'spans' ? 'span' : 'profile'} of a
        cell.
      </p>
      {map.cells.length === 0 && (
        <p class="heatmap-none">
          {kind === 'spans'
            ? 'No spans in this time range: the samples name none.'
            : 'No profiles in this time range.'}
        </p>
      )}
    </div>
  );
}

function singleOf({ exemplar }: HeatmapCell, kind: HeatmapKind): Single | undefined {
  const id = kind === 'spans' ? exemplar?.spanId : exemplar?.profileId;
  return id === undefined || id === '' ? undefined : { kind: kind === 'spans' ? 'span' : 'profile', id };
}

function describeCell(cell: HeatmapCell, kind: HeatmapKind, measure: Measure, isOpened: boolean): string {
  const what = cell.count === 1 ? kind.slice(0, -1) : kind;
  const values = `${formatValue(cell.low, measure.unit)} – ${formatValue(cell.high, measure.unit)}`;
  const times = `${formatInstant(cell.startMillis, false)} – ${formatInstant(cell.endMillis, false)}`;
  const hint = isOpened && singleOf(cell, kind) !== undefined ? ' · opens the largest' : '';
  return `${cell.count} ${what} of ${values}, ${times}${hint}`;
}

function paint(canvas: HTMLCanvasElement, map: HeatmapCells, window: TimeWindow, cursor: number): void {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const style = getComputedStyle(canvas);
  const context = canvas.getContext('2d')!;
  context.scale(ratio, ratio);
  map.cells.forEach((cell, at) => {
    const { left, right, bottom, top } = placeOf(cell, map, window);
    if (right <= left) return;
    // The eye reads area; the square root keeps one profile visible beside hundreds.
    context.globalAlpha = MIN_ALPHA + (1 - MIN_ALPHA) * Math.sqrt(cell.count / map.maxCount);
    context.fillStyle = style.getPropertyValue('--accent');
    const x = left * width;
    const y = (1 - top) * height;
    const wide = Math.max(1, (right - left) * width - GAP);
    const high = Math.max(1, (top - bottom) * height - GAP);
    context.fillRect(x, y, wide, high);
    if (at !== cursor) return;
    context.globalAlpha = 1;
    context.strokeStyle = style.getPropertyValue('--text');
    context.lineWidth = 2;
    context.strokeRect(x, y, wide, high);
  });
}

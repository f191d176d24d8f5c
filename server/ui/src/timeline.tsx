// SPDX-License-Identifier: Apache-2.0
//
// The selection over time, one bar a step. Dragging across it picks the time range; the time picker does the same for
// the keyboard.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { ColourScheme } from './flamegraph/colour.ts';
import { formatInstant, type TimeWindow } from './time-range.ts';
import type { TimelineColumns } from './timeline-grid.ts';
import { formatRate, type Measure, rateValue } from './units.ts';

const HEIGHT = 124;
/** A shorter drag is a click with an unsteady hand. */
const MIN_DRAG_PIXELS = 4;
/** Above the largest rate. */
const HEADROOM = 1.1;
const DAY_SECONDS = 86_400;

export interface TimelineProps {
  readonly columns: TimelineColumns;
  readonly stepMillis: number;
  readonly window: TimeWindow;
  /** The largest rate of the scale, as {@link highestRate} gives it: of two charts that are compared, of both. */
  readonly top: number;
  readonly measure: Measure;
  readonly scheme: ColourScheme;
  readonly onSelect: (startMillis: number, endMillis: number) => void;
}

export function Timeline({ columns, stepMillis, window, top, measure, scheme, onSelect }: TimelineProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const [hovered, setHovered] = useState<number>();
  const select = useRef(onSelect);
  select.current = onSelect;
  const isRate = measure.rate !== 'instant';
  const format = (rate: number): string =>
    formatRate(isRate ? rate * perRate(measure) : rate, 1_000, measure);
  const formatLatest = useRef(format);
  formatLatest.current = format;

  // The chart reads its colours when it is made, so a new scheme needs a new chart.
  useLayoutEffect(() => {
    const box = host.current!;
    const chart = new uPlot(
      chartOptions(box, {
        formatRate: (rate) => formatLatest.current(rate),
        onHover: setHovered,
        onSelect: (start, end) => select.current(start, end),
      }),
      [[], []],
      box,
    );
    plot.current = chart;
    const observer = new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height: HEIGHT }));
    observer.observe(box);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [scheme]);

  useEffect(() => {
    const rates = columns.sum.map((sum) => (sum === null ? null : rateValue(sum, stepMillis, measure.rate)));
    const chart = plot.current!;
    chart.batch(() => {
      chart.setData([columns.unixSeconds, rates], false);
      chart.setScale('x', { min: window.startMillis / 1_000, max: window.endMillis / 1_000 });
      chart.setScale('y', { min: 0, max: top * HEADROOM || 1 });
    });
  }, [columns, stepMillis, window, top, measure, scheme]);

  const sum = hovered === undefined ? undefined : columns.sum[hovered];
  return (
    <div class="timeline">
      <p class="timeline-reading" aria-hidden="true">
        {sum !== undefined && sum !== null && (
          <>
            <b>{formatRate(sum, stepMillis, measure)}</b>{' '}
            {formatInstant(columns.unixSeconds[hovered!]! * 1_000 - stepMillis, false)} –{' '}
            {formatInstant(columns.unixSeconds[hovered!]! * 1_000, false)}
          </>
        )}
      </p>
      <div ref={host} class="timeline-chart" aria-hidden="true" />
    </div>
  );
}

export function highestRate(columns: TimelineColumns, stepMillis: number, measure: Measure): number {
  return Math.max(0, ...columns.sum.map((sum) => rateValue(sum ?? 0, stepMillis, measure.rate)));
}

/** How much of the unit one of the rate is, in one second. */
function perRate(measure: Measure): number {
  return measure.rate === 'cores' ? 1e9 : 1;
}

interface ChartEvents {
  readonly formatRate: (rate: number) => string;
  readonly onHover: (index: number | undefined) => void;
  readonly onSelect: (startMillis: number, endMillis: number) => void;
}

function chartOptions(box: HTMLElement, events: ChartEvents): uPlot.Options {
  const style = getComputedStyle(box);
  const token = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: token('--text-muted'),
    font: `11px ${token('--font-sans')}`,
    ticks: { show: false },
  };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    padding: [6, 8, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: MIN_DRAG_PIXELS },
    },
    scales: { x: { time: true, auto: false }, y: { auto: false } },
    series: [
      {},
      {
        fill: token('--accent-bar'),
        points: { show: false },
        width: 0,
        // A step is drawn before the moment that it ends at.
        paths: uPlot.paths.bars!({ align: -1, size: [0.86, 40], radius: 0.15 }),
      },
    ],
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 26,
        space: 90,
        values: (_chart, splits, _axis, _space, increment) =>
          splits.map((seconds) => axisTime(seconds, increment ?? 60)),
      },
      {
        ...axis,
        grid: { stroke: token('--hairline'), width: 1 },
        size: 78,
        space: 26,
        values: (_chart, splits) => splits.map((rate) => (rate === 0 ? '0' : events.formatRate(rate))),
      },
    ],
    hooks: {
      setCursor: [(chart) => events.onHover(chart.cursor.idx ?? undefined)],
      setSelect: [
        (chart) => {
          const { left, width } = chart.select;
          if (width < MIN_DRAG_PIXELS) return;
          const start = chart.posToVal(left, 'x') * 1_000;
          const end = chart.posToVal(left + width, 'x') * 1_000;
          chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          events.onSelect(start, end);
        },
      ],
    },
  };
}

function axisTime(unixSeconds: number, incrementSeconds: number): string {
  const date = new Date(unixSeconds * 1_000);
  const isMidnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
  if (incrementSeconds >= DAY_SECONDS || isMidnight) {
    return new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' }).format(date);
  }
  return new Intl.DateTimeFormat(undefined, {
    hour: '2-digit',
    minute: '2-digit',
    ...(incrementSeconds < 60 ? { second: '2-digit' } : {}),
    hourCycle: 'h23',
  }).format(date);
}

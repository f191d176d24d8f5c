// SPDX-License-Identifier: Apache-2.0
//
// Time series in a terminal: one line a series, with a sparkline; or all points as a table.

import { formatValue } from '@hearthscope/profile/value-format';
import type { TimeRange } from './request.ts';
import { fit, sparkline, type Terminal, table } from './terminal.ts';

/** A series of the API in JSON. */
export interface SeriesMessage {
  readonly labels?: readonly { readonly name?: string; readonly value?: string }[];
  readonly points?: readonly { readonly value?: number; readonly timestamp?: string | number }[];
}

export interface ShownSeries {
  readonly series: readonly SeriesMessage[];
  readonly unit: string;
  readonly range: TimeRange;
  readonly stepSeconds: number;
}

const MIN_LABELS_WIDTH = 20;
const MIN_CHART_WIDTH = 20;
const FIGURES_WIDTH = 30;
const SPARK_COLOUR = 75;

/** Those with the largest sums first. */
export function seriesChart({ series, unit, range, stepSeconds }: ShownSeries, terminal: Terminal): string {
  const slots = Math.max(1, Math.ceil((range.endMillis - range.startMillis) / 1000 / stepSeconds) + 1);
  const room = terminal.columns - FIGURES_WIDTH;
  const longest = Math.max(MIN_LABELS_WIDTH, ...series.map((one) => labelText(one).length));
  const labelWidth = Math.min(longest, Math.max(MIN_LABELS_WIDTH, room - MIN_CHART_WIDTH));
  const width = Math.min(slots, Math.max(MIN_CHART_WIDTH, room - labelWidth));
  const rows = series.map((one) => {
    const sums = slotSums(one, range, stepSeconds, slots, width);
    const values = points(one).map(({ value }) => value);
    const sum = values.reduce((total, value) => total + value, 0);
    return { name: labelText(one), sums, sum, max: Math.max(0, ...values) };
  });
  rows.sort((a, b) => b.sum - a.sum || (a.name < b.name ? -1 : 1));
  const amount = (value: number) => formatValue(BigInt(Math.round(value)), unit);
  return table(
    [{ title: 'SERIES' }, { title: 'SUM', isNumber: true }, { title: 'MAX', isNumber: true }, { title: '' }],
    rows.map(({ name, sums, sum, max }) => [
      fit(name, labelWidth),
      amount(sum),
      amount(max),
      terminal.paint(sparkline(sums), SPARK_COLOUR),
    ]),
  );
}

/** A line a point: time, series, value in the unit of the type. */
export function seriesTable({ series, unit }: ShownSeries): string {
  const rows = series.flatMap((one) =>
    points(one).map(({ value, timestampMillis }) => [
      new Date(timestampMillis).toISOString(),
      String(value),
      labelText(one),
    ]),
  );
  return table(
    [
      { title: 'TIME' },
      { title: unit === '' ? 'VALUE' : unit.toUpperCase(), isNumber: true },
      { title: 'SERIES' },
    ],
    rows,
  );
}

function points({ points: given = [] }: SeriesMessage): { value: number; timestampMillis: number }[] {
  return given.map(({ value = 0, timestamp = 0 }) => ({ value, timestampMillis: Number(timestamp) }));
}

/** The points of a series in as many slots as there is room for; several points of one slot are added. */
function slotSums(
  series: SeriesMessage,
  { startMillis }: TimeRange,
  stepSeconds: number,
  slots: number,
  width: number,
): (number | undefined)[] {
  const sums = new Array<number | undefined>(width).fill(undefined);
  for (const { value, timestampMillis } of points(series)) {
    const slot = (timestampMillis - startMillis) / 1000 / stepSeconds / slots;
    const at = Math.min(width - 1, Math.max(0, Math.floor(slot * width)));
    sums[at] = (sums[at] ?? 0) + value;
  }
  return sums;
}

function labelText({ labels = [] }: SeriesMessage): string {
  return `{${labels.map(({ name = '', value = '' }) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
}

// SPDX-License-Identifier: Apache-2.0
//
// The figures of one frame in words, for the tooltip, the path bar and the screen reader alike.

import { formatPercent, formatRate, formatValue, type Measure } from '../units.ts';
import { changeOf, formatChange, formatPoints, shareOf } from './change.ts';
import type { DiffLayout } from './diff-layout.ts';
import { FRAME_KINDS, type FrameKind } from './frame-kind.ts';
import type { FlameLayout } from './layout.ts';

/** A row of figures; `cells` has as many as there are columns. */
export interface FigureRow {
  readonly title: string;
  readonly cells: readonly string[];
}

export interface FrameFigures {
  readonly name: string;
  readonly kind: FrameKind;
  /** Heads of the columns; undefined where the figures speak for themselves. */
  readonly columns: readonly string[] | undefined;
  readonly rows: readonly FigureRow[];
  /** The same in a line: the most important first. */
  readonly summary: readonly string[];
  /** The same in a sentence. */
  readonly spoken: string;
}

/** Gives the figures of a node. */
export type DescribeFrame = (node: number) => FrameFigures;

/** @param durationMillis of the time range; undefined when it is not known */
export function frameFigures(
  layout: FlameLayout,
  node: number,
  measure: Measure,
  durationMillis: number | undefined,
): FrameFigures {
  const total = layout.total[node]!;
  const whole = layout.total[0]!;
  const totalText = formatValue(total, measure.unit);
  const totalPercent = formatPercent(total, whole);
  const selfText = formatValue(layout.self[node]!, measure.unit);
  const rows: FigureRow[] = [
    { title: 'Total', cells: [totalText, totalPercent] },
    { title: 'Self', cells: [selfText, formatPercent(layout.self[node]!, whole)] },
  ];
  if (node > 0) {
    rows.push({ title: 'Of parent', cells: ['', formatPercent(total, layout.total[layout.parent[node]!]!)] });
  }
  const rate =
    measure.rate === 'instant' || durationMillis === undefined
      ? undefined
      : formatRate(total, durationMillis, measure);
  if (rate !== undefined) rows.push({ title: 'Average', cells: [rate, ''] });
  const name = layout.names[layout.name[node]!]!;
  return {
    name,
    kind: FRAME_KINDS[layout.kind[node]!]!,
    columns: undefined,
    rows,
    summary: [totalText, ...(node > 0 ? [totalPercent] : []), ...(rate === undefined ? [] : [rate])],
    spoken: `${name}, total ${totalText}, ${totalPercent}, self ${selfText}`,
  };
}

/** What a frame is on both sides of a comparison. */
export function diffFigures(diff: DiffLayout, node: number, measure: Measure): FrameFigures {
  const { layout, left, right } = diff;
  const row = (title: string, leftValue: number, rightValue: number): FigureRow => ({
    title,
    cells: [
      formatValue(leftValue, measure.unit),
      formatPercent(leftValue, left.whole),
      formatValue(rightValue, measure.unit),
      formatPercent(rightValue, right.whole),
      formatChange({ left: shareOf(leftValue, left.whole), right: shareOf(rightValue, right.whole) }),
    ],
  });
  const total = row('Total', left.total[node]!, right.total[node]!);
  const self = row('Self', left.self[node]!, right.self[node]!);
  const change = changeOf(diff, node);
  const name = layout.names[layout.name[node]!]!;
  const [leftTotal, leftShare, rightTotal, rightShare, changeText] = total.cells;
  return {
    name,
    kind: FRAME_KINDS[layout.kind[node]!]!,
    columns: ['Baseline', '', 'Comparison', '', 'Change'],
    rows: [total, self],
    summary:
      node === 0
        ? [`${leftTotal} → ${rightTotal}`]
        : [changeText!, formatPoints(change), `${leftShare} → ${rightShare}`],
    spoken:
      `${name}, baseline ${leftTotal}, ${leftShare}, comparison ${rightTotal}, ${rightShare}, ` +
      `${changeText}, self ${self.cells[0]} and ${self.cells[2]}`,
  };
}

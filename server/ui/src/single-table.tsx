// SPDX-License-Identifier: Apache-2.0
//
// The functions of one profile by self and total.

import { useMemo } from 'preact/hooks';
import { type ColourScheme, frameColour } from './flamegraph/colour.ts';
import { FRAME_KINDS, TRUNCATED_CODE } from './flamegraph/frame-kind.ts';
import type { FunctionTotals } from './flamegraph/function-totals.ts';
import type { FlameLayout } from './flamegraph/layout.ts';
import type { RowSource, SortOrder } from './function-rows.ts';
import { type FigureColumn, TopTable } from './top-table.tsx';
import { formatPercent, formatValue, type Measure } from './units.ts';

/** A bar of 100 % leaves a gap to the next column. */
const FIGURE_BAR_SHARE = 0.9;
const FIRST_ORDER: SortOrder = { key: 'self', isDescending: true };

export interface SingleTableProps {
  readonly layout: FlameLayout;
  readonly functions: FunctionTotals;
  readonly measure: Measure;
  readonly scheme: ColourScheme;
  /** 1 for each name to show, by name index; undefined shows all. */
  readonly matches: Uint8Array | undefined;
  readonly onPick: (name: string) => void;
}

export function SingleTable({ layout, functions, measure, scheme, matches, onPick }: SingleTableProps) {
  const { names } = layout;
  const source = useMemo<RowSource>(
    () => ({ name: functions.name, names, isMerged: (name) => functions.kind[name] === TRUNCATED_CODE }),
    [functions, names],
  );
  const whole = layout.total[0]!;
  const column = (key: 'self' | 'total', title: string): FigureColumn => ({
    key,
    title,
    figures: functions[key],
    cell: (name) => <Figure value={functions[key][name]!} whole={whole} unit={measure.unit} />,
  });
  return (
    <TopTable
      label={`Functions by ${measure.title}`}
      source={source}
      columns={[column('self', 'Self'), column('total', 'Total')]}
      firstOrder={FIRST_ORDER}
      colour={(name) => frameColour(FRAME_KINDS[functions.kind[name]!]!, names[name]!, scheme)}
      matches={matches}
      onPick={onPick}
    />
  );
}

function Figure(props: { readonly value: number; readonly whole: number; readonly unit: string }) {
  const share = props.whole > 0 ? (props.value / props.whole) * 100 : 0;
  return (
    <>
      <span class="figure-bar" style={{ width: `${share * FIGURE_BAR_SHARE}%` }} />
      <span class="figure">
        {formatValue(props.value, props.unit)} <small>{formatPercent(props.value, props.whole)}</small>
      </span>
    </>
  );
}

// SPDX-License-Identifier: Apache-2.0
//
// The functions of a comparison: their share of the baseline and of the comparison, and the difference. By self or by
// total, which is the reader's choice.

import { useMemo, useState } from 'preact/hooks';
import { degreeOfChange, formatChange, formatPoints } from './flamegraph/change.ts';
import { changeColour } from './flamegraph/change-palette.ts';
import type { ColourScheme } from './flamegraph/colour.ts';
import { compareFunctions, FIGURES, type Figure } from './flamegraph/diff-functions.ts';
import { TRUNCATED_CODE } from './flamegraph/frame-kind.ts';
import type { FunctionTotals } from './flamegraph/function-totals.ts';
import type { FlameLayout } from './flamegraph/layout.ts';
import type { RowSource, SortOrder } from './function-rows.ts';
import { type FigureColumn, TopTable } from './top-table.tsx';
import { formatPercent, formatValue, type Measure } from './units.ts';

const FIRST_ORDER: SortOrder = { key: 'difference', isDescending: true };
const FIGURE_TITLES: Readonly<Record<Figure, string>> = { self: 'Self', total: 'Total' };

/** One side of a comparison. Both sides have the same names. */
export interface ComparedSide {
  readonly layout: FlameLayout;
  readonly functions: FunctionTotals;
}

export interface DiffTableProps {
  readonly baseline: ComparedSide;
  readonly comparison: ComparedSide;
  readonly measure: Measure;
  readonly scheme: ColourScheme;
  /** 1 for each name to show, by name index; undefined shows all. */
  readonly matches: Uint8Array | undefined;
  readonly onPick: (name: string) => void;
}

export function DiffTable({ baseline, comparison, measure, scheme, matches, onPick }: DiffTableProps) {
  const [figure, setFigure] = useState<Figure>('self');
  const wholes = { left: wholeOf(baseline), right: wholeOf(comparison) };
  const compared = useMemo(
    () =>
      compareFunctions(
        baseline.functions,
        comparison.functions,
        { left: wholeOf(baseline), right: wholeOf(comparison) },
        figure,
      ),
    [baseline, comparison, figure],
  );
  const source = useMemo<RowSource>(
    () => ({
      name: compared.name,
      names: baseline.layout.names,
      isMerged: (name) =>
        baseline.functions.kind[name] === TRUNCATED_CODE ||
        comparison.functions.kind[name] === TRUNCATED_CODE,
    }),
    [baseline, comparison, compared],
  );
  const changeOfName = (name: number) => ({ left: compared.left[name]!, right: compared.right[name]! });
  const side = (
    key: string,
    title: string,
    figures: Float64Array,
    values: Float64Array,
    whole: number,
  ): FigureColumn => ({
    key,
    title,
    figures,
    cell: (name) => (
      <span class="figure" title={formatValue(values[name]!, measure.unit)}>
        {formatPercent(values[name]!, whole)}
      </span>
    ),
  });
  const columns: FigureColumn[] = [
    side('baseline', 'Baseline', compared.left, baseline.functions[figure], wholes.left),
    side('comparison', 'Comparison', compared.right, comparison.functions[figure], wholes.right),
    {
      key: 'difference',
      title: 'Difference',
      figures: compared.difference,
      cell: (name) => (
        <span class="figure">
          {formatPoints(changeOfName(name))} <small>{formatChange(changeOfName(name))}</small>
        </span>
      ),
    },
  ];
  return (
    <div class="diff-table">
      <fieldset class="table-figures segments" aria-label="Figures of the table">
        {FIGURES.map((choice) => (
          <button
            key={choice}
            type="button"
            class="segment"
            aria-pressed={choice === figure}
            onClick={() => setFigure(choice)}
          >
            {FIGURE_TITLES[choice]}
          </button>
        ))}
      </fieldset>
      <TopTable
        label={`Functions by ${measure.title}, ${FIGURE_TITLES[figure].toLowerCase()}, baseline and comparison`}
        source={source}
        columns={columns}
        firstOrder={FIRST_ORDER}
        colour={(name) => changeColour(degreeOfChange(changeOfName(name)), scheme)}
        matches={matches}
        onPick={onPick}
      />
    </div>
  );
}

/** 0 when the side is empty. */
function wholeOf({ layout }: ComparedSide): number {
  return layout.total[0] ?? 0;
}

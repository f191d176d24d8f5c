// SPDX-License-Identifier: Apache-2.0
//
// Graph and table with what belongs to both: search, view, path and legend. Of one profile, or of two that are compared.

import { useMemo } from 'preact/hooks';
import { ComparisonBody } from './comparison-body.tsx';
import type { ColourScheme } from './flamegraph/colour.ts';
import { type DescribeFrame, diffFigures, frameFigures } from './flamegraph/frame-figures.ts';
import type { FlameLayout } from './flamegraph/layout.ts';
import { ProfileGraph } from './flamegraph/profile-graph.tsx';
import { nameMatcher, type SearchMatches, searchFlameGraph } from './flamegraph/search.ts';
import { ChangeLegend } from './parts/change-legend.tsx';
import { type ExportGroup, ExportMenu } from './parts/export-menu.tsx';
import { Legend } from './parts/legend.tsx';
import { PathBar } from './parts/path-bar.tsx';
import { SearchBox } from './parts/search-box.tsx';
import { ArrangementSwitch, ViewSwitch } from './parts/view-switch.tsx';
import type { ProfileData } from './profile-data.ts';
import { SingleTable } from './single-table.tsx';
import { formatInstant } from './time-range.ts';
import { formatPercent, formatValue, type Measure } from './units.ts';
import type { PageState, View } from './url-state.ts';
import type { ChangePageState } from './use-page-state.ts';

export interface ProfilePanelProps {
  readonly data: ProfileData;
  readonly state: PageState;
  readonly view: View;
  readonly scheme: ColourScheme;
  readonly exportGroups: readonly ExportGroup[];
  readonly onChange: ChangePageState;
  readonly onCopy: (name: string) => void;
}

export function ProfilePanel(props: ProfilePanelProps) {
  const { data, state, view, scheme, exportGroups, onChange, onCopy } = props;
  const { shown, compared, measure } = data;
  const { search, root, arrangement } = state;
  const layout = compared?.diff.layout ?? shown.layout;
  const found = useMemo(() => trySearch(layout, search), [layout, search]);
  const matches = found === 'invalid' ? undefined : found;
  const isDiff = compared !== undefined && arrangement === 'diff';
  const describe = useMemo<DescribeFrame>(
    () =>
      compared === undefined
        ? (node) => frameFigures(shown.layout, node, measure, durationOf(data))
        : (node) => diffFigures(compared.diff, node, measure),
    [data],
  );
  const onRoot = (path: readonly string[]): void => onChange({ root: path });
  const onSearch = (text: string): void => onChange({ search: text }, 'replace');
  return (
    <section class="panel profile-panel" aria-label={compared === undefined ? 'Profile' : 'Comparison'}>
      <div class="toolbar">
        <SearchBox
          value={search}
          onInput={onSearch}
          result={found === 'invalid' ? 'Not a regular expression' : describeMatches(matches, data)}
          isInvalid={found === 'invalid'}
        />
        {compared !== undefined && (
          <ArrangementSwitch
            arrangement={arrangement}
            onArrangement={(chosen) => onChange({ arrangement: chosen })}
          />
        )}
        <ViewSwitch view={view} onView={(chosen) => onChange({ view: chosen })} />
        <ExportMenu groups={exportGroups} />
      </div>
      <PathBar {...{ layout, describe, root, onRoot, onCopy }} />
      {compared === undefined ? (
        <div class={`profile-body is-${view}`}>
          {view !== 'flame' && (
            <SingleTable {...{ ...shown, measure, scheme }} matches={matches?.names} onPick={onSearch} />
          )}
          {view !== 'table' && (
            <ProfileGraph
              {...{ layout, describe, root, onRoot, onCopy, matches, scheme }}
              title={measure.title}
            />
          )}
        </div>
      ) : (
        <ComparisonBody
          {...{ compared, shown, measure, view, arrangement, scheme, describe, matches, root }}
          {...{ onRoot, onCopy, onSearch }}
          courses={data.courses}
        />
      )}
      <footer class="profile-footer">
        {isDiff ? <ChangeLegend scheme={scheme} /> : <Legend scheme={scheme} />}
        <p>
          {(layout.length - 1).toLocaleString()} frames · updated{' '}
          {formatInstant(data.receivedAtMillis, false)}
        </p>
      </footer>
    </section>
  );
}

function durationOf({ courses }: ProfileData): number | undefined {
  const selection = courses?.shown.selection;
  return selection && selection.single === undefined
    ? selection.endMillis - selection.startMillis
    : undefined;
}

/** undefined without a search; 'invalid' for a regular expression that is not one. */
function trySearch(layout: FlameLayout, search: string): SearchMatches | 'invalid' | undefined {
  try {
    const matcher = nameMatcher(search);
    return matcher && searchFlameGraph(layout, matcher);
  } catch {
    return 'invalid';
  }
}

function describeMatches(matches: SearchMatches | undefined, data: ProfileData): string {
  if (matches === undefined) return '';
  if (matches.nodeCount === 0) return 'No match';
  const { compared, shown, measure } = data;
  if (compared !== undefined) {
    const { left, right } = compared.diff;
    const share = (side: typeof left): string => formatPercent(coveredTotal(side.total, matches), side.whole);
    return `Matched ${share(left)} → ${share(right)}`;
  }
  return `Matched ${formatPercent(matches.total, shown.layout.total[0]!)} · ${formatted(matches.total, measure)}`;
}

function coveredTotal(total: Float64Array, { nodes }: SearchMatches): number {
  return nodes.reduce((sum, node) => sum + total[node]!, 0);
}

function formatted(value: number, measure: Measure): string {
  return formatValue(value, measure.unit);
}

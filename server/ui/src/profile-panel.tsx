// SPDX-License-Identifier: Apache-2.0
//
// The flame graph and the table with what belongs to both: search, view, path and legend.

import { useMemo } from 'preact/hooks';
import type { ColourScheme } from './flamegraph/colour.ts';
import { FlameGraph } from './flamegraph/flame-graph.tsx';
import type { FunctionTotals } from './flamegraph/function-totals.ts';
import type { FlameLayout } from './flamegraph/layout.ts';
import { nameMatcher, type SearchMatches, searchFlameGraph } from './flamegraph/search.ts';
import { Legend } from './parts/legend.tsx';
import { PathBar } from './parts/path-bar.tsx';
import { SearchBox } from './parts/search-box.tsx';
import { ViewSwitch } from './parts/view-switch.tsx';
import { formatInstant } from './time-range.ts';
import { TopTable } from './top-table.tsx';
import { formatPercent, formatValue, type Measure } from './units.ts';
import type { View } from './url-state.ts';
import type { ChangePageState } from './use-page-state.ts';

export interface ProfilePanelProps {
  readonly layout: FlameLayout;
  readonly functions: FunctionTotals;
  readonly measure: Measure;
  readonly durationMillis: number;
  readonly receivedAtMillis: number;
  readonly scheme: ColourScheme;
  readonly search: string;
  readonly root: readonly string[];
  readonly view: View;
  readonly onChange: ChangePageState;
  readonly onCopy: (name: string) => void;
}

export function ProfilePanel(props: ProfilePanelProps) {
  const { layout, functions, measure, durationMillis, scheme, search, root, view, onChange, onCopy } = props;
  const found = useMemo(() => trySearch(layout, search), [layout, search]);
  const matches = found === 'invalid' ? undefined : found;
  const onRoot = (path: readonly string[]): void => onChange({ root: path });
  const onSearch = (text: string): void => onChange({ search: text }, 'replace');
  return (
    <section class="panel profile-panel" aria-label="Profile">
      <div class="toolbar">
        <SearchBox
          value={search}
          onInput={onSearch}
          result={
            found === 'invalid' ? 'Not a regular expression' : describeMatches(matches, layout, measure)
          }
          isInvalid={found === 'invalid'}
        />
        <ViewSwitch view={view} onView={(chosen) => onChange({ view: chosen })} />
      </div>
      <PathBar {...{ layout, root, measure, durationMillis, onRoot, onCopy }} />
      <div class={`profile-body is-${view}`}>
        {view !== 'flame' && (
          <TopTable {...{ layout, functions, measure, scheme }} matches={matches?.names} onPick={onSearch} />
        )}
        {view !== 'table' && (
          <FlameGraph {...{ layout, measure, durationMillis, root, onRoot, onCopy, matches, scheme }} />
        )}
      </div>
      <footer class="profile-footer">
        <Legend scheme={scheme} />
        <p>
          {(layout.length - 1).toLocaleString()} frames · updated{' '}
          {formatInstant(props.receivedAtMillis, false)}
        </p>
      </footer>
    </section>
  );
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

function describeMatches(matches: SearchMatches | undefined, layout: FlameLayout, measure: Measure): string {
  if (matches === undefined) return '';
  if (matches.nodeCount === 0) return 'No match';
  const share = formatPercent(matches.total, layout.total[0]!);
  return `Matched ${share} · ${formatValue(matches.total, measure.unit)}`;
}

// SPDX-License-Identifier: Apache-2.0
//
// One look at the server: what there is to pick from, the flame graph, and the timeline of the same selection.

import type { Querier } from './api/querier.ts';
import { type Catalogue, catalogueOf, chooseProfileType } from './catalogue.ts';
import { type FunctionTotals, functionTotals } from './flamegraph/function-totals.ts';
import { type FlameLayout, layoutFlameGraph } from './flamegraph/layout.ts';
import { labelSelector } from './label-selector.ts';
import { nextTask } from './next-task.ts';
import { resolveTimeRange, type TimeRange, type TimeWindow } from './time-range.ts';
import { type TimelineColumns, type TimelineGrid, timelineColumns, timelineGrid } from './timeline-grid.ts';

/** What the reader picked; `type` '' means the best there is. */
export interface ProfileQuery {
  readonly service: string;
  readonly type: string;
  readonly filter: string;
  readonly range: TimeRange;
}

export interface ProfileData {
  readonly query: ProfileQuery;
  readonly window: TimeWindow;
  readonly catalogue: Catalogue;
  /** '' when there is no profile of any type in the window. */
  readonly profileTypeId: string;
  readonly layout: FlameLayout;
  readonly functions: FunctionTotals;
  readonly grid: TimelineGrid;
  readonly timeline: TimelineColumns;
  readonly receivedAtMillis: number;
}

/** Whether two queries ask for the same profiles, be it at different times. */
export function isSameSelection(one: ProfileQuery, other: ProfileQuery): boolean {
  return one.service === other.service && one.type === other.type && one.filter === other.filter;
}

const NOTHING = { names: [], levels: [] };

/** @throws HearthscopeError */
export async function loadProfileData(
  querier: Querier,
  query: ProfileQuery,
  signal: AbortSignal,
): Promise<ProfileData> {
  const window = resolveTimeRange(query.range, Date.now());
  const catalogue = catalogueOf(await querier.catalogue(window, signal));
  const profileTypeId = chooseProfileType(catalogue, query.service, query.type);
  const grid = timelineGrid(window);
  const selection = { profileTypeId, labelSelector: labelSelector(query.service, query.filter) };
  const [flameGraph, points] =
    profileTypeId === ''
      ? [NOTHING, []]
      : await Promise.all([
          querier.flameGraph({ ...selection, ...window }, signal),
          querier.series(
            { ...selection, startMillis: grid.startMillis, endMillis: grid.endMillis },
            grid.stepMillis,
            signal,
          ),
        ]);
  // Reading an answer, laying it out and rendering it are tasks of up to 30 ms each; together they would be felt.
  await nextTask();
  const layout = layoutFlameGraph(flameGraph);
  await nextTask();
  const functions = functionTotals(layout);
  await nextTask();
  return {
    query,
    window,
    catalogue,
    profileTypeId,
    layout,
    functions,
    grid,
    timeline: timelineColumns(grid, points),
    receivedAtMillis: Date.now(),
  };
}

/** Whether there is a bar below the root to look at. */
export function hasFrames(layout: FlameLayout): boolean {
  return layout.length > 1;
}

// SPDX-License-Identifier: Apache-2.0
//
// A comparison: one flame graph of the difference, or the two profiles side by side, and the table of both.

import { useMemo, useState } from 'preact/hooks';
import { DiffTable } from './diff-table.tsx';
import { ChangePalette } from './flamegraph/change-palette.ts';
import type { ColourScheme } from './flamegraph/colour.ts';
import { FlameGraph, type FlameGraphProps } from './flamegraph/flame-graph.tsx';
import { type DescribeFrame, frameFigures } from './flamegraph/frame-figures.ts';
import { ProfileGraph } from './flamegraph/profile-graph.tsx';
import type { SearchMatches } from './flamegraph/search.ts';
import type { Compared, Courses, ShownProfile } from './profile-data.ts';
import { formatValue, type Measure } from './units.ts';
import type { Arrangement, View } from './url-state.ts';

export interface ComparisonBodyProps {
  readonly compared: Compared;
  readonly shown: ShownProfile;
  /** undefined for files, whose duration is not known. */
  readonly courses: Courses | undefined;
  readonly measure: Measure;
  readonly view: View;
  readonly arrangement: Arrangement;
  readonly scheme: ColourScheme;
  /** Of the difference. */
  readonly describe: DescribeFrame;
  readonly matches: SearchMatches | undefined;
  readonly root: readonly string[];
  readonly onRoot: (path: readonly string[]) => void;
  readonly onCopy: (name: string) => void;
  readonly onSearch: (text: string) => void;
}

export function ComparisonBody(props: ComparisonBodyProps) {
  const { compared, shown, courses, measure, view, arrangement, scheme, describe, matches } = props;
  const { root, onRoot, onCopy, onSearch } = props;
  const { diff, baseline } = compared;
  const palette = useMemo(() => new ChangePalette(diff, scheme), [diff, scheme]);
  const graph = { root, onRoot, onCopy, matches, scheme };
  return (
    <div class={`profile-body is-${view}`}>
      {view !== 'flame' && (
        <DiffTable
          {...{ baseline, measure, scheme }}
          comparison={shown}
          matches={matches?.names}
          onPick={onSearch}
        />
      )}
      {view !== 'table' && arrangement === 'diff' && (
        <FlameGraph
          {...graph}
          {...{ palette, describe }}
          layout={diff.layout}
          title={`the difference in ${measure.title}`}
        />
      )}
      {view !== 'table' && arrangement === 'sides' && (
        <Sides {...graph} {...{ measure, baseline, shown, courses }} />
      )}
    </div>
  );
}

type GraphProps = Pick<ComparisonBodyProps, 'measure' | 'root' | 'onRoot' | 'onCopy' | 'matches' | 'scheme'>;

interface SidesProps extends GraphProps, Pick<ComparisonBodyProps, 'shown' | 'courses'> {
  readonly baseline: ShownProfile;
}

/** Both graphs; a frame that is pointed at in one is outlined in the other. */
function Sides({ baseline, shown, courses, ...graph }: SidesProps) {
  const [pointed, setPointed] = useState<readonly string[]>();
  const linked = { linked: pointed, onPoint: setPointed };
  return (
    <div class="sides">
      <Side {...graph} {...linked} title="Baseline" profile={baseline} course={courses?.baseline} />
      <Side {...graph} {...linked} title="Comparison" profile={shown} course={courses?.shown} />
    </div>
  );
}

interface SideProps extends GraphProps, Pick<FlameGraphProps, 'linked' | 'onPoint'> {
  readonly title: string;
  readonly profile: ShownProfile;
  readonly course: Courses['baseline'];
}

function Side({ title, profile, course, measure, ...graph }: SideProps) {
  const { layout } = profile;
  const describe = useMemo<DescribeFrame>(() => {
    const duration = course && course.selection.endMillis - course.selection.startMillis;
    return (node) => frameFigures(layout, node, measure, duration);
  }, [layout, measure, course]);
  return (
    <section class="side" aria-label={`Flame graph: ${title}`}>
      <h3>
        {title} <small>{formatValue(layout.total[0] ?? 0, measure.unit)}</small>
      </h3>
      {layout.length > 1 ? (
        <ProfileGraph {...graph} {...{ layout, describe }} title={`${title}, ${measure.title}`} />
      ) : (
        <p class="side-none">No samples on this side.</p>
      )}
    </section>
  );
}

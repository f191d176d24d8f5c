// SPDX-License-Identifier: Apache-2.0
//
// The course of the selection over time, and beside it that of the baseline on the same scale.

import type { ColourScheme } from './flamegraph/colour.ts';
import { Heatmap } from './heatmap.tsx';
import { type Segment, Segments } from './parts/segments.tsx';
import type { Course, Courses } from './profile-data.ts';
import { absoluteRange, formatInstant, type TimeRange } from './time-range.ts';
import { highestRate, Timeline } from './timeline.tsx';
import { formatRate, formatValue, type Measure } from './units.ts';
import type { Overview, PageState, Single } from './url-state.ts';
import type { ChangePageState } from './use-page-state.ts';

const OVERVIEW_SEGMENTS: readonly Segment<Overview>[] = [
  { value: 'timeline', title: 'Timeline' },
  { value: 'profiles', title: 'Profiles' },
  { value: 'spans', title: 'Spans' },
];

export interface CoursesPanelProps {
  readonly courses: Courses;
  /** Sums over the range. */
  readonly totals: { readonly shown: number; readonly baseline: number };
  readonly measure: Measure;
  readonly state: PageState;
  readonly scheme: ColourScheme;
  readonly onChange: ChangePageState;
}

export function CoursesPanel({ courses, totals, measure, state, scheme, onChange }: CoursesPanelProps) {
  const { shown, baseline } = courses;
  const common = { measure, scheme, overview: state.overview };
  const top = Math.max(
    highestRate(shown.timeline, shown.grid.stepMillis, measure),
    baseline === undefined ? 0 : highestRate(baseline.timeline, baseline.grid.stepMillis, measure),
  );
  const onBaselineRange = (range: TimeRange): void => {
    if (state.baseline === undefined) return;
    onChange({ baseline: { ...state.baseline, time: { kind: 'range', range } } });
  };
  return (
    <section class="panel timeline-panel" aria-label="Timeline">
      <div class={`courses ${baseline === undefined ? '' : 'are-two'}`}>
        {baseline !== undefined && (
          <CourseView
            {...common}
            title="Baseline"
            course={baseline}
            total={totals.baseline}
            top={top}
            onRange={onBaselineRange}
            onSingle={undefined}
          />
        )}
        <CourseView
          {...common}
          title={baseline === undefined ? measure.title : 'Comparison'}
          course={shown}
          total={totals.shown}
          top={top}
          onRange={(range) => onChange({ range })}
          onSingle={(single) => onChange({ single, root: [] })}
        />
      </div>
      <Segments
        label="Over time"
        class="overview-switch"
        segments={OVERVIEW_SEGMENTS}
        value={state.overview}
        onPick={(overview) => onChange({ overview }, 'replace')}
      />
    </section>
  );
}

interface CourseViewProps {
  readonly title: string;
  readonly course: Course;
  readonly total: number;
  /** The largest rate of the scale. */
  readonly top: number;
  readonly overview: Overview;
  readonly measure: Measure;
  readonly scheme: ColourScheme;
  readonly onRange: (range: TimeRange) => void;
  /** undefined where a single profile cannot be shown. */
  readonly onSingle: ((single: Single) => void) | undefined;
}

function CourseView(props: CourseViewProps) {
  const { title, course, total, top, overview, measure, scheme, onRange, onSingle } = props;
  const { selection, grid, timeline, heatmap } = course;
  const sum = formatValue(total, measure.unit);
  const rate = formatRate(total, selection.endMillis - selection.startMillis, measure);
  const figures =
    measure.rate === 'instant' || selection.single !== undefined
      ? sum
      : `${rate} on average · ${sum} in total`;
  return (
    <div class="course">
      <h2>
        {title}
        <small>{figures}</small>
      </h2>
      {overview === 'timeline' ? (
        <Timeline
          columns={timeline}
          stepMillis={grid.stepMillis}
          window={selection}
          top={top}
          {...{ measure, scheme }}
          onSelect={(start, end) => onRange(absoluteRange(start, end))}
        />
      ) : (
        <Heatmap
          slots={heatmap ?? []}
          stepMillis={grid.stepMillis}
          window={selection}
          {...{ measure, scheme, onSingle, onRange }}
          kind={overview}
          label={`${title}, ${formatInstant(selection.startMillis, true)} to ${formatInstant(selection.endMillis, true)}`}
        />
      )}
    </div>
  );
}

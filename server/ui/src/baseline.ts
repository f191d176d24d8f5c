// SPDX-License-Identifier: Apache-2.0
//
// What the selection is compared with: other labels, another time, or both. Its time follows that of the selection
// unless it is fixed, so that "a week before" stays a week before when the reader picks another range.

import { parseDurationMillis } from '@hearthscope/profile/query-dialect/duration';
import {
  describeTimeRange,
  formatSpan,
  formatTimeBound,
  parseTimeBound,
  resolveTimeRange,
  type TimeRange,
  type TimeWindow,
} from './time-range.ts';

const DAY_MILLIS = 86_400_000;

export type BaselineTime =
  /** As long as the selection's, and just before it. */
  | { readonly kind: 'previous' }
  /** That long before the selection's; negative is after it, 0 the same time. */
  | { readonly kind: 'shift'; readonly millis: number }
  | { readonly kind: 'range'; readonly range: TimeRange };

export interface Baseline {
  /** '' is all services. */
  readonly service: string;
  readonly filter: string;
  readonly time: BaselineTime;
}

export const PREVIOUS: BaselineTime = { kind: 'previous' };
export const SAME_TIME: BaselineTime = { kind: 'shift', millis: 0 };

/** The times offered in the picker. */
export const BASELINE_PRESETS: readonly { readonly title: string; readonly time: BaselineTime }[] = [
  { title: 'Previous period', time: PREVIOUS },
  { title: 'Same time', time: SAME_TIME },
  { title: 'Yesterday', time: { kind: 'shift', millis: DAY_MILLIS } },
  { title: 'Last week', time: { kind: 'shift', millis: 7 * DAY_MILLIS } },
];

/** The baseline's window for a window of the selection. */
export function baselineWindow(time: BaselineTime, window: TimeWindow, nowMillis: number): TimeWindow {
  if (time.kind === 'range') return resolveTimeRange(time.range, nowMillis);
  const by = time.kind === 'previous' ? window.endMillis - window.startMillis : time.millis;
  const startMillis = Math.max(1, window.startMillis - by);
  return { startMillis, endMillis: Math.max(startMillis + 1, window.endMillis - by) };
}

/** `previous`, `same`, `7d`, `-7d`, or the two bounds of a range as `now-2h/now-1h`. */
export function formatBaselineTime(time: BaselineTime): string {
  switch (time.kind) {
    case 'previous':
      return 'previous';
    case 'shift':
      return time.millis === 0 ? 'same' : `${time.millis < 0 ? '-' : ''}${formatSpan(Math.abs(time.millis))}`;
    case 'range':
      return `${formatTimeBound(time.range.from)}/${formatTimeBound(time.range.until)}`;
  }
}

/** The inverse of {@link formatBaselineTime}; undefined for what it never gives. */
export function parseBaselineTime(text: string): BaselineTime | undefined {
  if (text === 'previous') return PREVIOUS;
  if (text === 'same') return SAME_TIME;
  const [from, until] = text.split('/').map(parseTimeBound);
  if (from !== undefined && until !== undefined) return { kind: 'range', range: { from, until } };
  const shift = /^(-?)(\d{1,12}[smhdw])$/.exec(text);
  const millis = shift === null ? undefined : parseDurationMillis(shift[2]!);
  if (millis === undefined || millis === 0) return undefined;
  return { kind: 'shift', millis: shift![1] === '-' ? -millis : millis };
}

/** `Previous period`, `Last week`, `3h before`, or the range. */
export function describeBaselineTime(time: BaselineTime): string {
  const text = formatBaselineTime(time);
  const preset = BASELINE_PRESETS.find((each) => formatBaselineTime(each.time) === text);
  if (preset !== undefined) return preset.title;
  if (time.kind === 'range') return describeTimeRange(time.range);
  const millis = time.kind === 'shift' ? time.millis : 0;
  return `${formatSpan(Math.abs(millis))} ${millis < 0 ? 'later' : 'before'}`;
}

// SPDX-License-Identifier: Apache-2.0
//
// Everything that decides what the page shows is in its address, so that a link shows another person the same thing.
// What equals the default is left out. Unknown or malformed parameters fall back to the default.

import { DEFAULT_TIME_RANGE, formatTimeBound, isLive, parseTimeBound, type TimeRange } from './time-range.ts';

export const VIEWS = ['both', 'flame', 'table'] as const;
export type View = (typeof VIEWS)[number];

/** Seconds between refreshes; 0 is off. */
export const REFRESH_SECONDS = [0, 5, 10, 30] as const;
export const DEFAULT_REFRESH_SECONDS = 10;

/** A zoomed frame deeper than fits in a link that programs still accept is left out of the address. */
export const MAX_ROOT_CHARS = 2_000;

export interface PageState {
  /** '' is all services. */
  readonly service: string;
  /** Profile type id; '' lets the page choose. */
  readonly type: string;
  readonly range: TimeRange;
  /** Further label matchers, as typed. */
  readonly filter: string;
  readonly search: string;
  /** Names from below the root down to the frame zoomed into; empty when not zoomed. */
  readonly root: readonly string[];
  /** undefined lets the page choose by its width. */
  readonly view: View | undefined;
  /** undefined lets the page choose by the range. */
  readonly refreshSeconds: number | undefined;
}

export function parsePageState(query: string): PageState {
  const parameters = new URLSearchParams(query);
  const from = parseTimeBound(parameters.get('from') ?? '') ?? DEFAULT_TIME_RANGE.from;
  const until = parseTimeBound(parameters.get('until') ?? '') ?? DEFAULT_TIME_RANGE.until;
  const refresh = parameters.get('refresh');
  return {
    service: parameters.get('service') ?? '',
    type: parameters.get('type') ?? '',
    range: { from, until },
    filter: parameters.get('filter') ?? '',
    search: parameters.get('search') ?? '',
    root: parameters.getAll('frame'),
    view: VIEWS.find((view) => view === parameters.get('view')),
    refreshSeconds: REFRESH_SECONDS.find((seconds) => refresh === String(seconds)),
  };
}

/** The query string without its `?`; '' for the page as it opens. */
export function formatPageState(state: PageState): string {
  const parameters = new URLSearchParams();
  const set = (name: string, value: string, fallback: string): void => {
    if (value !== fallback) parameters.set(name, value);
  };
  set('service', state.service, '');
  set('type', state.type, '');
  set('from', formatTimeBound(state.range.from), formatTimeBound(DEFAULT_TIME_RANGE.from));
  set('until', formatTimeBound(state.range.until), formatTimeBound(DEFAULT_TIME_RANGE.until));
  set('filter', state.filter, '');
  set('search', state.search, '');
  set('view', state.view ?? '', '');
  set('refresh', String(state.refreshSeconds ?? ''), '');
  const frames = new URLSearchParams(state.root.map((name) => ['frame', name]));
  if (frames.toString().length <= MAX_ROOT_CHARS) {
    for (const [name, value] of frames) parameters.append(name, value);
  }
  return parameters.toString();
}

/** Seconds between refreshes: a range that does not move is asked for once, unless the reader wants otherwise. */
export function refreshSecondsOf(state: PageState): number {
  return state.refreshSeconds ?? (isLive(state.range) ? DEFAULT_REFRESH_SECONDS : 0);
}

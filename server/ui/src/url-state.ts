// SPDX-License-Identifier: Apache-2.0
//
// Everything that decides what the page shows is in its address, so that a link shows another person the same thing.
// What equals the default is left out. Unknown or malformed parameters fall back to the default.

import { type Baseline, formatBaselineTime, parseBaselineTime } from './baseline.ts';
import { DEFAULT_TIME_RANGE, formatTimeBound, isLive, parseTimeBound, type TimeRange } from './time-range.ts';

export const VIEWS = ['both', 'flame', 'table'] as const;
export type View = (typeof VIEWS)[number];

/** How a comparison is shown: as one graph of the difference, or as two graphs. */
export const ARRANGEMENTS = ['diff', 'sides'] as const;
export type Arrangement = (typeof ARRANGEMENTS)[number];

/** What is shown over time: the sum, or how many profiles or spans there are of which size. */
export const OVERVIEWS = ['timeline', 'profiles', 'spans'] as const;
export type Overview = (typeof OVERVIEWS)[number];

/** Seconds between refreshes; 0 is off. */
export const REFRESH_SECONDS = [0, 5, 10, 30] as const;
export const DEFAULT_REFRESH_SECONDS = 10;

/** A zoomed frame deeper than fits in a link that programs still accept is left out of the address. */
export const MAX_ROOT_CHARS = 2_000;

/** One of the profiles or spans of the selection. */
export interface Single {
  readonly kind: 'profile' | 'span';
  readonly id: string;
}

export interface PageState {
  /** '' is all services. */
  readonly service: string;
  /** Profile type id; '' lets the page choose. Of a file, the name of one of its profiles. */
  readonly type: string;
  readonly range: TimeRange;
  /** Further label matchers, as typed. */
  readonly filter: string;
  /** What the selection is compared with. */
  readonly baseline: Baseline | undefined;
  /** Only this one is shown. */
  readonly single: Single | undefined;
  /** Id of an uploaded file that is shown instead of what is stored; '' for none. */
  readonly file: string;
  /** Id of the uploaded file it is compared with; '' for none. */
  readonly baseFile: string;
  readonly search: string;
  /** Names from below the root down to the frame zoomed into; empty when not zoomed. */
  readonly root: readonly string[];
  /** undefined lets the page choose by its width. */
  readonly view: View | undefined;
  readonly arrangement: Arrangement;
  readonly overview: Overview;
  /** undefined lets the page choose by the range. */
  readonly refreshSeconds: number | undefined;
}

export function parsePageState(query: string): PageState {
  const parameters = new URLSearchParams(query);
  const text = (name: string): string => parameters.get(name) ?? '';
  const service = text('service');
  const filter = text('filter');
  const refresh = parameters.get('refresh');
  const baselineTime = parseBaselineTime(text('base'));
  return {
    service,
    type: text('type'),
    range: {
      from: parseTimeBound(text('from')) ?? DEFAULT_TIME_RANGE.from,
      until: parseTimeBound(text('until')) ?? DEFAULT_TIME_RANGE.until,
    },
    filter,
    baseline: baselineTime && {
      service: parameters.get('baseService') ?? service,
      filter: parameters.get('baseFilter') ?? filter,
      time: baselineTime,
    },
    single: parseSingle(parameters),
    file: text('file'),
    baseFile: text('baseFile'),
    search: text('search'),
    root: parameters.getAll('frame'),
    view: VIEWS.find((view) => view === text('view')),
    arrangement: ARRANGEMENTS.find((arrangement) => arrangement === text('show')) ?? 'diff',
    overview: OVERVIEWS.find((overview) => overview === text('over')) ?? 'timeline',
    refreshSeconds: REFRESH_SECONDS.find((seconds) => refresh === String(seconds)),
  };
}

function parseSingle(parameters: URLSearchParams): Single | undefined {
  for (const kind of ['profile', 'span'] as const) {
    const id = parameters.get(kind);
    if (id !== null && id !== '') return { kind, id };
  }
  return undefined;
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
  if (state.baseline !== undefined) {
    const { service, filter, time } = state.baseline;
    set('base', formatBaselineTime(time), '');
    set('baseService', service, state.service);
    set('baseFilter', filter, state.filter);
  }
  if (state.single !== undefined) set(state.single.kind, state.single.id, '');
  set('file', state.file, '');
  set('baseFile', state.baseFile, '');
  set('search', state.search, '');
  set('view', state.view ?? '', '');
  set('show', state.arrangement, 'diff');
  set('over', state.overview, 'timeline');
  set('refresh', String(state.refreshSeconds ?? ''), '');
  const frames = new URLSearchParams(state.root.map((name) => ['frame', name]));
  if (frames.toString().length <= MAX_ROOT_CHARS) {
    for (const [name, value] of frames) parameters.append(name, value);
  }
  return parameters.toString();
}

/** Seconds between refreshes: a range that does not move, as a file, is asked for once, unless the reader wants otherwise. */
export function refreshSecondsOf(state: PageState): number {
  if (state.file !== '') return 0;
  return state.refreshSeconds ?? (isLive(state.range) ? DEFAULT_REFRESH_SECONDS : 0);
}

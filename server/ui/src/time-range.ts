// SPDX-License-Identifier: Apache-2.0
//
// A time range as people write it: `now-15m` to `now`, or two instants. It stays relative until a query is made, so
// that a shared link of the last 15 minutes shows the last 15 minutes.

const UNIT_MILLIS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
type Unit = keyof typeof UNIT_MILLIS;

/** Unix times below this are seconds, above it milliseconds: the year 5138 in one, 1973 in the other. */
const SECONDS_BELOW = 1e11;
/** The largest instant that a Date can hold. */
const MAX_UNIX_MILLIS = 8.64e15;

/** One end of a range. `agoMillis` counts back from the moment of the query. */
export type TimeBound =
  | { readonly kind: 'relative'; readonly agoMillis: number }
  | { readonly kind: 'absolute'; readonly unixMillis: number };

export interface TimeRange {
  readonly from: TimeBound;
  readonly until: TimeBound;
}

/** A range with both ends fixed, in Unix milliseconds; `startMillis < endMillis`. */
export interface TimeWindow {
  readonly startMillis: number;
  readonly endMillis: number;
}

export const NOW: TimeBound = { kind: 'relative', agoMillis: 0 };

/** What the page opens with. */
export const DEFAULT_TIME_RANGE: TimeRange = lastMillis(15 * UNIT_MILLIS.m);

/** The ranges offered in the picker, in milliseconds. The server's default limit for one query is 24 h. */
export const PRESET_MILLIS: readonly number[] = [
  5 * UNIT_MILLIS.m,
  15 * UNIT_MILLIS.m,
  30 * UNIT_MILLIS.m,
  UNIT_MILLIS.h,
  3 * UNIT_MILLIS.h,
  6 * UNIT_MILLIS.h,
  12 * UNIT_MILLIS.h,
  24 * UNIT_MILLIS.h,
];

/** The range that ends now and is `millis` long. */
export function lastMillis(millis: number): TimeRange {
  return { from: { kind: 'relative', agoMillis: millis }, until: NOW };
}

/** The range between two instants in Unix milliseconds, in either order. */
export function absoluteRange(oneMillis: number, otherMillis: number): TimeRange {
  return {
    from: { kind: 'absolute', unixMillis: Math.round(Math.min(oneMillis, otherMillis)) },
    until: { kind: 'absolute', unixMillis: Math.round(Math.max(oneMillis, otherMillis)) },
  };
}

/** The range that much earlier; a negative shift is later, though never later than now for a bound that moves. */
export function shiftRange({ from, until }: TimeRange, byMillis: number): TimeRange {
  return { from: shiftBound(from, byMillis), until: shiftBound(until, byMillis) };
}

function shiftBound(bound: TimeBound, byMillis: number): TimeBound {
  return bound.kind === 'relative'
    ? { kind: 'relative', agoMillis: Math.max(0, bound.agoMillis + byMillis) }
    : { kind: 'absolute', unixMillis: Math.max(1, bound.unixMillis - byMillis) };
}

/** Reads `now`, `now-90s`, Unix seconds or milliseconds, or an ISO date; undefined when it is none of these. */
export function parseTimeBound(text: string): TimeBound | undefined {
  const relative = /^now(?:-(\d{1,12})([smhdw]))?$/.exec(text);
  if (relative !== null) {
    const [, count, unit] = relative;
    const agoMillis = count === undefined ? 0 : Number(count) * UNIT_MILLIS[unit as Unit];
    return agoMillis <= MAX_UNIX_MILLIS ? { kind: 'relative', agoMillis } : undefined;
  }
  const unixMillis = /^\d+$/.test(text) ? unixMillisOf(Number(text)) : Date.parse(isoDate(text));
  return unixMillis >= 0 && unixMillis <= MAX_UNIX_MILLIS ? { kind: 'absolute', unixMillis } : undefined;
}

/** Date.parse alone takes almost anything for a date. */
function isoDate(text: string): string {
  return /^\d{4}-\d{2}-\d{2}/.test(text) ? text : '';
}

function unixMillisOf(value: number): number {
  return value < SECONDS_BELOW ? value * 1_000 : value;
}

/** The inverse of {@link parseTimeBound} for bounds it can return. */
export function formatTimeBound(bound: TimeBound): string {
  if (bound.kind === 'absolute') {
    const isShort = bound.unixMillis < SECONDS_BELOW;
    return isShort ? new Date(bound.unixMillis).toISOString() : String(bound.unixMillis);
  }
  return bound.agoMillis === 0 ? 'now' : `now-${formatSpan(bound.agoMillis)}`;
}

/** `90m`, `2h`: in the largest unit that divides it; spans are whole seconds. */
export function formatSpan(millis: number): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    if (millis % UNIT_MILLIS[unit] === 0) return `${millis / UNIT_MILLIS[unit]}${unit}`;
  }
  return `${Math.round(millis / UNIT_MILLIS.s)}s`;
}

/** `15 minutes`, `1 hour`, `24 hours`. */
export function describeSpan(millis: number): string {
  const unit =
    millis % UNIT_MILLIS.h === 0
      ? ({ millis: UNIT_MILLIS.h, name: 'hour' } as const)
      : millis % UNIT_MILLIS.m === 0
        ? ({ millis: UNIT_MILLIS.m, name: 'minute' } as const)
        : ({ millis: UNIT_MILLIS.s, name: 'second' } as const);
  const count = Math.round(millis / unit.millis);
  return `${count} ${unit.name}${count === 1 ? '' : 's'}`;
}

/** Fixes both ends. A range written backwards is turned round, and an empty one is made a second long. */
export function resolveTimeRange(range: TimeRange, nowMillis: number): TimeWindow {
  const one = resolveBound(range.from, nowMillis);
  const other = resolveBound(range.until, nowMillis);
  const startMillis = Math.min(one, other);
  return { startMillis, endMillis: Math.max(one, other, startMillis + UNIT_MILLIS.s) };
}

function resolveBound(bound: TimeBound, nowMillis: number): number {
  // The server reads a time of 0 as "missing", so the epoch itself is out of reach.
  return bound.kind === 'absolute' ? Math.max(1, bound.unixMillis) : Math.max(1, nowMillis - bound.agoMillis);
}

/** Whether the range moves with the clock, so that asking again can give more. */
export function isLive(range: TimeRange): boolean {
  return range.until.kind === 'relative';
}

/** `Last 15 minutes`, or the two instants in the reader's own time zone. */
export function describeTimeRange(range: TimeRange, locale?: string): string {
  const { from, until } = range;
  if (from.kind === 'relative' && until.kind === 'relative') {
    if (until.agoMillis === 0) return `Last ${describeSpan(from.agoMillis)}`;
    return `${formatTimeBound(from)} to ${formatTimeBound(until)}`;
  }
  const describe = (bound: TimeBound, withDate: boolean): string =>
    bound.kind === 'relative' ? formatTimeBound(bound) : formatInstant(bound.unixMillis, withDate, locale);
  const sameDay =
    from.kind === 'absolute' &&
    until.kind === 'absolute' &&
    new Date(from.unixMillis).toDateString() === new Date(until.unixMillis).toDateString();
  return `${describe(from, true)} – ${describe(until, !sameDay)}`;
}

/** `14:03:20`, with `22 Nov` before it when asked. */
export function formatInstant(unixMillis: number, withDate: boolean, locale?: string): string {
  return new Intl.DateTimeFormat(locale, {
    ...(withDate ? { month: 'short', day: 'numeric' } : {}),
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).format(unixMillis);
}

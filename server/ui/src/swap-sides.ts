// SPDX-License-Identifier: Apache-2.0
//
// Baseline and comparison change places.

import { type BaselineTime, baselineWindow } from './baseline.ts';
import { absoluteRange, resolveTimeRange, shiftRange, type TimeRange } from './time-range.ts';
import type { PageState } from './url-state.ts';

type Swapped = Pick<PageState, 'service' | 'filter' | 'range' | 'baseline' | 'root' | 'single'>;

/** A baseline that follows the comparison keeps doing so, from the other side. */
export function swapSides(state: PageState, nowMillis: number): Partial<Swapped> {
  const { baseline } = state;
  if (baseline === undefined) return {};
  const { range, time } = swappedTimes(state.range, baseline.time, nowMillis);
  return {
    service: baseline.service,
    filter: baseline.filter,
    range,
    baseline: { service: state.service, filter: state.filter, time },
    // A single profile is one of the comparison's.
    single: undefined,
    root: state.root,
  };
}

function swappedTimes(
  range: TimeRange,
  time: BaselineTime,
  nowMillis: number,
): { readonly range: TimeRange; readonly time: BaselineTime } {
  if (time.kind === 'range') return { range: time.range, time: { kind: 'range', range } };
  const window = resolveTimeRange(range, nowMillis);
  const byMillis = time.kind === 'previous' ? window.endMillis - window.startMillis : time.millis;
  const isWhole = byMillis % 1_000 === 0;
  // A bound that moves with the clock cannot lie ahead of it.
  const isAhead = [range.from, range.until].some(
    (bound) => bound.kind === 'relative' && bound.agoMillis + byMillis < 0,
  );
  if (!isWhole || isAhead) {
    const before = baselineWindow(time, window, nowMillis);
    return {
      range: absoluteRange(before.startMillis, before.endMillis),
      time: { kind: 'range', range },
    };
  }
  return {
    range: shiftRange(range, byMillis),
    time: { kind: 'shift', millis: byMillis === 0 ? 0 : -byMillis },
  };
}

// SPDX-License-Identifier: Apache-2.0
//
// What a query may ask for.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { TimeRange } from '../storage/store.ts';

export interface QueryLimits {
  /** Longest time range. */
  readonly maxQueryLengthMillis: number;
  /** Nodes of a flame graph when the query does not say. */
  readonly defaultMaxNodes: number;
  /** Nodes of a flame graph that a query may ask for. */
  readonly maxNodes: number;
  /** Points of all time series of one answer. */
  readonly maxPoints: number;
  /** Queries that are worked on in turns. */
  readonly maxConcurrentQueries: number;
  /** Queries that wait for one of those to end; more are refused. */
  readonly maxQueuedQueries: number;
  /** From the arrival of a query to its answer. */
  readonly queryTimeoutMillis: number;
  /** How long a query works before profiles and other queries get their turn. */
  readonly querySliceMillis: number;
}

const HOUR_MILLIS = 3_600_000;
const DAY_MILLIS = 24 * HOUR_MILLIS;

export const DEFAULT_QUERY_LIMITS: QueryLimits = {
  maxQueryLengthMillis: 31 * DAY_MILLIS,
  defaultMaxNodes: 8192,
  maxNodes: 1_048_576,
  maxPoints: 1_000_000,
  maxConcurrentQueries: 4,
  maxQueuedQueries: 64,
  queryTimeoutMillis: 60_000,
  querySliceMillis: 10,
};

/** @throws HearthscopeError invalid_argument */
export function checkRange({ startMillis, endMillis }: TimeRange, limits: QueryLimits): void {
  if (startMillis === 0 || endMillis === 0) throw invalid('missing time range in the query');
  if (startMillis > endMillis) throw invalid('query start time is after end time');
  const length = endMillis - startMillis;
  if (length > limits.maxQueryLengthMillis) {
    throw invalid(
      `the query time range exceeds the limit (max_query_length, actual: ${formatDuration(length)}, limit: ${formatDuration(limits.maxQueryLengthMillis)})`,
    );
  }
}

/** The number of nodes to keep.
 * @throws HearthscopeError invalid_argument */
export function checkMaxNodes(maxNodes: number | undefined, limits: QueryLimits): number {
  if (maxNodes === undefined || maxNodes === 0) return limits.defaultMaxNodes;
  if (maxNodes < 0) throw invalid(`max flamegraph nodes limit must be set (max allowed ${limits.maxNodes})`);
  if (maxNodes > limits.maxNodes) {
    throw invalid(`max flamegraph nodes limit ${maxNodes} is greater than allowed ${limits.maxNodes}`);
  }
  return maxNodes;
}

function invalid(message: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', message);
}

/** `1d2h`, as clients of this API know it. */
function formatDuration(millis: number): string {
  const units: [string, number][] = [
    ['d', DAY_MILLIS],
    ['h', HOUR_MILLIS],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ];
  let rest = millis;
  let text = '';
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === '' ? '0s' : text;
}

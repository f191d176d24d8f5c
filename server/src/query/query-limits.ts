// SPDX-License-Identifier: Apache-2.0
//
// What a query may ask for, and the wording of the refusals, which clients know.

import type { TenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { TimeRange } from '../storage/store.ts';

/** Of the server, whoever asks. */
export interface QueryLimits {
  /** Points of all time series of one answer. */
  readonly maxPoints: number;
  /** Spans that one heatmap looks at. */
  readonly maxSpans: number;
  /** Queries that are worked on in turns. */
  readonly maxConcurrentQueries: number;
  /** Queries that wait for one of those to end; more are refused. */
  readonly maxQueuedQueries: number;
  /** From the arrival of a query to its answer. */
  readonly queryTimeoutMillis: number;
  /** How long a query works before profiles and other queries get their turn. */
  readonly querySliceMillis: number;
}

export const DEFAULT_QUERY_LIMITS: QueryLimits = {
  maxPoints: 1_000_000,
  maxSpans: 4_000_000,
  maxConcurrentQueries: 4,
  maxQueuedQueries: 64,
  queryTimeoutMillis: 60_000,
  querySliceMillis: 10,
};

/** What matters of a tenant's limits when it asks. */
export type TenantQueryLimits = Pick<
  TenantLimits,
  | 'maxQueryLookbackMillis'
  | 'maxQueryLengthMillis'
  | 'maxNodesDefault'
  | 'maxNodesMax'
  | 'maxNodesOnSelectMergeProfile'
  | 'includeStrippedProfiles'
>;

/** Of a query over the data of several tenants: the strictest of each. */
export function strictestLimits(limits: readonly TenantQueryLimits[]): TenantQueryLimits {
  const smallest = (limit: (of: TenantQueryLimits) => number) => {
    const set = limits.map(limit).filter((value) => value > 0);
    return set.length === 0 ? 0 : Math.min(...set);
  };
  return {
    maxQueryLookbackMillis: smallest((of) => of.maxQueryLookbackMillis),
    maxQueryLengthMillis: smallest((of) => of.maxQueryLengthMillis),
    maxNodesDefault: smallest((of) => of.maxNodesDefault),
    maxNodesMax: smallest((of) => of.maxNodesMax),
    maxNodesOnSelectMergeProfile: limits.some((of) => of.maxNodesOnSelectMergeProfile),
    includeStrippedProfiles: limits.every((of) => of.includeStrippedProfiles),
  };
}

/** @returns the range without what lies too far back; undefined when all of it does
 * @throws HearthscopeError invalid_argument */
export function checkRange(
  { startMillis, endMillis }: TimeRange,
  limits: TenantQueryLimits,
  nowMillis: number,
): TimeRange | undefined {
  if (startMillis === 0 || endMillis === 0) throw invalid('missing time range in the query');
  if (startMillis > endMillis) throw invalid('query start time is after end time');
  const { maxQueryLookbackMillis, maxQueryLengthMillis } = limits;
  const oldest = maxQueryLookbackMillis > 0 ? nowMillis - maxQueryLookbackMillis : Number.NEGATIVE_INFINITY;
  if (endMillis < oldest) return undefined;
  const start = Math.max(startMillis, oldest);
  // What lies in the future costs nothing: a range that ends "now" by a clock that is ahead is as long as it seems.
  const length = Math.min(endMillis, Math.max(start, nowMillis)) - start;
  if (maxQueryLengthMillis > 0 && length > maxQueryLengthMillis) {
    throw invalid(
      `the query time range exceeds the limit (max_query_length, actual: ${formatElapsed(length)}, limit: ${formatDuration(maxQueryLengthMillis)})`,
    );
  }
  return { startMillis: start, endMillis };
}

/** The number of nodes to keep, 0 for all.
 * @throws HearthscopeError invalid_argument */
export function checkMaxNodes(
  maxNodes: number | undefined,
  { maxNodesDefault, maxNodesMax }: TenantQueryLimits,
): number {
  if (maxNodes === undefined || maxNodes === 0) return maxNodesDefault;
  if (maxNodesMax > 0 && maxNodes < 0) {
    throw invalid(`max flamegraph nodes limit must be set (max allowed ${maxNodesMax})`);
  }
  if (maxNodesMax > 0 && maxNodes > maxNodesMax) {
    throw invalid(`max flamegraph nodes limit ${maxNodes} is greater than allowed ${maxNodesMax}`);
  }
  return Math.max(0, maxNodes);
}

function invalid(message: string): HearthscopeError {
  return new HearthscopeError('invalid_argument', message);
}

const SECOND_MILLIS = 1000;
const MINUTE_MILLIS = 60_000;
const HOUR_MILLIS = 3_600_000;

/** `25h0m0.5s`, as programs in Go write how long something took. */
function formatElapsed(millis: number): string {
  const seconds = (millis % MINUTE_MILLIS) / SECOND_MILLIS;
  const minutes = Math.floor(millis / MINUTE_MILLIS) % 60;
  const hours = Math.floor(millis / HOUR_MILLIS);
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

/** `1d2h`, as Prometheus writes a length of time. */
function formatDuration(millis: number): string {
  const units: [string, number][] = [
    ['d', 24 * HOUR_MILLIS],
    ['h', HOUR_MILLIS],
    ['m', MINUTE_MILLIS],
    ['s', SECOND_MILLIS],
    ['ms', 1],
  ];
  let rest = millis;
  let text = '';
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}

// SPDX-License-Identifier: Apache-2.0
//
// When a profile may have started. Older ones would open blocks that are closed already; newer ones come from a clock
// that is wrong.

import type { PipelineLimits } from './pipeline-limits.ts';
import type { Refusal } from './refusal.ts';

const NANOS_PER_MILLI = 1_000_000n;

type WindowLimits = Pick<PipelineLimits, 'rejectOlderThanMillis' | 'rejectNewerThanMillis'>;

/** The time of a profile that brings none is that of its arrival. */
export function profileTime(timeUnixNanos: bigint, nowMillis: number): bigint {
  return timeUnixNanos === 0n ? BigInt(Math.floor(nowMillis)) * NANOS_PER_MILLI : timeUnixNanos;
}

/** @param labels of the profile, for the message
 * @returns why a profile of that time is refused, or undefined */
export function windowRefusal(
  timeUnixNanos: bigint,
  labels: () => string,
  { rejectOlderThanMillis, rejectNewerThanMillis }: WindowLimits,
  nowMillis: number,
): Refusal | undefined {
  const start = rejectOlderThanMillis === 0 ? undefined : nowMillis - rejectOlderThanMillis;
  const end = rejectNewerThanMillis === 0 ? undefined : nowMillis + rejectNewerThanMillis;
  const millis = Number(timeUnixNanos / NANOS_PER_MILLI);
  if ((start === undefined || millis >= start) && (end === undefined || millis <= end)) return undefined;
  const bounds = [
    ...(start === undefined ? [] : [`starts at ${formatTime(start)}`]),
    ...(end === undefined ? [] : [`ends at ${formatTime(end)}`]),
  ];
  return {
    reason: 'not_in_ingestion_window',
    message:
      `profile with labels '${labels()}' is outside of ingestion window ` +
      `(profile timestamp: ${formatTime(millis)}, the ingestion window ${bounds.join(' and ')})`,
  };
}

/** ISO 8601 where the time has such a form, else the number of milliseconds. */
function formatTime(unixMillis: number): string {
  const date = new Date(unixMillis);
  return Number.isNaN(date.getTime()) ? `${unixMillis} ms` : date.toISOString();
}

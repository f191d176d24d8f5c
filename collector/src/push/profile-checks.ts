// SPDX-License-Identifier: Apache-2.0
//
// What makes a whole profile unacceptable, in the order and the words of Grafana Pyroscope.

import type { Profile } from '@hearthscope/profile/profile';
import { windowRefusal } from '../ingestion-window.ts';
import type { TenantLimits } from '../limits/tenant-limits.ts';
import type { Refusal } from '../refusal.ts';

/** @param labels of the profile, for messages
 * @param sizeBytes before decoding, decompressed */
export function profileRefusal(
  profile: Profile,
  labels: () => string,
  sizeBytes: number,
  limits: TenantLimits,
  nowMillis: number,
): Refusal | undefined {
  const { sampleTypes, periodType, timeUnixNanos, samples } = profile;
  const malformed = (message: string): Refusal => ({ reason: 'malformed_profile', message });
  if (sampleTypes.length === 0) return malformed('empty profile');
  if (timeUnixNanos !== 0n) {
    const refusal = windowRefusal(timeUnixNanos, labels, limits, nowMillis);
    if (refusal !== undefined) return refusal;
  }
  const { maxProfileSizeBytes, maxProfileSamples } = limits;
  if (maxProfileSizeBytes !== 0 && sizeBytes > maxProfileSizeBytes) {
    return {
      reason: 'profile_size_limit',
      message: `the profile with labels '${labels()}' exceeds the size limit (max_profile_size_byte, actual: ${sizeBytes}, limit: ${maxProfileSizeBytes})`,
    };
  }
  if (maxProfileSamples !== 0 && samples.length > maxProfileSamples) {
    return {
      reason: 'samples_limit',
      message: `the profile with labels '${labels()}' exceeds the samples count limit (max_profile_stacktrace_samples, actual: ${samples.length}, limit: ${maxProfileSamples})`,
    };
  }
  if (sampleTypes.some(({ type }) => type.includes('-'))) return malformed('sample type contains -');
  // A ':' would make a type id of more than five parts, which nobody could select.
  if (sampleTypes.some(({ type, unit }) => type.includes(':') || unit.includes(':'))) {
    return malformed('sample type contains :');
  }
  if (periodType.type.includes(':') || periodType.unit.includes(':')) {
    return malformed('period type contains :');
  }
  return undefined;
}

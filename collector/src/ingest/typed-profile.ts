// SPDX-License-Identifier: Apache-2.0
//
// From stacks with counts to what was measured. A sample of a CPU or wall clock profiler stands for one period of time,
// so its count is turned into nanoseconds; other counts are the measured values themselves.

import type { Label } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import type { ValueType } from '@hearthscope/profile/profile-type';
import { scaleValues } from '../otlp-profile-type.ts';
import type { PushedProfile } from '../push/pushed-profile.ts';
import type { ApplicationSuffix } from './application-suffix.ts';
import { ingestLabels } from './ingest-labels.ts';
import { durationNanos, type IngestMetadata } from './ingest-metadata.ts';

const NANOS_PER_SECOND = 1_000_000_000n;
const CPU_TIME: ValueType = { type: 'cpu', unit: 'nanoseconds' };
const WALL_TIME: ValueType = { type: 'wall', unit: 'nanoseconds' };
const NOTHING: ValueType = { type: '', unit: '' };

export interface CountedProfile {
  /** One sample type. */
  readonly counts: Profile;
  readonly suffix: ApplicationSuffix;
  /** Whether values of a CPU or wall clock profiler are nanoseconds already, and no samples. */
  readonly isTime?: boolean;
  readonly sizeBytes: number;
  readonly extraLabels?: readonly Label[];
}

/** @throws HearthscopeError invalid_argument when the time of all samples leaves int64 */
export function typedProfile(
  { counts, suffix, isTime = false, sizeBytes, extraLabels = [] }: CountedProfile,
  metadata: IngestMetadata,
): PushedProfile {
  const { metricName, application } = suffix;
  const { sampleRateHz, fromNanos } = metadata;
  const isClock = metricName === 'process_cpu' || metricName === 'wall';
  const isSampled = isClock && sampleRateHz > 0;
  const period = isSampled ? NANOS_PER_SECOND / BigInt(sampleRateHz) : 0n;
  const timeType = metricName === 'wall' ? WALL_TIME : CPU_TIME;
  const values = counts.samples.values[0]!;
  return {
    labels: ingestLabels(
      metricName,
      { ...metadata, application: { ...metadata.application, name: application } },
      extraLabels,
    ),
    profile: {
      ...counts,
      timeUnixNanos: fromNanos,
      durationNanos: durationNanos(metadata),
      sampleTypes: [isSampled || (isClock && isTime) ? timeType : suffix.sampleType],
      periodType: isSampled ? CPU_TIME : NOTHING,
      period,
      samples: {
        ...counts.samples,
        values: [isSampled && !isTime ? scaleValues(values, period) : values],
      },
    },
    sizeBytes,
  };
}

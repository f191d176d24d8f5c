// SPDX-License-Identifier: Apache-2.0
//
// Normalised profiles as OTLP requests, for back ends that speak nothing else. OTLP has no place for the name of a
// profile type: a receiver takes it from the period type. Time on CPU is therefore sent as OpenTelemetry does, as a count
// of samples of one period each, wherever that is exact.

import { encodeOtlpRequests, type OtlpExportItem } from '@hearthscope/profile/codecs/otlp-encode';
import { labelSetKey, ProfileTypeLabels, SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import type { NormalisedProfile } from '../normalised-profile.ts';
import { isDerivedLabel } from './derived-labels.ts';
import type { EncodedProfiles } from './forward-transport.ts';

const SCOPE_NAME = 'hearthscope';
const SERVICE_NAME_ATTRIBUTE = 'service.name';
const SAMPLES = { type: 'samples', unit: 'count' } as const;

/** @param maxBytes of one request; what is larger is split */
export function encodeOtlp(profiles: readonly NormalisedProfile[], maxBytes: number): EncodedProfiles {
  const cpuSeries = new Set(profiles.filter(isCpuTime).map(seriesKey));
  const items: OtlpExportItem[] = [];
  let twins = 0;
  for (const one of profiles) {
    if (isCpuSamples(one.profile) && cpuSeries.has(seriesKey(one))) twins++;
    else items.push(exportItem(one));
  }
  const { requests, samplesTooLarge, profilesTooLarge } = encodeOtlpRequests(items, maxBytes);
  return {
    bodies: requests,
    lost: {
      // The same measurement goes beside it, in time: a receiver would add both.
      ...(twins > 0 && { count_beside_time: twins }),
      ...(samplesTooLarge > 0 && { sample_too_large: samplesTooLarge }),
      ...(profilesTooLarge > 0 && { profile_too_large: profilesTooLarge }),
    },
  };
}

function exportItem({ labels, profile }: NormalisedProfile): OtlpExportItem {
  const attributes = labels
    .filter(({ name }) => !isDerivedLabel(name) && name !== ProfileTypeLabels.name)
    .map(({ name, value }) => ({
      key: name === SERVICE_NAME_LABEL ? SERVICE_NAME_ATTRIBUTE : name,
      value,
      unit: '',
    }));
  return {
    resource: { attributes },
    scopeName: SCOPE_NAME,
    scopeVersion: '',
    scopeAttributes: [],
    profile: asSamples(profile),
  };
}

/** Time on CPU as a count of periods; unchanged where that is not exact. */
function asSamples(profile: Profile): Profile {
  const { period, samples } = profile;
  const [values] = samples.values as readonly [BigInt64Array];
  if (!isCpu(profile) || period <= 0n || values.some((value) => value % period !== 0n)) return profile;
  return {
    ...profile,
    sampleTypes: [SAMPLES],
    samples: { ...samples, values: [values.map((value) => value / period)] },
  };
}

function isCpuTime({ profile }: NormalisedProfile): boolean {
  return isCpu(profile);
}

function isCpu({ sampleTypes: [sampleType], periodType }: Profile): boolean {
  return (
    sampleType?.type === 'cpu' &&
    sampleType.unit === 'nanoseconds' &&
    periodType.type === 'cpu' &&
    periodType.unit === 'nanoseconds'
  );
}

function isCpuSamples({ sampleTypes: [sampleType], periodType, period }: Profile): boolean {
  return sampleType?.type === SAMPLES.type && periodType.type === 'cpu' && period !== 0n;
}

/** What the columns of one measurement have in common. */
function seriesKey({ labels, profile }: NormalisedProfile): string {
  return `${profile.timeUnixNanos} ${labelSetKey(labels.filter(({ name }) => !isDerivedLabel(name)))}`;
}

// SPDX-License-Identifier: Apache-2.0
//
// A profile type names what a series measures: `name:sampleType:sampleUnit:periodType:periodUnit`,
// for instance `process_cpu:cpu:nanoseconds:cpu:nanoseconds`.

import { HearthscopeError } from './errors.ts';
import { type Label, ProfileTypeLabels } from './labels.ts';

/** A measured quantity and its unit, e.g. `cpu` in `nanoseconds`. Either may be empty. */
export interface ValueType {
  readonly type: string;
  readonly unit: string;
}

export interface ProfileType {
  readonly name: string;
  readonly sampleType: ValueType;
  readonly periodType: ValueType;
}

export function formatProfileType({ name, sampleType, periodType }: ProfileType): string {
  return [name, sampleType.type, sampleType.unit, periodType.type, periodType.unit].join(':');
}

/** Reads five parts; a sixth one, `delta`, is what old clients send and means nothing here.
 * @throws HearthscopeError invalid_argument */
export function parseProfileType(id: string): ProfileType {
  const parts = id.split(':');
  if (parts.length !== 5 && !(parts.length === 6 && parts[5] === 'delta')) {
    throw new HearthscopeError(
      'invalid_argument',
      `profile-type selection must be of the form <name>:<sample-type>:<sample-unit>:<period-type>:<period-unit>(:delta), got(${parts.length}): ${JSON.stringify(id)}`,
    );
  }
  const [name, type, unit, periodType, periodUnit] = parts as [string, string, string, string, string];
  return { name, sampleType: { type, unit }, periodType: { type: periodType, unit: periodUnit } };
}

/** The labels that a stored series carries for its type. */
export function profileTypeLabels(profileType: ProfileType): Label[] {
  const { name, sampleType, periodType } = profileType;
  return [
    { name: ProfileTypeLabels.name, value: name },
    { name: ProfileTypeLabels.profileType, value: formatProfileType(profileType) },
    { name: ProfileTypeLabels.type, value: sampleType.type },
    { name: ProfileTypeLabels.unit, value: sampleType.unit },
    { name: ProfileTypeLabels.periodType, value: periodType.type },
    { name: ProfileTypeLabels.periodUnit, value: periodType.unit },
  ];
}

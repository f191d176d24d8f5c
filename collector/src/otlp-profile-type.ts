// SPDX-License-Identifier: Apache-2.0
//
// From OTLP's sample type and period type to the profile type that people select. Two producers that measure the same
// thing must end in one type, or their flame graphs cannot be added or compared.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Profile } from '@hearthscope/profile/profile';
import type { ProfileType, ValueType } from '@hearthscope/profile/profile-type';

/** One sample type of a profile and the profile type it is stored as. */
export interface TypedColumn {
  /** Index into the profile's sample types. */
  readonly column: number;
  readonly profileType: ProfileType;
  /** Each sample value is to be multiplied by this. */
  readonly valueScale: bigint;
}

const CPU_NANOSECONDS: ValueType = { type: 'cpu', unit: 'nanoseconds' };
const CPU_PROFILE_NAME = 'process_cpu';
const OFF_CPU_PROFILE_NAME = 'off_cpu';
const MAX_INT64 = 2n ** 63n - 1n;

function isType(a: ValueType, type: string, unit: string): boolean {
  return a.type === type && a.unit === unit;
}

/** A profile with one sample type, which is all that OTLP itself can say:
 *  - `samples:count` every `period` ns of `cpu:nanoseconds` is time on CPU, `process_cpu:cpu:nanoseconds:cpu:nanoseconds`,
 *    each sample standing for one period;
 *  - `off_cpu:nanoseconds` is `off_cpu:off_cpu:nanoseconds:<period type>`;
 *  - any other has the period type for its name. That of `cpu:nanoseconds` is then `cpu` and not `process_cpu`, because
 *    converters of pprof send it beside `samples:count` of the same measurement, and it would be counted twice.
 *
 * A profile with several, which comes from a pprof payload, keeps them as they are; its name is `process_cpu` when the
 * period type is `cpu:nanoseconds`, else the period type.
 * @throws HearthscopeError invalid_argument when no name follows from that, or a name cannot be part of a type id */
export function typedColumns(profile: Profile): TypedColumn[] {
  const { periodType, period, sampleTypes } = profile;
  if (sampleTypes.length === 0) throw new HearthscopeError('invalid_argument', 'profile has no sample type');
  for (const part of [periodType, ...sampleTypes].flatMap(({ type, unit }) => [type, unit])) {
    if (part.includes(':')) {
      throw new HearthscopeError('invalid_argument', `type name ${JSON.stringify(part)} contains ':'`);
    }
  }
  const isSingle = sampleTypes.length === 1;
  return sampleTypes.map((sampleType, column) => {
    checkSampleType(sampleType);
    const isCpu = isType(periodType, CPU_NANOSECONDS.type, CPU_NANOSECONDS.unit);
    if (isSingle && isCpu && period !== 0n && isType(sampleType, 'samples', 'count')) {
      const profileType = { name: CPU_PROFILE_NAME, sampleType: CPU_NANOSECONDS, periodType };
      return { column, profileType, valueScale: period };
    }
    let name = periodType.type;
    if (isCpu && !isSingle) name = CPU_PROFILE_NAME;
    if (isType(sampleType, OFF_CPU_PROFILE_NAME, 'nanoseconds')) name = OFF_CPU_PROFILE_NAME;
    if (name === '') {
      throw new HearthscopeError(
        'invalid_argument',
        `invalid metric name: sample type ${sampleType.type}:${sampleType.unit} has no period type, which names the profile`,
      );
    }
    return { column, profileType: { name, sampleType, periodType }, valueScale: 1n };
  });
}

function checkSampleType({ type }: ValueType): void {
  if (type === '') throw new HearthscopeError('invalid_argument', 'sample type has no name');
  if (type.includes('-')) {
    throw new HearthscopeError('invalid_argument', `sample type contains -: ${type}`);
  }
}

/** @throws HearthscopeError invalid_argument when a product leaves int64 */
export function scaleValues(values: BigInt64Array, scale: bigint): BigInt64Array {
  if (scale === 1n) return values;
  const scaled = new BigInt64Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const product = values[row]! * scale;
    if (product > MAX_INT64 || product < -MAX_INT64) {
      throw new HearthscopeError(
        'invalid_argument',
        `value ${values[row]} of sample ${row} times the period ${scale} leaves int64`,
      );
    }
    scaled[row] = product;
  }
  return scaled;
}

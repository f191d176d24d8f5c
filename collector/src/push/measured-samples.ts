// SPDX-License-Identifier: Apache-2.0
//
// The samples of a profile that say something. A sample with a negative value comes from differences taken of counters
// that were reset, and would lower the sums of others; one with nothing but zeros would only take room.

import type { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { int64Signs, int64Sum } from '@hearthscope/profile/int64-sum';
import type { Profile } from '@hearthscope/profile/profile';
import { SampleSelector } from '../select-samples.ts';

const MAX_INT64 = 2n ** 63n - 1n;

/** @param report counts `negative_value` and `zero_values`, by sample
 * @returns the profile with the samples that have a value above zero and none below
 * @throws HearthscopeError invalid_argument when the values of one type sum to more than an int64 */
export function measuredSamples(profile: Profile, report: DecodeReport): Profile {
  const { samples } = profile;
  const signs = samples.values.map(int64Signs);
  const rows: number[] = [];
  let negative = 0;
  let zero = 0;
  for (let row = 0; row < samples.length; row++) {
    let isMeasured = false;
    let isNegative = false;
    for (const sign of signs) {
      if (sign[row]! < 0) isNegative = true;
      else if (sign[row]! > 0) isMeasured = true;
    }
    if (isNegative) negative++;
    else if (isMeasured) rows.push(row);
    else zero++;
  }
  report.repair('negative_value', negative);
  report.repair('zero_values', zero);
  const measured = rows.length === samples.length ? profile : new SampleSelector(profile).select(rows);
  checkTotals(measured);
  return measured;
}

/** Stored sums are int64; without negative values no part of a sum is larger than the whole. */
function checkTotals({ sampleTypes, samples }: Profile): void {
  samples.values.forEach((values, column) => {
    const total = int64Sum(values);
    if (total > MAX_INT64) {
      const { type, unit } = sampleTypes[column]!;
      throw new HearthscopeError(
        'invalid_argument',
        `the values of ${type}:${unit} sum to ${total}, which leaves int64`,
      );
    }
  });
}

// SPDX-License-Identifier: Apache-2.0
//
// A profile without all that makes it large: one sample without a stack holds the sums. Rates and totals of a service stay
// right when sampling leaves its profiles out.

import type { Profile } from '@hearthscope/profile/profile';
import { ProfileBuilder } from '@hearthscope/profile/profile-builder';

/** Written on profiles that were stripped. */
export const SAMPLED_LABEL = '__sampled__';

const MAX_INT64 = 2n ** 63n - 1n;

/** Samples with a negative value do not count, as they would not be stored either. A sum beyond int64 is its largest. */
export function stripToTotals(profile: Profile): Profile {
  const { id, timeUnixNanos, durationNanos, sampleTypes, periodType, period, comments } = profile;
  const { profileAttributes, samples } = profile;
  const builder = new ProfileBuilder({
    id,
    timeUnixNanos,
    durationNanos,
    sampleTypes,
    periodType,
    period,
    profileAttributes,
    comments,
  });
  const totals = sampleTypes.map(() => 0n);
  let counted = 0;
  for (let row = 0; row < samples.length; row++) {
    if (samples.values.some((column) => column[row]! < 0n)) continue;
    counted++;
    for (const [type, column] of samples.values.entries()) totals[type] = totals[type]! + column[row]!;
  }
  if (counted > 0) {
    builder.addSample(
      builder.stack([]),
      totals.map((total) => (total > MAX_INT64 ? MAX_INT64 : total)),
    );
  }
  return builder.build();
}

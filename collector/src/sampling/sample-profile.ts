// SPDX-License-Identifier: Apache-2.0
//
// What sampling makes of one profile.

import type { Label } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import type { TenantLimits } from '../limits/tenant-limits.ts';
import { samplingDecision } from './sampling-rules.ts';
import { SAMPLED_LABEL, stripToTotals } from './strip-to-totals.ts';

export interface SampledProfile {
  readonly labels: readonly Label[];
  readonly profile: Profile;
  /** Whether only the totals are left. */
  readonly isStripped: boolean;
}

/** @param random a number from 0 up to 1
 * @returns undefined when the profile is left out: `dropped_by_sampling_rules` */
export function sampleProfile(
  labels: readonly Label[],
  profile: Profile,
  limits: TenantLimits,
  random: () => number = Math.random,
): SampledProfile | undefined {
  if (samplingDecision(labels, limits, random)?.isKept ?? true) return { labels, profile, isStripped: false };
  if (!limits.keepStrippedProfiles) return undefined;
  const others = labels.filter(({ name }) => name !== SAMPLED_LABEL);
  return {
    labels: [...others, { name: SAMPLED_LABEL, value: 'true' }],
    profile: stripToTotals(profile),
    isStripped: true,
  };
}

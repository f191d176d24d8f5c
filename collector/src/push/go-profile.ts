// SPDX-License-Identifier: Apache-2.0
//
// What Go's own profilers get wrong and can be put right afterwards.

import type { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import type { Profile } from '@hearthscope/profile/profile';
import { ProfileMerger } from '@hearthscope/profile/profile-merger';
import { repairTruncatedGoStacks } from './go-truncated-stacks.ts';
import { withoutGoTypeParameters } from './go-type-parameters.ts';

/** @param report counts `go_type_parameters` (names) and `go_stack_completed` (stacks) */
export function repairGoProfile(profile: Profile, report: DecodeReport): Profile {
  const short = withoutGoTypeParameters(profile);
  report.repair('go_type_parameters', short.shortened);
  const whole = repairTruncatedGoStacks(short.shortened === 0 ? profile : merged(short.profile));
  report.repair('go_stack_completed', whole.repaired);
  return whole.profile;
}

/** Stacks are compared by their locations, so locations that have become equal must be one row. */
function merged(profile: Profile): Profile {
  const merger = new ProfileMerger(profile);
  merger.add(profile);
  return merger.build();
}

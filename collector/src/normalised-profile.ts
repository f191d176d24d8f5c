// SPDX-License-Identifier: Apache-2.0
//
// What leaves the pipeline and enters storage: one series' labels and one profile with one sample type.

import type { LabelSet } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';

/** A profile ready to be stored. */
export interface NormalisedProfile {
  /** The series it belongs to, with the labels of its profile type. */
  readonly labels: LabelSet;
  /** Exactly one sample type; the values are in that type's unit, and the time is set. */
  readonly profile: Profile;
}

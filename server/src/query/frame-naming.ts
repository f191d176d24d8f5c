// SPDX-License-Identifier: Apache-2.0
//
// How a query gets names for what was stored without them. Frames are stored as they came; what they are called is
// decided when somebody looks, since the debug information may come later than the profiles.

import type { Profile } from '@hearthscope/profile/profile';
import type { Pace } from '../storage/store.ts';

export interface FrameNaming {
  /** The profile with names for its nameless locations, where there are any. Its values are untouched. */
  name(tenant: string, profile: Profile, pace: Pace): Promise<Profile>;
}

export const NAMES_AS_STORED: FrameNaming = { name: async (_tenant, profile) => profile };

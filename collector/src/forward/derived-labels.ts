// SPDX-License-Identifier: Apache-2.0

import { ProfileTypeLabels } from '@hearthscope/profile/labels';

const DERIVED: ReadonlySet<string> = new Set([
  ProfileTypeLabels.profileType,
  ProfileTypeLabels.type,
  ProfileTypeLabels.unit,
  ProfileTypeLabels.periodType,
  ProfileTypeLabels.periodUnit,
  '__service_name__',
]);

/** Labels that every receiver derives from the profile itself. `__name__` is none of them. */
export function isDerivedLabel(name: string): boolean {
  return DERIVED.has(name);
}

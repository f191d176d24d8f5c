// SPDX-License-Identifier: Apache-2.0
//
// To which usage groups a series belongs.

import { type Label, labelValue } from '@hearthscope/profile/labels';
import type { LabelMatcher } from '@hearthscope/profile/selector/label-matcher';
import { parseSelector } from '@hearthscope/profile/selector/selector';
import type { UsageGroup } from './tenant-limits.ts';
import { resolveGroupName } from './usage-group-name.ts';

export interface UsageGroupMatch {
  /** As it is configured: the key of its limits and of its sampling. */
  readonly configuredName: string;
  /** With the values of labels in the place of their names; it may have limits of its own. */
  readonly resolvedName: string;
}

const preparedGroups = new WeakMap<readonly UsageGroup[], readonly PreparedGroup[]>();

interface PreparedGroup {
  readonly name: string;
  readonly matchers: readonly LabelMatcher[];
}

/** The groups of a series, in the order of the configuration. A series without a label that a selector names is in no
 * group of that selector, whatever the selector says about the value.
 * @param groups of the tenant's limits. Pass the same array again: it is prepared once. */
export function usageGroupsOf(
  labels: readonly Label[],
  groups: readonly UsageGroup[],
): readonly UsageGroupMatch[] {
  const matches: UsageGroupMatch[] = [];
  for (const { name, matchers } of prepared(groups)) {
    const isMember = matchers.every((matcher) => {
      const value = labelValue(labels, matcher.name);
      return value !== '' && matcher.matches(value);
    });
    if (!isMember) continue;
    const resolvedName = resolveGroupName(name, (label) => labelValue(labels, label));
    if (resolvedName !== undefined) matches.push({ configuredName: name, resolvedName });
  }
  return matches;
}

/** What is configured for a group: under its resolved name, or else under the one it is configured with. */
export function settingOf<T>(settings: Readonly<Record<string, T>>, group: UsageGroupMatch): T | undefined {
  const name = [group.resolvedName, group.configuredName].find((key) => Object.hasOwn(settings, key));
  return name === undefined ? undefined : settings[name];
}

function prepared(groups: readonly UsageGroup[]): readonly PreparedGroup[] {
  let list = preparedGroups.get(groups);
  if (list === undefined) {
    list = groups.map(({ name, selector }) => ({ name, matchers: parseSelector(selector) }));
    preparedGroups.set(groups, list);
  }
  return list;
}

// SPDX-License-Identifier: Apache-2.0
//
// Which profiles of a usage group are kept. Sampling saves storage where a service sends more profiles than anybody reads.

import type { Label } from '@hearthscope/profile/labels';
import type { TenantLimits } from '../limits/tenant-limits.ts';
import { isTemplate } from '../limits/usage-group-name.ts';
import { settingOf, type UsageGroupMatch, usageGroupsOf } from '../limits/usage-groups.ts';

export interface SamplingDecision {
  readonly isKept: boolean;
  /** The usage group whose rule decided, with the values of labels in its name. */
  readonly usageGroup: string;
  readonly probability: number;
}

/** @param random a number from 0 up to 1
 * @returns undefined when no rule is about the series: it is kept then */
export function samplingDecision(
  labels: readonly Label[],
  limits: TenantLimits,
  random: () => number,
): SamplingDecision | undefined {
  const rule = samplingRule(labels, limits);
  if (rule === undefined) return undefined;
  const { group, probability } = rule;
  return { isKept: random() < probability, usageGroup: group.resolvedName, probability };
}

interface SamplingRule {
  readonly group: UsageGroupMatch;
  readonly probability: number;
}

/** Of several rules, one with a plain name wins over one with labels in its name, then the lower probability wins. */
function samplingRule(labels: readonly Label[], limits: TenantLimits): SamplingRule | undefined {
  let chosen: SamplingRule | undefined;
  for (const group of usageGroupsOf(labels, limits.usageGroups)) {
    const probability = settingOf(limits.sampling, group);
    if (probability !== undefined && winsOver({ group, probability }, chosen))
      chosen = { group, probability };
  }
  return chosen;
}

function winsOver(rule: SamplingRule, other: SamplingRule | undefined): boolean {
  if (other === undefined) return true;
  const isPlain = !isTemplate(rule.group.configuredName);
  const isOtherPlain = !isTemplate(other.group.configuredName);
  return isPlain === isOtherPlain ? rule.probability < other.probability : isPlain;
}

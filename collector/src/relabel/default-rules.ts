// SPDX-License-Identifier: Apache-2.0
//
// The rules that make profiles of different clients one series, and where they stand among those of the operator.

import type { TenantLimits } from '../limits/tenant-limits.ts';
import { DEFAULT_RELABEL_RULE, type RelabelRule } from './relabel-rule.ts';

const NAME = '__name__';
const ORIGINAL_NAME = '__name_replaced__';

function replace(
  sourceLabels: readonly string[],
  regex: string,
  targetLabel: string,
  replacement: string,
): RelabelRule {
  return { ...DEFAULT_RELABEL_RULE, sourceLabels, separator: '/', regex, targetLabel, replacement };
}

/** Profiles of the godeltaprof library are those of Go's own with the differences taken already; a wall profile's CPU time
 * is a CPU profile. `__name_replaced__` keeps the name as it was sent. */
export const DEFAULT_RELABEL_RULES: readonly RelabelRule[] = [
  replace([NAME], 'godeltaprof_(.*)', ORIGINAL_NAME, '$0'),
  replace([ORIGINAL_NAME], 'godeltaprof_(.*)', '__delta__', 'false'),
  replace([NAME], 'godeltaprof_(.*)', NAME, '$1'),
  replace([NAME, '__type__'], 'wall/cpu', ORIGINAL_NAME, 'wall'),
  replace([NAME, '__type__'], 'wall/cpu', NAME, 'process_cpu'),
];

const combined = new WeakMap<TenantLimits, readonly RelabelRule[]>();

/** All rules for the profiles of a tenant, in the order in which they apply. */
export function relabelRulesOf(limits: TenantLimits): readonly RelabelRule[] {
  const { relabelRules, defaultRelabelRulesPosition: position } = limits;
  if (position === 'disabled') return relabelRules;
  if (relabelRules.length === 0) return DEFAULT_RELABEL_RULES;
  let rules = combined.get(limits);
  if (rules === undefined) {
    rules =
      position === 'first'
        ? [...DEFAULT_RELABEL_RULES, ...relabelRules]
        : [...relabelRules, ...DEFAULT_RELABEL_RULES];
    combined.set(limits, rules);
  }
  return rules;
}

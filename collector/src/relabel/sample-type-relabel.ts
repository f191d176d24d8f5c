// SPDX-License-Identifier: Apache-2.0
//
// Rules that say which sample types of a profile are stored.

import type { Label } from '@hearthscope/profile/labels';
import { relabel } from './relabel.ts';
import type { RelabelRule } from './relabel-rule.ts';

/** Whether a sample type is stored, as the rules say that see it as the labels `__type__` and `__unit__` beside those of
 * the series.
 * @param rules `sampleTypeRelabelRules` of the limits */
export function keepsSampleType(
  sampleType: { readonly type: string; readonly unit: string },
  labels: readonly Label[],
  rules: readonly RelabelRule[],
): boolean {
  if (rules.length === 0) return true;
  const seen = labels.filter(({ name }) => name !== '__type__' && name !== '__unit__');
  return (
    relabel(
      [...seen, { name: '__type__', value: sampleType.type }, { name: '__unit__', value: sampleType.unit }],
      rules,
    ) !== undefined
  );
}

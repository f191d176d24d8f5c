// SPDX-License-Identifier: Apache-2.0
//
// Checks the labels of a series. The texts are those that clients of Pyroscope know and search for.

import { formatLabelSet, type Label, labelSet } from '@hearthscope/profile/labels';
import type { PipelineLimits } from './pipeline-limits.ts';

export interface LabelViolation {
  readonly reason: 'max_label_names_per_series' | 'label_name_too_long' | 'label_value_too_long';
  readonly message: string;
}

export function labelsOf(labels: ReadonlyMap<string, string>): Label[] {
  return [...labels].map(([name, value]) => ({ name, value }));
}

/** `{a="b", c="d"}`, sorted by name. */
export function formatLabels(labels: ReadonlyMap<string, string>): string {
  return formatLabelSet(labelSet(labelsOf(labels)));
}

/** The first limit that the labels break, or undefined. */
export function labelViolation(
  labels: ReadonlyMap<string, string>,
  limits: PipelineLimits,
): LabelViolation | undefined {
  if (labels.size > limits.maxLabelNamesPerSeries) {
    return {
      reason: 'max_label_names_per_series',
      message: `profile series '${formatLabels(labels)}' has ${labels.size} label names; limit ${limits.maxLabelNamesPerSeries}`,
    };
  }
  for (const [name, value] of labels) {
    if (name.length > limits.maxLabelNameLength) {
      return {
        reason: 'label_name_too_long',
        message: `profile with labels '${formatLabels(labels)}' has label name too long: '${name}'`,
      };
    }
    if (value.length > limits.maxLabelValueLength) {
      return {
        reason: 'label_value_too_long',
        message: `profile with labels '${formatLabels(labels)}' has label value too long: '${value}'`,
      };
    }
  }
  return undefined;
}

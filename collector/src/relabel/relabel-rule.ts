// SPDX-License-Identifier: Apache-2.0
//
// Rules that rewrite or drop the labels of a series, with the semantics of Prometheus' `relabel_config`.

export const RELABEL_ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;

export type RelabelAction = (typeof RELABEL_ACTIONS)[number];

/** Plain data, complete: parseRelabelRules fills in what a configuration leaves out. */
export interface RelabelRule {
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  /** RE2 syntax, anchored at both ends. */
  readonly regex: string;
  /** Of `hashmod`; 0 for the others. */
  readonly modulus: number;
  /** '' for the actions that have none. */
  readonly targetLabel: string;
  /** `$1`, `${1}` and `${name}` stand for groups of the expression. */
  readonly replacement: string;
  readonly action: RelabelAction;
}

/** What a configuration that leaves a field out means. */
export const DEFAULT_RELABEL_RULE: RelabelRule = {
  sourceLabels: [],
  separator: ';',
  regex: '(.*)',
  modulus: 0,
  targetLabel: '',
  replacement: '$1',
  action: 'replace',
};

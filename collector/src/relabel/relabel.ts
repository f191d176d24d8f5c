// SPDX-License-Identifier: Apache-2.0
//
// Applies relabel rules to the labels of a series. It runs for each series of each profile, so what can be prepared of a
// rule is prepared once.

import { createHash } from 'node:crypto';
import type { Label } from '@hearthscope/profile/labels';
import {
  type CapturingExpression,
  compileCapturingExpression,
  expandTemplate,
} from '@hearthscope/profile/regular-expression/capturing-expression';
import { compileRegularExpression } from '@hearthscope/profile/regular-expression/regular-expression';
import type { RelabelAction, RelabelRule } from './relabel-rule.ts';

/** Changes the labels. @returns false when the series is dropped */
type Step = (labels: Map<string, string>) => boolean;

const preparedRules = new WeakMap<readonly RelabelRule[], readonly Step[]>();

/** @param labels names distinct; an empty value means that there is no such label
 * @param rules valid ones of parseRelabelRules, applied in their order. Pass the same array again: it is prepared once.
 * @returns undefined when a rule drops the series */
export function relabel(
  labels: readonly Label[],
  rules: readonly RelabelRule[],
): readonly Label[] | undefined {
  const changed = new Map<string, string>();
  for (const { name, value } of labels) setLabel(changed, name, value);
  for (const step of steps(rules)) {
    if (!step(changed)) return undefined;
  }
  return [...changed].map(([name, value]) => ({ name, value }));
}

function steps(rules: readonly RelabelRule[]): readonly Step[] {
  let prepared = preparedRules.get(rules);
  if (prepared === undefined) {
    prepared = rules.map(prepare);
    preparedRules.set(rules, prepared);
  }
  return prepared;
}

const PREPARE: Readonly<Record<RelabelAction, (rule: RelabelRule) => Step>> = {
  replace: prepareReplace,
  keep: (rule) => {
    const matches = compileRegularExpression(rule.regex);
    return (labels) => matches(joinedSource(rule, labels));
  },
  drop: (rule) => {
    const matches = compileRegularExpression(rule.regex);
    return (labels) => !matches(joinedSource(rule, labels));
  },
  keepequal: (rule) => (labels) => joinedSource(rule, labels) === (labels.get(rule.targetLabel) ?? ''),
  dropequal: (rule) => (labels) => joinedSource(rule, labels) !== (labels.get(rule.targetLabel) ?? ''),
  hashmod: (rule) => setTarget(rule, (source) => hashModulo(source, rule.modulus)),
  lowercase: (rule) =>
    setTarget(rule, (source) => changeCase(source, (character) => character.toLowerCase())),
  uppercase: (rule) =>
    setTarget(rule, (source) => changeCase(source, (character) => character.toUpperCase())),
  labelmap: prepareLabelMap,
  labeldrop: (rule) => removeNames(rule, true),
  labelkeep: (rule) => removeNames(rule, false),
};

function prepare(rule: RelabelRule): Step {
  return PREPARE[rule.action](rule);
}

/** What the rule looks at. */
function joinedSource({ sourceLabels, separator }: RelabelRule, labels: ReadonlyMap<string, string>): string {
  return sourceLabels.map((name) => labels.get(name) ?? '').join(separator);
}

function setLabel(labels: Map<string, string>, name: string, value: string): void {
  if (value === '') labels.delete(name);
  else labels.set(name, value);
}

function setTarget(rule: RelabelRule, change: (source: string) => string): Step {
  return (labels) => {
    setLabel(labels, rule.targetLabel, change(joinedSource(rule, labels)));
    return true;
  };
}

function prepareReplace(rule: RelabelRule): Step {
  const expression = compileCapturingExpression(rule.regex);
  return (labels) => {
    const captures = expression.match(joinedSource(rule, labels));
    if (captures === undefined) return true;
    const target = expandTemplate(rule.targetLabel, expression, captures);
    if (target !== '') setLabel(labels, target, expandTemplate(rule.replacement, expression, captures));
    return true;
  };
}

function prepareLabelMap(rule: RelabelRule): Step {
  const expression = compileCapturingExpression(rule.regex);
  return (labels) => {
    // The labels of before decide, in the order of their names; of several that get one name the last stays.
    for (const [name, value] of [...labels].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const target = mappedName(rule, expression, name);
      if (target !== '') labels.set(target, value);
    }
    return true;
  };
}

/** '' when the name does not match, or maps to none. */
function mappedName(rule: RelabelRule, expression: CapturingExpression, name: string): string {
  const captures = expression.match(name);
  return captures === undefined ? '' : expandTemplate(rule.replacement, expression, captures);
}

function removeNames(rule: RelabelRule, matching: boolean): Step {
  const matches = compileRegularExpression(rule.regex);
  return (labels) => {
    for (const name of [...labels.keys()]) {
      if (matches(name) === matching) labels.delete(name);
    }
    return true;
  };
}

/** One character for one, as in Go: `ß` has no capital letter there. */
function changeCase(source: string, change: (character: string) => string): string {
  return Array.from(source, (character) => {
    const changed = change(character);
    return [...changed].length === 1 ? changed : character;
  }).join('');
}

/** The last eight bytes of the MD5 sum, as in Prometheus: the rules of two systems shall agree on a target's shard. */
function hashModulo(source: string, modulus: number): string {
  const hash = createHash('md5').update(source).digest().readBigUInt64BE(8);
  return String(hash % BigInt(modulus));
}

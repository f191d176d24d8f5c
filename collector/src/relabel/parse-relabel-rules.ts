// SPDX-License-Identifier: Apache-2.0
//
// Relabel rules from a configuration, with the keys and the checks of Prometheus.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { suggestion } from '@hearthscope/profile/nearest';
import { compileCapturingExpression } from '@hearthscope/profile/regular-expression/capturing-expression';
import {
  COUNT,
  listOf,
  mappingOf,
  oneOf,
  TEXT,
  type ValueKind,
  valueError,
} from '../limits/config-values.ts';
import {
  DEFAULT_RELABEL_RULE,
  RELABEL_ACTIONS,
  type RelabelAction,
  type RelabelRule,
} from './relabel-rule.ts';

export const MAX_RELABEL_RULES = 500;
export const MAX_SOURCE_LABELS = 100;

const ACTION = oneOf(RELABEL_ACTIONS);

type Field = keyof RelabelRule;

const FIELDS: Readonly<Record<string, readonly [field: Field, kind: ValueKind<unknown>]>> = {
  source_labels: [
    'sourceLabels',
    { expected: 'a list of names', parse: sourceLabels, format: (value) => value },
  ],
  separator: ['separator', TEXT],
  regex: ['regex', TEXT],
  modulus: ['modulus', COUNT],
  target_label: ['targetLabel', TEXT],
  replacement: ['replacement', TEXT],
  // Prometheus does not mind capital letters here.
  action: ['action', { ...ACTION, parse: (value, where) => ACTION.parse(lowerCase(value), where) }],
} as Readonly<Record<string, readonly [Field, ValueKind<unknown>]>>;

const WITH_TARGET: readonly RelabelAction[] = [
  'replace',
  'hashmod',
  'lowercase',
  'uppercase',
  'keepequal',
  'dropequal',
];
/** What else than its action a rule may say; the others may say anything. */
const ALLOWED_FIELDS: Readonly<Partial<Record<RelabelAction, readonly Field[]>>> = {
  keepequal: ['sourceLabels', 'targetLabel'],
  dropequal: ['sourceLabels', 'targetLabel'],
  labeldrop: ['regex'],
  labelkeep: ['regex'],
  lowercase: ['sourceLabels', 'separator', 'regex', 'modulus', 'targetLabel'],
  uppercase: ['sourceLabels', 'separator', 'regex', 'modulus', 'targetLabel'],
};

/** @param value a list of mappings @param where its key, for messages
 * @throws HearthscopeError invalid_argument naming the rule and the field */
export function parseRelabelRules(
  value: unknown,
  where: string,
  actions: readonly RelabelAction[] = RELABEL_ACTIONS,
): readonly RelabelRule[] {
  return listOf(value, where, MAX_RELABEL_RULES).map((item, index) => {
    const rule = parseRule(item, `${where}[${index}]`);
    if (!actions.includes(rule.action)) {
      throw valueError(`${where}[${index}].action`, oneOf(actions).expected, rule.action);
    }
    return rule;
  });
}

/** The rules as a configuration has them: what has its default is left out. */
export function formatRelabelRules(rules: readonly RelabelRule[]): readonly Record<string, unknown>[] {
  return rules.map((rule) => {
    const entries = Object.entries(FIELDS).filter(
      ([key, [field]]) => key === 'action' || !isDefault(rule, field),
    );
    return Object.fromEntries(entries.map(([key, [field]]) => [key, rule[field]]));
  });
}

function parseRule(item: unknown, where: string): RelabelRule {
  const fields: Partial<Record<Field, unknown>> = {};
  for (const [key, value] of Object.entries(mappingOf(item, where))) {
    if (!Object.hasOwn(FIELDS, key)) {
      throw new HearthscopeError(
        'invalid_argument',
        `unknown key ${where}.${key}${suggestion(key, Object.keys(FIELDS), `${where}.`)}`,
      );
    }
    const [field, kind] = FIELDS[key]!;
    if (value !== null && value !== undefined) fields[field] = kind.parse(value, `${where}.${key}`);
  }
  const rule: RelabelRule = { ...DEFAULT_RELABEL_RULE, ...(fields as Partial<RelabelRule>) };
  checkRule(rule, where);
  return rule;
}

function checkRule(rule: RelabelRule, where: string): void {
  const { action } = rule;
  const refuse = (what: string) => new HearthscopeError('invalid_argument', `${where}: ${what}`);
  if (WITH_TARGET.includes(action) && rule.targetLabel === '') {
    throw refuse(`relabel configuration for ${action} action requires 'target_label' value`);
  }
  if (action === 'hashmod' && rule.modulus === 0) {
    throw refuse('relabel configuration for hashmod requires non-zero modulus');
  }
  if (action === 'labelmap' && rule.replacement === '') {
    throw refuse(`"" is invalid 'replacement' for labelmap action`);
  }
  const allowed = ALLOWED_FIELDS[action];
  for (const [key, [field]] of Object.entries(FIELDS)) {
    if (allowed !== undefined && field !== 'action' && !allowed.includes(field) && !isDefault(rule, field)) {
      throw refuse(`'${key}' can not be set for ${action} action`);
    }
  }
  try {
    compileCapturingExpression(rule.regex);
  } catch (error) {
    throw refuse(messageOf(error));
  }
}

function isDefault(rule: RelabelRule, field: Field): boolean {
  return field === 'sourceLabels'
    ? rule.sourceLabels.length === 0
    : rule[field] === DEFAULT_RELABEL_RULE[field];
}

function sourceLabels(value: unknown, where: string): readonly string[] {
  return listOf(value, where, MAX_SOURCE_LABELS).map((name) => {
    if (typeof name !== 'string' || name === '') throw valueError(where, 'a list of label names', name);
    return name;
  });
}

function lowerCase(value: unknown): unknown {
  return typeof value === 'string' ? value.toLowerCase() : value;
}

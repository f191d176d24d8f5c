// SPDX-License-Identifier: Apache-2.0
//
// A recording rule: which profiles become which metric. Rules come from users, over the API, and from the configuration
// of a server; what is checked is the same. The texts of refusals are what clients show.

import { createHash, randomInt } from 'node:crypto';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { type Label, ProfileTypeLabels } from '@hearthscope/profile/labels';
import { parseProfileType } from '@hearthscope/profile/profile-type';
import { formatMatcher } from '@hearthscope/profile/selector/label-matcher';
import { parseSelector } from '@hearthscope/profile/selector/selector';
import { RecordingRuleSchema } from '../../gen/settings/v1/recording_rules_pb.js';

export interface RecordingRule {
  readonly id: string;
  readonly metricName: string;
  /** Selectors, all of which a series must match. */
  readonly matchers: readonly string[];
  readonly groupBy: readonly string[];
  readonly externalLabels: readonly Label[];
  readonly generation: number;
  /** Only samples that have it in their stack; undefined for all. */
  readonly functionName: string | undefined;
  /** From the configuration of the server. */
  readonly isProvisioned: boolean;
}

/** The label by which a metric tells its rule. */
export const RULE_ID_LABEL = 'profiles_rule_id';
export const METRIC_NAME_LABEL = '__name__';
export const METRIC_NAME_PREFIX = 'profiles_recorded_';

export const RULE_LIMITS = {
  maxMatchers: 32,
  maxMatcherBytes: 4096,
  maxGroupBy: 32,
  maxExternalLabels: 32,
  /** Names of rules, metrics, labels and functions, and values of labels. */
  maxTextBytes: 1024,
} as const;

const ID = /^[a-zA-Z]+$/;
const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const ID_LENGTH = 10;

/** An id for a rule that was sent without. */
export function randomRuleId(): string {
  return Array.from({ length: ID_LENGTH }, () => ID_ALPHABET[randomInt(ID_ALPHABET.length)]).join('');
}

/** @throws HearthscopeError invalid_argument, whose message has a line for each mistake */
export function checkRule(rule: RecordingRule): void {
  const mistakes = [...mistakesOf(rule)];
  if (mistakes.length > 0) throw new HearthscopeError('invalid_argument', mistakes.join('\n'));
}

function* mistakesOf(rule: RecordingRule): Generator<string> {
  const { maxMatchers, maxMatcherBytes, maxGroupBy, maxExternalLabels, maxTextBytes } = RULE_LIMITS;
  const { id, metricName, matchers, groupBy, externalLabels, functionName } = rule;
  if (!ID.test(id)) yield `id ${JSON.stringify(id)} must match ${ID.source}`;
  if (metricName === '') yield 'metric_name is required';
  else if (!METRIC_NAME.test(metricName)) {
    yield `metric_name ${JSON.stringify(metricName)} is invalid: invalid metric name: ${metricName}`;
  } else if (!metricName.startsWith(METRIC_NAME_PREFIX)) {
    yield `metric_name ${JSON.stringify(metricName)} is invalid: metric name must start with ${METRIC_NAME_PREFIX}`;
  }
  yield* tooMany('matchers', matchers, maxMatchers);
  yield* tooMany('group_by', groupBy, maxGroupBy);
  yield* tooMany('external_labels', externalLabels, maxExternalLabels);
  yield* tooLong('matchers', matchers, maxMatcherBytes);
  const texts = externalLabels.flatMap(({ name, value }) => [name, value]);
  yield* tooLong('the texts', [id, metricName, functionName ?? '', ...groupBy, ...texts], maxTextBytes);
  yield* mistakesOfMatchers(matchers);
  for (const name of groupBy) {
    if (!LABEL_NAME.test(name)) {
      yield `group_by label ${JSON.stringify(name)} must match ${LABEL_NAME.source}`;
    }
  }
  for (const { name } of externalLabels) {
    if (!LABEL_NAME.test(name)) {
      yield `external_labels name ${JSON.stringify(name)} must match ${LABEL_NAME.source}`;
    }
  }
  if (rule.generation < 0) yield 'generation must be positive';
}

function* mistakesOfMatchers(matchers: readonly string[]): Generator<string> {
  let types = 0;
  for (const text of matchers) {
    try {
      for (const { name, operator, value } of parseSelector(text)) {
        if (name !== ProfileTypeLabels.profileType) continue;
        types++;
        if (operator === '=') parseProfileType(value);
        else yield `matcher ${JSON.stringify(name)} must have type "="`;
      }
    } catch (error) {
      yield `matcher ${JSON.stringify(text)} is invalid: ${messageOf(error)}`;
    }
  }
  if (types !== 1) yield `matchers must contain a ${JSON.stringify(ProfileTypeLabels.profileType)} matcher`;
}

function* tooMany(what: string, list: readonly unknown[], max: number): Generator<string> {
  if (list.length > max) yield `${what}: ${list.length} are too many, the limit is ${max}`;
}

function* tooLong(what: string, texts: readonly string[], maxBytes: number): Generator<string> {
  if (texts.some((text) => Buffer.byteLength(text) > maxBytes)) {
    yield `${what} must have at most ${maxBytes} bytes each`;
  }
}

/** What a rule selects, as a query has it. */
export interface RuleSelection {
  readonly profileTypeId: string;
  readonly labelSelector: string;
}

/** @param rule a valid one */
export function selectionOf({ matchers }: RecordingRule): RuleSelection {
  const all = matchers.flatMap(parseSelector);
  const type = all.find(({ name }) => name === ProfileTypeLabels.profileType)!;
  const others = all.filter((matcher) => matcher !== type).map(formatMatcher);
  return { profileTypeId: type.value, labelSelector: `{${others.join(',')}}` };
}

/** The profile type of a rule, for people; `unknown` when it has none that can be read. */
export function profileTypeOf(rule: RecordingRule): string {
  try {
    return selectionOf(rule).profileTypeId;
  } catch {
    return 'unknown';
  }
}

/** A rule of the configuration. One without an id gets one that follows from what it says.
 * @throws HearthscopeError invalid_argument */
export function provisionedRule(json: Readonly<Record<string, unknown>>): RecordingRule {
  const message = readRule(json);
  const rule: RecordingRule = {
    id: message.id,
    metricName: message.metricName.trim(),
    matchers: message.matchers,
    groupBy: message.groupBy,
    externalLabels: message.externalLabels.map(({ name, value }) => ({ name, value })),
    generation: Number(message.generation),
    functionName: message.stacktraceFilter?.functionName?.functionName || undefined,
    isProvisioned: true,
  };
  const named = rule.id === '' ? { ...rule, id: idOf(rule, message.profileType) } : rule;
  checkRule(named);
  return named;
}

function readRule(json: Readonly<Record<string, unknown>>) {
  try {
    return fromJson(RecordingRuleSchema, json as JsonValue);
  } catch (error) {
    throw new HearthscopeError('invalid_argument', `recording rule: ${messageOf(error)}`, { cause: error });
  }
}

/** The same as in Pyroscope, so that a metric keeps its label when the server changes. */
function idOf(rule: RecordingRule, profileType: string): string {
  const hash = createHash('sha256');
  for (const text of [
    rule.metricName,
    profileType,
    ...[...rule.matchers].sort(),
    ...[...rule.groupBy].sort(),
    ...rule.externalLabels.flatMap(({ name, value }) => [name, value]),
    rule.functionName ?? '',
  ]) {
    hash.update(text);
  }
  return [...hash.digest().subarray(0, ID_LENGTH)]
    .map((byte) => ID_ALPHABET[byte % ID_ALPHABET.length])
    .join('');
}

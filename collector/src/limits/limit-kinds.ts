// SPDX-License-Identifier: Apache-2.0
//
// The limits whose values are more than a number: how they are read and written.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { suggestion } from '@hearthscope/profile/nearest';
import { parseSelector } from '@hearthscope/profile/selector/selector';
import { formatRelabelRules, parseRelabelRules } from '../relabel/parse-relabel-rules.ts';
import type { RelabelRule } from '../relabel/relabel-rule.ts';
import {
  COUNT,
  DURATION,
  listOf,
  mappingOf,
  PROBABILITY,
  SWITCH,
  TEXT,
  type ValueKind,
  valueError,
} from './config-values.ts';
import type { IngestionLimit, SymbolizerLimits, TenantLimits, UsageGroup } from './tenant-limits.ts';
import { checkGroupName } from './usage-group-name.ts';

export const MAX_USAGE_GROUPS = 50;
/** Recording rules that a configuration may give to one tenant. */
export const MAX_CONFIGURED_RULES = 1000;
/** How deep the JSON of a recording rule may be. */
const MAX_RULE_DEPTH = 8;

export const RELABEL_RULES: ValueKind<readonly RelabelRule[]> = {
  expected: 'a list of relabel rules',
  parse: (value, where) => parseRelabelRules(value, where),
  format: formatRelabelRules,
};

export const SAMPLE_TYPE_RULES: ValueKind<readonly RelabelRule[]> = {
  expected: 'a list of relabel rules with the actions keep and drop',
  parse: (value, where) => parseRelabelRules(value, where, ['keep', 'drop']),
  format: formatRelabelRules,
};

export const USAGE_GROUPS: ValueKind<readonly UsageGroup[]> = {
  expected: 'a mapping of names to label selectors',
  parse: (value, where) => {
    const groups = Object.entries(boundedMapping(value, where));
    return groups.map(([key, selector]) => {
      const name = key.trim();
      checkGroupName(name, where);
      return { name, selector: checkedSelector(selector, `${where}.${name}`) };
    });
  },
  format: (groups) => Object.fromEntries(groups.map(({ name, selector }) => [name, selector])),
};

/** `{usage_groups: {NAME: {probability: 0.1}}}`. */
export const SAMPLING: ValueKind<Readonly<Record<string, number>>> = {
  expected: 'a mapping with the key usage_groups',
  parse: (value, where) => {
    const { usage_groups: groups } = fields(value, where, ['usage_groups']);
    return mapped(groups ?? {}, `${where}.usage_groups`, (group, at) => {
      const { probability } = fields(group, at, ['probability']);
      return PROBABILITY.parse(probability, `${at}.probability`);
    });
  },
  format: (sampling) => ({
    usage_groups: Object.fromEntries(
      Object.entries(sampling).map(([name, probability]) => [name, { probability }]),
    ),
  }),
};

export const INGESTION_LIMIT: ValueKind<IngestionLimit | undefined> = {
  expected: 'a mapping',
  parse: (value, where) => {
    const limit = fields(value, where, [
      'period_type',
      'period_limit_mb',
      'limit_reset_time',
      'limit_reached',
      'sampling',
      'usage_groups',
    ]);
    const sampling = fields(limit.sampling ?? {}, `${where}.sampling`, ['num_requests', 'period']);
    return {
      periodType: optional(TEXT, limit.period_type, '', `${where}.period_type`),
      periodLimitMegabytes: optional(COUNT, limit.period_limit_mb, 0, `${where}.period_limit_mb`),
      limitResetTimeUnixSeconds: optional(COUNT, limit.limit_reset_time, 0, `${where}.limit_reset_time`),
      limitReached: optional(SWITCH, limit.limit_reached, false, `${where}.limit_reached`),
      sampling: {
        profiles: optional(COUNT, sampling.num_requests, 0, `${where}.sampling.num_requests`),
        periodMillis: optional(DURATION, sampling.period, 0, `${where}.sampling.period`),
      },
      usageGroups: mapped(limit.usage_groups ?? {}, `${where}.usage_groups`, (group, at) => {
        const entry = fields(group, at, ['period_limit_mb', 'limit_reached']);
        return {
          periodLimitMegabytes: optional(COUNT, entry.period_limit_mb, 0, `${at}.period_limit_mb`),
          limitReached: optional(SWITCH, entry.limit_reached, false, `${at}.limit_reached`),
        };
      }),
    };
  },
  format: (limit) =>
    limit === undefined
      ? null
      : {
          period_type: limit.periodType,
          period_limit_mb: limit.periodLimitMegabytes,
          limit_reset_time: limit.limitResetTimeUnixSeconds,
          limit_reached: limit.limitReached,
          sampling: {
            num_requests: limit.sampling.profiles,
            period: DURATION.format(limit.sampling.periodMillis),
          },
          usage_groups: Object.fromEntries(
            Object.entries(limit.usageGroups).map(([name, { periodLimitMegabytes, limitReached }]) => [
              name,
              { period_limit_mb: periodLimitMegabytes, limit_reached: limitReached },
            ]),
          ),
        },
};

export const SYMBOLIZER: ValueKind<Partial<SymbolizerLimits>> = {
  expected: 'a mapping',
  parse: (value, where) => {
    const entries = Object.entries(fields(value, where, Object.keys(SYMBOLIZER_KEYS)));
    return Object.fromEntries(
      entries
        .filter(([, setting]) => setting !== null)
        .map(([key, setting]) => {
          const [field, kind] = SYMBOLIZER_KEYS[key]!;
          return [field, kind.parse(setting, `${where}.${key}`)];
        }),
    );
  },
  format: (symbolizer) =>
    Object.fromEntries(Object.entries(SYMBOLIZER_KEYS).map(([key, [field]]) => [key, symbolizer[field]])),
};

/** The size has no underscores upstream, where nobody gave its key a name. */
const SYMBOLIZER_KEYS: Readonly<
  Record<string, readonly [field: keyof SymbolizerLimits, kind: ValueKind<number> | ValueKind<boolean>]>
> = {
  enabled: ['enabled', SWITCH],
  maxsymbolsizebytes: ['maxSymbolSizeBytes', COUNT],
  symbol_ref_trees_enabled: ['symbolRefTreesEnabled', SWITCH],
  max_unresolved_locations: ['maxUnresolvedLocations', COUNT],
};

export const RECORDING_RULES: ValueKind<TenantLimits['recordingRules']> = {
  expected: 'a list of recording rules',
  parse: (value, where) =>
    listOf(value, where, MAX_CONFIGURED_RULES).map(
      (rule, index) =>
        plainCopy(mappingOf(rule, `${where}[${index}]`), `${where}[${index}]`, 0) as Record<string, unknown>,
    ),
  format: (rules) => rules,
};

/** The values of a mapping that may have these keys and no others. @throws HearthscopeError invalid_argument */
function fields<K extends string>(
  value: unknown,
  where: string,
  keys: readonly K[],
): Readonly<Partial<Record<K, unknown>>> {
  const content = mappingOf(value, where);
  for (const key of Object.keys(content)) {
    if (!keys.includes(key as K)) {
      throw new HearthscopeError(
        'invalid_argument',
        `unknown key ${where}.${key}${suggestion(key, keys, `${where}.`)}`,
      );
    }
  }
  return content as Readonly<Partial<Record<K, unknown>>>;
}

function optional<T>(kind: ValueKind<T>, value: unknown, absent: T, where: string): T {
  return value === null || value === undefined ? absent : kind.parse(value, where);
}

/** A mapping by usage group. @throws HearthscopeError invalid_argument */
function boundedMapping(value: unknown, where: string): Readonly<Record<string, unknown>> {
  const content = mappingOf(value, where);
  const count = Object.keys(content).length;
  if (count > MAX_USAGE_GROUPS) {
    throw new HearthscopeError(
      'invalid_argument',
      `${where}: maximum number of usage groups is ${MAX_USAGE_GROUPS}, got ${count}`,
    );
  }
  return content;
}

function mapped<T>(
  value: unknown,
  where: string,
  read: (value: unknown, where: string) => T,
): Readonly<Record<string, T>> {
  const entries = Object.entries(boundedMapping(value, where));
  return Object.fromEntries(entries.map(([name, entry]) => [name, read(entry, `${where}.${name}`)]));
}

function checkedSelector(value: unknown, where: string): string {
  if (typeof value !== 'string')
    throw valueError(where, 'a label selector such as {service_name="a"}', value);
  try {
    parseSelector(value);
  } catch (error) {
    throw new HearthscopeError('invalid_argument', `${where}: ${messageOf(error)}`);
  }
  return value;
}

/** JSON of its own: aliases of YAML can make values that hold themselves. */
function plainCopy(value: unknown, where: string, depth: number): unknown {
  if (depth > MAX_RULE_DEPTH) {
    throw new HearthscopeError('invalid_argument', `${where}: nested more than ${MAX_RULE_DEPTH} deep`);
  }
  if (Array.isArray(value)) {
    return listOf(value, where, MAX_CONFIGURED_RULES).map((item) => plainCopy(item, where, depth + 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, plainCopy(item, where, depth + 1)]),
  );
}

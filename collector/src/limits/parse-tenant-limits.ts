// SPDX-License-Identifier: Apache-2.0
//
// Limits from a configuration, and back to one.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { suggestion } from '@hearthscope/profile/nearest';
import { IGNORED_LIMIT_KEYS } from './ignored-limit-keys.ts';
import { LIMIT_KEYS } from './limit-keys.ts';
import { type TenantLimits, tenantLimits } from './tenant-limits.ts';

/** What the older storage engine of Pyroscope called `retention_period`, which wins where both are given. */
const RETENTION_ALIAS = 'compactor_blocks_retention_period';
const RETENTION_KEY = 'retention_period';

const keysByName = new Map(LIMIT_KEYS.map((key) => [key.key, key]));
const ignoredKeys = new Map(IGNORED_LIMIT_KEYS.map(({ key, reason }) => [key, reason]));

/** Reads the `limits:` block, or that of a tenant in the overrides. A key without a value keeps the limit of `base`.
 * @param where the block, for messages: `limits`, `overrides.team-a`
 * @param onIgnored called for each key that is accepted and changes nothing
 * @throws HearthscopeError invalid_argument naming key and value; for an unknown key also the nearest one */
export function parseTenantLimits(
  block: Readonly<Record<string, unknown>>,
  base: TenantLimits,
  where: string,
  onIgnored: (key: string, reason: string) => void = () => {},
): TenantLimits {
  let changes: Partial<TenantLimits> = {};
  for (const [name, value] of Object.entries(withoutAlias(block, where, onIgnored))) {
    const key = keysByName.get(name);
    if (key !== undefined) {
      if (value !== null && value !== undefined) {
        changes = { ...changes, ...key.parse(value, `${where}.${name}`, base) };
        if (key.noEffect !== undefined) onIgnored(name, key.noEffect);
      }
      continue;
    }
    const reason = ignoredKeys.get(name);
    if (reason === undefined) throw unknownKey(name, where);
    onIgnored(name, reason);
  }
  return tenantLimits({ ...lookbackOfRetention(changes, base), ...changes }, base);
}

/** All limits as the keys say them, in the order of the table. */
export function formatTenantLimits(limits: TenantLimits): Record<string, unknown> {
  return Object.fromEntries(LIMIT_KEYS.map(({ key, format }) => [key, format(limits)]));
}

/** The keys in which limits differ from others, as a block of the configuration. */
export function formatChangedLimits(limits: TenantLimits, base: TenantLimits): Record<string, unknown> {
  const before = formatTenantLimits(base);
  const changed = Object.entries(formatTenantLimits(limits)).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key]),
  );
  return Object.fromEntries(changed);
}

function withoutAlias(
  block: Readonly<Record<string, unknown>>,
  where: string,
  onIgnored: (key: string, reason: string) => void,
): Readonly<Record<string, unknown>> {
  if (!Object.hasOwn(block, RETENTION_ALIAS)) return block;
  const { [RETENTION_ALIAS]: alias, ...rest } = block;
  if (Object.hasOwn(block, RETENTION_KEY)) {
    onIgnored(RETENTION_ALIAS, `${where}.${RETENTION_KEY} is set`);
    return rest;
  }
  return { ...rest, [RETENTION_KEY]: alias };
}

/** Queries see all that is kept, as long as nobody says something else. */
function lookbackOfRetention(changes: Partial<TenantLimits>, base: TenantLimits): Partial<TenantLimits> {
  const { retentionPeriodMillis } = changes;
  return retentionPeriodMillis === undefined || base.maxQueryLookbackMillis !== base.retentionPeriodMillis
    ? {}
    : { maxQueryLookbackMillis: retentionPeriodMillis };
}

function unknownKey(name: string, where: string): HearthscopeError {
  const known = [...keysByName.keys(), ...ignoredKeys.keys(), RETENTION_ALIAS];
  return new HearthscopeError(
    'invalid_argument',
    `unknown key ${where}.${name}${suggestion(name, known, `${where}.`)}`,
  );
}

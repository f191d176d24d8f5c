// SPDX-License-Identifier: Apache-2.0
//
// The configuration for the server's status pages: the keys of the file, and no secrets.

import { formatTenantLimits } from '@hearthscope/collector/limits/parse-tenant-limits';
import { DEFAULT_TENANT_LIMITS, type TenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { LIMITS_SECTION } from './file.ts';
import type { SettingReader } from './setting-reader.ts';
import { type Setting, settings } from './settings.ts';

export interface ShownConfiguration {
  readonly running: Readonly<Record<string, unknown>>;
  readonly defaults: Readonly<Record<string, unknown>>;
}

const MASK = '********';

export function shownConfiguration(read: SettingReader, limits: TenantLimits): ShownConfiguration {
  return {
    running: sections(({ path }) => read.value(path), limits),
    defaults: sections(({ schema }) => schema.default, DEFAULT_TENANT_LIMITS),
  };
}

function sections(of: (setting: Setting) => unknown, limits: TenantLimits): Record<string, unknown> {
  const shown: Record<string, Record<string, unknown>> = {};
  for (const setting of settings) {
    const { section, key, schema } = setting;
    const value = of(setting);
    shown[section] ??= {};
    shown[section][key] = schema['x-secret'] ? masked(value) : (value ?? schema['x-default']);
  }
  return { ...shown, [LIMITS_SECTION]: formatTenantLimits(limits) };
}

/** The names of a mapping stay, as they say what was configured. */
function masked(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value === '' || value === undefined ? '' : MASK;
  return Object.fromEntries(Object.keys(value).map((name) => [name, MASK]));
}

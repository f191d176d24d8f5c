// SPDX-License-Identifier: Apache-2.0
//
// The file whose `overrides` give single tenants limits of their own. It is read again while the server runs; a file that
// cannot be read or understood changes nothing, is counted each time and logged once.
//
//   overrides:
//     team-a:
//       ingestion_rate_mb: 8

import { parseTenantLimits } from '@hearthscope/collector/limits/parse-tenant-limits';
import type { LimitsConfig, TenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { ReloadedFiles } from '@hearthscope/collector/reload/reloaded-files';
import { parseYamlMapping } from '@hearthscope/collector/reload/yaml-data';
import { checkTenantId } from '@hearthscope/collector/tenant';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { suggestion } from '@hearthscope/profile/nearest';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';

export const MAX_RUNTIME_CONFIG_BYTES = 4 * 2 ** 20;
/** Tenants with limits of their own. */
export const MAX_OVERRIDES = 10_000;

export const DEFAULT_RUNTIME_CONFIG_PERIOD_MILLIS = 10_000;

export interface RuntimeConfigOptions {
  /** Without one, every tenant has the defaults. */
  readonly file?: string;
  readonly periodMillis?: number;
  /** Limits of tenants without an override, and what an override leaves out. */
  readonly defaults: TenantLimits;
  /** Called with each new configuration but the first, which `limits` has at once. */
  readonly onChange: (limits: LimitsConfig) => void;
  readonly logger: Logger;
  readonly registry: Registry;
}

/** The limits of all tenants, now. */
export class RuntimeConfig {
  readonly #defaults: LimitsConfig;
  readonly #file: ReloadedFiles<LimitsConfig> | undefined;

  /** @throws HearthscopeError failed_precondition when the file cannot be read or understood at the start */
  constructor(options: RuntimeConfigOptions) {
    const { file, defaults, onChange, logger, registry } = options;
    this.#defaults = { defaults, overrides: {} };
    if (file === undefined) return;
    const failures = new Counter({
      name: 'hearthscope_runtime_config_failures_total',
      help: 'Attempts to read the runtime configuration that failed',
      labelNames: ['reason'] as const,
      registers: [registry],
    });
    for (const reason of ['unreadable', 'too_large', 'invalid']) failures.inc({ reason }, 0);
    const isCurrent = new Gauge({
      name: 'hearthscope_runtime_config_last_reload_successful',
      help: 'Whether the runtime configuration could be read the last time',
      registers: [registry],
    });
    isCurrent.set(1);
    this.#file = new ReloadedFiles({
      paths: [file],
      maxBytes: MAX_RUNTIME_CONFIG_BYTES,
      periodMillis: options.periodMillis ?? DEFAULT_RUNTIME_CONFIG_PERIOD_MILLIS,
      parse: ([content]) =>
        parseRuntimeConfig(content!.toString(), defaults, (key, reason) =>
          logger.warn({ key, reason }, 'a key of the runtime configuration has no effect'),
        ),
      onChange: (limits) => {
        onChange(limits);
        logger.info(
          { file, tenants: Object.keys(limits.overrides).length },
          'runtime configuration reloaded',
        );
      },
      onSuccess: () => isCurrent.set(1),
      onFailure: (reason, error, isNew) => {
        failures.inc({ reason });
        isCurrent.set(0);
        if (isNew) {
          logger.error(
            { reason, error: error.message },
            'runtime configuration not reloaded, the one of before stays in force',
          );
        }
      },
    });
  }

  get limits(): LimitsConfig {
    return this.#file?.value ?? this.#defaults;
  }

  /** Whether there is a file: without one, its pages are not served. */
  get hasFile(): boolean {
    return this.#file !== undefined;
  }

  /** Reads the file again, now. Never throws. */
  check(): void {
    this.#file?.check();
  }

  close(): void {
    this.#file?.close();
  }
}

/** @param text YAML
 * @throws HearthscopeError invalid_argument naming tenant and key */
export function parseRuntimeConfig(
  text: string,
  defaults: TenantLimits,
  onIgnored: (key: string, reason: string) => void = () => {},
): LimitsConfig {
  const content = parseYamlMapping(text);
  for (const key of Object.keys(content)) {
    if (key !== 'overrides') {
      throw new HearthscopeError('invalid_argument', `unknown key ${key}${suggestion(key, ['overrides'])}`);
    }
  }
  const tenants = Object.entries(blockOf(content.overrides, 'overrides'));
  if (tenants.length > MAX_OVERRIDES) {
    throw new HearthscopeError(
      'invalid_argument',
      `overrides: ${tenants.length} tenants, at most ${MAX_OVERRIDES} are allowed`,
    );
  }
  const overrides = tenants.map(([tenant, block]) => {
    const where = `overrides.${tenant}`;
    checkTenantId(tenant);
    const ignored = (key: string, reason: string) => onIgnored(`${where}.${key}`, reason);
    return [tenant, parseTenantLimits(blockOf(block, where), defaults, where, ignored)] as const;
  });
  return { defaults, overrides: Object.fromEntries(overrides) };
}

/** A mapping; a key without a value is an empty one. */
function blockOf(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new HearthscopeError('invalid_argument', `${where}: expected a mapping of names to values`);
  }
  return value as Readonly<Record<string, unknown>>;
}

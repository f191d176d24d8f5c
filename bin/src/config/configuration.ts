// SPDX-License-Identifier: Apache-2.0
//
// Merges defaults, file, environment and flags, in that order, into one typed configuration. In the environment and
// among the flags, Pyroscope's names give way to our own.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseTenantLimits } from '@hearthscope/collector/limits/parse-tenant-limits';
import { DEFAULT_TENANT_LIMITS, type TenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { suggestion } from '@hearthscope/profile/nearest';
import { UsageError } from '../exit-codes.ts';
import { CLIENT_VARIABLES } from '../query/client-variables.ts';
import type { AgentConfiguration, Configuration } from './configuration-types.ts';
import { LIMITS_SECTION, readConfigurationFile } from './file.ts';
import { GatheredSettings } from './gathered.ts';
import type { GoFlag } from './pyroscope/go-flags.ts';
import { keyOfFlag, keyOfVariable, PYROSCOPE_PREFIX, variableNames } from './pyroscope/known-keys.ts';
import type { Command } from './schema/setting-schema.ts';
import { forwardConfiguration, serverConfiguration } from './server-section.ts';
import { SettingReader } from './setting-reader.ts';
import {
  checkSetting,
  ENVIRONMENT_PREFIX,
  keyValue,
  type Setting,
  settingFromText,
  settings,
} from './settings.ts';
import { shownConfiguration } from './shown-configuration.ts';

/** Names the configuration file; the only variable that is not a setting. */
export const CONFIG_VARIABLE = `${ENVIRONMENT_PREFIX}CONFIG`;
/** The same in Pyroscope's spelling, with the switch that belongs to it. */
const CONFIG_FLAG = 'config.file';
const PYROSCOPE_CONFIG_VARIABLE = `${PYROSCOPE_PREFIX}CONFIG_FILE`;
const EXPAND_FLAG = 'config.expand-env';

/** A rule as the file spells it. */
interface FileServiceRule {
  readonly name: string;
  readonly match: Omit<AgentConfiguration['services'][number]['match'], 'systemdUnit'> & {
    readonly systemd_unit?: string;
  };
}

export interface ConfigurationSources {
  readonly command: Command;
  /** Flag name to its text, a boolean for a switch, or a list for a repeated one. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Flags in Pyroscope's spelling, in their order. */
  readonly goFlags?: readonly GoFlag[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
}

export interface ResolvedConfiguration {
  readonly configuration: Configuration;
  /** Things that are probably mistakes but stop nothing; to be logged. */
  readonly warnings: readonly string[];
}

/** @throws UsageError naming the flag, the variable, or the file's line and key */
export function resolveConfiguration(sources: ConfigurationSources): ResolvedConfiguration {
  const gathered = new GatheredSettings(sources.command);
  readFile(sources, gathered);
  readEnvironment(sources, gathered);
  readFlags(sources, gathered);
  const limits = resolveLimits(gathered);
  return { configuration: typed(gathered, limits, sources), warnings: gathered.warnings };
}

function readFile({ flags, goFlags = [], environment }: ConfigurationSources, into: GatheredSettings): void {
  const goFlag = (wanted: string) => goFlags.findLast(({ name }) => name === wanted)?.value;
  const path =
    (flags.config as string | undefined) ??
    goFlag(CONFIG_FLAG) ??
    environment[CONFIG_VARIABLE] ??
    environment[PYROSCOPE_CONFIG_VARIABLE];
  if (path === undefined || path === '') return;
  const expands = goFlag(EXPAND_FLAG) === 'true';
  readConfigurationFile({ path, environment: expands ? environment : undefined }, into);
}

function readEnvironment({ environment }: ConfigurationSources, into: GatheredSettings): void {
  const setBy = new Map<string, string>();
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(PYROSCOPE_PREFIX) || text === undefined || text === '') continue;
    if (name === PYROSCOPE_CONFIG_VARIABLE) continue;
    const known = keyOfVariable(name);
    if (known !== undefined) into.apply(known, text, name, { isText: true, setBy });
    else into.warnings.push(`${name} is ignored: no such setting${suggestion(name, variableNames())}`);
  }
  for (const setting of settings) {
    const text = setting.variable === undefined ? undefined : environment[setting.variable];
    if (text !== undefined && text !== '') apply(into, setting, text, setting.variable!);
  }
  const known = [CONFIG_VARIABLE, ...CLIENT_VARIABLES, ...settings.flatMap(({ variable }) => variable ?? [])];
  for (const name of Object.keys(environment)) {
    if (name.startsWith(ENVIRONMENT_PREFIX) && !known.includes(name)) {
      into.warnings.push(`unknown environment variable ${name}${suggestion(name, known)}`);
    }
  }
}

function readFlags({ flags, goFlags = [] }: ConfigurationSources, into: GatheredSettings): void {
  const setBy = new Map<string, string>();
  for (const { name, value } of goFlags) {
    if (name === CONFIG_FLAG || name === EXPAND_FLAG) continue;
    into.apply(keyOfFlag(name)!, value, `-${name}`, { isText: true, setBy });
  }
  for (const setting of settings) {
    if (setting.flag === undefined) continue;
    const given = flags[setting.flag];
    if (given !== undefined) apply(into, setting, given, `--${setting.flag}`);
  }
}

function apply(into: GatheredSettings, setting: Setting, given: unknown, where: string): void {
  const value = Array.isArray(given) ? repeated(setting, given, where) : oneValue(setting, given, where);
  checkSetting(setting, value, where);
  into.values.set(setting.path, value);
}

function oneValue(setting: Setting, given: unknown, where: string): unknown {
  return typeof given === 'string' ? settingFromText(setting, given, where) : given;
}

function repeated(setting: Setting, given: readonly unknown[], where: string): unknown {
  const texts = given.map(String);
  if (setting.schema.type === 'object') return Object.fromEntries(texts.map((text) => keyValue(text, where)));
  if (setting.schema.type === 'array') return texts.flatMap((text) => settingFromText(setting, text, where));
  throw new UsageError(`${where} is given ${texts.length} times`);
}

function resolveLimits({ limits: given, warnings }: GatheredSettings): TenantLimits {
  let limits = DEFAULT_TENANT_LIMITS;
  for (const [name, { value, place }] of given) {
    try {
      limits = parseTenantLimits({ [name]: value }, limits, LIMITS_SECTION, (key, reason) =>
        warnings.push(`${place}${LIMITS_SECTION}.${key} is ignored: ${reason}`),
      );
    } catch (error) {
      throw error instanceof HearthscopeError ? new UsageError(place + error.message) : error;
    }
  }
  return limits;
}

function typed(
  gathered: GatheredSettings,
  limits: TenantLimits,
  sources: ConfigurationSources,
): Configuration {
  const read = new SettingReader(gathered.values);
  const server = serverConfiguration(read, {
    host: sources.command === 'up' ? '127.0.0.1' : allAddresses(),
    // Only who stores needs a place for it.
    dataDir: () => (sources.command === 'collector' ? '' : defaultDataDirectory(sources)),
    limits,
  });
  if (sources.command === 'up' && server.tls !== undefined) {
    throw new UsageError(
      'the agent of `up` speaks to its server over loopback without TLS: run `hearthscope server` and `hearthscope agent` apart',
    );
  }
  return {
    server,
    agent: agentConfiguration(read, sources),
    forward: forwardConfiguration(read, sources.command === 'collector'),
    shown: shownConfiguration(read, limits),
    log: { level: read.value('log.level'), format: read.value('log.format') },
    telemetry: {
      otlpEndpoint: read.value('telemetry.otlp_endpoint'),
      intervalMillis: read.millis('telemetry.interval'),
    },
  };
}

function agentConfiguration(read: SettingReader, sources: ConfigurationSources): AgentConfiguration {
  return {
    endpoint: read.value('agent.endpoint'),
    protocol: read.value('agent.protocol'),
    headers: read.value('agent.headers'),
    tenant: read.value('agent.tenant'),
    frequencyHz: read.value('agent.frequency'),
    intervalMillis: read.millis('agent.interval'),
    excludeSelf: read.value('agent.exclude_self'),
    content: read.value('agent.content'),
    timeoutMillis: read.millis('agent.timeout'),
    caFile: read.value('agent.ca_file'),
    queueMaxBytes: read.bytes('agent.queue_max_bytes'),
    symbolCacheBytes: read.bytes('agent.symbol_cache_bytes'),
    unwindMaxBytes: read.bytes('agent.unwind_max_bytes'),
    cacheDir: read.value<string | undefined>('agent.cache_dir') ?? defaultCacheDirectory(sources),
    symbolize: read.value('agent.symbolize'),
    demangle: read.value('agent.demangle'),
    debuginfodUrls:
      read.value<readonly string[] | undefined>('agent.debuginfod_urls') ?? debuginfodUrls(sources),
    metricsHost: read.value('agent.metrics_host'),
    metricsPort: read.port('agent.metrics_port'),
    metricsPortExplicit: read.has('agent.metrics_port'),
    services: read.value<readonly FileServiceRule[]>('agent.services').map(({ name, match }) => {
      const { systemd_unit: systemdUnit, ...patterns } = match;
      return { name, match: { ...patterns, ...(systemdUnit !== undefined && { systemdUnit }) } };
    }),
  };
}

/** `::` takes IPv4 too, but a kernel without IPv6 refuses it. */
function allAddresses(): string {
  return existsSync('/proc/net/if_inet6') ? '::' : '0.0.0.0';
}

function defaultDataDirectory({ isRoot, environment }: ConfigurationSources): string {
  if (isRoot) return '/var/lib/hearthscope';
  const home = environment.HOME;
  const base = environment.XDG_DATA_HOME || (home && join(home, '.local/share'));
  if (!base)
    throw new UsageError('neither XDG_DATA_HOME nor HOME is set: say where to keep data with --data-dir');
  return join(base, 'hearthscope');
}

/** Empty, which keeps nothing, where there is no such place: a cache is not worth an error. */
function defaultCacheDirectory({ isRoot, environment }: ConfigurationSources): string {
  if (isRoot) return '/var/cache/hearthscope';
  const home = environment.HOME;
  const base = environment.XDG_CACHE_HOME || (home && join(home, '.cache'));
  return base ? join(base, 'hearthscope') : '';
}

/** The variable that debuginfod's own client reads: addresses with spaces between them. */
function debuginfodUrls({ environment }: ConfigurationSources): string[] {
  return (environment.DEBUGINFOD_URLS ?? '').split(/\s+/).filter((url) => /^https?:\/\//.test(url));
}

// SPDX-License-Identifier: Apache-2.0
//
// Merges defaults, file, environment and flags, in that order, into one typed configuration. The result is plain
// data: the supervisor hands it to its children as JSON.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceRule } from '@hearthscope/agent/discovery/service-name';
import { UsageError } from '../exit-codes.ts';
import { suggestion } from '../nearest.ts';
import { readConfigurationFile } from './file.ts';
import type { Command } from './schema.ts';
import {
  checkSetting,
  ENVIRONMENT_PREFIX,
  keyValue,
  type Setting,
  settingFromText,
  settings,
} from './settings.ts';
import { parseDurationMillis, parseSizeBytes } from './units.ts';

/** Names the configuration file; the only variable that is not a setting. */
export const CONFIG_VARIABLE = `${ENVIRONMENT_PREFIX}CONFIG`;

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export type LogFormat = 'text' | 'json';

export interface ServerConfiguration {
  readonly host: string;
  readonly httpPort: number;
  /** `null`: no such listener. */
  readonly otlpGrpcPort: number | null;
  readonly otlpHttpPort: number | null;
  /** Somebody asked for these ports, so that a taken one is an error and not a warning. */
  readonly otlpPortsExplicit: boolean;
  readonly dataDir: string;
  readonly headMaxBytes: number;
  readonly maxBodyBytes: number;
  /** Empty: the default user. */
  readonly user: string;
  readonly indexedAttributes: readonly string[];
  readonly debugInfoUploads: boolean;
  readonly debugInfoDirs: readonly string[];
  readonly debugInfoMaxBytes: number;
  readonly demangle: 'none' | 'simplified' | 'templates' | 'full';
}

export interface AgentConfiguration {
  readonly endpoint: string;
  readonly protocol: 'grpc' | 'http';
  readonly headers: Readonly<Record<string, string>>;
  readonly tenant: string;
  readonly frequencyHz: number;
  readonly intervalMillis: number;
  readonly excludeSelf: boolean;
  readonly content: 'samples' | 'pprof' | 'both';
  readonly timeoutMillis: number;
  /** Empty: the system's authorities. */
  readonly caFile: string;
  readonly queueMaxBytes: number;
  readonly symbolCacheBytes: number;
  readonly unwindMaxBytes: number;
  /** Empty: nothing is kept. */
  readonly cacheDir: string;
  readonly symbolize: 'host' | 'server';
  readonly demangle: 'none' | 'simplified' | 'templates' | 'full';
  readonly debuginfodUrls: readonly string[];
  readonly metricsHost: string;
  readonly metricsPort: number | null;
  readonly metricsPortExplicit: boolean;
  readonly services: readonly ServiceRule[];
}

export interface Configuration {
  readonly server: ServerConfiguration;
  readonly agent: AgentConfiguration;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  readonly telemetry: { readonly otlpEndpoint: string; readonly intervalMillis: number };
}

/** A rule as the file spells it. */
interface FileServiceRule {
  readonly name: string;
  readonly match: Omit<ServiceRule['match'], 'systemdUnit'> & { readonly systemd_unit?: string };
}

export interface ConfigurationSources {
  readonly command: Command;
  /** Flag name to its text, a boolean for a switch, or a list for a repeated one. */
  readonly flags: Readonly<Record<string, unknown>>;
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
  const { environment, flags } = sources;
  const values = new Map<string, unknown>();
  const path = (flags.config as string | undefined) ?? environment[CONFIG_VARIABLE];
  if (path !== undefined && path !== '') {
    for (const [setting, value] of readConfigurationFile(path)) values.set(setting, value);
  }
  for (const setting of settings) {
    const text = setting.variable === undefined ? undefined : environment[setting.variable];
    if (text !== undefined && text !== '') apply(values, setting, text, setting.variable!);
  }
  for (const setting of settings) {
    if (setting.flag === undefined) continue;
    const given = flags[setting.flag];
    if (given !== undefined) apply(values, setting, given, `--${setting.flag}`);
  }
  return { configuration: typed(values, sources), warnings: unknownVariables(environment) };
}

function apply(values: Map<string, unknown>, setting: Setting, given: unknown, where: string): void {
  const value = Array.isArray(given) ? repeated(setting, given, where) : oneValue(setting, given, where);
  checkSetting(setting, value, where);
  values.set(setting.path, value);
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

function unknownVariables(environment: ConfigurationSources['environment']): string[] {
  const known = [CONFIG_VARIABLE, ...settings.flatMap(({ variable }) => variable ?? [])];
  return Object.keys(environment)
    .filter((name) => name.startsWith(ENVIRONMENT_PREFIX) && !known.includes(name))
    .map((name) => `unknown environment variable ${name}${suggestion(name, known)}`);
}

function typed(values: ReadonlyMap<string, unknown>, sources: ConfigurationSources): Configuration {
  const value = <T>(path: string): T => (values.get(path) ?? defaults.get(path)) as T;
  const bytes = (path: string) => parseSizeBytes(value<string | number>(path))!;
  const millis = (path: string) => parseDurationMillis(value<string>(path))!;
  const port = (path: string) => {
    const given = value<number | 'off'>(path);
    return given === 'off' ? null : given;
  };
  return {
    server: {
      host:
        value<string | undefined>('server.host') ?? (sources.command === 'up' ? '127.0.0.1' : allAddresses()),
      httpPort: value('server.http_port'),
      otlpGrpcPort: port('server.otlp_grpc_port'),
      otlpHttpPort: port('server.otlp_http_port'),
      otlpPortsExplicit: values.has('server.otlp_grpc_port') || values.has('server.otlp_http_port'),
      dataDir: value<string | undefined>('server.data_dir') ?? defaultDataDirectory(sources),
      headMaxBytes: bytes('server.head_max_bytes'),
      maxBodyBytes: bytes('server.max_body_bytes'),
      user: value<string | undefined>('server.user') ?? '',
      indexedAttributes: value('server.indexed_attributes'),
      debugInfoUploads: value('server.debug_info_uploads'),
      debugInfoDirs: value('server.debug_info_dirs'),
      debugInfoMaxBytes: bytes('server.debug_info_max_bytes'),
      demangle: value('server.demangle'),
    },
    agent: {
      endpoint: value('agent.endpoint'),
      protocol: value('agent.protocol'),
      headers: value('agent.headers'),
      tenant: value('agent.tenant'),
      frequencyHz: value('agent.frequency'),
      intervalMillis: millis('agent.interval'),
      excludeSelf: value('agent.exclude_self'),
      content: value('agent.content'),
      timeoutMillis: millis('agent.timeout'),
      caFile: value('agent.ca_file'),
      queueMaxBytes: bytes('agent.queue_max_bytes'),
      symbolCacheBytes: bytes('agent.symbol_cache_bytes'),
      unwindMaxBytes: bytes('agent.unwind_max_bytes'),
      cacheDir: value<string | undefined>('agent.cache_dir') ?? defaultCacheDirectory(sources),
      symbolize: value('agent.symbolize'),
      demangle: value('agent.demangle'),
      debuginfodUrls:
        value<readonly string[] | undefined>('agent.debuginfod_urls') ?? debuginfodUrls(sources),
      metricsHost: value('agent.metrics_host'),
      metricsPort: port('agent.metrics_port'),
      metricsPortExplicit: values.has('agent.metrics_port'),
      services: value<readonly FileServiceRule[]>('agent.services').map(({ name, match }) => {
        const { systemd_unit: systemdUnit, ...patterns } = match;
        return { name, match: { ...patterns, ...(systemdUnit !== undefined && { systemdUnit }) } };
      }),
    },
    log: { level: value('log.level'), format: value('log.format') },
    telemetry: {
      otlpEndpoint: value('telemetry.otlp_endpoint'),
      intervalMillis: millis('telemetry.interval'),
    },
  };
}

const defaults: ReadonlyMap<string, unknown> = new Map(
  settings.map(({ path, schema }) => [path, schema.default]),
);

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

// SPDX-License-Identifier: Apache-2.0
//
// The typed configuration. It is plain data: the supervisor hands it to its children as JSON.

import type { ServiceRule } from '@hearthscope/agent/discovery/service-name';
import type { AuthConfig } from '@hearthscope/collector/auth/auth-config';
import type { TenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import type { ObjectStoreConfig } from '@hearthscope/server/storage/object-store/object-store-config';
import type { TlsOptions } from '@hearthscope/server/tls/tls-options';
import type { ShownConfiguration } from './shown-configuration.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export type LogFormat = 'text' | 'json';
export type DemangleMode = 'none' | 'simplified' | 'templates' | 'full';

/** What `server` and `collector` have in common: the ports and who may come through them. */
export interface DoorConfiguration {
  readonly host: string;
  readonly httpPort: number;
  /** `null`: no such listener. */
  readonly otlpGrpcPort: number | null;
  readonly otlpHttpPort: number | null;
  /** Somebody asked for these ports, so that a taken one is an error and not a warning. */
  readonly otlpPortsExplicit: boolean;
  readonly maxBodyBytes: number;
  readonly indexedAttributes: readonly string[];
  /** '' or such as `/profiles`. */
  readonly pathPrefix: string;
  readonly tls?: TlsOptions;
  readonly auth: AuthConfiguration;
  readonly limits: TenantLimits;
  readonly runtimeConfig?: { readonly file: string; readonly periodMillis: number };
}

export interface ServerConfiguration extends DoorConfiguration {
  readonly dataDir: string;
  readonly headMaxBytes: number;
  /** Undefined: blocks are kept in the data directory. */
  readonly objectStore?: ObjectStoreConfig;
  readonly blockCacheMaxBytes: number;
  /** Empty: the default user. */
  readonly user: string;
  readonly debugInfoUploads: boolean;
  readonly debugInfoDirs: readonly string[];
  readonly debugInfoMaxBytes: number;
  readonly demangle: DemangleMode;
  readonly asyncQueries: boolean;
  readonly recordingRules: RecordingRulesConfiguration;
  /** Undefined: no GitHub app. */
  readonly vcs?: VcsConfiguration;
}

export interface AuthConfiguration {
  readonly access: AuthConfig;
  /** Whether requests name their tenant. */
  readonly multitenancy: boolean;
}

export interface RecordingRulesConfiguration {
  readonly isEnabled: boolean;
  /** Empty: rules are kept and not computed. */
  readonly remoteWriteUrl: string;
  readonly remoteWriteHeaders: Readonly<Record<string, string>>;
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly intervalMillis: number;
  readonly lateWindowMillis: number;
}

export interface VcsConfiguration {
  readonly clientId: string;
  readonly clientSecretFile: string;
  readonly sessionSecretFile: string;
  readonly callbackUrl: string;
  readonly webUrl: string;
  readonly apiUrl: string;
}

export interface ForwardConfiguration {
  /** Empty only for commands other than `collector`. */
  readonly url: string;
  readonly protocol: 'push' | 'otlp-http' | 'otlp-grpc';
  readonly headers: Readonly<Record<string, string>>;
  /** Empty: that of the sender. */
  readonly tenant: string;
  readonly timeoutMillis: number;
  readonly queueMaxBytes: number;
  /** Empty: the system's authorities. */
  readonly caFile: string;
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
  readonly demangle: DemangleMode;
  readonly debuginfodUrls: readonly string[];
  readonly metricsHost: string;
  readonly metricsPort: number | null;
  readonly metricsPortExplicit: boolean;
  readonly services: readonly ServiceRule[];
}

export interface Configuration {
  readonly server: ServerConfiguration;
  readonly agent: AgentConfiguration;
  readonly forward: ForwardConfiguration;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  /** For the server's status pages. */
  readonly shown: ShownConfiguration;
  readonly telemetry: { readonly otlpEndpoint: string; readonly intervalMillis: number };
}

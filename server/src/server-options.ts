// SPDX-License-Identifier: Apache-2.0
//
// What the command tells the server. Everything that arrived after the first version has a default here.

import type { AuthConfig } from '@hearthscope/collector/auth/auth-config';
import type { TenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { DebugInfoOptions } from './debuginfo/debug-info.ts';
import type { UnprivilegedUser } from './privileges.ts';
import type { RecordingRulesOptions } from './recording-rules/recording-rules-options.ts';
import type { ObjectStoreConfig } from './storage/object-store/object-store-config.ts';
import type { TlsOptions } from './tls/tls-options.ts';
import type { VcsOptions } from './vcs/vcs-options.ts';

export interface ServerOptions {
  readonly host: string;
  /** Of everything; 0 lets the kernel choose, as for the other ports. */
  readonly httpPort: number;
  /** null for none. */
  readonly otlpGrpcPort: number | null;
  /** null for none. */
  readonly otlpHttpPort: number | null;
  /** Whether an operator named the OTLP ports: then one that is taken is an error, else a warning. */
  readonly otlpPortsExplicit: boolean;
  /** Of every port; absent for plain text. */
  readonly tls?: TlsOptions;
  /** What the paths of the HTTP port begin with, such as `/profiles`; '' for nothing. Default: ''. */
  readonly pathPrefix?: string;
  readonly dataDir: string;
  readonly headMaxBytes: number;
  /** Where blocks are kept. Default: a folder of the data directory. */
  readonly objectStore?: ObjectStoreConfig;
  /** On disk, for files of blocks that lie in a bucket. Default: 10 GiB. */
  readonly blockCacheMaxBytes?: number;
  /** Of one request, after decompression, whatever a tenant's own limit is. */
  readonly maxBodyBytes: number;
  /** Attribute names that become labels, beside the built-in ones. */
  readonly indexedAttributes: readonly string[];
  /** Of tenants that the runtime configuration does not name. Default: DEFAULT_TENANT_LIMITS. */
  readonly limits?: TenantLimits;
  /** A file of limits by tenant, read again and again. */
  readonly runtimeConfig?: RuntimeConfigOptions;
  /** Default: everybody may do everything. */
  readonly auth?: AuthConfig;
  /** Whether requests name their tenant. Default: no, all data is of one tenant. */
  readonly multitenancyEnabled?: boolean;
  /** Whether a query may be left behind and asked for later. Default: no. */
  readonly asyncQueriesEnabled?: boolean;
  /** Default: off. */
  readonly recordingRules?: Partial<RecordingRulesOptions>;
  /** The GitHub app that shows source code. Default: none. */
  readonly vcs?: VcsOptions;
  /** Whom to become when started as root; null to stay root. */
  readonly user: UnprivilegedUser | null;
  /** The built web UI. */
  readonly uiDir: string;
  /** Naming of frames that were sent without names. */
  readonly debugInfo?: DebugInfoOptions;
  /** For the status pages, secrets masked. Default: nothing is shown. */
  readonly shownConfiguration?: ShownConfiguration;
  readonly logger: Logger;
  readonly registry: Registry;
  /** How long requests in flight may go on after a stop was asked for. */
  readonly shutdownMillis: number;
}

export interface RuntimeConfigOptions {
  readonly file: string;
  readonly periodMillis: number;
}

/** Plain objects with the keys of the configuration file. */
export interface ShownConfiguration {
  readonly running: Readonly<Record<string, unknown>>;
  readonly defaults: Readonly<Record<string, unknown>>;
}

// SPDX-License-Identifier: Apache-2.0
//
// The typed configuration of the server, and of the collector, whose doors are the same.

import type { AuthType } from '@hearthscope/collector/auth/auth-config';
import type { TenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import type { ClientAuthType } from '@hearthscope/server/tls/tls-options';
import { UsageError } from '../exit-codes.ts';
import type {
  AuthConfiguration,
  DoorConfiguration,
  ForwardConfiguration,
  RecordingRulesConfiguration,
  ServerConfiguration,
  VcsConfiguration,
} from './configuration-types.ts';
import { objectStoreConfiguration } from './object-store-section.ts';
import type { SettingReader } from './setting-reader.ts';

/** What depends on the host and the command. */
export interface ServerDefaults {
  readonly host: string;
  /** Called only when no directory was given; may throw. */
  readonly dataDir: () => string;
  readonly limits: TenantLimits;
}

/** @throws UsageError for settings that need each other */
export function serverConfiguration(read: SettingReader, defaults: ServerDefaults): ServerConfiguration {
  const vcs = vcsConfiguration(read);
  const objectStore = objectStoreConfiguration(read);
  return {
    ...doorConfiguration(read, defaults),
    dataDir: read.value<string | undefined>('server.data_dir') ?? defaults.dataDir(),
    headMaxBytes: read.bytes('server.head_max_bytes'),
    ...(objectStore !== undefined && { objectStore }),
    blockCacheMaxBytes: read.bytes('object_store.cache_max_bytes'),
    user: read.value<string | undefined>('server.user') ?? '',
    debugInfoUploads: read.value('server.debug_info_uploads'),
    debugInfoDirs: read.value('server.debug_info_dirs'),
    debugInfoMaxBytes: read.bytes('server.debug_info_max_bytes'),
    demangle: read.value('server.demangle'),
    asyncQueries: read.value('server.async_queries'),
    recordingRules: recordingRulesConfiguration(read),
    ...(vcs !== undefined && { vcs }),
  };
}

function doorConfiguration(read: SettingReader, { host, limits }: ServerDefaults): DoorConfiguration {
  const runtimeFile = read.value<string>('runtime_config.file');
  return {
    host: read.value<string | undefined>('server.host') ?? host,
    httpPort: read.value('server.http_port'),
    otlpGrpcPort: read.port('server.otlp_grpc_port'),
    otlpHttpPort: read.port('server.otlp_http_port'),
    otlpPortsExplicit: read.has('server.otlp_grpc_port') || read.has('server.otlp_http_port'),
    maxBodyBytes: read.bytes('server.max_body_bytes'),
    indexedAttributes: read.value('server.indexed_attributes'),
    pathPrefix: read.value('server.path_prefix'),
    ...tls(read),
    auth: authConfiguration(read),
    limits,
    ...(runtimeFile !== '' && {
      runtimeConfig: { file: runtimeFile, periodMillis: read.millis('runtime_config.period') },
    }),
  };
}

function tls(read: SettingReader): Pick<DoorConfiguration, 'tls'> {
  const certFile = read.value<string>('server.tls_cert_file');
  const keyFile = read.value<string>('server.tls_key_file');
  const clientCaFile = read.value<string>('server.tls_client_ca_file');
  const clientAuth = read.value<ClientAuthType | undefined>('server.tls_client_auth');
  if ((certFile === '') !== (keyFile === '')) {
    throw new UsageError('TLS needs both server.tls_cert_file and server.tls_key_file');
  }
  if (certFile === '') {
    if (clientCaFile !== '') throw new UsageError('server.tls_client_ca_file needs server.tls_cert_file');
    return {};
  }
  return {
    tls: {
      certFile,
      keyFile,
      ...(clientCaFile !== '' && { clientCaFile }),
      ...(clientAuth !== undefined && { clientAuth }),
    },
  };
}

function authConfiguration(read: SettingReader): AuthConfiguration {
  const type = read.value<AuthType>('auth.type');
  const file = read.value<string>('auth.file');
  if (type !== 'none' && file === '') throw new UsageError(`auth.type ${type} needs auth.file`);
  if (type === 'mtls' && read.value<string>('server.tls_client_ca_file') === '') {
    throw new UsageError('auth.type mtls needs server.tls_client_ca_file');
  }
  return {
    access: { type, ...(file !== '' && { file }) },
    multitenancy: read.value('auth.multitenancy'),
  };
}

function recordingRulesConfiguration(read: SettingReader): RecordingRulesConfiguration {
  return {
    isEnabled: read.value('recording_rules.enabled'),
    remoteWriteUrl: read.value('recording_rules.remote_write_url'),
    remoteWriteHeaders: read.value('recording_rules.remote_write_headers'),
    externalLabels: read.value('recording_rules.external_labels'),
    intervalMillis: read.millis('recording_rules.interval'),
    lateWindowMillis: read.millis('recording_rules.late_window'),
  };
}

function vcsConfiguration(read: SettingReader): VcsConfiguration | undefined {
  const clientId = read.value<string>('vcs.github_client_id');
  if (clientId === '') return undefined;
  const clientSecretFile = read.value<string>('vcs.github_client_secret_file');
  const sessionSecretFile = read.value<string>('vcs.github_session_secret_file');
  if (clientSecretFile === '' || sessionSecretFile === '') {
    throw new UsageError(
      'vcs.github_client_id needs vcs.github_client_secret_file and vcs.github_session_secret_file',
    );
  }
  return {
    clientId,
    clientSecretFile,
    sessionSecretFile,
    callbackUrl: read.value('vcs.github_callback_url'),
    webUrl: read.value('vcs.github_url'),
    apiUrl: read.value('vcs.github_api_url'),
  };
}

/** @throws UsageError when a collector is not told where to send */
export function forwardConfiguration(read: SettingReader, isCollector: boolean): ForwardConfiguration {
  const url = read.value<string>('collector.forward_to');
  if (isCollector && url === '') throw new UsageError('say where to send profiles with --forward-to URL');
  return {
    url,
    protocol: read.value('collector.protocol'),
    headers: read.value('collector.headers'),
    tenant: read.value('collector.tenant'),
    timeoutMillis: read.millis('collector.timeout'),
    queueMaxBytes: read.bytes('collector.queue_max_bytes'),
    caFile: read.value('collector.ca_file'),
  };
}

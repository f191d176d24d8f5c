// SPDX-License-Identifier: Apache-2.0
//
// Grafana Pyroscope's real keys and flags: what each means here. A key without a counterpart is accepted, so that a file
// that worked goes on to work, and warned about by its name.

import { honoured, ignored, type KeySink, limits, type PyroscopeKey, sets } from './pyroscope-key.ts';

const NO_CLUSTER = 'one process does it all, there is no cluster to form';
const NO_PARTS = 'server and storage are one process with its own engine';
const NO_NETWORK_HOPS = 'parts of one process do not talk over the network';
const NO_BUCKET = 'there is no such store here; filesystem, s3, gcs and azure are there';
const OWN_HTTP = 'requests to the store have their own limits';
const OWN_LIMIT = 'the server has its own limit, see its documentation';
const ONE_PORT = 'gRPC is answered on the HTTP port';

const orNothing = (value: unknown): unknown => (value === '' ? undefined : value);

const LOG_LEVELS: Readonly<Record<string, string>> = { warning: 'warn' };
const logLevel = (value: unknown): unknown => LOG_LEVELS[String(value)] ?? value;
const logFormat = (value: unknown): unknown => (value === 'logfmt' ? 'text' : value);

/** An empty or `/` prefix is none. */
const pathPrefix = (value: unknown): unknown =>
  typeof value === 'string' && value.replace(/\/+$/, '') === '' ? undefined : value;

function target(value: unknown, sink: KeySink): void {
  if (value !== 'all') sink.warn(`is ignored: ${NO_PARTS}`);
}

const BACKENDS: readonly string[] = ['filesystem', 's3', 'gcs', 'azure'];

function storageBackend(value: unknown, sink: KeySink): void {
  if (typeof value === 'string' && BACKENDS.includes(value)) sink.set('object_store.backend', value);
  else sink.warn(`is ignored: ${NO_BUCKET}`);
}

/** Keys of the stores, with their flags, and what they are here. */
const BUCKET_KEYS: readonly (readonly [key: string, flag: string, setting: string, isSwitch?: true])[] = [
  ['s3.bucket_name', 's3.bucket-name', 's3_bucket'],
  ['s3.endpoint', 's3.endpoint', 's3_endpoint'],
  ['s3.region', 's3.region', 's3_region'],
  ['s3.access_key_id', 's3.access-key-id', 's3_access_key_id'],
  ['s3.secret_access_key', 's3.secret-access-key', 's3_secret_access_key'],
  ['s3.session_token', 's3.session-token', 's3_session_token'],
  ['s3.insecure', 's3.insecure', 's3_insecure', true],
  ['s3.force_path_style', 's3.force-path-style', 's3_force_path_style', true],
  ['gcs.bucket_name', 'gcs.bucket-name', 'gcs_bucket'],
  ['gcs.service_account', 'gcs.service-account', 'gcs_service_account'],
  ['azure.container_name', 'azure.container-name', 'azure_container'],
  ['azure.account_name', 'azure.account-name', 'azure_account_name'],
  ['azure.account_key', 'azure.account-key', 'azure_account_key'],
  ['azure.connection_string', 'azure.connection-string', 'azure_connection_string'],
  ['azure.endpoint_suffix', 'azure.endpoint-suffix', 'azure_endpoint_suffix'],
  ['azure.user_assigned_id', 'azure.user-assigned-id', 'azure_user_assigned_id'],
  ['azure.az_tenant_id', 'azure.az-tenant-id', 'azure_tenant_id'],
  ['azure.client_id', 'azure.client-id', 'azure_client_id'],
  ['azure.client_secret', 'azure.client-secret', 'azure_client_secret'],
];

/** The flags of the keys that `limits` has, in the order of upstream's reference. */
const LIMIT_FLAGS: readonly (readonly [key: string, flag: string, isSwitch?: true])[] = [
  ['ingestion_rate_mb', 'distributor.ingestion-rate-limit-mb'],
  ['ingestion_burst_size_mb', 'distributor.ingestion-burst-size-mb'],
  ['ingestion_body_limit_mb', 'distributor.ingestion-body-limit-mb'],
  ['keep_stripped_profiles', 'distributor.sampling.keep-stripped-profiles', true],
  ['max_label_name_length', 'validation.max-length-label-name'],
  ['max_label_value_length', 'validation.max-length-label-value'],
  ['max_label_names_per_series', 'validation.max-label-names-per-series'],
  ['max_sessions_per_series', 'validation.max-sessions-per-series'],
  ['enforce_labels_order', 'validation.enforce-labels-order', true],
  ['disable_label_sanitization', 'validation.disable-label-sanitization', true],
  ['push_max_concurrency', 'distributor.push.max-concurrency'],
  ['max_profile_size_bytes', 'validation.max-profile-size-bytes'],
  ['max_profile_stacktrace_samples', 'validation.max-profile-stacktrace-samples'],
  ['max_profile_stacktrace_sample_labels', 'validation.max-profile-stacktrace-sample-labels'],
  ['max_profile_stacktrace_depth', 'validation.max-profile-stacktrace-depth'],
  ['max_profile_symbol_value_length', 'validation.max-profile-symbol-value-length'],
  ['reject_older_than', 'validation.reject-older-than'],
  ['reject_newer_than', 'validation.reject-newer-than'],
  ['distributor_aggregation_window', 'distributor.aggregation-window'],
  ['distributor_aggregation_period', 'distributor.aggregation-period'],
  ['ingestion_relabeling_rules', 'distributor.ingestion-relabeling-rules'],
  ['ingestion_relabeling_default_rules_position', 'distributor.ingestion-relabeling-default-rules-position'],
  ['sample_type_relabeling_rules', 'distributor.sample-type-relabeling-rules'],
  ['max_local_series_per_tenant', 'ingester.max-local-series-per-tenant'],
  ['max_global_series_per_tenant', 'ingester.max-global-series-per-tenant'],
  ['max_query_lookback', 'querier.max-query-lookback'],
  ['max_query_length', 'querier.max-query-length'],
  ['max_query_parallelism', 'querier.max-query-parallelism'],
  ['query_analysis_enabled', 'querier.query-analysis-enabled', true],
  ['query_analysis_series_enabled', 'querier.query-analysis-series-enabled', true],
  ['include_stripped_profiles', 'query-backend.include-stripped-profiles', true],
  ['max_flamegraph_nodes_default', 'querier.max-flamegraph-nodes-default'],
  ['max_flamegraph_nodes_max', 'querier.max-flamegraph-nodes-max'],
  [
    'max_flamegraph_nodes_on_select_merge_profile',
    'querier.max-flamegraph-nodes-on-select-merge-profile',
    true,
  ],
  ['split_queries_by_interval', 'querier.split-queries-by-interval'],
  ['query_sanitize_on_merge', 'querier.sanitize-on-merge', true],
  ['max_async_query_concurrency', 'query-frontend.max-async-query-concurrency'],
  ['retention_period', 'retention-period'],
  ['max_recording_rules', 'recording-rules.max-rules-per-tenant'],
];

export const REAL_KEYS: readonly PyroscopeKey[] = [
  honoured('target', 'target', '`all` is what happens anyway; other values are ignored', target),
  sets('server.http_listen_address', 'server.http-listen-address', 'server.host', orNothing),
  sets('server.http_listen_port', 'server.http-listen-port', 'server.http_port'),
  sets('server.http_path_prefix', 'server.path-prefix', 'server.path_prefix', pathPrefix),
  sets('server.http_tls_config.cert_file', 'server.http-tls-cert-path', 'server.tls_cert_file', orNothing),
  sets('server.http_tls_config.key_file', 'server.http-tls-key-path', 'server.tls_key_file', orNothing),
  sets(
    'server.http_tls_config.client_ca_file',
    'server.http-tls-ca-path',
    'server.tls_client_ca_file',
    orNothing,
  ),
  sets(
    'server.http_tls_config.client_auth_type',
    'server.http-tls-client-auth',
    'server.tls_client_auth',
    orNothing,
  ),
  ignored('server.http_tls_config.cert', undefined, 'name a file in cert_file', ''),
  ignored('server.http_tls_config.key', undefined, 'name a file in key_file', ''),
  ignored('server.http_tls_config.client_ca', undefined, 'name a file in client_ca_file', ''),
  sets('server.log_level', 'log.level', 'log.level', logLevel),
  sets('server.log_format', 'log.format', 'log.format', logFormat, {
    means: '`log.format`, where `logfmt` is `text`',
  }),
  ignored('server.grpc_listen_port', 'server.grpc-listen-port', ONE_PORT),
  ignored('server.grpc_listen_address', 'server.grpc-listen-address', ONE_PORT),
  ignored('server.grpc_tls_config', undefined, ONE_PORT),
  ignored('server.graceful_shutdown_timeout', 'server.graceful-shutdown-timeout', 'a stop takes seconds'),
  ...[
    ['http_listen_network', 'http-listen-network'],
    ['http_listen_conn_limit', 'http-conn-limit'],
    ['http_server_read_timeout', 'http-read-timeout'],
    ['http_server_read_header_timeout', 'http-read-header-timeout'],
    ['http_server_write_timeout', 'http-write-timeout'],
    ['http_server_idle_timeout', 'http-idle-timeout'],
    [
      'http_log_closed_connections_without_response_enabled',
      'http-log-closed-connections-without-response-enabled',
    ],
    ['grpc_listen_network', 'grpc-listen-network'],
    ['grpc_listen_conn_limit', 'grpc-conn-limit'],
    ['grpc_collect_max_streams_by_conn'],
    ['grpc_server_max_recv_msg_size', 'grpc-max-recv-msg-size-bytes'],
    ['grpc_server_max_send_msg_size', 'grpc-max-send-msg-size-bytes'],
    ['grpc_server_max_concurrent_streams', 'grpc-max-concurrent-streams'],
    ['grpc_server_max_connection_idle'],
    ['grpc_server_max_connection_age'],
    ['grpc_server_max_connection_age_grace'],
    ['grpc_server_keepalive_time'],
    ['grpc_server_keepalive_timeout'],
    ['grpc_server_min_time_between_pings'],
    ['grpc_server_ping_without_stream_allowed'],
    ['grpc_server_num_workers'],
    ['grpc_server_stats_tracking_enabled'],
    ['grpc_server_recv_buffer_pools_enabled'],
    ['grpc_server_read_buffer_size'],
    ['grpc_server_write_buffer_size'],
    ['proxy_protocol_enabled', 'proxy-protocol-enabled'],
    ['tls_cipher_suites', 'tls-cipher-suites'],
    ['tls_min_version', 'tls-min-version'],
    ['register_instrumentation'],
    ['report_grpc_codes_in_instrumentation_label_enabled'],
    ['log_source_ips_enabled', 'log-source-ips-enabled'],
    ['log_source_ips_full'],
    ['log_source_ips_header'],
    ['log_source_ips_regex'],
    ['log_request_headers', 'log-request-headers'],
    ['log_request_at_info_level_enabled'],
    ['log_request_exclude_headers_list'],
    ['trace_request_headers'],
    ['trace_request_exclude_headers_list'],
    ['cluster_validation'],
    ['create_new_traces'],
  ].map(([key, flag]) =>
    ignored(`server.${key}`, flag === undefined ? undefined : `server.${flag}`, OWN_LIMIT),
  ),
  sets('multitenancy_enabled', 'auth.multitenancy-enabled', 'auth.multitenancy', undefined, {
    isSwitch: true,
  }),
  sets('runtime_config.file', 'runtime-config.file', 'runtime_config.file', orNothing),
  sets('runtime_config.period', 'runtime-config.reload-period', 'runtime_config.period'),
  ignored('runtime_config.http_client_timeout', 'runtime-config.http-client-timeout', 'only files are read'),
  ignored('runtime_config.http_client_cluster_validation', undefined, 'only files are read'),
  ignored('runtime_config.http_client_disable_keep_alives', undefined, 'only files are read'),
  sets(
    'tenant_settings.recording_rules.enabled',
    'tenant-settings.recording-rules.enabled',
    'recording_rules.enabled',
    undefined,
    { isSwitch: true },
  ),
  sets(
    'frontend.async_queries_enabled',
    'query-frontend.async-queries-enabled',
    'server.async_queries',
    undefined,
    { isSwitch: true },
  ),
  honoured(
    'storage.backend',
    'storage.backend',
    '`object_store.backend`; others than filesystem, s3, gcs and azure are ignored',
    storageBackend,
  ),
  sets('storage.filesystem.dir', 'storage.filesystem.dir', 'server.data_dir'),
  sets('pyroscopedb.data_path', 'pyroscopedb.data-path', 'server.data_dir'),
  sets('storage.prefix', 'storage.prefix', 'object_store.prefix', orNothing),
  sets('storage.storage_prefix', 'storage.storage-prefix', 'object_store.prefix', orNothing),
  ...BUCKET_KEYS.map(([key, flag, setting, isSwitch]) =>
    sets(`storage.${key}`, `storage.${flag}`, `object_store.${setting}`, orNothing, {
      isSwitch: isSwitch === true,
    }),
  ),
  ...['s3', 'gcs', 'azure'].map((name) => ignored(`storage.${name}.http`, undefined, OWN_HTTP)),
  ignored('storage.s3.signature_version', 'storage.s3.signature-version', 'it is always v4', 'v4'),
  ignored(
    'storage.s3.native_aws_auth_enabled',
    'storage.s3.native-aws-auth-enabled',
    'keys are optional',
    false,
    true,
  ),
  ignored('storage.s3.bucket_lookup_type', 'storage.s3.bucket-lookup-type', 'use force_path_style', 'auto'),
  ignored('storage.s3.sse', undefined, 'the encryption is that of the bucket'),
  ...['swift', 'cos'].map((name) => ignored(`storage.${name}`, undefined, NO_BUCKET)),
  ...LIMIT_FLAGS.map(([key, flag, isSwitch]) => limits(key, flag, isSwitch)),
  ignored(
    'api.base-url',
    'api.base-url',
    'set server.http_path_prefix; the web page finds its own address',
    '',
  ),
  ignored('analytics.reporting_enabled', 'usage-stats.enabled', 'nothing is ever reported', false, true),
  ignored('show_banner', 'config.show_banner', 'there is no banner', false, true),
  ignored('shutdown_delay', 'shutdown-delay', 'a stop begins at once', '0s'),
  ignored('architecture_storage', 'architecture.storage', 'there is one kind of storage'),
  ignored('tracing.enabled', 'tracing.enabled', 'no traces of the server are sent', false, true),
  ignored(
    'self_profiling.disable_push',
    'self-profiling.disable-push',
    'the server does not push to itself',
    true,
    true,
  ),
  ignored('self_profiling', undefined, 'the server does not push to itself'),
  ignored('admin_server', undefined, 'everything is on the HTTP port'),
  ignored('embedded_grafana', undefined, 'the web page is part of the server'),
  ignored('memberlist', undefined, NO_CLUSTER),
  ignored('distributor.ring', undefined, NO_CLUSTER),
  ignored('distributor.pool_config', undefined, NO_NETWORK_HOPS),
  ignored('distributor.pushtimeout', 'distributor.push.timeout', NO_NETWORK_HOPS),
  ignored('frontend', undefined, NO_NETWORK_HOPS),
  ignored('frontend_worker', undefined, NO_NETWORK_HOPS),
  ignored('query_backend', undefined, NO_NETWORK_HOPS),
  ignored('query_scheduler', undefined, NO_NETWORK_HOPS),
  ignored('segment_writer', undefined, NO_PARTS),
  ignored('metastore', undefined, NO_PARTS),
  ignored('compaction_worker', undefined, NO_PARTS),
  ignored('adaptive_placement', undefined, NO_CLUSTER),
  ignored('symbolizer', undefined, 'the server names frames by uploaded and local debug information'),
  ignored('overrides_exporter', undefined, NO_CLUSTER),
  ignored('pyroscopedb', undefined, 'it is for the storage before version 2'),
  ignored('querier', undefined, NO_PARTS),
  ignored('ingester', undefined, NO_PARTS),
  ignored('compactor', undefined, NO_PARTS),
  ignored('store_gateway', undefined, NO_PARTS),
];

/** Flags without a counterpart, with why: whole names, or beginnings that end in a dot or a dash. Flags that
 * {@link REAL_KEYS} names go first. */
export const IGNORED_FLAGS: Readonly<Record<string, readonly string[]>> = {
  [NO_CLUSTER]: [
    'adaptive-placement.',
    'consul.',
    'distributor.excluded-zones',
    'distributor.ingestion-tenant-shard-size',
    'distributor.replication-factor',
    'distributor.ring.',
    'distributor.zone-awareness-enabled',
    'etcd.',
    'memberlist.',
    'multi.',
    'overrides-exporter.',
    'ring.',
    'server.cluster-validation.',
    'runtime-config.http-client-cluster-validation.',
  ],
  [NO_NETWORK_HOPS]: [
    'distributor.client-cleanup-period',
    'distributor.health-check-',
    'querier.client-cleanup-period',
    'querier.frontend-client.',
    'querier.health-check-',
    'query-backend.',
    'query-frontend.',
    'query-scheduler.',
  ],
  [NO_PARTS]: [
    'blocks-storage.',
    'compaction-worker.',
    'compactor.',
    'enable-query-backend',
    'enable-query-backend-from',
    'ingester.',
    'metastore.',
    'pyroscopedb.',
    'querier.id',
    'querier.max-concurrent',
    'querier.query-store-after',
    'querier.query-tree-enabled',
    'segment-writer.',
    'store-gateway.',
    'write-path',
    'write-path.',
  ],
  [NO_BUCKET]: ['storage.swift.', 'storage.cos.'],
  [OWN_HTTP]: ['storage.s3.', 'storage.gcs.', 'storage.azure.'],
  [ONE_PORT]: ['server.grpc-', 'server.grpc.'],
  'everything is on the HTTP port': ['admin-server.'],
  'the web page is part of the server': ['embedded-grafana.'],
  [OWN_LIMIT]: [
    'server.create-new-traces',
    'server.log-request-headers-exclude-list',
    'server.log-',
    'server.register-instrumentation',
    'server.report-grpc-codes-in-instrumentation-label-enabled',
    'server.throughput.',
    'server.trace-request-',
  ],
  'the server does not push to itself': [
    'self-profiling.block-profile-rate',
    'self-profiling.mutex-profile-fraction',
    'self-profiling.tenant-id',
    'self-profiling.use-k6-middleware',
  ],
  'the server names frames by uploaded and local debug information': ['symbolizer.'],
  'a request is answered when its profiles are durable': ['async-ingest'],
  'answers are not delayed': ['distributor.ingestion-artificial-delay'],
  'no traces of the server are sent': ['tracing.profiling-enabled'],
  'only files are read': ['runtime-config.http-client-disable-keep-alives'],
};

// SPDX-License-Identifier: Apache-2.0
//
// Keys of Grafana Pyroscope's `limits` that have no meaning here. They are accepted, so that a configuration that worked
// goes on to work, and whoever reads one says so.

export interface IgnoredLimitKey {
  readonly key: string;
  readonly reason: string;
}

const NO_CLUSTER = 'one process does it all, there is nothing to spread tenants over';
const ONE_ENGINE = 'there is one storage engine, and nothing to choose between';
const OWN_COMPACTION = 'the storage engine compacts as it needs to';
const STORAGE_WIDE = 'encryption is set for the whole storage';

const KEYS_BY_REASON: Readonly<Record<string, readonly string[]>> = {
  [NO_CLUSTER]: [
    'ingestion_tenant_shard_size',
    'store_gateway_tenant_shard_size',
    'compactor_tenant_shard_size',
    'adaptive_placement_tenant_shards',
    'adaptive_placement_default_dataset_shards',
    'adaptive_placement_load_balancing',
    'adaptive_placement_min_dataset_shards',
    'adaptive_placement_max_dataset_shards',
    'adaptive_placement_unit_size_bytes',
    'adaptive_placement_burst_window',
    'adaptive_placement_decay_window',
  ],
  [ONE_ENGINE]: [
    'write_path',
    'write_path_ingester_weight',
    'write_path_segment_writer_weight',
    'write_path_segment_writer_timeout',
    'write_path_compression',
    'async_ingest',
    'enable_query_backend',
    'enable_query_backend_from',
    'query_tree_enabled',
  ],
  [OWN_COMPACTION]: [
    'compactor_split_and_merge_shards',
    'compactor_split_and_merge_stage_size',
    'compactor_split_groups',
    'compactor_partial_block_deletion_delay',
    'compactor_downsampler_enabled',
  ],
  [STORAGE_WIDE]: ['s3_sse_type', 's3_sse_kms_key_id', 's3_sse_kms_encryption_context'],
  'answers are not delayed': ['ingestion_artificial_delay'],
};

export const IGNORED_LIMIT_KEYS: readonly IgnoredLimitKey[] = Object.entries(KEYS_BY_REASON).flatMap(
  ([reason, keys]) => keys.map((key) => ({ key, reason })),
);

// SPDX-License-Identifier: Apache-2.0
//
// The keys of the `limits` block, and of the overrides for single tenants, as Grafana Pyroscope names them. One table says
// all about a key: what it sets, how its values are written, and what it does. The defaults are those of
// DEFAULT_TENANT_LIMITS.

import { COUNT, DURATION, MEBIBYTES, oneOf, SWITCH, type ValueKind } from './config-values.ts';
import {
  INGESTION_LIMIT,
  RECORDING_RULES,
  RELABEL_RULES,
  SAMPLE_TYPE_RULES,
  SAMPLING,
  SYMBOLIZER,
  USAGE_GROUPS,
} from './limit-kinds.ts';
import { DEFAULT_TENANT_LIMITS, type TenantLimits } from './tenant-limits.ts';

export interface LimitKey {
  readonly key: string;
  readonly field: keyof TenantLimits;
  /** To complete "expected …". */
  readonly expected: string;
  readonly description: string;
  /** As YAML and JSON say it. */
  readonly default: unknown;
  /** Why the limit is kept and shown, and yet changes nothing. */
  readonly noEffect?: string;
  /** The limits that the key's value changes. @throws HearthscopeError invalid_argument naming the key */
  readonly parse: (value: unknown, where: string, base: TenantLimits) => Partial<TenantLimits>;
  /** What YAML and JSON say for the limit. */
  readonly format: (limits: TenantLimits) => unknown;
}

function limit<F extends keyof TenantLimits>(
  key: string,
  field: F,
  kind: ValueKind<TenantLimits[F]>,
  description: string,
): LimitKey {
  const format = (limits: TenantLimits): unknown => kind.format(limits[field]);
  return {
    key,
    field,
    expected: kind.expected,
    description,
    default: format(DEFAULT_TENANT_LIMITS),
    parse: (value, where) => ({ [field]: kind.parse(value, where) }),
    format,
  };
}

/** A limit that this server has no use for. */
function inert(key: LimitKey, noEffect: string): LimitKey {
  return { ...key, description: `${key.description} It has no effect here: ${noEffect}.`, noEffect };
}

/** The switch that says the opposite of our field. */
const INVERTED: ValueKind<boolean> = {
  expected: SWITCH.expected,
  parse: (value, where) => !SWITCH.parse(value, where),
  format: (value) => !value,
};

const symbolizer: LimitKey = inert(
  {
    key: 'symbolizer',
    field: 'symbolizer',
    expected: SYMBOLIZER.expected,
    description:
      'Whether queries resolve addresses that came without names (`enabled`), and the limits for that: `maxsymbolsizebytes`, `symbol_ref_trees_enabled`, `max_unresolved_locations`.',
    default: SYMBOLIZER.format(DEFAULT_TENANT_LIMITS.symbolizer),
    parse: (value, where, base) => ({
      symbolizer: { ...base.symbolizer, ...SYMBOLIZER.parse(value, where) },
    }),
    format: (limits) => SYMBOLIZER.format(limits.symbolizer),
  },
  'how frames get their names is set for the whole server',
);

export const LIMIT_KEYS: readonly LimitKey[] = [
  limit(
    'ingestion_rate_mb',
    'ingestionRateBytes',
    MEBIBYTES,
    'Decompressed MiB of profiles and their labels that a tenant may send in a second.',
  ),
  limit(
    'ingestion_burst_size_mb',
    'ingestionBurstBytes',
    MEBIBYTES,
    'MiB that may come at once after a pause; a larger profile is always refused.',
  ),
  limit(
    'ingestion_body_limit_mb',
    'ingestionBodyLimitBytes',
    MEBIBYTES,
    'MiB of a request, and of all its profiles decompressed. 0: no limit.',
  ),
  limit(
    'ingestion_limit',
    'ingestionLimit',
    INGESTION_LIMIT,
    'A throttle that is on while its `limit_reached` is true, for the tenant or for single usage groups.',
  ),
  inert(
    limit(
      'push_max_concurrency',
      'pushMaxConcurrency',
      COUNT,
      'Profiles of one request that are worked on at a time. 0: no limit.',
    ),
    'the profiles of a request are worked on one after the other',
  ),
  limit('max_label_name_length', 'maxLabelNameLength', COUNT, "Characters of a label's name."),
  limit('max_label_value_length', 'maxLabelValueLength', COUNT, "Characters of a label's value."),
  limit('max_label_names_per_series', 'maxLabelNamesPerSeries', COUNT, 'Labels of one series.'),
  limit(
    'max_sessions_per_series',
    'maxSessionsPerSeries',
    COUNT,
    'Values of the label `__session_id__` that are told apart. 0: the label is removed.',
  ),
  inert(
    limit(
      'enforce_labels_order',
      'enforceLabelsOrder',
      SWITCH,
      'Whether labels are sorted for storage by a fixed order.',
    ),
    'labels have one order in any case',
  ),
  limit(
    'disable_label_sanitization',
    'sanitizeLabelNames',
    INVERTED,
    'Whether label names are kept as they are sent; otherwise a dot becomes `_`.',
  ),
  limit(
    'max_profile_size_bytes',
    'maxProfileSizeBytes',
    COUNT,
    'Bytes of one profile, decompressed. 0: no limit but that of the request.',
  ),
  limit('max_profile_stacktrace_samples', 'maxProfileSamples', COUNT, 'Samples of one profile. 0: no limit.'),
  limit(
    'max_profile_stacktrace_sample_labels',
    'maxSampleLabels',
    COUNT,
    'Labels of one sample. 0: no limit.',
  ),
  limit(
    'max_profile_stacktrace_depth',
    'maxStackDepth',
    COUNT,
    'Locations of a stack; a deeper one loses its leaf side. 0: no limit.',
  ),
  limit(
    'max_profile_symbol_value_length',
    'maxSymbolLength',
    COUNT,
    'Characters of a name in a profile; a longer one loses its front. 0: no limit.',
  ),
  limit(
    'reject_older_than',
    'rejectOlderThanMillis',
    DURATION,
    'How old a profile may be when it arrives. 0: no limit.',
  ),
  limit(
    'reject_newer_than',
    'rejectNewerThanMillis',
    DURATION,
    'How far in the future a profile may lie when it arrives. 0: no limit.',
  ),
  limit(
    'ingestion_relabeling_rules',
    'relabelRules',
    RELABEL_RULES,
    'Rules that change or drop series, with the keys of `relabel_config` of Prometheus.',
  ),
  limit(
    'ingestion_relabeling_default_rules_position',
    'defaultRelabelRulesPosition',
    oneOf(['first', 'last', 'disabled']),
    'Where the built-in relabel rules stand among those of `ingestion_relabeling_rules`.',
  ),
  limit(
    'sample_type_relabeling_rules',
    'sampleTypeRelabelRules',
    SAMPLE_TYPE_RULES,
    'Rules that keep or drop sample types, which they see as the labels `__type__` and `__unit__`.',
  ),
  limit(
    'distributor_usage_groups',
    'usageGroups',
    USAGE_GROUPS,
    'Names of groups of series, each with a label selector. A name may contain the value of a label.',
  ),
  limit(
    'distributor_sampling',
    'sampling',
    SAMPLING,
    'With which probability the profiles of a usage group are kept.',
  ),
  limit(
    'keep_stripped_profiles',
    'keepStrippedProfiles',
    SWITCH,
    'Whether the totals of profiles that sampling leaves out are kept, without stacks.',
  ),
  limit(
    'distributor_aggregation_window',
    'aggregationWindowMillis',
    DURATION,
    'Profiles of a series that come within this time are merged, if the period is set as well. 0: they are not.',
  ),
  inert(
    limit(
      'distributor_aggregation_period',
      'aggregationPeriodMillis',
      DURATION,
      'The time that one merged profile covers.',
    ),
    'the window alone decides',
  ),
  inert(
    limit(
      'max_local_series_per_tenant',
      'maxLocalSeriesPerTenant',
      COUNT,
      'Active series of a tenant. 0: no limit.',
    ),
    'the storage engine has its own bounds',
  ),
  inert(
    limit(
      'max_global_series_per_tenant',
      'maxGlobalSeriesPerTenant',
      COUNT,
      'Active series of a tenant on all servers together. 0: no limit.',
    ),
    'there is one server, and its storage engine has its own bounds',
  ),
  limit(
    'max_query_lookback',
    'maxQueryLookbackMillis',
    DURATION,
    'How far back queries see; follows `retention_period` unless it is set. 0: no limit.',
  ),
  limit(
    'max_query_length',
    'maxQueryLengthMillis',
    DURATION,
    'The longest time range of a query. 0: no limit.',
  ),
  inert(
    limit(
      'max_query_parallelism',
      'maxQueryParallelism',
      COUNT,
      'Parts of one query that are worked on at a time. 0: no limit.',
    ),
    'a query is not split',
  ),
  inert(
    limit(
      'split_queries_by_interval',
      'splitQueriesByMillis',
      DURATION,
      'Queries are split at multiples of this. 0: they are not.',
    ),
    'a query is not split',
  ),
  inert(
    limit(
      'query_sanitize_on_merge',
      'querySanitizeOnMerge',
      SWITCH,
      'Whether profiles are checked again when they are merged.',
    ),
    'profiles are checked when they arrive',
  ),
  inert(
    limit('query_analysis_enabled', 'queryAnalysisEnabled', SWITCH, 'Whether AnalyzeQuery answers.'),
    'the answer is always empty',
  ),
  inert(
    limit(
      'query_analysis_series_enabled',
      'queryAnalysisSeriesEnabled',
      SWITCH,
      'Whether AnalyzeQuery counts series.',
    ),
    'the answer is always empty',
  ),
  limit(
    'max_flamegraph_nodes_default',
    'maxNodesDefault',
    COUNT,
    'Nodes of a flame graph unless the request says how many. 0: all.',
  ),
  limit(
    'max_flamegraph_nodes_max',
    'maxNodesMax',
    COUNT,
    'The most nodes that a request may ask for. 0: no limit.',
  ),
  limit(
    'max_flamegraph_nodes_on_select_merge_profile',
    'maxNodesOnSelectMergeProfile',
    SWITCH,
    'Whether these two limits also hold for SelectMergeProfile.',
  ),
  limit(
    'include_stripped_profiles',
    'includeStrippedProfiles',
    SWITCH,
    'Whether queries see the totals that `keep_stripped_profiles` keeps.',
  ),
  limit(
    'max_async_query_concurrency',
    'maxAsyncQueryConcurrency',
    COUNT,
    'Asynchronous queries of a tenant that may run at a time.',
  ),
  limit('retention_period', 'retentionPeriodMillis', DURATION, 'How long profiles are kept. 0: for ever.'),
  limit(
    'retention_period_raw',
    'rawRetentionMillis',
    DURATION,
    'How long single samples are kept, with their spans; after it queries see sums by 5 minutes. 0: as long as `retention_period`.',
  ),
  limit(
    'retention_period_5m',
    'fiveMinuteRetentionMillis',
    DURATION,
    'How long sums by 5 minutes are kept; after it queries see sums by the hour. 0: as long as `retention_period`.',
  ),
  limit(
    'max_stored_bytes',
    'maxStoredBytes',
    COUNT,
    'Bytes of all stored blocks of a tenant; beyond it the oldest blocks go. 0: no limit.',
  ),
  limit(
    'max_recording_rules',
    'maxRecordingRules',
    COUNT,
    'Recording rules that a tenant may store. 0: no limit.',
  ),
  limit(
    'recording_rules',
    'recordingRules',
    RECORDING_RULES,
    'Recording rules that the tenant has in any case, in the JSON form of the API.',
  ),
  symbolizer,
];

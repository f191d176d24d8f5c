// SPDX-License-Identifier: Apache-2.0
//
// What one tenant may send, keep and ask for. The names say the unit; the YAML keys of Grafana Pyroscope, which operators
// know, are in limit-keys.ts. Everything here is plain data, as it crosses to the ingest worker.

import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from '@hearthscope/profile/codecs/decode-limits';
import { DEFAULT_PIPELINE_LIMITS, type PipelineLimits } from '../pipeline-limits.ts';
import type { RelabelRule } from '../relabel/relabel-rule.ts';

export type RelabelRulesPosition = 'first' | 'last' | 'disabled';

/** A throttle that an operator, or a program of theirs, sets in the runtime configuration. Its figures are for the message
 * that clients see: only `limitReached` decides. */
export interface IngestionLimit {
  /** Such as `hour`. */
  readonly periodType: string;
  readonly periodLimitMegabytes: number;
  readonly limitResetTimeUnixSeconds: number;
  readonly limitReached: boolean;
  /** What is let through although the limit is reached: so many profiles in each period. */
  readonly sampling: { readonly profiles: number; readonly periodMillis: number };
  /** The same for single usage groups, by the name they are configured with. */
  readonly usageGroups: Readonly<Record<string, UsageGroupLimit>>;
}

export interface UsageGroupLimit {
  readonly periodLimitMegabytes: number;
  readonly limitReached: boolean;
}

/** Series that are counted, throttled and sampled together. */
export interface UsageGroup {
  /** May hold `${labels.NAME}`, which stands for the value of a label. */
  readonly name: string;
  /** `{service_name="a"}`. */
  readonly selector: string;
}

export interface SymbolizerLimits {
  readonly enabled: boolean;
  /** Bytes of one file of debug information. 0 means no limit. */
  readonly maxSymbolSizeBytes: number;
  readonly symbolRefTreesEnabled: boolean;
  /** Distinct locations without a name in one query. 0 means no limit. */
  readonly maxUnresolvedLocations: number;
}

/** Make one with {@link tenantLimits}, which keeps `decode` in step with the rest. */
export interface TenantLimits extends PipelineLimits {
  /** Bytes in a second, decompressed, of profiles and their labels. */
  readonly ingestionRateBytes: number;
  /** Bytes that may come at once after a pause. */
  readonly ingestionBurstBytes: number;
  /** Bytes of a request, and of all its profiles decompressed. 0 means no limit. */
  readonly ingestionBodyLimitBytes: number;
  readonly ingestionLimit?: IngestionLimit | undefined;
  readonly pushMaxConcurrency: number;
  /** Bytes of one profile, decompressed. 0 means no limit. */
  readonly maxProfileSizeBytes: number;
  /** 0 means no limit. */
  readonly maxProfileSamples: number;
  /** Labels of one sample. 0 means no limit. */
  readonly maxSampleLabels: number;
  /** Locations of a stack; the leaf side of a deeper one is cut off. 0 means no limit. */
  readonly maxStackDepth: number;
  /** UTF-16 code units of a name in a profile; the front of a longer one is cut off. 0 means no limit. */
  readonly maxSymbolLength: number;
  /** Values of `__session_id__` that are told apart. 0 drops the label. */
  readonly maxSessionsPerSeries: number;
  readonly enforceLabelsOrder: boolean;
  /** Whether characters that were not allowed in label names before Prometheus 3 are replaced by `_`. */
  readonly sanitizeLabelNames: boolean;
  readonly relabelRules: readonly RelabelRule[];
  readonly defaultRelabelRulesPosition: RelabelRulesPosition;
  /** Only `keep` and `drop`. */
  readonly sampleTypeRelabelRules: readonly RelabelRule[];
  readonly usageGroups: readonly UsageGroup[];
  /** The probability, from 0 to 1, with which a profile of a usage group is kept, by the group's configured name. */
  readonly sampling: Readonly<Record<string, number>>;
  /** Whether the totals of profiles that sampling leaves out are kept, without stacks. */
  readonly keepStrippedProfiles: boolean;
  /** 0 means that profiles are not aggregated. */
  readonly aggregationWindowMillis: number;
  readonly aggregationPeriodMillis: number;
  /** Active series. 0 means no limit. */
  readonly maxLocalSeriesPerTenant: number;
  /** Active series of all servers together. 0 means no limit. */
  readonly maxGlobalSeriesPerTenant: number;
  /** How far back queries see. 0 means no limit. */
  readonly maxQueryLookbackMillis: number;
  /** The longest time range of a query. 0 means no limit. */
  readonly maxQueryLengthMillis: number;
  /** 0 means no limit. */
  readonly maxQueryParallelism: number;
  /** Queries over longer ranges are split at multiples of this. 0 means that they are not. */
  readonly splitQueriesByMillis: number;
  readonly querySanitizeOnMerge: boolean;
  readonly queryAnalysisEnabled: boolean;
  readonly queryAnalysisSeriesEnabled: boolean;
  /** Nodes of a flame graph unless the request says how many. 0 means no limit. */
  readonly maxNodesDefault: number;
  /** The most nodes that a request may ask for. 0 means no limit. */
  readonly maxNodesMax: number;
  /** Whether the two limits also hold for SelectMergeProfile. */
  readonly maxNodesOnSelectMergeProfile: boolean;
  readonly includeStrippedProfiles: boolean;
  readonly maxAsyncQueryConcurrency: number;
  /** How long profiles are kept. 0 means for ever. */
  readonly retentionPeriodMillis: number;
  /** How long single samples are kept. 0 means as long as the profiles. */
  readonly rawRetentionMillis: number;
  /** How long sums by 5 minutes are kept. 0 means as long as the profiles. */
  readonly fiveMinuteRetentionMillis: number;
  /** Of all blocks. 0 means no limit. */
  readonly maxStoredBytes: number;
  /** 0 means no limit. */
  readonly maxRecordingRules: number;
  /** Recording rules of the configuration in the JSON form of settings.v1.RecordingRule. */
  readonly recordingRules: readonly Readonly<Record<string, unknown>>[];
  readonly symbolizer: SymbolizerLimits;
}

/** The limits of all tenants. Plain data that crosses to the worker. */
export interface LimitsConfig {
  readonly defaults: TenantLimits;
  /** By tenant; each is complete. */
  readonly overrides: Readonly<Record<string, TenantLimits>>;
}

const MEBIBYTE = 1_048_576;
const MINUTE_MILLIS = 60_000;
const DAY_MILLIS = 24 * 60 * MINUTE_MILLIS;

export const DEFAULT_RETENTION_MILLIS = 31 * DAY_MILLIS;

export const DEFAULT_TENANT_LIMITS: TenantLimits = {
  ...DEFAULT_PIPELINE_LIMITS,
  ingestionRateBytes: 4 * MEBIBYTE,
  ingestionBurstBytes: 2 * MEBIBYTE,
  ingestionBodyLimitBytes: 256 * MEBIBYTE,
  pushMaxConcurrency: 256,
  maxProfileSizeBytes: 4 * MEBIBYTE,
  maxProfileSamples: 16_000,
  maxSampleLabels: 100,
  maxStackDepth: 1_000,
  maxSymbolLength: 65_535,
  maxSessionsPerSeries: 0,
  enforceLabelsOrder: false,
  sanitizeLabelNames: false,
  relabelRules: [],
  defaultRelabelRulesPosition: 'first',
  sampleTypeRelabelRules: [],
  usageGroups: [],
  sampling: {},
  keepStrippedProfiles: false,
  aggregationWindowMillis: 0,
  aggregationPeriodMillis: 0,
  maxLocalSeriesPerTenant: 0,
  maxGlobalSeriesPerTenant: 5_000,
  maxQueryLookbackMillis: DEFAULT_RETENTION_MILLIS,
  maxQueryLengthMillis: 31 * DAY_MILLIS,
  maxQueryParallelism: 0,
  splitQueriesByMillis: 0,
  querySanitizeOnMerge: true,
  queryAnalysisEnabled: true,
  queryAnalysisSeriesEnabled: false,
  maxNodesDefault: 8_192,
  maxNodesMax: 1_048_576,
  maxNodesOnSelectMergeProfile: false,
  includeStrippedProfiles: false,
  maxAsyncQueryConcurrency: 5,
  retentionPeriodMillis: DEFAULT_RETENTION_MILLIS,
  rawRetentionMillis: 0,
  fiveMinuteRetentionMillis: 0,
  maxStoredBytes: 0,
  maxRecordingRules: 25,
  recordingRules: [],
  symbolizer: {
    enabled: false,
    maxSymbolSizeBytes: 512 * MEBIBYTE,
    symbolRefTreesEnabled: false,
    maxUnresolvedLocations: 1_000_000,
  },
};

/** Limits that differ from others in some things. `decode` follows from them. */
export function tenantLimits(
  changes: Partial<Omit<TenantLimits, 'decode'>>,
  base: TenantLimits = DEFAULT_TENANT_LIMITS,
): TenantLimits {
  const limits = { ...base, ...changes };
  return { ...limits, decode: decodeLimits(limits) };
}

/** The limits of a tenant, its own or those of all. */
export function limitsOf(config: LimitsConfig, tenant: string): TenantLimits {
  return Object.hasOwn(config.overrides, tenant) ? config.overrides[tenant]! : config.defaults;
}

/** What the decoder is told: a limit that is switched off is a number that no input reaches. */
function decodeLimits(limits: TenantLimits): DecodeLimits {
  return {
    ...limits.decode,
    maxSamples: orNone(limits.maxProfileSamples),
    maxStackDepth: orNone(limits.maxStackDepth),
    maxSampleAttributes: orNone(limits.maxSampleLabels),
    maxSymbolLength: orNone(limits.maxSymbolLength),
    maxPayloadBytes: orNone(limits.maxProfileSizeBytes),
    maxAttributeKeyLength: Math.max(DEFAULT_DECODE_LIMITS.maxAttributeKeyLength, limits.maxLabelNameLength),
    maxAttributeValueLength: Math.max(
      DEFAULT_DECODE_LIMITS.maxAttributeValueLength,
      limits.maxLabelValueLength,
    ),
  };
}

function orNone(limit: number): number {
  return limit === 0 ? Number.MAX_SAFE_INTEGER : limit;
}

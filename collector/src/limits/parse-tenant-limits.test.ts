// SPDX-License-Identifier: Apache-2.0
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of templates, which are not of JavaScript.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import fc from 'fast-check';
import { IGNORED_LIMIT_KEYS } from './ignored-limit-keys.ts';
import { LIMIT_KEYS } from './limit-keys.ts';
import { MAX_USAGE_GROUPS } from './limit-kinds.ts';
import { formatChangedLimits, formatTenantLimits, parseTenantLimits } from './parse-tenant-limits.ts';
import { DEFAULT_TENANT_LIMITS, limitsOf, type TenantLimits, tenantLimits } from './tenant-limits.ts';

const DAY_MILLIS = 86_400_000;

function parsed(block: Readonly<Record<string, unknown>>, base = DEFAULT_TENANT_LIMITS): TenantLimits {
  return parseTenantLimits(block, base, 'limits');
}

test('the defaults are those of Pyroscope, but for the range of queries', () => {
  assert.deepEqual(Object.fromEntries(LIMIT_KEYS.map((key) => [key.key, key.default])), {
    ingestion_rate_mb: 4,
    ingestion_burst_size_mb: 2,
    ingestion_body_limit_mb: 256,
    ingestion_limit: null,
    push_max_concurrency: 256,
    max_label_name_length: 1024,
    max_label_value_length: 2048,
    max_label_names_per_series: 30,
    max_sessions_per_series: 0,
    enforce_labels_order: false,
    disable_label_sanitization: true,
    max_profile_size_bytes: 4_194_304,
    max_profile_stacktrace_samples: 16_000,
    max_profile_stacktrace_sample_labels: 100,
    max_profile_stacktrace_depth: 1000,
    max_profile_symbol_value_length: 65_535,
    reject_older_than: '1h',
    reject_newer_than: '10m',
    ingestion_relabeling_rules: [],
    ingestion_relabeling_default_rules_position: 'first',
    sample_type_relabeling_rules: [],
    distributor_usage_groups: {},
    distributor_sampling: { usage_groups: {} },
    keep_stripped_profiles: false,
    distributor_aggregation_window: '0s',
    distributor_aggregation_period: '0s',
    max_local_series_per_tenant: 0,
    max_global_series_per_tenant: 5000,
    max_query_lookback: '31d',
    max_query_length: '31d',
    max_query_parallelism: 0,
    split_queries_by_interval: '0s',
    query_sanitize_on_merge: true,
    query_analysis_enabled: true,
    query_analysis_series_enabled: false,
    max_flamegraph_nodes_default: 8192,
    max_flamegraph_nodes_max: 1_048_576,
    max_flamegraph_nodes_on_select_merge_profile: false,
    include_stripped_profiles: false,
    max_async_query_concurrency: 5,
    retention_period: '31d',
    retention_period_raw: '0s',
    retention_period_5m: '0s',
    max_stored_bytes: 0,
    max_recording_rules: 25,
    recording_rules: [],
    symbolizer: {
      enabled: false,
      maxsymbolsizebytes: 536_870_912,
      symbol_ref_trees_enabled: false,
      max_unresolved_locations: 1_000_000,
    },
  });
  assert.deepEqual(tenantLimits({}), DEFAULT_TENANT_LIMITS, 'the decoder is told the same');
});

test('a block sets what it says, and nothing else', () => {
  const limits = parsed({
    ingestion_rate_mb: 0.5,
    max_query_length: '1h30m',
    disable_label_sanitization: false,
    max_profile_stacktrace_samples: 17,
    symbolizer: { enabled: true },
    max_label_name_length: null,
    recording_rules: [{ id: 'a', metric_name: 'b' }],
    distributor_usage_groups: { app: '{service_name="a"}', 'ns/${labels.namespace}': '{namespace=~".+"}' },
    distributor_sampling: { usage_groups: { app: { probability: 0.25 } } },
    ingestion_limit: {
      period_type: 'hour',
      period_limit_mb: 128,
      limit_reset_time: 1_737_721_086,
      limit_reached: true,
      sampling: { num_requests: 5, period: '10m' },
      usage_groups: { app: { period_limit_mb: 1, limit_reached: false } },
    },
  });
  assert.deepEqual(limits, {
    ...DEFAULT_TENANT_LIMITS,
    decode: { ...DEFAULT_TENANT_LIMITS.decode, maxSamples: 17 },
    ingestionRateBytes: 524_288,
    maxQueryLengthMillis: 5_400_000,
    sanitizeLabelNames: true,
    maxProfileSamples: 17,
    symbolizer: { ...DEFAULT_TENANT_LIMITS.symbolizer, enabled: true },
    recordingRules: [{ id: 'a', metric_name: 'b' }],
    usageGroups: [
      { name: 'app', selector: '{service_name="a"}' },
      { name: 'ns/${labels.namespace}', selector: '{namespace=~".+"}' },
    ],
    sampling: { app: 0.25 },
    ingestionLimit: {
      periodType: 'hour',
      periodLimitMegabytes: 128,
      limitResetTimeUnixSeconds: 1_737_721_086,
      limitReached: true,
      sampling: { profiles: 5, periodMillis: 600_000 },
      usageGroups: { app: { periodLimitMegabytes: 1, limitReached: false } },
    },
  } satisfies TenantLimits);
  assert.deepEqual(structuredClone(limits), limits, 'it can cross to a worker');
});

test('a limit that is switched off is none for the decoder either', () => {
  const { decode } = parsed({ max_profile_stacktrace_samples: 0, max_profile_stacktrace_depth: 5 });
  assert.equal(decode.maxSamples, Number.MAX_SAFE_INTEGER);
  assert.equal(decode.maxStackDepth, 5);
  assert.equal(parsed({ max_label_value_length: 5000 }).decode.maxAttributeValueLength, 5000);
});

test('texts of flags are understood', () => {
  const limits = parsed({
    ingestion_rate_mb: '8',
    query_analysis_enabled: 'false',
    max_query_length: '0',
    ingestion_relabeling_rules: '[{"action":"drop","regex":"a"}]',
  });
  assert.equal(limits.ingestionRateBytes, 8_388_608);
  assert.equal(limits.queryAnalysisEnabled, false);
  assert.equal(limits.maxQueryLengthMillis, 0);
  assert.equal(limits.relabelRules[0]!.action, 'drop');
});

test('queries see what is kept, unless somebody says how far back they see', () => {
  const lookbackDays = (block: Readonly<Record<string, unknown>>, base?: TenantLimits) =>
    parsed(block, base).maxQueryLookbackMillis / DAY_MILLIS;
  assert.equal(lookbackDays({}), 31);
  assert.equal(lookbackDays({ retention_period: '90d' }), 90);
  assert.equal(lookbackDays({ retention_period: 0 }), 0);
  assert.equal(lookbackDays({ retention_period: '90d', max_query_lookback: '7d' }), 7);
  assert.equal(lookbackDays({ max_query_lookback: 0 }), 0);
  const week = parsed({ max_query_lookback: '7d' });
  assert.equal(lookbackDays({ retention_period: '90d' }, week), 7);
});

test('the older name of the retention', () => {
  const ignored: string[] = [];
  const read = (block: Readonly<Record<string, unknown>>) =>
    parseTenantLimits(block, DEFAULT_TENANT_LIMITS, 'limits', (key) => ignored.push(key));
  assert.equal(read({ compactor_blocks_retention_period: '2d' }).retentionPeriodMillis, 2 * DAY_MILLIS);
  assert.deepEqual(ignored, []);
  const both = { compactor_blocks_retention_period: '2d', retention_period: '3d' };
  assert.equal(read(both).retentionPeriodMillis, 3 * DAY_MILLIS);
  assert.deepEqual(ignored, ['compactor_blocks_retention_period']);
});

test('keys without a meaning here are accepted and named', () => {
  const ignored: string[] = [];
  const block = Object.fromEntries(IGNORED_LIMIT_KEYS.map(({ key }) => [key, 1]));
  const limits = parseTenantLimits(block, DEFAULT_TENANT_LIMITS, 'limits', (key) => ignored.push(key));
  assert.deepEqual(limits, DEFAULT_TENANT_LIMITS);
  assert.deepEqual(ignored, Object.keys(block));
  ignored.length = 0;
  const inert = parseTenantLimits(
    { push_max_concurrency: 3, max_label_name_length: 4, query_analysis_enabled: null },
    DEFAULT_TENANT_LIMITS,
    'limits',
    (key, reason) => ignored.push(`${key}: ${reason}`),
  );
  assert.equal(inert.pushMaxConcurrency, 3, 'kept, to be shown');
  assert.deepEqual(ignored, [
    'push_max_concurrency: the profiles of a request are worked on one after the other',
  ]);
});

test('bad blocks are refused with the key, and an unknown one with the nearest', () => {
  const itself: unknown[] = [];
  itself.push(itself);
  const cases: readonly [block: Readonly<Record<string, unknown>>, message: RegExp][] = [
    [
      { max_query_lenght: 1 },
      /^unknown key limits\.max_query_lenght; did you mean limits\.max_query_length\?$/,
    ],
    [{ zzzzzzzzzzzzzzzzzzzzz: 1 }, /^unknown key limits\.zzzzzzzzzzzzzzzzzzzzz$/],
    [{ max_label_name_length: -1 }, /^limits\.max_label_name_length: expected an integer from 0 on, got -1$/],
    [{ max_label_name_length: 1.5 }, /got 1\.5$/],
    [{ max_label_name_length: '1e3' }, /got "1e3"$/],
    [{ max_label_name_length: Number.NaN }, /got NaN$/],
    [{ max_label_name_length: true }, /got true$/],
    [{ max_label_name_length: itself }, /got a list$/],
    [{ ingestion_rate_mb: 'fast' }, /expected a number of MiB from 0 on, got "fast"$/],
    [{ ingestion_rate_mb: Number.POSITIVE_INFINITY }, /got Infinity$/],
    [{ reject_older_than: '1 fortnight' }, /expected a duration such as .*, got "1 fortnight"$/],
    [{ reject_older_than: -5 }, /expected a duration/],
    [{ enforce_labels_order: 'yes' }, /expected true or false, got "yes"$/],
    [{ ingestion_relabeling_default_rules_position: 'middle' }, /expected one of first, last, disabled/],
    [{ sample_type_relabeling_rules: [{ target_label: 'a' }] }, /expected one of keep, drop, got "replace"/],
    [{ distributor_usage_groups: { other: '{}' } }, /usage group name "other" is reserved/],
    [{ distributor_usage_groups: { ' ': '{}' } }, /usage group name cannot be empty/],
    [{ distributor_usage_groups: { 'a${labels.b': '{}' } }, /unclosed placeholder/],
    [{ distributor_usage_groups: { '${labels.}': '{}' } }, /empty label name in placeholder/],
    [{ distributor_usage_groups: { a: '{b=' } }, /distributor_usage_groups\.a: label selector/],
    [{ distributor_usage_groups: { a: 1 } }, /expected a label selector/],
    [
      { distributor_usage_groups: groups(MAX_USAGE_GROUPS + 1) },
      /maximum number of usage groups is 50, got 51/,
    ],
    [
      { distributor_sampling: { usage_groups: { a: { probability: 1.1 } } } },
      /a\.probability: expected a number/,
    ],
    [{ distributor_sampling: { groups: {} } }, /unknown key limits\.distributor_sampling\.groups/],
    [
      { ingestion_limit: { limit_reached: 'maybe' } },
      /ingestion_limit\.limit_reached: expected true or false/,
    ],
    [{ symbolizer: { enable: true } }, /unknown key limits\.symbolizer\.enable; did you mean/],
    [{ recording_rules: [{ a: itself }] }, /nested more than 8 deep/],
    [{ recording_rules: 'a' }, /expected a list/],
    [JSON.parse('{"__proto__": 1}'), /unknown key limits\.__proto__/],
    [{ max_profile_size_bytes: 'x'.repeat(1000) }, /^.{0,250}…$/],
  ];
  for (const [block, message] of cases) {
    assert.throws(() => parsed(block), { code: 'invalid_argument', message }, String(message));
  }
  assert.equal(
    parsed({ distributor_usage_groups: groups(MAX_USAGE_GROUPS) }).usageGroups.length,
    MAX_USAGE_GROUPS,
  );
});

function groups(count: number): Readonly<Record<string, string>> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`g${n}`, '{}']));
}

const VALUES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  'an integer from 0 on': fc.nat(),
  'a number of MiB from 0 on': fc.integer({ min: 0, max: 1000 }).map((quarters) => quarters / 4),
  'true or false': fc.boolean(),
};
const DURATIONS = fc.constantFrom('0s', '1ms', '90s', '1h30m', '7d', '31d1ms');
const blockArbitrary = fc.record(
  Object.fromEntries(
    LIMIT_KEYS.flatMap(({ key, expected }) => {
      const arbitrary = VALUES[expected] ?? (expected.startsWith('a duration') ? DURATIONS : undefined);
      return arbitrary === undefined ? [] : [[key, arbitrary]];
    }),
  ),
  { requiredKeys: [] },
);

test('limits survive being written and read again', () => {
  fc.assert(
    fc.property(blockArbitrary, (block) => {
      const limits = parsed(block);
      assert.deepEqual(parsed(formatTenantLimits(limits)), limits);
      assert.deepEqual(parsed(formatChangedLimits(limits, DEFAULT_TENANT_LIMITS)), limits);
    }),
  );
  assert.deepEqual(formatChangedLimits(DEFAULT_TENANT_LIMITS, DEFAULT_TENANT_LIMITS), {});
});

test('noise is refused or read', () => {
  const key = fc.oneof(fc.constantFrom(...LIMIT_KEYS.map(({ key }) => key)), fc.string());
  fc.assert(
    fc.property(fc.dictionary(key, fc.anything({ maxDepth: 3 })), (block) => {
      try {
        parsed(block);
      } catch (error) {
        assert.ok(error instanceof HearthscopeError, String(error));
      }
    }),
  );
});

test('limitsOf finds own overrides only', () => {
  const special = tenantLimits({ maxProfileSamples: 1 });
  const config = { defaults: DEFAULT_TENANT_LIMITS, overrides: { a: special } };
  assert.equal(limitsOf(config, 'a'), special);
  assert.equal(limitsOf(config, 'b'), DEFAULT_TENANT_LIMITS);
  assert.equal(limitsOf(config, 'toString'), DEFAULT_TENANT_LIMITS);
  assert.equal(limitsOf(config, '__proto__'), DEFAULT_TENANT_LIMITS);
});

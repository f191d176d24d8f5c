// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelValue, ProfileTypeLabels } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import { arbitraryProfile } from '@hearthscope/profile/testing/arbitrary-profile';
import { profileFromText } from '@hearthscope/profile/testing/text-profile';
import fc from 'fast-check';
import { type TenantLimits, tenantLimits } from '../limits/tenant-limits.ts';
import type { NormaliseResult } from '../normalise-result.ts';
import type { NormalisedProfile } from '../normalised-profile.ts';
import type { PipelineOptions } from '../pipeline-options.ts';
import { DEFAULT_RELABEL_RULE } from '../relabel/relabel-rule.ts';
import { normalisePushed } from './normalise-pushed.ts';

const NOW_MILLIS = Date.UTC(2026, 0, 2, 3, 4, 5);
const NOW_NANOS = BigInt(NOW_MILLIS) * 1_000_000n;
const CPU = { type: 'cpu', unit: 'nanoseconds' };
const COUNT = { type: 'samples', unit: 'count' };
type Labels = Readonly<Record<string, string>>;

function normalise(
  text: string | Profile,
  {
    limits = {},
    labels = {},
    ...rest
  }: Partial<Omit<PipelineOptions, 'limits'>> & { limits?: Partial<TenantLimits>; labels?: Labels } = {},
): NormaliseResult {
  const profile = typeof text === 'string' ? profileFromText(text, { timeUnixNanos: 0n }) : text;
  const all = { __name__: 'process_cpu', service_name: 'shop', ...labels };
  const pushed = {
    labels: Object.entries(all).map(([name, value]) => ({ name, value })),
    profile,
    sizeBytes: 1000,
  };
  return normalisePushed([pushed], {
    tenant: 'anonymous',
    indexedAttributes: [],
    limits: tenantLimits(limits),
    now: () => NOW_MILLIS,
    ...rest,
  });
}

const reasonsOf = ({ rejected }: NormaliseResult) =>
  rejected.map(({ what, reason, count }) => [what, reason, count]);
const repairsOf = ({ repaired }: NormaliseResult) =>
  Object.fromEntries(repaired.map(({ reason, count }) => [reason, count]));
const typeOf = ({ labels }: NormalisedProfile) => labelValue(labels, ProfileTypeLabels.profileType);
const valuesOf = ({ profile }: NormalisedProfile) => profile.samples.values[0]!.join();
const TYPE_LABELS: ReadonlySet<string> = new Set(Object.values(ProfileTypeLabels));
const ownLabels = ({ labels }: NormalisedProfile) =>
  Object.fromEntries(
    labels.filter(({ name }) => !TYPE_LABELS.has(name)).map(({ name, value }) => [name, value]),
  );

test('each sample type is a series of its own, with the labels that clients of Grafana Pyroscope expect', () => {
  const profile = profileFromText('main;work 2,20\nmain;idle 1,0', {
    timeUnixNanos: NOW_NANOS,
    sampleTypes: [COUNT, CPU],
  });
  const { accepted, rejected } = normalise(profile, { labels: { __delta__: 'false', region: 'eu' } });
  assert.deepEqual(rejected, []);
  assert.deepEqual(accepted.map(typeOf), [
    'process_cpu:samples:count:cpu:nanoseconds',
    'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
  ]);
  assert.deepEqual(accepted[1]!.labels, [
    { name: '__name__', value: 'process_cpu' },
    { name: '__period_type__', value: 'cpu' },
    { name: '__period_unit__', value: 'nanoseconds' },
    { name: '__profile_type__', value: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds' },
    { name: '__service_name__', value: 'shop' },
    { name: '__type__', value: 'cpu' },
    { name: '__unit__', value: 'nanoseconds' },
    { name: 'region', value: 'eu' },
    { name: 'service_name', value: 'shop' },
  ]);
  assert.deepEqual(accepted.map(valuesOf), ['2,1', '20']);
  assert.ok(!accepted[1]!.profile.strings.includes('idle'), 'names of samples of other types are not stored');
  assert.equal(accepted[0]!.profile.id, accepted[1]!.profile.id);
});

test('who names no service is an unknown one, and who names no profile is refused', () => {
  const unnamed = normalise('main 1', { labels: { service_name: '' } });
  assert.equal(ownLabels(unnamed.accepted[0]!).service_name, 'unknown_service');
  const { rejected } = normalise('main 1', { labels: { __name__: '' } });
  assert.deepEqual(rejected, [
    {
      what: 'profile',
      reason: 'invalid_labels',
      count: 1,
      message: `invalid labels '{service_name="shop"}' with error: invalid metric name`,
    },
  ]);
});

test('a label name that is there twice is refused', () => {
  const labels = ['__name__', 'region', 'region'].map((name, i) => ({ name, value: `v${i}` }));
  const { rejected } = normalisePushed([{ labels, profile: profileFromText('main 1'), sizeBytes: 1 }], {
    tenant: '',
    indexedAttributes: [],
    limits: tenantLimits({ rejectOlderThanMillis: 0 }),
    now: () => NOW_MILLIS,
  });
  assert.deepEqual(
    rejected.map(({ reason, message }) => [reason, message]),
    [
      [
        'duplicate_label_names',
        `profile with labels '{__name__="v0", region="v1", region="v2", service_name="unknown_service"}' has duplicate label name: 'region'`,
      ],
    ],
  );
});

test('the labels of samples are labels of series; those of the series hold', () => {
  const result = normalise('main;a 1 pool=x\nmain;b 2 pool=y service_name=db\nmain;a 4 pool=x');
  assert.deepEqual(result.rejected, []);
  assert.deepEqual(
    result.accepted.map((each) => [ownLabels(each), valuesOf(each)]),
    [
      [{ __service_name__: 'shop', pool: 'x', service_name: 'shop' }, '5'],
      [{ __service_name__: 'shop', pool: 'y', service_name: 'shop' }, '2'],
    ],
  );
  assert.deepEqual(
    result.accepted.map(({ profile }) => profile.attributes),
    [[], [{ key: 'service_name', value: 'db', unit: '' }]],
  );
  assert.deepEqual(repairsOf(result), { shadowed_label: 1 });
});

test('spans and traces are links, under the old name too', () => {
  const trace = 'AB'.repeat(16);
  const result = normalise(
    `main 1 span_id=00000bac2a5ab0c7\nmain 2 profile_id=00000BAC2A5AB0C7\nmain 4 trace_id=${trace}\nmain 8 span_id=short\nmain 16 span_id=0000000000000000`,
  );
  assert.equal(result.accepted.length, 1);
  const { profile } = result.accepted[0]!;
  assert.deepEqual(
    Array.from(profile.samples.link, (link, row) => [profile.links[link], profile.samples.values[0]![row]]),
    [
      [{ traceId: '', spanId: '00000bac2a5ab0c7' }, 3n],
      [{ traceId: trace.toLowerCase(), spanId: '' }, 4n],
      [{ traceId: '', spanId: '' }, 8n],
      [{ traceId: '', spanId: '' }, 16n],
    ],
  );
  assert.deepEqual(profile.attributes, [{ key: 'span_id', value: 'short', unit: '' }]);
  assert.deepEqual(repairsOf(result), { span_id_invalid: 1 });
});

test('series that a profile splits into, at their edge', () => {
  const text = 'main 1 pool=a\nmain 2 pool=b\nmain 4 pool=c';
  assert.deepEqual(reasonsOf(normalise(text, { limits: { maxSeriesPerProfile: 3 } })), []);
  const result = normalise(text, { limits: { maxSeriesPerProfile: 2 } });
  assert.equal(result.accepted.length, 2);
  assert.deepEqual(reasonsOf(result), [['sample', 'max_series_per_profile', 1]]);
});

test('labels of one series that are refused cost the others nothing', () => {
  const result = normalise('main 1 pool=abcd\nmain 2 pool=abcde', { limits: { maxLabelValueLength: 11 } });
  assert.equal(result.accepted.length, 2);
  const strict = normalise('main 1 p=process_cpu\nmain 2 p=process_cpux', {
    limits: { maxLabelValueLength: 11 },
  });
  assert.equal(strict.accepted.length, 1);
  assert.deepEqual(reasonsOf(strict), [['sample', 'label_value_too_long', 1]]);
  const all = normalise('main 1', { labels: { pool: 'process_cpux' }, limits: { maxLabelValueLength: 11 } });
  assert.deepEqual(reasonsOf(all), [['profile', 'label_value_too_long', 1]]);
});

test('samples that measured nothing are left out and counted, and a profile of nothing else is no error', () => {
  const sampleTypes = [COUNT, CPU];
  const profile = profileFromText('a 0,0\nb -1,5\nc 1,0', { timeUnixNanos: NOW_NANOS, sampleTypes });
  const result = normalise(profile);
  assert.deepEqual(repairsOf(result), { negative_value: 1, zero_values: 1 });
  assert.deepEqual(result.accepted.map(valuesOf), ['1']);
  const empty = normalise(profileFromText('a 0,0', { timeUnixNanos: NOW_NANOS, sampleTypes }));
  assert.deepEqual([empty.accepted, empty.rejected], [[], []]);
  assert.deepEqual(repairsOf(empty), { zero_values: 1, empty_profile: 1 });
});

test('values that no sum can hold are refused', () => {
  const result = normalise('a 9223372036854775807\nb 1');
  assert.deepEqual(reasonsOf(result), [['profile', 'malformed_profile', 1]]);
  assert.match(result.rejected[0]!.message, /cpu:nanoseconds sum to 9223372036854775808/);
  assert.equal(normalise('a 9223372036854775806\nb 1').accepted.length, 1);
});

test('the ingestion window, at its edges, and a profile without time is of now', () => {
  const at = (millis: number) =>
    normalise(profileFromText('a 1', { timeUnixNanos: BigInt(NOW_MILLIS + millis) * 1_000_000n }));
  assert.equal(at(-3_600_000).accepted.length, 1);
  assert.equal(at(600_000).accepted.length, 1);
  assert.deepEqual(reasonsOf(at(-3_600_001)), [['profile', 'not_in_ingestion_window', 1]]);
  assert.deepEqual(reasonsOf(at(600_001)), [['profile', 'not_in_ingestion_window', 1]]);
  assert.equal(normalise('a 1').accepted[0]!.profile.timeUnixNanos, NOW_NANOS);
  const old = normalise(profileFromText('a 1', { timeUnixNanos: 1n }), {
    limits: { rejectNewerThanMillis: 0 },
  });
  assert.match(old.rejected[0]!.message, /, the ingestion window starts at 2026-01-02T02:04:05.000Z\)$/);
});

test('the size that a profile had, at its edge', () => {
  assert.deepEqual(reasonsOf(normalise('a 1', { limits: { maxProfileSizeBytes: 1000 } })), []);
  const { rejected } = normalise('a 1', { limits: { maxProfileSizeBytes: 999 } });
  assert.deepEqual(rejected, [
    {
      what: 'profile',
      reason: 'profile_size_limit',
      count: 1,
      message: `the profile with labels '{__name__="process_cpu", service_name="shop"}' exceeds the size limit (max_profile_size_byte, actual: 1000, limit: 999)`,
    },
  ]);
});

test('what is not admitted is refused with the reason of the admission', () => {
  const result = normalise('a 1', {
    admission: {
      admit: (tenant, labels, sizeBytes) => ({
        reason: 'rate_limited',
        message: `${tenant} ${labels.length} ${sizeBytes}`,
      }),
    },
  });
  assert.deepEqual(result.rejected, [
    { what: 'profile', reason: 'rate_limited', count: 1, message: 'anonymous 2 1000' },
  ]);
});

test('profiles that sampling leaves out are dropped, or their totals kept', () => {
  const limits = {
    usageGroups: [{ name: 'all', selector: '{service_name="shop"}' }],
    sampling: { all: 0.5 },
  };
  const drawn = (random: number, keepStrippedProfiles = false) =>
    normalise('main;a 1\nmain;b 2', { limits: { ...limits, keepStrippedProfiles }, random: () => random });
  assert.deepEqual(reasonsOf(drawn(0.4)), []);
  assert.deepEqual(reasonsOf(drawn(0.6)), [['profile', 'dropped_by_sampling_rules', 1]]);
  const stripped = drawn(0.6, true);
  assert.deepEqual(reasonsOf(stripped), []);
  assert.deepEqual(ownLabels(stripped.accepted[0]!).__sampled__, 'true');
  assert.equal(valuesOf(stripped.accepted[0]!), '3');
  assert.equal(stripped.accepted[0]!.profile.locations.length, 0);
});

test('godeltaprof profiles are those of Go; the types of a profile keep its name', () => {
  const go = normalise('a 1', { labels: { __name__: 'godeltaprof_memory' } });
  assert.equal(typeOf(go.accepted[0]!), 'memory:cpu:nanoseconds:cpu:nanoseconds');
  assert.equal(ownLabels(go.accepted[0]!).__name_replaced__, 'godeltaprof_memory');
  const wall = profileFromText('a 1,2', {
    timeUnixNanos: 0n,
    sampleTypes: [{ type: 'wall', unit: 'nanoseconds' }, CPU],
  });
  assert.deepEqual(normalise(wall, { labels: { __name__: 'wall' } }).accepted.map(typeOf), [
    'wall:wall:nanoseconds:cpu:nanoseconds',
    'wall:cpu:nanoseconds:cpu:nanoseconds',
  ]);
  const told = normalise(wall, { labels: { __name__: 'wall', __type__: 'cpu' } });
  assert.equal(ownLabels(told.accepted[0]!).__name_replaced__, 'wall');
});

test('rules of the tenant drop series, or make them one', () => {
  const drop = { ...DEFAULT_RELABEL_RULE, action: 'drop' as const, sourceLabels: ['pool'], regex: 'a' };
  const some = normalise('main 1 pool=a\nmain 2 pool=b', { limits: { relabelRules: [drop] } });
  assert.equal(some.accepted.length, 1);
  assert.deepEqual(reasonsOf(some), [['sample', 'dropped_by_relabel_rules', 1]]);
  const all = normalise('main 1 pool=a', { limits: { relabelRules: [drop] } });
  assert.deepEqual(reasonsOf(all), [['profile', 'dropped_by_relabel_rules', 1]]);
  const unite = { ...DEFAULT_RELABEL_RULE, action: 'labeldrop' as const, regex: 'pool' };
  const one = normalise('main 1 pool=a\nmain 2 pool=b', { limits: { relabelRules: [unite] } });
  assert.deepEqual(one.accepted.map(valuesOf), ['3']);
});

test('rules for sample types leave types out', () => {
  const rule = {
    ...DEFAULT_RELABEL_RULE,
    action: 'drop' as const,
    sourceLabels: ['__type__'],
    regex: 'samples',
  };
  const profile = profileFromText('a 1,2', { timeUnixNanos: 0n, sampleTypes: [COUNT, CPU] });
  const result = normalise(profile, { limits: { sampleTypeRelabelRules: [rule] } });
  assert.deepEqual(result.accepted.map(valuesOf), ['2']);
  assert.deepEqual(repairsOf(result), { sample_type_dropped: 1 });
});

test('sessions are left out, or folded into as many as the limit says', () => {
  const sessionOf = (id: string, maxSessionsPerSeries: number) =>
    ownLabels(
      normalise('a 1', { labels: { __session_id__: id }, limits: { maxSessionsPerSeries } }).accepted[0]!,
    ).__session_id__;
  assert.equal(sessionOf('0700000000000000', 0), undefined);
  assert.equal(sessionOf('0700000000000000', 4), '0300000000000000');
  assert.equal(sessionOf('0300000000000000', 4), '0300000000000000');
  assert.equal(sessionOf('0400000000000000', 4), '0000000000000000');
  assert.equal(sessionOf('not a session', 4), undefined);
});

test('profiles of one window of aggregation have one time', () => {
  const limits = { aggregationWindowMillis: 60_000, rejectOlderThanMillis: 0, maxSessionsPerSeries: 9 };
  const at = (millis: number) =>
    normalise(profileFromText('a 1', { timeUnixNanos: BigInt(NOW_MILLIS - 5000 + millis) * 1_000_000n }), {
      limits,
      labels: { __session_id__: '0700000000000000' },
    }).accepted[0]!;
  assert.equal(at(0).profile.timeUnixNanos, at(59_999).profile.timeUnixNanos);
  assert.notEqual(at(0).profile.timeUnixNanos, at(60_000).profile.timeUnixNanos);
  assert.equal(ownLabels(at(0)).__session_id__, undefined);
});

test('the version of the sources goes into the build ids', () => {
  const { accepted } = normalise('main 1', {
    labels: {
      service_repository: 'https://example.org/shop',
      service_git_ref: 'main',
      service_root_path: 'src',
    },
  });
  const { mappings, strings } = accepted[0]!.profile;
  assert.deepEqual(
    Array.from(mappings.buildId, (index) => strings[index]),
    ['', '{"repository":"https://example.org/shop","git_ref":"main","root_path":"src"}'],
  );
});

test('label names are sanitised where the tenant wants it', () => {
  const labels = { 'a.b': 'x', 'c.d': 'y', c_d: 'y' };
  const sanitised = normalise('a 1', { labels, limits: { sanitizeLabelNames: true } });
  assert.deepEqual(ownLabels(sanitised.accepted[0]!), {
    __service_name__: 'shop',
    a_b: 'x',
    c_d: 'y',
    service_name: 'shop',
  });
  assert.deepEqual(repairsOf(sanitised), { label_name_sanitized: 2 });
  assert.equal(ownLabels(normalise('a 1', { labels }).accepted[0]!)['a.b'], 'x');
  const clash = normalise('a 1', { labels: { ...labels, c_d: 'z' }, limits: { sanitizeLabelNames: true } });
  assert.match(
    clash.rejected[0]!.message,
    /has duplicate label name 'c_d' after label name sanitization from 'c.d'$/,
  );
});

test('property: what is stored sums to what was sent', () => {
  const MAX = 2n ** 40n;
  fc.assert(
    fc.property(arbitraryProfile(), (arbitrary) => {
      const profile: Profile = {
        ...arbitrary,
        timeUnixNanos: NOW_NANOS,
        sampleTypes: arbitrary.sampleTypes.map((_, i) => ({ type: `t${i}`, unit: 'u' })),
        periodType: CPU,
        samples: {
          ...arbitrary.samples,
          values: arbitrary.samples.values.map((column) => column.map((value) => value % MAX)),
        },
      };
      const limits = {
        maxLabelNamesPerSeries: 10_000,
        maxSampleLabels: 0,
        maxLabelNameLength: 1e9,
        maxLabelValueLength: 1e9,
      };
      const { accepted, rejected } = normalise(profile, { limits });
      assert.deepEqual(rejected, []);
      const sent = profile.sampleTypes.map(() => 0n);
      for (let row = 0; row < profile.samples.length; row++) {
        const values = profile.samples.values.map((column) => column[row]!);
        if (values.some((value) => value < 0n)) continue;
        values.forEach((value, i) => {
          sent[i]! += value;
        });
      }
      const stored = profile.sampleTypes.map(() => 0n);
      const keys = new Set<string>();
      for (const each of accepted) {
        keys.add(JSON.stringify(each.labels));
        const column = Number(each.profile.sampleTypes[0]!.type.slice(1));
        for (const value of each.profile.samples.values[0]!) {
          assert.ok(value > 0n);
          stored[column]! += value;
        }
      }
      assert.deepEqual(stored, sent);
      assert.equal(keys.size, accepted.length, 'no series comes twice');
    }),
    { numRuns: 300 },
  );
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelValue, ProfileTypeLabels } from '@hearthscope/profile/labels';
import { type TenantLimits, tenantLimits } from './limits/tenant-limits.ts';
import type { NormalisedProfile } from './normalised-profile.ts';
import { normaliseOtlpRequest, type OtlpPipelineOptions } from './otlp-pipeline.ts';
import { DEFAULT_RELABEL_RULE, type RelabelRule } from './relabel/relabel-rule.ts';
import { encodeTestRequest, type TestProfile } from './testing/otlp-request.ts';

const NOW_MILLIS = Date.UTC(2026, 0, 2, 3, 4, 5);
const NOW_NANOS = BigInt(NOW_MILLIS) * 1_000_000n;

const PROFILE: TestProfile = {
  resource: { 'service.name': 'shop' },
  period: 1000,
  timeUnixNanos: NOW_NANOS,
  samples: [
    { stack: ['main', 'work'], value: 3 },
    { stack: ['main', 'idle'], value: 1 },
  ],
};

function normalise(
  profiles: readonly Partial<TestProfile>[],
  options: { indexedAttributes?: string[]; limits?: Partial<TenantLimits> } = {},
) {
  const full: OtlpPipelineOptions = {
    tenant: 'anonymous',
    indexedAttributes: options.indexedAttributes ?? [],
    limits: tenantLimits(options.limits ?? {}),
    now: () => NOW_MILLIS,
  };
  return normaliseOtlpRequest(
    encodeTestRequest(profiles.map((profile) => ({ ...PROFILE, ...profile }))),
    full,
  );
}

/** Without those of the profile type, which nobody sets. */
function userLabels({ labels }: NormalisedProfile): Record<string, string> {
  const pairs = labels.filter(({ name }) => !name.startsWith('__')).map(({ name, value }) => [name, value]);
  return Object.fromEntries(pairs);
}

function attributesOf({ profile }: NormalisedProfile): Record<string, unknown> {
  return Object.fromEntries(profile.profileAttributes.map(({ key, value }) => [key, value]));
}

const typeOf = ({ labels }: NormalisedProfile) => labelValue(labels, ProfileTypeLabels.profileType);
const valuesOf = ({ profile }: NormalisedProfile) => [...profile.samples.values[0]!];

test('counted samples of CPU time become nanoseconds', () => {
  const { accepted, rejected } = normalise([{}]);
  assert.deepEqual(rejected, []);
  assert.equal(accepted.length, 1);
  assert.equal(typeOf(accepted[0]!), 'process_cpu:cpu:nanoseconds:cpu:nanoseconds');
  assert.deepEqual(valuesOf(accepted[0]!), [3000n, 1000n]);
  assert.deepEqual(accepted[0]!.profile.sampleTypes, [{ type: 'cpu', unit: 'nanoseconds' }]);
  assert.equal(labelValue(accepted[0]!.labels, ProfileTypeLabels.name), 'process_cpu');
});

test('types by sample type, period type and period', () => {
  const cases: [Partial<TestProfile>, string, bigint][] = [
    [{ sampleType: 'off_cpu:nanoseconds', periodType: ':' }, 'off_cpu:off_cpu:nanoseconds::', 3n],
    [{ period: 0 }, 'cpu:samples:count:cpu:nanoseconds', 3n],
    [{ sampleType: 'cpu:nanoseconds' }, 'cpu:cpu:nanoseconds:cpu:nanoseconds', 3n],
    [
      { sampleType: 'alloc_space:bytes', periodType: 'space:bytes' },
      'space:alloc_space:bytes:space:bytes',
      3n,
    ],
  ];
  for (const [profile, type, firstValue] of cases) {
    const { accepted } = normalise([profile]);
    assert.equal(typeOf(accepted[0]!), type);
    assert.equal(valuesOf(accepted[0]!)[0], firstValue);
  }
});

test('each OTLP type and the type it is stored as', () => {
  const rows: [
    sampleType: string,
    periodType: string,
    period: number,
    stored: string | RegExp,
    value: bigint,
  ][] = [
    ['samples:count', 'cpu:nanoseconds', 1000, 'process_cpu:cpu:nanoseconds:cpu:nanoseconds', 3000n],
    ['samples:count', 'cpu:nanoseconds', 0, 'cpu:samples:count:cpu:nanoseconds', 3n],
    ['samples:count', 'wall:nanoseconds', 1000, 'wall:samples:count:wall:nanoseconds', 3n],
    ['samples:count', ':', 1000, /invalid metric name/, 0n],
    ['off_cpu:nanoseconds', ':', 0, 'off_cpu:off_cpu:nanoseconds::', 3n],
    ['off_cpu:nanoseconds', ':', 7, 'off_cpu:off_cpu:nanoseconds::', 3n],
    ['off_cpu:nanoseconds', 'cpu:nanoseconds', 7, 'off_cpu:off_cpu:nanoseconds:cpu:nanoseconds', 3n],
    ['off_cpu:count', ':', 0, /invalid metric name/, 0n],
    ['otlp_test:count', 'otlp_test:samples', 1, 'otlp_test:otlp_test:count:otlp_test:samples', 3n],
    ['wall:time', 'cpu:milliseconds', 1, 'cpu:wall:time:cpu:milliseconds', 3n],
    ['cpu-time:nanoseconds', 'cpu:nanoseconds', 1, /sample type contains -/, 0n],
    ['a:b:c', 'cpu:nanoseconds', 1, 'cpu:a:b:cpu:nanoseconds', 3n],
    [':count', 'cpu:nanoseconds', 1, /sample type has no name/, 0n],
  ];
  for (const [sampleType, periodType, period, stored, value] of rows) {
    const { accepted, rejected } = normalise([{ sampleType, periodType, period }]);
    const row = `${sampleType} ${periodType} ${period}`;
    if (stored instanceof RegExp) {
      assert.equal(accepted.length, 0, row);
      assert.deepEqual(
        rejected.map(({ what, reason, count }) => [what, reason, count]),
        [['profile', 'malformed_profile', 1]],
        row,
      );
      assert.match(rejected[0]!.message, stored);
    } else {
      assert.equal(typeOf(accepted[0]!), stored, row);
      assert.equal(valuesOf(accepted[0]!)[0], value, row);
      assert.deepEqual(userLabels(accepted[0]!), { service_name: 'shop' }, row);
    }
  }
});

test('a request without dictionary or without profiles is an error', () => {
  const options = { tenant: '', indexedAttributes: [], limits: tenantLimits({}), now: () => NOW_MILLIS };
  for (const [encoding, withoutDictionary, withoutProfiles] of [
    ['protobuf', Uint8Array.of(0x0a, 0), Uint8Array.of(0x12, 0)],
    ['json', Buffer.from('{"resourceProfiles":[{}]}'), Buffer.from('{"dictionary":{}}')],
  ] as const) {
    const run = (bytes: Uint8Array) => () => normaliseOtlpRequest(bytes, { ...options, encoding });
    assert.throws(run(withoutDictionary), {
      code: 'invalid_argument',
      message: 'missing profile metadata dictionary',
    });
    assert.throws(run(withoutProfiles), { code: 'invalid_argument', message: 'missing resource profiles' });
  }
});

test('a request in JSON is stored as the same in protobuf', () => {
  const json = {
    resourceProfiles: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
        scopeProfiles: [
          {
            profiles: [
              {
                sampleType: { typeStrindex: 1, unitStrindex: 2 },
                periodType: { typeStrindex: 3, unitStrindex: 4 },
                period: '1000',
                timeUnixNano: String(NOW_NANOS),
                samples: [{ stackIndex: 1, values: ['3'], timestampsUnixNano: [String(NOW_NANOS)] }],
              },
            ],
          },
        ],
      },
    ],
    dictionary: {
      stringTable: ['', 'samples', 'count', 'cpu', 'nanoseconds', 'main'],
      functionTable: [{}, { nameStrindex: 5 }],
      locationTable: [{}, { lines: [{ functionIndex: 1 }] }],
      stackTable: [{}, { locationIndices: [1] }],
    },
  };
  const { accepted, rejected } = normaliseOtlpRequest(Buffer.from(JSON.stringify(json)), {
    tenant: 'anonymous',
    indexedAttributes: [],
    limits: tenantLimits({}),
    now: () => NOW_MILLIS,
    encoding: 'json',
  });
  assert.deepEqual(rejected, []);
  assert.equal(typeOf(accepted[0]!), 'process_cpu:cpu:nanoseconds:cpu:nanoseconds');
  assert.deepEqual(valuesOf(accepted[0]!), [3000n]);
  assert.deepEqual([...accepted[0]!.profile.samples.timestampUnixNanos], [NOW_NANOS]);
});

test('the rules and limits of a tenant hold for OTLP too', () => {
  const drop: RelabelRule = {
    ...DEFAULT_RELABEL_RULE,
    action: 'drop',
    sourceLabels: ['service_name', '__name__'],
    regex: 'db;process_cpu',
  };
  const rename: RelabelRule = { ...DEFAULT_RELABEL_RULE, targetLabel: 'region', replacement: 'eu' };
  const dropped = normalise([{}, { resource: { 'service.name': 'db' } }], {
    limits: { relabelRules: [drop, rename] },
  });
  assert.deepEqual(dropped.accepted.map(userLabels), [{ region: 'eu', service_name: 'shop' }]);
  assert.deepEqual(
    dropped.rejected.map(({ what, reason, count }) => [what, reason, count]),
    [['profile', 'dropped_by_relabel_rules', 1]],
  );
  const sanitized = normalise([{ resource: { 'service.name': 'shop', 'host.name': 'a' } }], {
    limits: { sanitizeLabelNames: true },
  });
  assert.deepEqual(userLabels(sanitized.accepted[0]!), { host_name: 'a', service_name: 'shop' });
  const keep = { ...drop, sourceLabels: ['__type__'], regex: 'cpu' };
  const typeless = normalise([{}], { limits: { sampleTypeRelabelRules: [keep] } });
  assert.deepEqual(
    [typeless.accepted, typeless.repaired],
    [[], [{ reason: 'sample_type_dropped', count: 1 }]],
  );
  const usageGroups = [{ name: 'all', selector: '{service_name="shop"}' }];
  const sampledOut = normalise([{}], { limits: { usageGroups, sampling: { all: 0 } } });
  assert.deepEqual(
    sampledOut.rejected.map(({ reason }) => reason),
    ['dropped_by_sampling_rules'],
  );
  const stripped = normalise([{}], {
    limits: { usageGroups, sampling: { all: 0 }, keepStrippedProfiles: true },
  });
  assert.deepEqual(valuesOf(stripped.accepted[0]!), [4000n]);
  assert.equal(labelValue(stripped.accepted[0]!.labels, '__sampled__'), 'true');
});

test('each profile counts against the rate for its part of the request', () => {
  const sizes: number[] = [];
  const profiles = [PROFILE, { ...PROFILE, samples: PROFILE.samples.slice(1) }];
  const bytes = encodeTestRequest(profiles);
  const { accepted, rejected } = normaliseOtlpRequest(bytes, {
    tenant: 'team',
    indexedAttributes: [],
    limits: tenantLimits({}),
    now: () => NOW_MILLIS,
    admission: {
      admit: (tenant, _labels, sizeBytes) => {
        sizes.push(sizeBytes);
        return sizes.length === 1 ? undefined : { reason: 'rate_limited', message: `${tenant} is too fast` };
      },
    },
  });
  assert.equal(accepted.length, 1);
  assert.deepEqual(rejected, [
    { what: 'profile', reason: 'rate_limited', count: 1, message: 'team is too fast' },
  ]);
  assert.deepEqual(sizes, [Math.ceil((bytes.length / 3) * 2), Math.ceil(bytes.length / 3)]);
});

test('a type that has no name is refused with its reason, and costs nothing beside it', () => {
  const { accepted, rejected } = normalise([
    { sampleType: 'events:count', periodType: ':' },
    {},
    { sampleType: 'in-use:bytes' },
    { samples: [] },
  ]);
  assert.equal(accepted.length, 1);
  assert.deepEqual(
    rejected.map(({ what, reason, count }) => ({ what, reason, count })),
    [{ what: 'profile', reason: 'malformed_profile', count: 3 }],
  );
  assert.match(rejected[0]!.message, /invalid metric name: sample type events:count/);
});

test('a value that leaves int64 when scaled is refused', () => {
  const samples = [{ stack: ['main'], value: '9223372036854775807' }];
  const { accepted, rejected } = normalise([{ samples, period: 2 }]);
  assert.equal(accepted.length, 0);
  assert.match(rejected[0]!.message, /leaves int64/);
  assert.equal(normalise([{ samples, period: 1 }]).accepted.length, 1);
});

test('what a resource says of itself is labels, but for what has no bound', () => {
  const { accepted } = normalise([
    {
      resource: {
        'service.name': 'shop',
        'host.name': 'web-1',
        'container.name': 'app',
        'container.id': '0123',
        'k8s.pod.name': 'shop-1',
        'k8s.pod.uid': 'f00',
        'k8s.namespace.name': 'prod',
        'process.pid': 42,
        'feature.on': true,
      },
      scope: { name: 'agent', version: '1.2', attributes: { build: 'x' } },
    },
  ]);
  assert.deepEqual(userLabels(accepted[0]!), {
    build: 'x',
    'container.name': 'app',
    'feature.on': 'true',
    'host.name': 'web-1',
    'k8s.namespace.name': 'prod',
    'k8s.pod.name': 'shop-1',
    service_name: 'shop',
  });
  assert.deepEqual(attributesOf(accepted[0]!), {
    'container.id': '0123',
    'k8s.pod.uid': 'f00',
    'otel.scope.name': 'agent',
    'otel.scope.version': '1.2',
    'process.pid': 42n,
  });
});

test('the operator can index more', () => {
  const resource = { 'service.name': 'shop', 'process.pid': 42, region: 'eu' };
  const { accepted } = normalise([{ resource }], { indexedAttributes: ['region', 'process.pid'] });
  assert.deepEqual(userLabels(accepted[0]!), { 'process.pid': '42', region: 'eu', service_name: 'shop' });
});

test('ten thousand processes of one service make one series', () => {
  const profiles = Array.from({ length: 10_000 }, (_, pid) => ({
    resource: { 'service.name': 'shop', 'process.pid': pid },
    samples: [{ stack: ['main'], value: 1, attributes: { 'thread.id': pid } }],
  }));
  const { accepted, rejected } = normalise(profiles);
  assert.deepEqual(rejected, []);
  assert.equal(accepted.length, 10_000);
  assert.equal(new Set(accepted.map(({ labels }) => JSON.stringify(labels))).size, 1);
});

test('a service without a name is called after its executable', () => {
  const named = normalise([{ resource: { 'process.executable.name': 'nginx' } }]);
  assert.equal(labelValue(named.accepted[0]!.labels, 'service_name'), 'unknown_service:nginx');
  const unnamed = normalise([{ resource: { 'service.name': '' } }]);
  assert.equal(labelValue(unnamed.accepted[0]!.labels, 'service_name'), 'unknown_service');
});

test('the service name of a sample splits the profile, and other sample attributes stay', () => {
  const { accepted, rejected } = normalise([
    {
      samples: [
        { stack: ['main', 'a'], value: 1, attributes: { 'thread.name': 't1' } },
        { stack: ['main', 'b'], value: 2, attributes: { 'service.name': 'db', 'thread.name': 't2' } },
        { stack: ['main', 'c'], value: 3, attributes: { 'thread.name': 't3' } },
      ],
    },
  ]);
  assert.deepEqual(rejected, []);
  assert.deepEqual(
    accepted.map((each) => [labelValue(each.labels, 'service_name'), valuesOf(each)]),
    [
      ['shop', [1000n, 3000n]],
      ['db', [2000n]],
    ],
  );
  const [, db] = accepted;
  assert.ok(!db!.profile.strings.includes('a'), 'the other samples and their names are not stored twice');
  assert.deepEqual(db!.profile.attributes.map(({ value }) => value).sort(), ['db', 't2']);
});

test('a profile that splits into too many series loses the ones beyond the limit', () => {
  const samples = ['a', 'b', 'c'].map((name) => ({
    stack: ['main'],
    value: 1,
    attributes: { 'service.name': name },
  }));
  assert.deepEqual(normalise([{ samples }], { limits: { maxSeriesPerProfile: 3 } }).rejected, []);
  const { accepted, rejected } = normalise([{ samples }], { limits: { maxSeriesPerProfile: 2 } });
  assert.equal(accepted.length, 2);
  assert.deepEqual(
    rejected.map(({ what, reason, count }) => [what, reason, count]),
    [['sample', 'max_series_per_profile', 1]],
  );
});

test('label limits at their edges, with the texts that clients know', () => {
  const resource = { 'service.name': 'shop', region: 'xyz' };
  const indexedAttributes = ['region'];
  const reject = (limits: Partial<TenantLimits>) =>
    normalise([{ resource }], { indexedAttributes, limits }).rejected.map(({ message }) => message);
  assert.deepEqual(reject({ maxLabelNamesPerSeries: 2, maxLabelNameLength: 12, maxLabelValueLength: 4 }), []);
  assert.deepEqual(reject({ maxLabelNamesPerSeries: 1 }), [
    `profile series '{region="xyz", service_name="shop"}' has 2 label names; limit 1`,
  ]);
  assert.deepEqual(reject({ maxLabelNameLength: 11 }), [
    `profile with labels '{region="xyz", service_name="shop"}' has label name too long: 'service_name'`,
  ]);
  assert.deepEqual(reject({ maxLabelValueLength: 3 }), [
    `profile with labels '{region="xyz", service_name="shop"}' has label value too long: 'shop'`,
  ]);
});

test('the ingestion window, at its edges', () => {
  const at = (millis: number) => normalise([{ timeUnixNanos: BigInt(NOW_MILLIS + millis) * 1_000_000n }]);
  assert.equal(at(-3_600_000).accepted.length, 1);
  assert.equal(at(600_000).accepted.length, 1);
  assert.equal(at(600_001).accepted.length, 0);
  const { accepted, rejected } = at(-3_600_001);
  assert.equal(accepted.length, 0);
  assert.deepEqual(rejected, [
    {
      what: 'profile',
      reason: 'not_in_ingestion_window',
      count: 1,
      message:
        `profile with labels '{service_name="shop"}' is outside of ingestion window (profile timestamp: ` +
        '2026-01-02T02:04:04.999Z, the ingestion window starts at 2026-01-02T02:04:05.000Z and ends at ' +
        '2026-01-02T03:14:05.000Z)',
    },
  ]);
});

test('a window of 0 is no window, and a profile without a time is of now', () => {
  const limits = { rejectOlderThanMillis: 0, rejectNewerThanMillis: 0 };
  assert.equal(normalise([{ timeUnixNanos: 1n }], { limits }).accepted.length, 1);
  assert.equal(normalise([{ timeUnixNanos: 2n ** 64n - 1n }], { limits }).accepted.length, 1);
  assert.equal(normalise([{ timeUnixNanos: 0n }]).accepted[0]!.profile.timeUnixNanos, NOW_NANOS);
});

test('samples that measured nothing are left out and counted', () => {
  const samples = [
    { stack: ['main', 'a'], value: 0 },
    { stack: ['main', 'b'], value: -2 },
    { stack: ['main', 'c'], value: 2 },
  ];
  const { accepted, rejected } = normalise([{ samples }]);
  assert.deepEqual(valuesOf(accepted[0]!), [2000n]);
  assert.deepEqual(
    rejected.map(({ what, reason, count }) => [what, reason, count]),
    [['sample', 'non_positive_value', 2]],
  );
});

test('bytes that are no request are an error with an offset', () => {
  const options = {
    tenant: 'anonymous',
    indexedAttributes: [],
    limits: tenantLimits({}),
    now: () => NOW_MILLIS,
  };
  assert.throws(() => normaliseOtlpRequest(new Uint8Array([0x0a, 0x7f, 1]), options), {
    name: 'FormatError',
  });
});

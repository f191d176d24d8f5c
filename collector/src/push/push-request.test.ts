// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { FormatError, HearthscopeError } from '@hearthscope/profile/errors';
import { labelValue } from '@hearthscope/profile/labels';
import fc from 'fast-check';
import { type TenantLimits, tenantLimits } from '../limits/tenant-limits.ts';
import type { PipelineOptions } from '../pipeline-options.ts';
import {
  encodePushRequest,
  encodeTestPprof,
  type TestPprof,
  type TestSeries,
} from '../testing/push-request.ts';
import { normalisePushRequest } from './push-request.ts';

const NOW_MILLIS = Date.UTC(2026, 0, 2, 3, 4, 5);
const LABELS: TestSeries['labels'] = [
  ['__name__', 'process_cpu'],
  ['service_name', 'shop'],
];
const PROFILE: TestPprof = { samples: [{ stack: ['main', 'work'], values: [5] }] };
const TEXT = '{__name__="process_cpu", service_name="shop"}';

function options(limits: Partial<TenantLimits> = {}): PipelineOptions {
  return { tenant: 'anonymous', indexedAttributes: [], limits: tenantLimits(limits), now: () => NOW_MILLIS };
}

function push(rawProfiles: readonly Uint8Array[], limits: Partial<TenantLimits> = {}, id?: string) {
  const samples = rawProfiles.map((rawProfile) => ({ rawProfile, ...(id !== undefined && { ID: id }) }));
  return normalisePushRequest(encodePushRequest([{ labels: LABELS, samples }]), options(limits));
}

const reasonsOf = ({ rejected }: ReturnType<typeof push>) =>
  rejected.map(({ what, reason, count }) => [what, reason, count]);

test('a profile is read plain and gzipped', () => {
  const bytes = encodeTestPprof(PROFILE);
  const { accepted, rejected } = push([bytes, gzipSync(bytes)]);
  assert.deepEqual(rejected, []);
  assert.deepEqual(
    accepted.map(({ profile }) => [...profile.samples.values[0]!]),
    [[5n], [5n]],
  );
});

test('a request without profiles is an error', () => {
  const empty = { code: 'invalid_argument', message: 'no profiles received' };
  assert.throws(() => normalisePushRequest(new Uint8Array(), options()), empty);
  assert.throws(
    () => normalisePushRequest(encodePushRequest([{ labels: LABELS, samples: [] }]), options()),
    empty,
  );
});

test('malformed profiles are refused in the words of Grafana Pyroscope, and the others are kept', () => {
  const good = encodeTestPprof(PROFILE);
  const cases: [string, Record<string, unknown> | Uint8Array][] = [
    ['empty profile', { sample_type: [], sample: [] }],
    ['string 0 should be empty string', { string_table: ['x'] }],
    ['location id is 0', { location: [{}] }],
    ['function id is 0', { function: [{}] }],
    ['sample value length mismatch', { sample: [{ value: [1, 2] }] }],
    [
      'sample type contains -',
      {
        string_table: ['', 'a-b'],
        sample_type: [{ type: 1 }],
        period_type: {},
        sample: [],
        mapping: [],
        location: [],
        function: [],
      },
    ],
    ['sample type type string index out of range', { sample_type: [{ type: 99 }] }],
    ['sample label string index out of range', { sample: [{ value: [1], label: [{ key: 99 }] }] }],
    ['function name string index out of range', { function: [{ id: 1, name: 99 }] }],
    ['function system name index string out of range', { function: [{ id: 1, system_name: 99 }] }],
    ['function file name string index out of range', { function: [{ id: 1, filename: 99 }] }],
    ['mapping file name string index out of range', { mapping: [{ id: 1, filename: 99 }] }],
    ['mapping build id string index out of range', { mapping: [{ id: 1, build_id: 99 }] }],
    [
      'sample type contains :',
      {
        string_table: ['', 'a:b'],
        sample_type: [{ type: 1 }],
        period_type: {},
        sample: [{ value: [1] }],
        mapping: [],
        location: [],
        function: [],
      },
    ],
    ['exceeds the', Uint8Array.of(0x12, 5, 1)],
    ['gzip: ', Uint8Array.of(0x1f, 0x8b, 1, 2, 3)],
  ];
  for (const [message, bad] of cases) {
    const bytes = bad instanceof Uint8Array ? bad : encodeTestPprof({ ...PROFILE, change: bad });
    const result = push([good, bytes, good]);
    assert.equal(result.accepted.length, 2, message);
    assert.deepEqual(reasonsOf(result), [['profile', 'malformed_profile', 1]], message);
    assert.ok(result.rejected[0]!.message.includes(message), result.rejected[0]!.message);
  }
});

test('a string that is not UTF-8 costs its profile and is shown in hex', () => {
  const bytes = encodeTestPprof({ samples: [{ stack: ['m?in'], values: [1] }] });
  bytes[Buffer.from(bytes).indexOf('m?in') + 1] = 0xff;
  assert.match(push([bytes]).rejected[0]!.message, /invalid utf8 string hex: 6dff696e/);
});

test('a sample whose stack leads nowhere costs itself alone', () => {
  const bytes = encodeTestPprof({
    ...PROFILE,
    change: {
      sample: [
        { location_id: [1], value: [1] },
        { location_id: [9], value: [2] },
      ],
    },
  });
  const result = push([bytes]);
  assert.deepEqual([...result.accepted[0]!.profile.samples.values[0]!], [1n]);
  assert.deepEqual(reasonsOf(result), [['sample', 'location_id_unknown', 1]]);
});

test('labels that are not UTF-8 cost their series alone', () => {
  const sample = { rawProfile: encodeTestPprof(PROFILE) };
  const bytes = encodePushRequest([
    { labels: [...LABELS, ['region', 'e?u']], samples: [sample] },
    { labels: LABELS, samples: [sample] },
  ]);
  bytes[Buffer.from(bytes).indexOf('e?u') + 1] = 0xff;
  const result = normalisePushRequest(bytes, options());
  assert.equal(result.accepted.length, 1);
  assert.deepEqual(reasonsOf(result), [['profile', 'invalid_labels', 1]]);
});

test('the size of a profile, at its edge', () => {
  const bytes = encodeTestPprof(PROFILE);
  for (const raw of [bytes, gzipSync(bytes)]) {
    assert.equal(push([raw], { maxProfileSizeBytes: bytes.length + 1 }).accepted.length, 1);
    assert.equal(push([raw], { maxProfileSizeBytes: bytes.length }).accepted.length, 1);
    const { accepted, rejected } = push([raw], { maxProfileSizeBytes: bytes.length - 1 });
    assert.equal(accepted.length, 0);
    assert.deepEqual(rejected, [
      {
        what: 'profile',
        reason: 'profile_size_limit',
        count: 1,
        message: `uncompressed profile payload size exceeds limit of ${bytes.length - 1} B`,
      },
    ]);
  }
  assert.equal(push([gzipSync(bytes)], { maxProfileSizeBytes: 0 }).accepted.length, 1);
});

test('all profiles of a request together, at the edge', () => {
  const bytes = encodeTestPprof(PROFILE);
  const twice = bytes.length * 2;
  assert.equal(push([bytes, bytes], { ingestionBodyLimitBytes: twice }).accepted.length, 2);
  const result = push([bytes, bytes], { ingestionBodyLimitBytes: twice - 1 });
  assert.equal(result.accepted.length, 1);
  assert.deepEqual(reasonsOf(result), [['profile', 'body_size_limit_exceeded', 1]]);
  assert.match(
    result.rejected[0]!.message,
    /^uncompressed batched profile payload size exceeds limit of \d+ B$/,
  );
});

test('samples and labels of a sample, at their edges, with the labels of the series in the text', () => {
  const samples = [1, 2, 3].map((value) => ({ stack: [`f${value}`], values: [value] }));
  const bytes = encodeTestPprof({ samples });
  assert.equal(push([bytes], { maxProfileSamples: 3 }).accepted.length, 1);
  assert.equal(push([bytes], { maxProfileSamples: 0 }).accepted.length, 1);
  assert.deepEqual(push([bytes], { maxProfileSamples: 2 }).rejected, [
    {
      what: 'profile',
      reason: 'samples_limit',
      count: 1,
      message: `the profile with labels '${TEXT}' exceeds the samples count limit (max_profile_stacktrace_samples, actual: 3, limit: 2)`,
    },
  ]);
  const labelled = encodeTestPprof({
    samples: [{ stack: ['f'], values: [1], labels: { a: 'x', b: 'y', c: 1 } }],
  });
  assert.equal(push([labelled], { maxSampleLabels: 3 }).accepted.length, 1);
  assert.deepEqual(push([labelled], { maxSampleLabels: 2 }).rejected, [
    {
      what: 'profile',
      reason: 'sample_labels_limit',
      count: 1,
      message: `the profile with labels '${TEXT}' exceeds the sample labels limit (max_profile_stacktrace_sample_labels, actual: 3, limit: 2)`,
    },
  ]);
});

test('the profiles of a request, at their edge', () => {
  const bytes = encodeTestPprof(PROFILE);
  const limits = tenantLimits({});
  const withMax = (maxProfiles: number): PipelineOptions => ({
    ...options(),
    limits: { ...limits, decode: { ...limits.decode, maxProfiles } },
  });
  const request = encodePushRequest([
    { labels: LABELS, samples: [{ rawProfile: bytes }, { rawProfile: bytes }] },
  ]);
  assert.equal(normalisePushRequest(request, withMax(2)).accepted.length, 2);
  assert.deepEqual(reasonsOf(normalisePushRequest(request, withMax(1))), [['profile', 'profiles_limit', 1]]);
});

test('deep stacks keep their root side, long names their end', () => {
  const stack = ['root', 'b', 'c', 'leaf'];
  const framesOf = (maxStackDepth: number) => {
    const { accepted, repaired } = push([encodeTestPprof({ samples: [{ stack, values: [1] }] })], {
      maxStackDepth,
    });
    return [
      accepted[0]!.profile.strings
        .filter((text) => stack.includes(text))
        .sort()
        .join(),
      repaired.length,
    ];
  };
  assert.deepEqual(framesOf(4), ['b,c,leaf,root', 0]);
  assert.deepEqual(framesOf(3), ['b,c,root', 1]);
  const named = (maxSymbolLength: number) => {
    const bytes = encodeTestPprof({ samples: [{ stack: ['a/very/long/function.name'], values: [1] }] });
    return push([bytes], { maxSymbolLength }).accepted[0]!.profile.strings[1];
  };
  assert.equal(named(25), 'a/very/long/function.name');
  assert.equal(named(24), '/very/long/function.name');
});

test('a UUID of the client is the id of the profile, anything else is not', () => {
  const idOf = (id?: string) => push([encodeTestPprof(PROFILE)], {}, id).accepted[0]!.profile.id;
  assert.equal(idOf('0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0'), '0f1e2d3c4b5a69788796a5b4c3d2e1f0');
  for (const id of [undefined, '', 'profile-1']) assert.match(idOf(id), /^[0-9a-f]{32}$/);
  assert.notEqual(idOf(), idOf());
});

test('the labels of a series that are read, at their edge', () => {
  const limits = { maxLabelNamesPerSeries: 10_000 };
  const withLabels = (count: number) => {
    const more = Array.from({ length: count - LABELS.length }, (_, i) => [`l${i}`, 'v'] as const);
    const series = { labels: [...LABELS, ...more], samples: [{ rawProfile: encodeTestPprof(PROFILE) }] };
    return normalisePushRequest(encodePushRequest([series]), options(limits));
  };
  for (const count of [999, 1000]) assert.equal(withLabels(count).accepted.length, 1);
  assert.deepEqual(withLabels(1001).rejected, [
    {
      what: 'profile',
      reason: 'max_label_names_per_series',
      count: 1,
      message: 'profile series has 1001 label names; limit 10000',
    },
  ]);
});

test('labels of samples that are too long are refused, not cut to fit', () => {
  const labelled = (name: string, value: string) =>
    push([encodeTestPprof({ samples: [{ stack: ['f'], values: [1], labels: { [name]: value } }] })]);
  assert.equal(labelled('a', 'x'.repeat(2048)).accepted.length, 1);
  for (const length of [2049, 2050, 100_000]) {
    assert.deepEqual(reasonsOf(labelled('a', 'x'.repeat(length))), [['profile', 'label_value_too_long', 1]]);
  }
  assert.equal(labelled('x'.repeat(1024), 'a').accepted.length, 1);
  assert.deepEqual(reasonsOf(labelled('x'.repeat(1025), 'a')), [['profile', 'label_name_too_long', 1]]);
  assert.deepEqual(reasonsOf(labelled('x'.repeat(4096), 'a')), [['profile', 'label_name_too_long', 1]]);
  const { repaired } = labelled('x'.repeat(4097), 'a');
  assert.deepEqual(repaired, [{ reason: 'attribute_key_too_long', count: 1 }]);
});

test('many samples that share a huge label cost no more than one', () => {
  const huge = 'x'.repeat(1_000_000);
  const samples = Array.from({ length: 4000 }, (_, i) => ({
    stack: ['f'],
    values: [1],
    labels: { huge, id: `v${i}` },
  }));
  const { accepted, rejected } = push([encodeTestPprof({ samples })]);
  assert.equal(accepted.length, 0);
  assert.ok(rejected[0]!.message.length < 10_000);
});

test('labels may come behind the samples', () => {
  const sample = encodePushRequest([{ labels: [], samples: [{ rawProfile: encodeTestPprof(PROFILE) }] }]);
  const labels = encodePushRequest([{ labels: LABELS, samples: [] }]);
  // Two parts of one series message: strip the outer tag and length (both short enough for two bytes).
  const inner = [...sample.subarray(sample[1]! >= 0x80 ? 3 : 2), ...labels.subarray(2)];
  const request = Uint8Array.from([0x0a, (inner.length & 0x7f) | 0x80, inner.length >> 7, ...inner]);
  const { accepted } = normalisePushRequest(request, options());
  assert.equal(labelValue(accepted[0]!.labels, 'service_name'), 'shop');
});

test('bytes that are no request are an error with an offset', () => {
  assert.throws(() => normalisePushRequest(Uint8Array.of(0x0a, 0x7f, 1), options()), FormatError);
});

test('fuzz: mutated requests end in a result or a HearthscopeError, and never in more than was sent', () => {
  const rawProfile = encodeTestPprof({
    samples: [
      {
        stack: ['main', 'work'],
        values: [5],
        labels: { span_id: '00000bac2a5ab0c7', thread: 'a', bytes: 7 },
      },
      { stack: ['main', 'idle'], values: [7], labels: { thread: 'b' } },
    ],
  });
  const seed = encodePushRequest([
    { labels: LABELS, samples: [{ rawProfile }, { rawProfile: gzipSync(rawProfile) }] },
  ]);
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(seed.length - 1), byte: fc.nat(255) }), { minLength: 1, maxLength: 6 }),
      fc.nat(seed.length),
      fc.boolean(),
      (mutations, cut, isCut) => {
        let bytes = seed.slice();
        for (const { at, byte } of mutations) bytes[at] = byte;
        if (isCut) bytes = bytes.subarray(0, cut);
        try {
          const { accepted } = normalisePushRequest(
            bytes,
            options({ rejectOlderThanMillis: 0, rejectNewerThanMillis: 0 }),
          );
          for (const { profile } of accepted) assert.ok(profile.samples.length <= 4);
        } catch (error) {
          assert.ok(error instanceof HearthscopeError && error.code === 'invalid_argument', String(error));
        }
      },
    ),
    { numRuns: 3000 },
  );
});

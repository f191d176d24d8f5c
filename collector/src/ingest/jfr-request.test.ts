// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { profileText } from '@hearthscope/profile/codecs/jfr/testing/profile-text';
import {
  eventSetting,
  executionSample,
  profilerRecording,
} from '@hearthscope/profile/codecs/jfr/testing/profiler-recording';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { DEFAULT_TENANT_LIMITS, tenantLimits } from '../limits/tenant-limits.ts';
import { parseApplicationName } from './application-name.ts';
import { type JfrRequest, pushedProfilesOfJfr } from './jfr-request.ts';

const RECORDING = profilerRecording(
  ['a.Main.main;a.Work.hot', 'a.Main.main'],
  [
    eventSetting('itimer'),
    executionSample(1, { contextId: 1, spanId: 0xabc }),
    executionSample(2),
    { type: 'jdk.ThreadPark', values: { stackTrace: 2, duration: 50 } },
  ],
);

/** contexts { 1: { 1: 2 } }, strings { 1: thread_name, 2: <value> } */
function labelsSnapshot(value: string): Uint8Array {
  const text = (field: number, content: string | Uint8Array) => {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    return Buffer.concat([Buffer.from([(field << 3) | 2, bytes.length]), bytes]);
  };
  const id = (field: number, number: number) => Buffer.from([field << 3, number]);
  const context = text(1, Buffer.concat([id(1, 1), id(2, 2)]));
  return Buffer.concat([
    text(1, Buffer.concat([id(1, 1), text(2, context)])),
    text(2, Buffer.concat([id(1, 1), text(2, 'thread_name')])),
    text(2, Buffer.concat([id(1, 2), text(2, value)])),
  ]);
}

function requestOf(name: string, changes: Partial<JfrRequest> = {}): JfrRequest {
  return {
    application: parseApplicationName(name),
    fromNanos: 1_000n,
    untilNanos: 3_000n,
    sampleRateHz: 1000,
    spyName: 'javaspy',
    jfr: RECORDING,
    labels: undefined,
    ...changes,
  };
}

function push(request: JfrRequest, limits = DEFAULT_TENANT_LIMITS) {
  const report = new DecodeReport();
  return { pushed: pushedProfilesOfJfr(request, limits, report), report };
}

test('a recording becomes a profile for each kind of measurement, labelled as all of /ingest', () => {
  const { pushed } = push(requestOf('shop{region=eu,__session_id__=1,__secret__=x}'));
  assert.deepEqual(
    pushed.map(({ labels }) => labels.map(({ name, value }) => `${name}=${value}`).sort()),
    ['process_cpu', 'block'].map((name) =>
      [
        `__name__=${name}`,
        '__delta__=false',
        'pyroscope_spy=javaspy',
        'jfr_event=itimer',
        'region=eu',
        '__session_id__=1',
        'service_name=shop',
      ].sort(),
    ),
  );
  const { profile } = pushed[0]!;
  assert.equal(profile.timeUnixNanos, 1_000n);
  assert.equal(profile.durationNanos, 2_000n);
  assert.ok(pushed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) >= RECORDING.length);
});

test('a client that names its service has the application beside it, and a recording without event no such label', () => {
  const jfr = profilerRecording(['a.A.a'], [executionSample(1)]);
  const { pushed } = push(requestOf('shop{service_name=cart}', { jfr }));
  const labels = pushed[0]!.labels.map(({ name, value }) => `${name}=${value}`);
  assert.ok(labels.includes('service_name=cart') && labels.includes('app_name=shop'));
  assert.ok(!labels.some((label) => label.startsWith('jfr_event')));
});

test('recording and labels may be gzipped, each by itself; labels and spans are attributes of the samples', () => {
  const labels = labelsSnapshot('pool-1');
  for (const request of [
    { jfr: RECORDING, labels },
    { jfr: gzipSync(RECORDING), labels },
    { jfr: gzipSync(RECORDING), labels: gzipSync(labels) },
  ]) {
    const { pushed } = push(requestOf('shop', request));
    assert.deepEqual(profileText(pushed[0]!.profile), [
      'a.Main.main 1000000',
      'a.Main.main;a.Work.hot 1000000 profile_id=0000000000000abc thread_name=pool-1',
    ]);
  }
});

test('a label that is too long stays too long: to refuse it is the matter of the limit on labels', () => {
  const long = 'x'.repeat(100);
  const limits = tenantLimits({ maxLabelValueLength: 10 });
  const { pushed, report } = push(requestOf('shop', { labels: labelsSnapshot(long) }), limits);
  assert.ok(profileText(pushed[0]!.profile).some((line) => line.endsWith(`thread_name=${long}`)));
  assert.deepEqual(report.repaired, []);
});

test('the size limit is on what is unpacked, at its edge', () => {
  const jfr = gzipSync(RECORDING);
  assert.equal(
    push(requestOf('a', { jfr }), tenantLimits({ maxProfileSizeBytes: RECORDING.length })).pushed.length,
    2,
  );
  assert.equal(push(requestOf('a', { jfr }), tenantLimits({ maxProfileSizeBytes: 0 })).pushed.length, 2);
  assert.throws(
    () => push(requestOf('a', { jfr }), tenantLimits({ maxProfileSizeBytes: RECORDING.length - 1 })),
    /size exceeds limit/,
  );
});

test('what is no recording, or no labels, is refused', () => {
  const broken = RECORDING.slice();
  broken[0] = 0;
  for (const request of [
    { jfr: broken },
    { jfr: gzipSync(broken) },
    { jfr: gzipSync(RECORDING).subarray(0, 30) },
    { labels: Uint8Array.from([0x0a, 0x7f]) },
  ]) {
    assert.throws(
      () => push(requestOf('a', request)),
      (error: unknown) => error instanceof HearthscopeError && error.code === 'invalid_argument',
    );
  }
});

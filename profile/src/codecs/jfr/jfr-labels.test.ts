// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { FormatError } from '../../errors.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from '../decode-limits.ts';
import { DecodeReport } from '../decode-report.ts';
import { decodeJfr } from './jfr-decode.ts';
import type { RecordedEvent } from './testing/jfr-recording.ts';
import { profileText } from './testing/profile-text.ts';
import { executionSample, profilerRecording } from './testing/profiler-recording.ts';

const LabelsSnapshot = protobuf
  .parse(
    `syntax = "proto3";
     message Context { map<int64, int64> labels = 1; }
     message LabelsSnapshot { map<int64, Context> contexts = 1; map<int64, string> strings = 2; }`,
  )
  .root.lookupType('LabelsSnapshot');

function decode(
  values: RecordedEvent['values'],
  snapshot: object | Uint8Array,
  changes: Partial<DecodeLimits> = {},
) {
  const report = new DecodeReport();
  const labels =
    snapshot instanceof Uint8Array
      ? snapshot
      : LabelsSnapshot.encode(LabelsSnapshot.fromObject(snapshot)).finish();
  const { profiles } = decodeJfr(
    profilerRecording(['A.a'], [executionSample(1, values)]),
    {
      timeUnixNanos: 0n,
      durationNanos: 0n,
      sampleRateHz: 1,
      labels,
      limits: { ...DEFAULT_DECODE_LIMITS, ...changes },
    },
    report,
  );
  const repaired = Object.fromEntries(report.repaired.map(({ reason, count }) => [reason, count]));
  return { text: profileText(profiles[0]!.profile)[0]!.replace('A.a 1000000000', '').trim(), repaired };
}

const SNAPSHOT = {
  contexts: { 7: { labels: { 1: 2, 3: 4 } }, '-1': { labels: { 1: 4 } } },
  strings: { 1: 'thread_name', 2: 'pool-1', 3: 'region', 4: 'eu', 9: 'GET /', 10: '' },
};

test('a sample has the labels of its context', () => {
  assert.equal(decode({ contextId: 7 }, SNAPSHOT).text, 'region=eu thread_name=pool-1');
  assert.equal(decode({ contextId: -1 }, SNAPSHOT).text, 'thread_name=eu');
  assert.equal(decode({ contextId: 8 }, SNAPSHOT).text, '');
  assert.equal(decode({}, SNAPSHOT).text, '');
  assert.equal(decode({ contextId: 7 }, new Uint8Array(0)).text, '');
});

test('a sample has the span and the trace that its event names', () => {
  assert.equal(
    decode({ spanId: 0xef, spanName: 9 }, SNAPSHOT).text,
    'profile_id=00000000000000ef span_name=GET /',
  );
  assert.equal(
    decode({ traceIdHi: 0x0123_4567_89ab_cdefn, traceIdLo: 0xfedc_ba98_7654_3210n }, SNAPSHOT).text,
    'trace_id=0123456789abcdeffedcba9876543210',
  );
  assert.equal(decode({ traceIdLo: 1 }, SNAPSHOT).text, `trace_id=${'1'.padStart(32, '0')}`);
  assert.equal(
    decode({ spanId: -1, spanName: 999, contextId: -1 }, SNAPSHOT).text,
    'profile_id=ffffffffffffffff thread_name=eu',
  );
});

test('the span of the event replaces one among the labels', () => {
  const snapshot = {
    contexts: { 1: { labels: { 1: 2, 3: 4 } } },
    strings: { 1: 'profile_id', 2: 'old', 3: 'a', 4: 'b' },
  };
  assert.equal(decode({ contextId: 1 }, snapshot).text, 'a=b profile_id=old');
  assert.equal(decode({ contextId: 1, spanId: 1 }, snapshot).text, 'a=b profile_id=0000000000000001');
});

test('labels over a limit and labels without a name are left out or cut, and counted', () => {
  assert.deepEqual(decode({ contextId: 7 }, SNAPSHOT, { maxSampleAttributes: 1 }), {
    text: 'thread_name=pool-1',
    repaired: { attribute_left_out: 1 },
  });
  assert.deepEqual(decode({ contextId: 7 }, SNAPSHOT, { maxAttributeKeyLength: 6 }), {
    text: 'region=eu',
    // In each of the two contexts.
    repaired: { attribute_key_too_long: 2 },
  });
  assert.deepEqual(
    decode({ contextId: 7 }, SNAPSHOT, { maxAttributeValueLength: 4 }).text,
    'regi=eu thre=pool',
  );
  const nameless = { contexts: { 1: { labels: { 5: 1 } } }, strings: { 1: 'x' } };
  assert.deepEqual(decode({ contextId: 1 }, nameless), { text: '', repaired: { attribute_key_empty: 1 } });
  assert.throws(() => decode({}, SNAPSHOT, { maxTableRows: 5 }), /exceed|limit/);
});

test('malformed labels are refused', () => {
  for (const bytes of [
    [0x0a, 0x05],
    [0x08, 0x01],
    [0x12, 0x02, 0x12, 0x7f],
    [0x0a, 0x06, 0x08, 0x01, 0x12, 0x02, 0x0a, 0x7f],
  ]) {
    assert.throws(() => decode({}, Uint8Array.from(bytes)), FormatError);
  }
});

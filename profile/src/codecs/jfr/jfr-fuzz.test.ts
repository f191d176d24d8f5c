// SPDX-License-Identifier: Apache-2.0
//
// Hostile recordings: whatever is in the bytes, the decoder ends with a result or a refusal, never with a defect, and
// takes no more memory than its input justifies.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError, HearthscopeError } from '../../errors.ts';
import { DecodeReport } from '../decode-report.ts';
import { decodeJfr } from './jfr-decode.ts';
import { type RecordedEvent, writeRecording } from './testing/jfr-recording.ts';
import { eventSetting, executionSample, profilerChunk } from './testing/profiler-recording.ts';

const EVENTS: readonly RecordedEvent[] = [
  eventSetting('wall'),
  ...Array.from({ length: 6 }, (_, i) => executionSample((i % 3) + 1, { spanId: i, contextId: i % 2 })),
  { type: 'jdk.ThreadPark', values: { stackTrace: 2, duration: 77 } },
  { type: 'jdk.ObjectAllocationSample', values: { stackTrace: 3, weight: 77 } },
];
const STACKS = ['a.A.a', 'a.A.a;a.B.b:2', 'a.A.a;a.B$$Lambda$8/0x0000000800c01220.b:3;c.c'];
const RECORDINGS = [true, false].map((isCompressed) =>
  writeRecording(
    profilerChunk(STACKS, EVENTS, { isCompressed }),
    profilerChunk(STACKS, EVENTS, { isCompressed }),
  ),
);

/** Bytes that a decoder of a recording of some kilobytes may hold. */
const MAX_GROWTH_BYTES = 64 * 2 ** 20;

/** Decodes; an error other than a refusal fails the test. */
function decodeHostile(bytes: Uint8Array, labels?: Uint8Array): void {
  try {
    decodeJfr(bytes, { timeUnixNanos: 0n, durationNanos: 0n, sampleRateHz: 100, labels }, new DecodeReport());
  } catch (error) {
    assert.ok(error instanceof HearthscopeError && error.code === 'invalid_argument', String(error));
  }
}

function flipped(bytes: Uint8Array, changes: readonly { at: number; byte: number }[]): Uint8Array {
  const copy = bytes.slice();
  for (const { at, byte } of changes) copy[at % copy.length] = byte;
  return copy;
}

test('truncations', { timeout: 120_000 }, () => {
  for (const recording of RECORDINGS) {
    for (let length = 0; length < recording.length; length += 3) decodeHostile(recording.subarray(0, length));
  }
});

test('every byte as one that breaks counts and sizes', { timeout: 120_000 }, () => {
  const recording = writeRecording(profilerChunk(STACKS, EVENTS));
  for (let at = 0; at < recording.length; at++) {
    for (const byte of [0x7f, 0xff]) decodeHostile(flipped(recording, [{ at, byte }]));
  }
});

test('bytes changed at random', { timeout: 120_000 }, () => {
  const change = fc.record({ at: fc.nat(1_000_000), byte: fc.integer({ min: 0, max: 255 }) });
  fc.assert(
    fc.property(
      fc.constantFrom(...RECORDINGS),
      fc.array(change, { minLength: 1, maxLength: 12 }),
      (recording, changes) => decodeHostile(flipped(recording, changes)),
    ),
    { numRuns: 3000 },
  );
});

test('labels of any bytes', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (labels) => decodeHostile(RECORDINGS[0]!, labels)),
    { numRuns: 1000 },
  );
});

test('counts that promise more than there is are refused before memory is taken', () => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0x07];
  const [recording] = RECORDINGS;
  const { arrayBuffers } = process.memoryUsage();
  let most = 0;
  for (let at = 68; at + huge.length < recording!.length; at += 3) {
    const bytes = recording!.slice();
    bytes.set(huge, at);
    decodeHostile(bytes);
    most = Math.max(most, process.memoryUsage().arrayBuffers - arrayBuffers);
  }
  assert.ok(most < MAX_GROWTH_BYTES, `${most} bytes of array buffers`);
});

test('checkpoints that lead in a circle, forwards or into each other are refused', () => {
  const chunk = profilerChunk(STACKS, EVENTS, { isCompressed: false });
  const recording = writeRecording({ ...chunk, checkpoints: [[], ...chunk.checkpoints, []] });
  const view = new DataView(recording.buffer);
  const last = view.getBigUint64(16);
  // Size, type, start and duration come before the delta.
  const deltaAt = Number(last) + 4 + 8 + 8 + 8;
  for (const delta of [1n, 100n, -1n, -8n, -last, -(2n ** 62n), 2n ** 62n]) {
    view.setBigInt64(deltaAt, delta);
    assert.throws(
      () =>
        decodeJfr(recording, { timeUnixNanos: 0n, durationNanos: 0n, sampleRateHz: 1 }, new DecodeReport()),
      FormatError,
      String(delta),
    );
  }
});

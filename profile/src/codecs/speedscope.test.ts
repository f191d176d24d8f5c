// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from '../errors.ts';
import { encodeCollapsed } from './collapsed.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';
import { DecodeReport } from './decode-report.ts';
import { decodeSpeedscope, SPEEDSCOPE_SCHEMA } from './speedscope.ts';

const frames = [{ name: 'main', file: 'main.js', line: 3, col: 7 }, { name: 'work' }, { name: 'idle' }];
const sampled = { type: 'sampled', name: 'p', unit: 'none', startValue: 0, endValue: 6 };
const evented = { type: 'evented', name: 'e', unit: 'milliseconds', startValue: 1, endValue: 9 };
const open = (frame: number, at: number) => ({ type: 'O', frame, at });
const close = (frame: number, at: number) => ({ type: 'C', frame, at });

function decode(
  profiles: readonly object[],
  limits: Partial<DecodeLimits> = {},
  shared: object = { frames },
) {
  const bytes = new TextEncoder().encode(JSON.stringify({ $schema: SPEEDSCOPE_SCHEMA, shared, profiles }));
  const report = new DecodeReport();
  const decoded = decodeSpeedscope(bytes, { ...DEFAULT_DECODE_LIMITS, ...limits }, report);
  return { decoded, texts: decoded.map(({ profile }) => encodeCollapsed(profile)), report };
}

test('samples with weights, root first', () => {
  const { decoded, texts, report } = decode([
    { ...sampled, samples: [[0, 1], [0], [], [0, 1]], weights: [1, 2, 9, 3] },
  ]);
  assert.deepEqual(texts, ['main 2\nmain;work 4\n']);
  assert.deepEqual(report.repaired, [{ reason: 'empty_stack', count: 1 }]);
  const { profile, name, type, unit } = decoded[0]!;
  assert.deepEqual(
    [name, type, unit, profile.sampleTypes],
    ['p', 'sampled', 'none', [{ type: 'samples', unit: 'count' }]],
  );
  assert.equal(profile.strings[profile.functions.filename[1]!], 'main.js');
  assert.deepEqual([...profile.locations.lineNumber], [3, 0]);
});

test('events: a frame has the time between its own events that none above it has', () => {
  const events = [open(0, 1), open(1, 2), close(1, 4.5), open(2, 5), close(2, 6), close(0, 9)];
  const { decoded, texts } = decode([{ ...evented, events }]);
  assert.deepEqual(decoded[0]!.profile.sampleTypes, [{ type: 'wall', unit: 'nanoseconds' }]);
  assert.deepEqual(texts, ['main 4500000\nmain;idle 1000000\nmain;work 2500000\n']);
});

test('units become nanoseconds, and fractions are rounded where nothing smaller can be said', () => {
  const units = { nanoseconds: 1n, microseconds: 1_000n, milliseconds: 1_000_000n, seconds: 1_000_000_000n };
  for (const [unit, nanos] of Object.entries(units)) {
    const { decoded } = decode([{ ...sampled, unit, samples: [[0]], weights: [2] }]);
    assert.equal(decoded[0]!.profile.samples.values[0]![0], 2n * nanos, unit);
  }
  const { decoded, texts, report } = decode([
    { ...sampled, unit: 'bytes', samples: [[0], [1]], weights: [1.5, 3] },
  ]);
  assert.deepEqual(decoded[0]!.profile.sampleTypes, [{ type: 'samples', unit: 'bytes' }]);
  assert.deepEqual(
    [texts, report.repaired],
    [['main 2\nwork 3\n'], [{ reason: 'fraction_rounded', count: 1 }]],
  );
});

test('a profile that contradicts itself costs only itself', () => {
  const good = { ...sampled, samples: [[0]], weights: [1] };
  const bad: Record<string, object> = {
    'unequal lengths of samples and weights: 1 != 0': { ...sampled, samples: [[0]], weights: [] },
    'negative weight -1 of sample 0': { ...sampled, samples: [[0]], weights: [-1] },
    'samples[0] is 3, expected a whole number below 3': { ...sampled, samples: [[3]], weights: [1] },
    'samples[0] is 0.5': { ...sampled, samples: [[0.5]], weights: [1] },
    'samples[0] is not an array': { ...sampled, samples: [1], weights: [1] },
    'weights[0] is not a number': { ...sampled, samples: [[0]], weights: ['1'] },
    'weight 1e+308 of sample 0': { ...sampled, unit: 'seconds', samples: [[0]], weights: [1e308] },
    'the values do not fit in 64 bits': { ...sampled, samples: [[0]], weights: [1e19] },
    'events out of order, 1 < 2': { ...evented, events: [open(0, 2), close(0, 1)] },
    'events[0] closes a frame that is not the one opened last': { ...evented, events: [close(0, 2)] },
    'events[1] closes a frame': { ...evented, events: [open(0, 2), close(1, 3)] },
    'unknown event type X': { ...evented, events: [{ type: 'X', frame: 0, at: 2 }] },
    'unknown unit: parsecs': { ...sampled, unit: 'parsecs', samples: [[0]], weights: [1] },
    'unknown unit: constructor': { ...sampled, unit: 'constructor', samples: [[0]], weights: [1] },
    'profile type trace not supported': { ...sampled, type: 'trace' },
    'profiles[1] is not an object': [],
  };
  for (const [message, profile] of Object.entries(bad)) {
    const { texts, report } = decode([good, profile, good]);
    assert.deepEqual(texts, ['main 1\n', 'main 1\n'], message);
    const [rejection, ...others] = report.rejected;
    assert.deepEqual(
      [rejection?.what, rejection?.reason, others],
      ['profile', 'malformed_profile', []],
      message,
    );
    assert.ok(rejection!.message.includes(message), rejection!.message);
  }
});

test('frames left open are counted', () => {
  const { texts, report } = decode([{ ...evented, events: [open(0, 1), open(1, 3), close(1, 4)] }]);
  assert.deepEqual(
    [texts, report.repaired],
    [['main 2000000\nmain;work 1000000\n'], [{ reason: 'frame_not_closed', count: 1 }]],
  );
});

test('a file that is none is refused whole', () => {
  const report = new DecodeReport();
  const files: Record<string, string> = {
    'unknown schema: undefined': '{}',
    'the document is not an object': '[]',
    'shared is not an object': `{"$schema":"${SPEEDSCOPE_SCHEMA}"}`,
    'profiles is not an array': `{"$schema":"${SPEEDSCOPE_SCHEMA}","shared":{"frames":[]}}`,
    JSON: '{"a',
  };
  for (const [message, text] of Object.entries(files)) {
    assert.throws(
      () => decodeSpeedscope(new TextEncoder().encode(text), DEFAULT_DECODE_LIMITS, report),
      (error) => error instanceof HearthscopeError && error.message.includes(message),
      message,
    );
  }
});

test('limits hold at their edge', () => {
  const profile = {
    ...sampled,
    samples: [
      [0, 1],
      [0, 2],
    ],
    weights: [1, 1],
  };
  assert.equal(decode([profile, profile], { maxProfiles: 2 }).decoded.length, 2);
  const { decoded, report } = decode([profile, profile, profile], { maxProfiles: 2 });
  assert.equal(decoded.length, 2);
  assert.deepEqual(
    report.rejected.map(({ reason, count }) => [reason, count]),
    [['max_profiles', 1]],
  );
  assert.equal(decode([profile], { maxTableRows: 3 }).decoded.length, 1);
  assert.throws(() => decode([profile], { maxTableRows: 2 }), /3 frames exceed the limit of 2/);
  assert.equal(decode([profile], { maxSamples: 2 }).decoded.length, 1);
  assert.match(decode([profile], { maxSamples: 1 }).report.rejected[0]!.message, /actual: 2, limit: 1/);
  assert.throws(() => decode([profile], { maxPayloadBytes: 20 }), /bytes exceed the limit of 20 bytes/);
});

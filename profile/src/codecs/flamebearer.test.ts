// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HearthscopeError } from '../errors.ts';
import { toFlameGraph } from '../flame-graph.ts';
import { buildStackTree, stackSums } from '../stack-tree.ts';
import { arbitraryProfile } from '../testing/arbitrary-profile.ts';
import { profileFromText } from '../testing/text-profile.ts';
import { encodeCollapsed } from './collapsed.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';
import { DecodeReport } from './decode-report.ts';
import { decodeFlamebearer } from './flamebearer.ts';

const single = {
  version: 1,
  metadata: { format: 'single', spyName: 'gospy', sampleRate: 100, units: 'samples', name: 'cpu' },
  flamebearer: {
    names: ['total', 'main', 'work', 'idle', 'other'],
    levels: [
      [0, 10, 0, 0],
      [0, 9, 1, 1, 0, 1, 1, 4],
      [1, 5, 5, 3, 0, 3, 3, 2],
    ],
    numTicks: 10,
    maxSelf: 5,
  },
};

const double = {
  version: 1,
  metadata: { format: 'double', spyName: '', sampleRate: 100, units: 'samples', name: '' },
  flamebearer: {
    names: ['total', 'a', 'b', 'c'],
    levels: [
      [0, 4, 0, 0, 6, 0, 0],
      [0, 4, 1, 0, 5, 0, 1, 0, 0, 0, 0, 1, 1, 3],
      [1, 3, 3, 0, 5, 5, 2],
    ],
  },
  leftTicks: 4,
  rightTicks: 6,
};

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const decode = (value: unknown, limits: Partial<DecodeLimits> = {}) =>
  decodeFlamebearer(bytesOf(value), { ...DEFAULT_DECODE_LIMITS, ...limits }, new DecodeReport());

/** A level changed in one place. */
function changed(level: number, at: number, value: unknown): unknown {
  const levels: unknown[][] = structuredClone(single.flamebearer.levels);
  levels[level]![at] = value;
  return { ...single, flamebearer: { ...single.flamebearer, levels } };
}

test('a single graph', () => {
  const file = decode(single);
  assert.ok(file.format === 'single');
  assert.equal(encodeCollapsed(file.profile), 'main 1\nmain;idle 5\nmain;work 3\nother 1\n');
  assert.deepEqual(file.profile.sampleTypes, [{ type: 'cpu', unit: 'samples' }]);
  assert.deepEqual(file.metadata, { name: 'cpu', spyName: 'gospy', units: 'samples', sampleRateHz: 100 });
});

test('a graph of two sides, where one may lack what the other has', () => {
  const file = decode(double);
  assert.ok(file.format === 'double');
  assert.equal(encodeCollapsed(file.left), 'a 1\na;b 3\n');
  assert.equal(encodeCollapsed(file.right), 'a;b 5\nc 1\n');
  assert.deepEqual(file.left.sampleTypes, [{ type: 'samples', unit: 'samples' }]);
});

test('property: the graph of a profile is read back as its stacks', () => {
  fc.assert(
    fc.property(arbitraryProfile({ sampleTypes: { min: 1, max: 1 } }), (profile) => {
      const values = profile.samples.values[0]!.map((value) => (value < 0n ? -value : value) % 1000n);
      const positive = { ...profile, samples: { ...profile.samples, values: [values] } };
      const sums = stackSums(positive);
      const graph = toFlameGraph(buildStackTree(sums), 0);
      const levels = graph.levels.map((level) => Array.from(level, Number));
      if (levels.length === 0) return;
      const file = decode({ ...single, flamebearer: { names: graph.names, levels } });
      assert.ok(file.format === 'single');
      const again = toFlameGraph(buildStackTree(stackSums(file.profile)), 0);
      assert.equal(again.total, graph.total - emptyStackValue(sums));
    }),
    { numRuns: 200 },
  );
});

/** Values of stacks without frames, which no bar but the first can show. */
function emptyStackValue({ start, value }: ReturnType<typeof stackSums>): bigint {
  return value.reduce((sum, one, stack) => (start[stack] === start[stack + 1] ? sum + one : sum), 0n);
}

test('stacks survive a graph and back', () => {
  const text = 'a 3\na;b 4\na;b;c 5\na;c 1\nb 2\n';
  const graph = toFlameGraph(buildStackTree(stackSums(profileFromText(text))), 0);
  const levels = graph.levels.map((level) => Array.from(level, Number));
  const file = decode({ ...single, flamebearer: { names: graph.names, levels } });
  assert.equal(file.format === 'single' && encodeCollapsed(file.profile), text);
});

test('files that contradict themselves are refused, with the place', () => {
  const bad: Record<string, unknown> = {
    'unsupported version 2': { ...single, version: 2 },
    'unsupported format triple': { ...single, metadata: { ...single.metadata, format: 'triple' } },
    'metadata is not an object': { flamebearer: single.flamebearer },
    'flamebearer is not an object': { metadata: single.metadata },
    'at least one profiling level': { ...single, flamebearer: { names: ['total'], levels: [] } },
    'a multiple of 4 values': { ...single, flamebearer: { names: ['total'], levels: [[0, 1, 1]] } },
    'levels[1][7]': changed(1, 7, 5),
    'invalid name index 5': changed(2, 3, 5),
    'levels[2][0] is -1': changed(2, 0, -1),
    'levels[2][1] is 0.5': changed(2, 1, 0.5),
    'levels[2][1] is "5"': changed(2, 1, '5'),
    'levels[2][1] is 9007199254740992': changed(2, 1, 2 ** 53),
    'levels[2][4] lies outside of all bars': changed(2, 5, 4),
    'levels[1][4] lies outside of all bars': changed(1, 4, 1),
  };
  for (const [message, value] of Object.entries(bad)) {
    assert.throws(
      () => decode(value),
      (error) =>
        error instanceof HearthscopeError &&
        error.code === 'invalid_argument' &&
        error.message.includes(message),
      message,
    );
  }
});

test('limits hold at their edge', () => {
  assert.ok(decode(single, { maxTableRows: 5 }));
  assert.throws(() => decode(single, { maxTableRows: 4 }), /5 names exceed the limit of 4/);
  assert.ok(decode(single, { maxSamples: 4 }));
  assert.throws(() => decode(single, { maxSamples: 3 }), /actual: 4, limit: 3/);
  const cut = decode(single, { maxStackDepth: 1 });
  assert.equal(cut.format === 'single' && encodeCollapsed(cut.profile), 'main 9\nother 1\n');
  assert.throws(() => decode(single, { maxPayloadBytes: 100 }), /exceed the limit of 100 bytes/);
});

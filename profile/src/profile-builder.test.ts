// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthscopeError } from './errors.ts';
import { ProfileBuilder } from './profile-builder.ts';

function builder(sampleTypes = [{ type: 'cpu', unit: 'nanoseconds' }]): ProfileBuilder {
  return new ProfileBuilder({
    timeUnixNanos: 1n,
    durationNanos: 2n,
    sampleTypes,
    periodType: { type: '', unit: '' },
    period: 0n,
  });
}

test('equal content gets an equal index, in every table', () => {
  const b = builder();
  const mapping = {
    start: 2n ** 63n,
    limit: 2n ** 64n - 1n,
    fileOffset: 2n ** 32n,
    filename: '/bin/a',
    buildId: 'ab',
  };
  assert.equal(b.string('x'), b.string('x'));
  assert.equal(b.mapping(mapping), b.mapping({ ...mapping }));
  assert.notEqual(b.mapping(mapping), b.mapping({ ...mapping, start: 2n ** 63n + 1n }));
  const main = b.function({ name: 'main' });
  assert.equal(main, b.function({ name: 'main', systemName: 'main', filename: '', startLine: 0 }));
  assert.notEqual(main, b.function({ name: 'main', systemName: '' }));
  const location = { mapping: 1, address: 2n ** 53n + 1n, lines: [{ function: main, line: 3 }] };
  assert.equal(b.location(location), b.location(location));
  assert.notEqual(b.location(location), b.location({ ...location, address: 2n ** 53n }));
  assert.notEqual(b.location(location), b.location({ ...location, frameType: 'kernel' }));
  const l = b.location(location);
  assert.equal(b.stack([l, l]), b.stack(Uint32Array.of(l, l)));
  assert.notEqual(b.stack([l, l]), b.stack([l]));
  const one = b.attribute({ key: 'k', value: 1n, unit: '' });
  assert.notEqual(one, b.attribute({ key: 'k', value: '1', unit: '' }));
  assert.notEqual(one, b.attribute({ key: 'k', value: 1, unit: '' }));
  assert.notEqual(one, b.attribute({ key: 'k', value: 1n, unit: 'bytes' }));
  const two = b.attribute({ key: 'k', value: 2n, unit: '' });
  assert.equal(b.attributeSet([one, two]), b.attributeSet([two, one, two]));
  const ids = ['1'.padStart(32, '0'), '2'.padStart(16, '0')] as const;
  assert.equal(b.link(...ids), b.link(...ids));
});

test('row 0 is "none"', () => {
  const b = builder();
  assert.equal(b.string(''), 0);
  assert.equal(b.mapping({ start: 0n, limit: 0n, fileOffset: 0n, filename: '', buildId: '' }), 0);
  assert.equal(b.function({ name: '' }), 0);
  assert.equal(b.attributeSet([]), 0);
  assert.equal(b.link('', ''), 0);
  const profile = b.build();
  assert.equal(profile.strings[0], '');
  assert.equal(profile.mappings.length, 1);
  assert.equal(profile.functions.length, 1);
  assert.deepEqual(profile.links, [{ traceId: '', spanId: '' }]);
  assert.deepEqual([...profile.attributeSets.attributeStart], [0, 0]);
});

test('equal samples are summed and keep all timestamps in order', () => {
  const b = builder([
    { type: 'samples', unit: 'count' },
    { type: 'cpu', unit: 'nanoseconds' },
  ]);
  const one = b.stack([b.location({ mapping: 0, address: 1n, lines: [] })]);
  const two = b.stack([b.location({ mapping: 0, address: 2n, lines: [] })]);
  b.addSample(one, [1n, 2n ** 60n], { timestampsUnixNanos: [10n] });
  b.addSample(two, [1n, 5n], { timestampsUnixNanos: [11n] });
  b.addSample(one, [1n, 2n ** 60n + 1n], { timestampsUnixNanos: [12n, 13n] });
  const { samples } = b.build();
  assert.deepEqual([...samples.stack], [one, two]);
  assert.deepEqual([...samples.values[0]!], [2n, 1n]);
  assert.deepEqual([...samples.values[1]!], [2n ** 61n + 1n, 5n]);
  assert.deepEqual([...samples.timestampStart], [0, 3, 4]);
  assert.deepEqual([...samples.timestampUnixNanos], [10n, 12n, 13n, 11n]);
});

test('a build shares no memory with the builder', () => {
  const b = builder();
  const stack = b.stack([b.location({ mapping: 0, address: 1n, lines: [] })]);
  b.addSample(stack, [1n]);
  const first = b.build();
  b.string('later');
  b.addSample(stack, [1n]);
  assert.deepEqual([...first.samples.values[0]!], [1n]);
  assert.deepEqual(first.strings, ['']);
  assert.deepEqual([...b.build().samples.values[0]!], [2n]);
});

test('lone surrogates become U+FFFD, once', () => {
  const b = builder();
  assert.equal(b.string('a\ud800'), b.string('a\ufffd'));
  assert.equal(b.string('a\udc00'), b.string('a\ud800'));
  assert.deepEqual(b.build().strings, ['', 'a\ufffd']);
});

test('many thousand distinct stacks stay distinct', () => {
  const b = builder();
  const locations = Array.from({ length: 300 }, (_, i) =>
    b.location({ mapping: 0, address: BigInt(i), lines: [] }),
  );
  const seen = new Set<number>();
  for (const x of locations) for (const y of locations.slice(0, 100)) seen.add(b.stack([x, y]));
  assert.equal(seen.size, 30_000);
  for (const x of locations) for (const y of locations.slice(0, 100)) assert.ok(seen.has(b.stack([x, y])));
  assert.equal(b.build().stacks.length, 30_000);
});

test('mistakes of the caller are named', () => {
  const b = builder();
  const stack = b.stack([]);
  const cases: [RegExp, () => unknown][] = [
    [/location index 0 was never given out/, () => b.stack([0])],
    [/mapping index 1 was never/, () => b.location({ mapping: 1, address: 0n, lines: [] })],
    [/function index 5 was never/, () => b.location({ mapping: 0, address: 0n, lines: [{ function: 5 }] })],
    [/address -1 is not a uint64/, () => b.location({ mapping: 0, address: -1n, lines: [] })],
    [/start line 1.5 is not a uint32/, () => b.function({ name: 'x', startLine: 1.5 })],
    [/attribute index 0 was never/, () => b.attributeSet([0])],
    [/not an int64/, () => b.attribute({ key: 'k', value: 2n ** 63n, unit: '' })],
    [/2 values, the profile has 1/, () => b.addSample(stack, [1n, 2n])],
    [/not 32 and 16 hex digits/, () => b.link('xyz', '')],
    [/is not an int64/, () => b.addSample(stack, [2n ** 63n])],
  ];
  for (const [message, call] of cases) {
    assert.throws(
      call,
      (error) =>
        error instanceof HearthscopeError && error.code === 'internal' && message.test(error.message),
    );
  }
});

test('a value or sum that leaves int64 is refused and changes nothing', () => {
  const b = builder([
    { type: 'samples', unit: 'count' },
    { type: 'cpu', unit: 'nanoseconds' },
  ]);
  const stack = b.stack([]);
  assert.throws(() => b.addSample(stack, [1n, 2n ** 63n]), /not an int64/);
  assert.equal(b.build().samples.length, 0);
  b.addSample(stack, [1n, 2n ** 63n - 1n]);
  assert.throws(() => b.addSample(stack, [1n, 1n]), /not an int64/);
  const { values } = b.build().samples;
  assert.deepEqual([values[0]![0], values[1]![0]], [1n, 2n ** 63n - 1n]);
});

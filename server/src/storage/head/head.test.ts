// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { labelSetKey, labelValue } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import { ProfileBuilder } from '@hearthscope/profile/profile-builder';
import { parseSelector } from '@hearthscope/profile/selector/selector';
import { stackSums } from '@hearthscope/profile/stack-tree';
import { finish } from '@hearthscope/profile/steps';
import { arbitraryProfile } from '@hearthscope/profile/testing/arbitrary-profile';
import fc from 'fast-check';
import { decodeFrame, encodeFrame } from '../frame-codec.ts';
import { linkedOrigin, UNLINKED_START } from '../mapping-origin.ts';
import type { SampleFilter, SeriesSelection } from '../store.ts';
import {
  ALL_TIME,
  CPU_TYPE,
  SyntheticProfiles,
  seriesLabels,
  storedProfile,
} from '../testing/stored-profile.ts';
import { Head } from './head.ts';
import { mergeStacks, selectionSize, selectSeries, selectTotals, tenantStats } from './head-reader.ts';
import type { TenantHead } from './tenant-head.ts';

const UNLIMITED = Number.MAX_SAFE_INTEGER;
const EVERYTHING: SeriesSelection = { ...ALL_TIME, alternatives: [] };

function headOf(
  profiles: readonly NormalisedProfile[],
  maxBytes = UNLIMITED,
): { head: Head; tenant: TenantHead } {
  const head = new Head(maxBytes);
  for (const profile of profiles) head.reserve('a', [profile]).commit();
  return { head, tenant: head.tenant('a')! };
}

/** `root;leaf` → sum, of the stacks whose sum is not zero. */
function sumsByName(profiles: readonly (Profile | undefined)[]): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const profile of profiles) {
    if (profile === undefined) continue;
    const { names, start, frame, value } = stackSums(profile);
    value.forEach((sum, stack) => {
      const frames = Array.from(frame.subarray(start[stack], start[stack + 1]), (name) => names[name]!);
      const key = JSON.stringify(frames.reverse());
      sums.set(key, (sums.get(key) ?? 0n) + sum);
    });
  }
  for (const [key, sum] of sums) if (sum === 0n) sums.delete(key);
  return new Map([...sums].sort());
}

const series = fc.constantFrom(
  seriesLabels('web', CPU_TYPE),
  seriesLabels('web', CPU_TYPE, { pod: 'web-1' }),
  seriesLabels('web', 'memory:alloc_space:bytes:space:bytes', { pod: 'web-1' }),
  seriesLabels('db', CPU_TYPE, { pod: 'db-1', zone: 'α' }),
);
const stored = fc
  .tuple(series, arbitraryProfile({ sampleTypes: { min: 1, max: 1 } }), fc.integer({ min: 1, max: 60 }))
  .map(([labels, profile, millis]) => ({
    labels,
    profile: {
      ...profile,
      timeUnixNanos: BigInt(millis) * 1_000_000n + 999_999n,
      // An offset near 2^64 would give an address beyond it.
      mappings: {
        ...profile.mappings,
        fileOffset: profile.mappings.fileOffset.map((offset) => offset >> 32n),
      },
    },
  }));
const selectors: readonly [selector: string, matches: (value: (name: string) => string) => boolean][] = [
  ['{}', () => true],
  ['{service_name="web"}', (value) => value('service_name') === 'web'],
  ['{service_name!="web"}', (value) => value('service_name') !== 'web'],
  ['{pod=""}', (value) => value('pod') === ''],
  ['{pod!=""}', (value) => value('pod') !== ''],
  ['{pod=~"web-.*|db-1"}', (value) => /^(?:web-.*|db-1)$/.test(value('pod'))],
  ['{pod!~"web-.*"}', (value) => !/^web-.*$/.test(value('pod'))],
  ['{pod=~".*"}', () => true],
  ['{nowhere="x"}', () => false],
  ['{nowhere!="x",zone="α"}', (value) => value('zone') === 'α'],
  [
    `${CPU_TYPE}{service_name="web"}`,
    (value) => value('__profile_type__') === CPU_TYPE && value('service_name') === 'web',
  ],
];
const range = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 60 }))
  .map(([startMillis, length]) => ({ startMillis, endMillis: startMillis + length }));

test('random profiles, selectors and ranges give what a naive scan gives', () => {
  fc.assert(
    fc.property(
      fc.array(stored, { maxLength: 12 }),
      fc.array(fc.constantFrom(...selectors), { maxLength: 2 }),
      range,
      (profiles, chosen, { startMillis, endMillis }) => {
        const { tenant } = headOf([...profiles, storedProfile('far;away 1', { timeMillis: 1_000_000 })]);
        const selection = {
          startMillis,
          endMillis,
          alternatives: chosen.map(([selector]) => parseSelector(selector)),
        };
        const expected = profiles.filter(({ labels, profile }) => {
          const millis = Number(profile.timeUnixNanos / 1_000_000n);
          const matches =
            chosen.length === 0 ||
            chosen.some(([, matching]) => matching((name) => labelValue(labels, name)));
          return matches && millis >= startMillis && millis <= endMillis;
        });
        assert.deepEqual(
          sumsByName([finish(mergeStacks(tenant, selection, {}))]),
          sumsByName(expected.map(({ profile }) => profile)),
        );
        assert.deepEqual(
          selectSeries(tenant, selection).map(labelSetKey).sort(),
          [...new Set(expected.map(({ labels }) => labelSetKey(labels)))].sort(),
        );
        const total = (profile: Profile) =>
          profile.samples.values[0]!.reduce((sum, value) => sum + value, 0n);
        assert.deepEqual(
          selectTotals(tenant, selection)
            .flatMap(({ labels, timeUnixMillis, total }) =>
              Array.from(total, (value, i) => `${labelSetKey(labels)} ${timeUnixMillis[i]} ${value}`),
            )
            .sort(),
          expected
            .map(
              ({ labels, profile }) =>
                `${labelSetKey(labels)} ${profile.timeUnixNanos / 1_000_000n} ${total(profile)}`,
            )
            .sort(),
        );
        const size = selectionSize(tenant, selection);
        assert.equal(size.profiles, expected.length);
        assert.equal(
          size.samples,
          expected.reduce((sum, { profile }) => sum + profile.samples.length, 0),
        );
      },
    ),
    { numRuns: 300 },
  );
});

test('sums are exact beyond the range of number, and refused beyond int64', () => {
  const big = 2n ** 62n - 1n;
  const profiles = [`main;work ${big}`, `main;work ${big}`, 'main;work -3'].map((text) =>
    storedProfile(text),
  );
  const { tenant } = headOf(profiles);
  assert.deepEqual([...finish(mergeStacks(tenant, EVERYTHING, {}))!.samples.values[0]!], [2n * big - 3n]);
  const { tenant: overflowing } = headOf([...profiles, storedProfile('main;work 9')]);
  assert.throws(
    () => finish(mergeStacks(overflowing, EVERYTHING, {})),
    (error) => error instanceof HearthscopeError && error.code === 'failed_precondition',
  );
});

test('a profile whose values do not sum up to an int64 is refused and leaves nothing', () => {
  const head = new Head(UNLIMITED);
  const good = storedProfile('main 1');
  const bad = storedProfile(`a ${2n ** 62n}\nb ${2n ** 62n}`);
  assert.throws(() => head.reserve('a', [good, bad]), /does not fit into an int64/);
  assert.equal(head.size().profiles, 0);
});

test('carries are kept over millions of rows', () => {
  const value = 2n ** 33n - 1n;
  const rows = 8192;
  const { stacks, ...rest } = storedProfile('main;work 1').profile;
  const profile: Profile = {
    ...rest,
    stacks,
    samples: {
      length: rows,
      stack: new Uint32Array(rows),
      values: [new BigInt64Array(rows).fill(value)],
      attributeSet: new Uint32Array(rows),
      link: new Uint32Array(rows),
      timestampStart: new Uint32Array(rows + 1),
      timestampUnixNanos: new BigUint64Array(0),
    },
  };
  const labels = seriesLabels('web', CPU_TYPE);
  const copies = 300;
  const { tenant } = headOf(Array.from({ length: copies }, () => ({ labels, profile })));
  assert.deepEqual(
    [...finish(mergeStacks(tenant, EVERYTHING, {}))!.samples.values[0]!],
    [value * BigInt(rows * copies)],
  );
});

test('ten thousand short processes of one service are one series, and share their stacks', () => {
  const profiles = Array.from({ length: 10_000 }, (_, i) => {
    const builder = new ProfileBuilder({
      timeUnixNanos: BigInt(i + 1) * 1_000_000n,
      durationNanos: 0n,
      sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
      periodType: { type: 'cpu', unit: 'nanoseconds' },
      period: 1n,
      profileAttributes: [{ key: 'process.pid', value: BigInt(1000 + i), unit: '' }],
    });
    // Each process has the binary somewhere else.
    const start = 0x5500_0000_0000n + BigInt(i) * 0x1000n;
    const mapping = builder.mapping({
      start,
      limit: start + 0x8000n,
      fileOffset: 0x1000n,
      filename: '/bin/sh',
      buildId: 'b1',
    });
    const named = builder.location({
      mapping,
      address: start + 64n,
      lines: [{ function: builder.function({ name: 'main' }) }],
    });
    const unnamed = builder.location({ mapping, address: start + 16n, lines: [] });
    const attribute = builder.attribute({ key: 'thread.id', value: BigInt(i), unit: '' });
    builder.addSample(builder.stack([unnamed, named]), [1n], {
      attributeSet: builder.attributeSet([attribute]),
    });
    return { labels: seriesLabels('short', CPU_TYPE), profile: builder.build() };
  });
  const { head, tenant } = headOf(profiles);
  assert.equal(head.size().series, 1);
  assert.equal(head.size().stacks, 1);
  assert.deepEqual(
    [...sumsByName([finish(mergeStacks(tenant, EVERYTHING, {}))])],
    [['["main","sh+0x1010"]', 10_000n]],
  );
  // What is not in the series is still known of each profile and sample.
  assert.deepEqual(tenant.attributes.attributes(tenant.profiles.attributeSet[17]!), [
    { key: 'process.pid', value: 1017n, unit: '' },
  ]);
  const slice = [...tenant.rows.slices(17, 18)][0]!;
  assert.deepEqual(tenant.attributes.attributes(slice.attributeSet[slice.from]!), [
    { key: 'thread.id', value: 17n, unit: '' },
  ]);
});

test('attributes of every kind are given back', () => {
  const attributes = [
    { key: 'text', value: 'läuft', unit: '' },
    { key: 'integer', value: -(2n ** 63n), unit: 'bytes' },
    { key: 'double', value: -0.5, unit: '' },
    { key: 'flag', value: false, unit: '' },
    { key: 'flag', value: true, unit: '' },
  ];
  const { tenant } = headOf([storedProfile('main 1', { attributes })]);
  assert.deepEqual(tenant.attributes.attributes(tenant.profiles.attributeSet[0]!), attributes);
});

test('profiles, traces and spans can be selected', () => {
  const id = (digit: string) => digit.repeat(32);
  const span = (digit: string) => digit.repeat(16);
  const builder = new ProfileBuilder({
    id: id('1'),
    timeUnixNanos: 5_000_000n,
    durationNanos: 0n,
    sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: 1n,
  });
  const leaf = (name: string) =>
    builder.stack([
      builder.location({ mapping: 0, address: 0n, lines: [{ function: builder.function({ name }) }] }),
    ]);
  builder.addSample(leaf('a'), [1n], { link: builder.link(id('a'), span('1')) });
  builder.addSample(leaf('b'), [2n], { link: builder.link(id('a'), span('2')) });
  builder.addSample(leaf('c'), [4n], { link: builder.link(id('c'), span('1')) });
  builder.addSample(leaf('d'), [8n]);
  const other = storedProfile('e 16', { id: id('2'), timeMillis: 5 });
  const { tenant } = headOf([{ labels: seriesLabels('web', CPU_TYPE), profile: builder.build() }, other]);
  const names = (filter: SampleFilter) =>
    [...sumsByName([finish(mergeStacks(tenant, EVERYTHING, filter))]).keys()]
      .map((key) => JSON.parse(key)[0])
      .join('');
  assert.equal(names({}), 'abcde');
  assert.equal(names({ profileIds: [id('1')] }), 'abcd');
  assert.equal(names({ profileIds: [id('2'), id('9')] }), 'e');
  assert.equal(names({ traceIds: [id('a')] }), 'ab');
  assert.equal(names({ spanIds: [span('1')] }), 'ac');
  assert.equal(names({ spanIds: [span('1'), span('2')], profileIds: [id('1')] }), 'abc');
  assert.equal(names({ spanIds: [span('7')] }), '');
  assert.equal(selectTotals(tenant, EVERYTHING)[0]!.profileId(1), id('2'));
});

test('a head takes what fits, refuses the request that does not as a whole, and stays usable', () => {
  const supply = new SyntheticProfiles({ stacks: 3000, depth: 8, samplesPerProfile: 200 }, 1);
  const maxBytes = 3 * 1024 * 1024;
  const head = new Head(maxBytes);
  let stored = 0;
  let refused = 0;
  for (let i = 0; i < 400; i++) {
    try {
      head.reserve('a', [supply.next(i + 1), supply.next(i + 1)]).commit();
      stored += 2;
    } catch (error) {
      assert.ok(error instanceof HearthscopeError && error.code === 'unavailable', String(error));
      refused++;
    }
    assert.ok(head.size().bytes <= maxBytes);
  }
  assert.ok(stored > 50 && refused > 50, `${stored} stored, ${refused} refused`);
  assert.equal(head.size().profiles, stored);
  assert.throws(() => head.reserve('another tenant', [supply.next(1)]), /the head is full/);
  assert.ok(finish(mergeStacks(head.tenant('a')!, EVERYTHING, {}))!.samples.length > 1000);
});

test('a reservation that is released costs no memory but its symbols', () => {
  const { head } = headOf([storedProfile('main;work 1')]);
  const before = head.size().bytes;
  head.reserve('a', [storedProfile('main;work 1')]).release();
  assert.equal(head.size().bytes, before);
  assert.equal(head.size().profiles, 1);
});

/** Heap and typed arrays that are in use. */
async function memoryInUse(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let i = 0; i < 4; i++) {
    gc();
    // Buffers are given back by another thread.
    await sleep(20);
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test('the accounted memory is what the tables take', async () => {
  const supply = new SyntheticProfiles({ stacks: 20_000, depth: 30, samplesPerProfile: 1000 }, 2);
  // Through bytes, as strings that a test has glued together take more than those that were decoded.
  const frames = Array.from({ length: 50 }, (_, i) => encodeFrame({ tenant: 'a', ...supply.next(i + 1) }));
  const before = await memoryInUse();
  const { head } = headOf(frames.map(decodeFrame));
  const taken = (await memoryInUse()) - before;
  const accounted = head.size().bytes;
  assert.ok(Math.abs(taken / accounted - 1) < 0.25, `${taken} bytes are taken, ${accounted} accounted`);
});

test('a merge that is interrupted does not see what is stored meanwhile', () => {
  const supply = new SyntheticProfiles({ stacks: 5000, depth: 20, samplesPerProfile: 3000 }, 3);
  const { head, tenant } = headOf(Array.from({ length: 4 }, (_, i) => supply.next(i + 1)));
  const expected = sumsByName([finish(mergeStacks(tenant, EVERYTHING, {}))]);
  const steps = mergeStacks(tenant, EVERYTHING, {});
  let step = steps.next();
  let interruptions = 0;
  for (; !step.done; step = steps.next()) {
    const service = `new${interruptions++}`;
    head.reserve('a', [supply.next(100, service), supply.next(100)]).commit();
  }
  assert.ok(interruptions > 5, `${interruptions} interruptions`);
  assert.deepEqual(sumsByName([step.value]), expected);
});

test('tenants do not see each other', () => {
  const head = new Head(UNLIMITED);
  head.reserve('a', [storedProfile('a 1')]).commit();
  head.reserve('b', [storedProfile('b 2', { timeMillis: 7 })]).commit();
  assert.deepEqual(
    [...sumsByName([finish(mergeStacks(head.tenant('b')!, EVERYTHING, {}))])],
    [['["b"]', 2n]],
  );
  assert.deepEqual(tenantStats(head.tenant('b')!), { profiles: 1, range: { startMillis: 7, endMillis: 7 } });
  assert.equal(head.tenant('c'), undefined);
});

test('where a file is linked is kept for those who name addresses, and an address is shown as its offset', () => {
  const builder = new ProfileBuilder({
    timeUnixNanos: 1_000_000n,
    durationNanos: 1n,
    sampleTypes: [{ type: 'cpu', unit: 'count' }],
    periodType: { type: 'cpu', unit: 'count' },
    period: 1n,
  });
  const binary = { filename: '/usr/bin/web', buildId: 'abcd' };
  const bounds = [
    // In addresses of the file; in those of two processes; without bounds.
    { start: 0x401000n, limit: 0x402000n, fileOffset: 0x1000n, address: 0x401234n },
    { start: 0x5555_0000_1000n, limit: 0x5555_0000_2000n, fileOffset: 0x1000n, address: 0x5555_0000_1234n },
    { start: 0x7f00_1234_5000n, limit: 0x7f00_1234_6000n, fileOffset: 0x1000n, address: 0x7f00_1234_5234n },
    { start: 0n, limit: 0n, fileOffset: 0n, address: 0x401234n },
  ];
  for (const { address, ...mapping } of bounds) {
    const location = builder.location({
      mapping: builder.mapping({ ...binary, ...mapping }),
      address,
      lines: [],
    });
    builder.addSample(builder.stack([location]), [1n]);
  }
  const profile = builder.build();
  const { tenant } = headOf([{ labels: seriesLabels('web', CPU_TYPE), profile }]);
  const merged = finish(mergeStacks(tenant, EVERYTHING, {}))!;
  assert.deepEqual(
    sumsByName([merged]),
    new Map([
      ['["web+0x1234"]', 3n],
      ['["web+0x401234"]', 1n],
    ]),
  );
  const { locations, mappings } = merged;
  const places = Array.from(locations.address, (address, location) => {
    const start = mappings.start[locations.mapping[location]!]!;
    return [address, linkedOrigin(start, 0n), mappings.limit[locations.mapping[location]!]! > 0n];
  });
  assert.deepEqual(places, [
    [0x401234n, 0x400000n, true],
    [UNLINKED_START + 0x1234n, undefined, true],
    [0x401234n, 0n, false],
  ]);
});

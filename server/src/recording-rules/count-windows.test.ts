// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelSet } from '@hearthscope/profile/labels';
import fc from 'fast-check';
import { countWindows } from './count-windows.ts';
import type { CountedSeries } from './rule-state.ts';

const LATE_WINDOWS = 5;

const series = (name: string) => labelSet([{ name: 'service_name', value: name }]);

test('every profile is counted once, in whatever order profiles arrive', () => {
  const profile = fc.record({
    service: fc.constantFrom('a', 'b', 'c'),
    time: fc.integer({ min: 1, max: 20 }),
    delay: fc.integer({ min: 0, max: LATE_WINDOWS }),
    value: fc.integer({ min: 1, max: 1000 }),
  });
  fc.assert(
    fc.property(fc.array(profile, { maxLength: 40 }), (profiles) => {
      let counted: readonly CountedSeries[] = [];
      const totals = new Map<string, number>();
      for (let tick = 1; tick <= 20 + LATE_WINDOWS; tick++) {
        const first = tick - LATE_WINDOWS;
        const stored = profiles.filter(({ time, delay }) => time + delay <= tick && time >= first);
        const sums = [...new Set(stored.map(({ service }) => service))].map((service) => {
          const points = new Map<number, number>();
          for (const { time, value } of stored.filter((each) => each.service === service)) {
            points.set(time, (points.get(time) ?? 0) + value);
          }
          return {
            labels: series(service),
            points: [...points]
              .sort(([a], [b]) => a - b)
              .map(([timestampMillis, value]) => ({ timestampMillis, value })),
          };
        });
        const result = countWindows(counted, sums, first + 1, 10);
        counted = result.series;
        for (const { labels, value } of result.added) {
          totals.set(labels[0]!.value, (totals.get(labels[0]!.value) ?? 0) + value);
        }
      }
      for (const service of ['a', 'b', 'c']) {
        const expected = profiles
          .filter((each) => each.service === service)
          .reduce((sum, { value }) => sum + value, 0);
        assert.equal(totals.get(service) ?? 0, expected);
      }
    }),
  );
});

test('of too many series the known and the largest are taken, and the others counted when there is room', () => {
  const sums = (values: Record<string, number>, at: number) =>
    Object.entries(values).map(([name, value]) => ({
      labels: series(name),
      points: [{ timestampMillis: at, value }],
    }));
  const first = countWindows([], sums({ a: 1, b: 5, c: 3 }, 1), 1, 2);
  assert.deepEqual(
    first.added.map(({ labels, value }) => [labels[0]!.value, value]),
    [
      ['b', 5],
      ['c', 3],
    ],
  );
  assert.equal(first.leftOut, 1);
  const second = countWindows(first.series, sums({ a: 100, b: 5, c: 4 }, 1), 1, 2);
  assert.deepEqual(
    second.added.map(({ labels, value }) => [labels[0]!.value, value]),
    [['c', 1]],
  );
  const third = countWindows(first.series.slice(0, 1), sums({ a: 100, b: 5 }, 1), 1, 2);
  assert.deepEqual(
    third.added.map(({ labels, value }) => [labels[0]!.value, value]),
    [['a', 100]],
  );
  assert.equal(third.leftOut, 0);
});

test('what was removed from the store does not become uncounted', () => {
  const sums = (value: number) => [{ labels: series('a'), points: [{ timestampMillis: 1, value }] }];
  const first = countWindows([], sums(5), 1, 2);
  const removed = countWindows(first.series, sums(2), 1, 2);
  assert.deepEqual(removed.added, []);
  assert.deepEqual(countWindows(removed.series, sums(6), 1, 2).added[0]?.value, 1);
});

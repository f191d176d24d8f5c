// SPDX-License-Identifier: Apache-2.0
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of templates, which are not of JavaScript.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProfileBuilder } from '@hearthscope/profile/profile-builder';
import { tenantLimits } from '../limits/tenant-limits.ts';
import { sampleProfile } from './sample-profile.ts';
import { samplingDecision } from './sampling-rules.ts';
import { stripToTotals } from './strip-to-totals.ts';

const LABELS = [
  { name: '__name__', value: 'memory' },
  { name: 'service_name', value: 'web' },
];
const GROUPS = [
  { name: 'any/${labels.service_name}', selector: '{service_name=~".+"}' },
  { name: 'web', selector: '{service_name="web"}' },
  { name: 'memory', selector: '{__name__="memory"}' },
];

function profile(values: readonly (readonly [bigint, bigint])[]) {
  const builder = new ProfileBuilder({
    timeUnixNanos: 5n,
    durationNanos: 6n,
    sampleTypes: [
      { type: 'objects', unit: 'count' },
      { type: 'space', unit: 'bytes' },
    ],
    periodType: { type: 'space', unit: 'bytes' },
    period: 7n,
  });
  const mapping = builder.mapping({ start: 0n, limit: 9n, fileOffset: 0n, filename: 'a', buildId: '' });
  for (const [n, value] of values.entries()) {
    const lines = [{ function: builder.function({ name: `f${n}` }) }];
    builder.addSample(builder.stack([builder.location({ mapping, address: 1n, lines })]), value);
  }
  return builder.build();
}

test('which rule decides', () => {
  const decide = (sampling: Readonly<Record<string, number>>, random = 0.5) =>
    samplingDecision(LABELS, tenantLimits({ usageGroups: GROUPS, sampling }), () => random);
  assert.equal(decide({}), undefined);
  assert.equal(decide({ nobody: 0 }), undefined);
  assert.deepEqual(decide({ web: 0.5 }), { isKept: false, usageGroup: 'web', probability: 0.5 });
  assert.equal(decide({ web: 0.5 }, 0.499)!.isKept, true);
  assert.equal(decide({ web: 1 }, 0.999)!.isKept, true);
  assert.equal(decide({ web: 0 }, 0)!.isKept, false);
  assert.equal(decide({ web: 0.9, memory: 0.1 })!.usageGroup, 'memory', 'the lower probability wins');
  assert.equal(decide({ 'any/web': 0.1, web: 0.9 })!.usageGroup, 'web', 'but a plain name wins before that');
  assert.equal(decide({ 'any/${labels.service_name}': 0.1 })!.usageGroup, 'any/web');
});

test('a profile that is left out leaves its totals, if that is wanted', () => {
  const whole = profile([
    [1n, 10n],
    [2n, 20n],
    [-1n, 40n],
  ]);
  const sampled = (keepStrippedProfiles: boolean, random: number) =>
    sampleProfile(
      LABELS,
      whole,
      tenantLimits({ usageGroups: GROUPS, sampling: { web: 0.5 }, keepStrippedProfiles }),
      () => random,
    );
  assert.deepEqual(sampled(true, 0.4), { labels: LABELS, profile: whole, isStripped: false });
  assert.equal(sampled(false, 0.6), undefined);
  const stripped = sampled(true, 0.6)!;
  assert.equal(stripped.isStripped, true);
  assert.deepEqual(stripped.labels, [...LABELS, { name: '__sampled__', value: 'true' }]);
  assert.equal(stripped.profile.samples.length, 1);
  assert.deepEqual(
    stripped.profile.samples.values.map(([total]) => total),
    [3n, 30n],
  );
  const { functions, locations, mappings } = stripped.profile;
  // The first function and the first mapping stand for none.
  assert.deepEqual([functions.length, locations.length, mappings.length], [1, 0, 1]);
  const { timeUnixNanos, durationNanos, period, sampleTypes } = stripped.profile;
  assert.deepEqual([timeUnixNanos, durationNanos, period, sampleTypes], [5n, 6n, 7n, whole.sampleTypes]);
});

test('totals that say nothing, and totals beyond int64', () => {
  assert.equal(stripToTotals(profile([])).samples.length, 0);
  assert.equal(stripToTotals(profile([[-1n, 1n]])).samples.length, 0);
  const largest = 2n ** 63n - 1n;
  const { samples } = stripToTotals(
    profile([
      [largest, 1n],
      [largest, 1n],
    ]),
  );
  assert.deepEqual(
    samples.values.map(([total]) => total),
    [largest, 2n],
  );
});

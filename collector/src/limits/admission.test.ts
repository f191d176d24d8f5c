// SPDX-License-Identifier: Apache-2.0
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of templates, which are not of JavaScript.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TenantAdmission } from './admission.ts';
import { iecBytes, siBytes } from './byte-text.ts';
import { type IngestionLimit, type TenantLimits, tenantLimits } from './tenant-limits.ts';
import { TokenBucket } from './token-bucket.ts';
import { usageGroupsOf } from './usage-groups.ts';

const MEBIBYTE = 1_048_576;
const LABELS = [{ name: 'service_name', value: 'wëb' }];
/** In UTF-8. */
const LABEL_BYTES = 16;

class Clock {
  millis = 1_000_000;
  readonly now = (): number => this.millis;
}

function setUp(changes: Partial<TenantLimits> = {}, maxTenants?: number) {
  const clock = new Clock();
  const admission = new TenantAdmission({ now: clock.now, ...(maxTenants && { maxTenants }) });
  const limits = tenantLimits(changes);
  const admit = (sizeBytes: number, tenant = 'a', labels = LABELS) =>
    admission.admit(tenant, labels, sizeBytes, limits);
  return { clock, admit };
}

test('the burst is what may come at once, with the labels', () => {
  for (const [size, isRefused] of [
    [2 * MEBIBYTE - LABEL_BYTES - 1, false],
    [2 * MEBIBYTE - LABEL_BYTES, false],
    [2 * MEBIBYTE - LABEL_BYTES + 1, true],
  ] as const) {
    assert.equal(setUp().admit(size) !== undefined, isRefused, String(size));
  }
  assert.deepEqual(setUp().admit(3 * MEBIBYTE), {
    reason: 'rate_limited',
    message: 'push rate limit (4.0 MiB) exceeded while adding 3.0 MiB',
  });
});

test('the rate fills the bucket again, for each tenant its own', () => {
  const { clock, admit } = setUp();
  const size = MEBIBYTE - LABEL_BYTES;
  assert.equal(admit(size), undefined);
  assert.equal(admit(size), undefined);
  assert.ok(admit(size));
  assert.equal(admit(size, 'b'), undefined);
  clock.millis += 249;
  assert.ok(admit(size));
  clock.millis += 1;
  assert.equal(admit(size), undefined);
  clock.millis += 3_600_000;
  assert.equal(admit(2 * MEBIBYTE - LABEL_BYTES), undefined);
  assert.ok(admit(1), 'an hour of rest fills the bucket, but not more');
});

test('a tenant that was quiet the longest is forgotten', () => {
  const { admit } = setUp({}, 2);
  const all = 2 * MEBIBYTE - LABEL_BYTES;
  assert.equal(admit(all, 'a'), undefined);
  assert.equal(admit(all, 'b'), undefined);
  assert.ok(admit(1, 'a'), 'known, and now b is the quiet one');
  assert.equal(admit(all, 'c'), undefined);
  assert.ok(admit(1, 'a'));
  assert.equal(admit(all, 'b'), undefined, 'forgotten');
});

const REACHED: IngestionLimit = {
  periodType: 'hour',
  periodLimitMegabytes: 128,
  limitResetTimeUnixSeconds: 1_737_721_086,
  limitReached: true,
  sampling: { profiles: 2, periodMillis: 60_000 },
  usageGroups: {},
};

test('a limit that is reached lets a few profiles through in each period', () => {
  const { clock, admit } = setUp({ ingestionLimit: REACHED });
  assert.deepEqual([admit(1), admit(1)], [undefined, undefined]);
  assert.deepEqual(admit(1), {
    reason: 'ingest_limit_reached',
    message: 'limit of 128 MiB/hour reached, next reset at 2025-01-24T12:18:06Z',
  });
  clock.millis += 59_999;
  assert.ok(admit(1));
  clock.millis += 1;
  assert.deepEqual([admit(1), admit(1)], [undefined, undefined]);
  assert.ok(admit(1));
  assert.equal(setUp({ ingestionLimit: { ...REACHED, limitReached: false } }).admit(1), undefined);
  const never = { ...REACHED, sampling: { profiles: 0, periodMillis: 0 }, limitResetTimeUnixSeconds: 1e15 };
  assert.match(setUp({ ingestionLimit: never }).admit(1)!.message, /next reset at 1000000000000000 s$/);
});

test('limits of usage groups, under the resolved or the configured name', () => {
  const usageGroups = [
    { name: 'all', selector: '{}' },
    { name: 'app/${labels.service_name}', selector: '{service_name=~".+"}' },
  ];
  const refusal = (groups: IngestionLimit['usageGroups'], value = 'web') => {
    const ingestionLimit = {
      ...REACHED,
      limitReached: false,
      sampling: { profiles: 0, periodMillis: 0 },
      usageGroups: groups,
    };
    return setUp({ usageGroups, ingestionLimit }).admit(1, 'a', [{ name: 'service_name', value }])?.message;
  };
  const reached = { periodLimitMegabytes: 1, limitReached: true };
  assert.equal(refusal({ 'app/web': { ...reached, limitReached: false } }), undefined);
  assert.equal(
    refusal({ 'app/web': reached }),
    'limit of 1.0 MiB/hour reached for usage group app/web, next reset at 2025-01-24T12:18:06Z',
  );
  assert.equal(refusal({ 'app/web': reached }, 'db'), undefined);
  assert.match(refusal({ 'app/${labels.service_name}': reached }, 'db')!, /usage group app\/db/);
  assert.match(refusal({ all: reached })!, /usage group all/);
});

test('usage groups', () => {
  const groups = [
    { name: 'plain', selector: '{a="1"}' },
    { name: 'not', selector: '{b!="1"}' },
    { name: 'x-${labels.a}-${labels.b}', selector: '{}' },
  ];
  const names = (labels: Readonly<Record<string, string>>) =>
    usageGroupsOf(
      Object.entries(labels).map(([name, value]) => ({ name, value })),
      groups,
    ).map(({ resolvedName }) => resolvedName);
  assert.deepEqual(names({ a: '1' }), ['plain']);
  assert.deepEqual(names({ a: '2', b: '3' }), ['not', 'x-2-3']);
  assert.deepEqual(names({}), [], 'a label that is missing matches nothing');
});

test('sizes as clients of Pyroscope read them', () => {
  const cases = [
    [0, '0 B', '0 B'],
    [9, '9 B', '9 B'],
    [10, '10 B', '10 B'],
    [999, '999 B', '999 B'],
    [1000, '1000 B', '1.0 kB'],
    [1024, '1.0 KiB', '1.0 kB'],
    [10_240, '10 KiB', '10 kB'],
    [4_194_304, '4.0 MiB', '4.2 MB'],
    [82_854_982, '79 MiB', '83 MB'],
    [268_435_456, '256 MiB', '268 MB'],
    [5 * 2 ** 50, '5.0 PiB', '5.6 PB'],
  ] as const;
  for (const [bytes, iec, si] of cases) assert.deepEqual([iecBytes(bytes), siBytes(bytes)], [iec, si]);
});

test('a token bucket never lets more through than burst and rate allow, nor less', () => {
  const steps = fc.array(fc.record({ waitMillis: fc.integer({ min: -50, max: 500 }), amount: fc.nat(120) }), {
    maxLength: 100,
  });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 200 }), fc.nat(100), (sequence, ratePerSecond, burst) => {
      const bucket = new TokenBucket(burst, 0);
      let millis = 0;
      let latest = 0;
      let tokens = burst;
      let taken = 0;
      for (const { waitMillis, amount } of sequence) {
        millis += waitMillis;
        tokens = Math.min(burst, tokens + (ratePerSecond * Math.max(0, millis - latest)) / 1000);
        latest = Math.max(latest, millis);
        const fits = amount <= tokens;
        assert.equal(bucket.take(amount, ratePerSecond, burst, millis), fits);
        if (fits) {
          tokens -= amount;
          taken += amount;
        }
        assert.ok(taken <= burst + (ratePerSecond * latest) / 1000 + 1e-6);
      }
    }),
  );
});

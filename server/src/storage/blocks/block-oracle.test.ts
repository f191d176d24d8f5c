// SPDX-License-Identifier: Apache-2.0
//
// Blocks against a list of profiles in memory: whatever is cut, merged, deleted and asked, in any order, the answers are
// those that adding up the list gives.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelMatcher } from '@hearthscope/profile/selector/selector';
import fc from 'fast-check';
import { SlicePace } from '../slice-pace.ts';
import type { SeriesSelection } from '../store.ts';
import { BlockFixture, EVERYTHING, TENANT } from '../testing/block-fixture.ts';
import { storedProfile } from '../testing/stored-profile.ts';
import { verifyStore } from '../verify/verify-store.ts';
import { compactBlocks } from './compaction.ts';

const RUNS = process.env.HEARTHSCOPE_TEST_FULL === undefined ? 8 : 200;
const HOUR = 3_600_000;
const DAYS_MILLIS = 3 * 24 * HOUR;
const SERVICES = ['api', 'db'];
const PODS = ['x', 'y', 'z'];

interface Sample {
  readonly stack: string;
  readonly value: number;
}

interface OracleProfile {
  readonly service: string;
  readonly pod: string;
  readonly timeMillis: number;
  readonly samples: readonly Sample[];
}

/** Times that lie on, right before and right after what sums are made of. */
const time = fc.oneof(
  fc.integer({ min: 0, max: DAYS_MILLIS }),
  fc
    .tuple(fc.integer({ min: 0, max: DAYS_MILLIS / 300_000 }), fc.integer({ min: -1, max: 1 }))
    .map(([bucket, off]) => Math.max(0, bucket * 300_000 + off)),
);
const profile: fc.Arbitrary<OracleProfile> = fc.record({
  service: fc.constantFrom(...SERVICES),
  pod: fc.constantFrom(...PODS),
  timeMillis: time,
  samples: fc.array(
    fc.record({
      stack: fc.constantFrom('main', 'main;a', 'main;a;b', 'main;c', 'other;deep;deep;deep'),
      value: fc.integer({ min: -3, max: 1000 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});
const matcher = fc.oneof(
  fc.constantFrom(...SERVICES).map((service) => labelMatcher('service_name', '=', service)),
  fc.constantFrom(...PODS).map((pod) => labelMatcher('pod', '!=', pod)),
  fc.constantFrom('x|y', '.*', 'z?', 'w').map((pattern) => labelMatcher('pod', '=~', pattern)),
  fc.constantFrom('x|y', 'z').map((pattern) => labelMatcher('pod', '!~', pattern)),
);
const selection: fc.Arbitrary<SeriesSelection> = fc
  .tuple(time, time, fc.array(fc.array(matcher, { maxLength: 2 }), { maxLength: 2 }))
  .map(([a, b, alternatives]) => ({ startMillis: Math.min(a, b), endMillis: Math.max(a, b), alternatives }));

type Step =
  | { readonly kind: 'flush'; readonly profiles: readonly OracleProfile[] }
  /** Merges some of the blocks into one: the bits say which. */
  | { readonly kind: 'merge'; readonly bits: number }
  | { readonly kind: 'upkeep'; readonly nowMillis: number }
  | { readonly kind: 'delete'; readonly service: string; readonly throughMillis: number }
  | { readonly kind: 'ask'; readonly selection: SeriesSelection };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('flush' as const),
      profiles: fc.array(profile, { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('merge' as const), bits: fc.integer({ min: 1, max: 255 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('upkeep' as const),
      nowMillis: fc.integer({ min: 0, max: 2 * DAYS_MILLIS }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      service: fc.constantFrom(...SERVICES),
      throughMillis: time,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ask' as const), selection }) },
);

/** The list, and what it answers. */
class Oracle {
  profiles: OracleProfile[] = [];

  delete(service: string, throughMillis: number): void {
    this.profiles = this.profiles.filter(
      (each) => each.service !== service || each.timeMillis > throughMillis,
    );
  }

  #selected({ startMillis, endMillis, alternatives }: SeriesSelection): OracleProfile[] {
    return this.profiles.filter(
      ({ service, pod, timeMillis }) =>
        timeMillis >= startMillis &&
        timeMillis <= endMillis &&
        (alternatives.length === 0 ||
          alternatives.some((matchers) =>
            matchers.every(({ name, matches }) =>
              matches(name === 'pod' ? pod : name === 'service_name' ? service : ''),
            ),
          )),
    );
  }

  folded(asked: SeriesSelection): string[] {
    const sums = new Map<string, number>();
    for (const { samples } of this.#selected(asked)) {
      for (const { stack, value } of samples) sums.set(stack, (sums.get(stack) ?? 0) + value);
    }
    return [...sums].flatMap(([stack, value]) => (value === 0 ? [] : [`${stack} ${value}`])).sort();
  }

  times(asked: SeriesSelection): number[] {
    return this.#selected(asked)
      .map(({ timeMillis }) => timeMillis)
      .sort((a, b) => a - b);
  }
}

async function mergeSome(fixture: BlockFixture, bits: number): Promise<void> {
  const { engine, files, store, temporaryDirectory } = fixture.blocks.options;
  const manifests = await fixture.blocks.manifestsOf(TENANT);
  const inputs = manifests.current.blocks.filter((_, i) => ((bits >> (i % 8)) & 1) === 1);
  if (inputs.length === 0) return;
  const target = { store, tenant: TENANT, level: 1, nowMillis: 0, temporaryDirectory };
  const window = { startMillis: 0, limitMillis: 1e14 };
  const output = await compactBlocks(
    { engine, files, pace: new SlicePace() },
    inputs,
    window,
    manifests.current.deletions,
    target,
  );
  const merged = new Set(inputs.map(({ id }) => id));
  await manifests.commit((manifest) => ({
    ...manifest,
    blocks: [
      ...manifest.blocks.filter(({ id }) => !merged.has(id)),
      ...(output === undefined ? [] : [output]),
    ],
  }));
}

test('whatever is cut, merged, deleted and asked, answers are those of a list', async (t) => {
  let fixture = await BlockFixture.open(t);
  const check = async (oracle: Oracle, asked: SeriesSelection) => {
    assert.deepEqual(await fixture.folded(asked), oracle.folded(asked));
    assert.deepEqual(await fixture.times(asked), oracle.times(asked));
  };
  const act = async (oracle: Oracle, one: Step) => {
    switch (one.kind) {
      case 'flush':
        oracle.profiles.push(...one.profiles);
        await fixture.flush(
          one.profiles.map(({ samples, service, pod, timeMillis }) =>
            storedProfile(samples.map(({ stack, value }) => `${stack} ${value}`).join('\n'), {
              service,
              timeMillis,
              labels: { pod },
            }),
          ),
        );
        break;
      case 'merge':
        await mergeSome(fixture, one.bits);
        break;
      case 'upkeep':
        fixture.clock.now = one.nowMillis;
        assert.equal((await fixture.maintenance.run()).failures, 0);
        break;
      case 'delete': {
        if (oracle.profiles.length === 0) break;
        oracle.delete(one.service, one.throughMillis);
        const { id } = await fixture.blocks.deleteService(TENANT, one.service, one.throughMillis);
        await check(oracle, EVERYTHING);
        await fixture.blocks.deletionsInBlocks(TENANT, [id]);
        // What comes later for that time is there again once the deletion is done.
        assert.equal((await fixture.maintenance.run()).failures, 0);
        break;
      }
      case 'ask':
        await check(oracle, one.selection);
    }
  };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      // Upkeep looks after all tenants, so each run has a directory of its own.
      fixture = await BlockFixture.open(t);
      const oracle = new Oracle();
      for (const one of steps) await act(oracle, one);
      await check(oracle, EVERYTHING);
      const problems: string[] = [];
      const onProblem = (key: string, problem: string) => problems.push(`${key}: ${problem}`);
      if (oracle.profiles.length > 0) {
        await verifyStore({ store: fixture.store, engine: fixture.engine, onProblem });
      }
      assert.deepEqual(problems, []);
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
});

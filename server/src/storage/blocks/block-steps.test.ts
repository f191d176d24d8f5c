// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stepsBySeries, stepsOfTotals, totalsBySeries } from '../merge-answers.ts';
import type { SeriesSteps } from '../store.ts';
import { BlockFixture, EVERYTHING, TENANT } from '../testing/block-fixture.ts';
import { storedProfile } from '../testing/stored-profile.ts';

const HUGE = 2n ** 62n;

/** Lines `pod step sum profiles`, a line for each step of a series whichever blocks it is from. */
function lines(all: readonly SeriesSteps[]): string[] {
  const sums = new Map<string, { sum: bigint; profiles: number }>();
  for (const { labels, step, sum, profiles } of all) {
    const pod = labels.find(({ name }) => name === 'pod')!.value;
    step.forEach((number, i) => {
      const key = `${pod} ${number}`;
      const known = sums.get(key) ?? { sum: 0n, profiles: 0 };
      sums.set(key, { sum: known.sum + sum[i]!, profiles: known.profiles + profiles[i]! });
    });
  }
  return [...sums].map(([key, { sum, profiles }]) => `${key} ${sum} ${profiles}`).sort();
}

test('sums by step are those of the profiles, over several blocks and beyond int64', async (context) => {
  const blocks = await BlockFixture.open(context);
  for (let block = 0; block < 3; block++) {
    await blocks.flush(
      Array.from({ length: 40 }, (_, i) =>
        storedProfile(`main ${i % 5 === 0 ? HUGE : i + 1}`, {
          labels: { pod: ['x', 'y'][i % 2]! },
          timeMillis: (i * 7919 + block * 131) % 100_000,
        }),
      ),
    );
  }
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 110_000 }),
      fc.integer({ min: 0, max: 110_000 }),
      fc.integer({ min: 1, max: 60_000 }),
      async (startMillis, endMillis, stepMillis) => {
        const selection = { ...EVERYTHING, startMillis, endMillis };
        const question = { tenant: TENANT, selection, withoutCuts: [] };
        const steps = { startMillis: startMillis + (stepMillis >> 1), stepMillis };
        const summed = stepsBySeries(await blocks.blocks.stepTotals(question, steps));
        const single = (await blocks.blocks.totals(question)).flatMap(totalsBySeries);
        assert.deepEqual(lines(summed), lines(single.map((totals) => stepsOfTotals(totals, steps))));
      },
    ),
    { numRuns: 25 },
  );
});

// SPDX-License-Identifier: Apache-2.0
//
// The head alone as a store, for tests of what reads stores: nothing is written, and nothing has to be cleaned up.

import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { Head } from '../head/head.ts';
import {
  mergedStackRows,
  mergeStacks,
  selectionSize,
  selectSeries,
  selectTotals,
  stackTotals,
  tenantStats,
} from '../head/head-reader.ts';
import { spanTotals } from '../head/span-totals.ts';
import type { TenantHead } from '../head/tenant-head.ts';
import { stepsOfTotals } from '../merge-answers.ts';
import type { Store } from '../store.ts';

const MAX_BYTES = 1 << 28;

export class HeadStore implements Store {
  readonly #head = new Head(MAX_BYTES);

  async append(tenant: string, profiles: readonly NormalisedProfile[]): Promise<void> {
    this.#head.reserve(tenant, profiles).commit();
  }

  series: Store['series'] = async (tenant, selection) =>
    this.#read(tenant, [], (head) => selectSeries(head, selection));

  totals: Store['totals'] = async (tenant, selection) =>
    this.#read(tenant, [], (head) => selectTotals(head, selection));

  stepTotals: Store['stepTotals'] = async (tenant, selection, steps) =>
    this.#read(tenant, [], (head) =>
      selectTotals(head, selection).map((totals) => stepsOfTotals(totals, steps)),
    );

  mergeStacks: Store['mergeStacks'] = async (tenant, selection, filter, pace) =>
    this.#read(tenant, undefined, (head) => pace.run(mergeStacks(head, selection, filter)));

  stackTotals: Store['stackTotals'] = async (tenant, selection, choose, pace) =>
    this.#read(tenant, [], async (head) => {
      const merged = await pace.run(mergedStackRows(head, selection, {}));
      if (merged === undefined) return [];
      const chosen = await choose(merged.profile);
      return pace.run(stackTotals(head, selection, merged.stackRows, chosen));
    });

  spanTotals: Store['spanTotals'] = async (tenant, selection, maxSpans, pace) =>
    this.#read(tenant, [], (head) => pace.run(spanTotals(head, selection, maxSpans)));

  size: Store['size'] = async (tenant, selection) =>
    this.#read(tenant, { series: 0, profiles: 0, samples: 0, bytes: 0 }, (head) =>
      selectionSize(head, selection),
    );

  stats: Store['stats'] = async (tenant) =>
    this.#read(tenant, { profiles: 0, range: undefined }, tenantStats);

  #read<Answer>(
    tenant: string,
    empty: Answer,
    read: (head: TenantHead) => Answer | Promise<Answer>,
  ): Answer | Promise<Answer> {
    const head = this.#head.tenant(tenant);
    return head === undefined ? empty : read(head);
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// How much there is: of a tenant as a whole, and of what a query would read.

import { parseSelector } from '@hearthscope/profile/selector/selector';
import { checkedRange, type QueryContext, tenantSelections } from './query-context.ts';
import type { AnalyzeQueryAnswer, AnalyzeQueryRequest, ProfileStatsAnswer } from './requests.ts';

export async function profileStats({ store, tenants }: QueryContext): Promise<ProfileStatsAnswer> {
  const stats = await Promise.all(tenants.map((tenant) => store.stats(tenant)));
  const ranges = stats.flatMap(({ range }) => (range === undefined ? [] : [range]));
  if (ranges.length === 0) return { dataIngested: false, oldestProfileMillis: 0, newestProfileMillis: 0 };
  return {
    dataIngested: true,
    oldestProfileMillis: Math.min(...ranges.map(({ startMillis }) => startMillis)),
    newestProfileMillis: Math.max(...ranges.map(({ endMillis }) => endMillis)),
  };
}

export async function analyzeQuery(
  context: QueryContext,
  request: AnalyzeQueryRequest,
): Promise<AnalyzeQueryAnswer> {
  const range = checkedRange(context, request);
  const matchers = parseSelector(request.query);
  const answer = { series: 0, profiles: 0, samples: 0, bytes: 0 };
  if (range === undefined) return answer;
  for (const { tenant, selection } of await tenantSelections(context, range, [matchers])) {
    const size = await context.store.size(tenant, selection);
    answer.series += size.series;
    answer.profiles += size.profiles;
    answer.samples += size.samples;
    answer.bytes += size.bytes;
  }
  return answer;
}

// SPDX-License-Identifier: Apache-2.0
//
// Stored series joined into those of an answer: one for each distinct combination of the labels that are grouped by.

import { type Label, type LabelSet, labelSet, labelSetKey } from '@hearthscope/profile/labels';
import { compareLabelSets } from './label-queries.ts';
import { type QueryContext, spokenLabels, type TenantSelection } from './query-context.ts';

/** What is grouped: a stored series of a tenant. */
export interface GroupedSeries<Series extends { readonly labels: LabelSet }> {
  /** Of the answer's series. */
  readonly labels: LabelSet;
  readonly members: {
    readonly series: Series;
    /** Labels that are not grouped by. */
    readonly otherLabels: readonly Label[];
  }[];
}

/** Reads the series of all tenants and joins them. */
export async function groupedSeries<Series extends { readonly labels: LabelSet }>(
  context: QueryContext,
  byTenant: readonly TenantSelection[],
  groupBy: readonly string[],
  read: (selection: TenantSelection) => Promise<Series[]>,
): Promise<GroupedSeries<Series>[]> {
  const groups = new Map<string, GroupedSeries<Series>>();
  for (const tenantSelection of byTenant) {
    const { tenant, selection } = tenantSelection;
    const spoken = await spokenLabels(context, tenant, selection, groupBy);
    const names = new Set(groupBy.map(spoken.name));
    for (const series of await read(tenantSelection)) {
      const labels = labelSet(series.labels.filter(({ name }) => names.has(name)));
      const key = labelSetKey(labels);
      let group = groups.get(key);
      if (group === undefined) {
        group = { labels, members: [] };
        groups.set(key, group);
      }
      group.members.push({ series, otherLabels: series.labels.filter(({ name }) => !names.has(name)) });
    }
  }
  return [...groups.values()];
}

/** Those with the largest totals, or all by their labels.
 * @param limit 0 for all */
export function topSeries<Group extends { readonly labels: LabelSet }>(
  groups: readonly Group[],
  limit: number,
  totalOf: (group: Group) => bigint,
): Group[] {
  if (limit === 0 || groups.length <= limit) {
    return groups.toSorted((a, b) => compareLabelSets(a.labels, b.labels));
  }
  return groups
    .map((group) => ({ group, total: totalOf(group) }))
    .sort((a, b) =>
      a.total === b.total ? compareLabelSets(a.group.labels, b.group.labels) : a.total > b.total ? -1 : 1,
    )
    .slice(0, limit)
    .map(({ group }) => group);
}

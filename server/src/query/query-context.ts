// SPDX-License-Identifier: Apache-2.0
//
// What a query works with: whose data it reads, under which limits, and how long it may keep its thread.

import type { LabelMatcher } from '@hearthscope/profile/selector/label-matcher';
import { labelMatcher } from '@hearthscope/profile/selector/selector';
import type { Pace, SeriesSelection, Store, TimeRange } from '../storage/store.ts';
import type { FrameNaming } from './frame-naming.ts';
import { checkRange, type QueryLimits, type TenantQueryLimits } from './query-limits.ts';

export interface QueryContext {
  readonly store: Store;
  readonly naming: FrameNaming;
  readonly limits: QueryLimits;
  /** Whose data is read, as if it were one tenant's. */
  readonly tenants: readonly string[];
  readonly tenantLimits: TenantQueryLimits;
  readonly nowMillis: number;
  readonly pace: Pace;
}

/** What a query selects of one tenant. */
export interface TenantSelection {
  readonly tenant: string;
  readonly selection: SeriesSelection;
}

/** People and other systems say `service` for what is kept as `service_name`. */
export const SERVICE_LABEL = { spoken: 'service', stored: 'service_name' } as const;

/** The range of a request after the limits.
 * @returns undefined when no profile can be in it
 * @throws HearthscopeError invalid_argument */
export function checkedRange(
  { tenantLimits, nowMillis }: QueryContext,
  range: TimeRange,
): TimeRange | undefined {
  return checkRange(range, tenantLimits, nowMillis);
}

/** The same question to each tenant. */
export async function tenantSelections(
  context: QueryContext,
  range: TimeRange,
  alternatives: readonly (readonly LabelMatcher[])[],
): Promise<TenantSelection[]> {
  const names = alternatives.flat().map(({ name }) => name);
  return Promise.all(
    context.tenants.map(async (tenant) => {
      const { matcher } = await spokenLabels(context, tenant, range, names);
      const resolved = alternatives.map((matchers) => matchers.map(matcher));
      return { tenant, selection: { ...range, alternatives: resolved } };
    }),
  );
}

/** How a tenant calls what a query speaks of. */
export interface SpokenLabels {
  name(spoken: string): string;
  matcher(spoken: LabelMatcher): LabelMatcher;
}

const AS_SPOKEN: SpokenLabels = { name: (name) => name, matcher: (matcher) => matcher };

const STORED_FOR_SPOKEN: SpokenLabels = {
  name: (name) => (name === SERVICE_LABEL.spoken ? SERVICE_LABEL.stored : name),
  matcher: (matcher) =>
    matcher.name === SERVICE_LABEL.spoken ? { ...matcher, name: SERVICE_LABEL.stored } : matcher,
};

/** `service` means `service_name` where the tenant has no label `service` of its own in the range.
 * @param names that the query speaks of */
export async function spokenLabels(
  { store }: QueryContext,
  tenant: string,
  range: TimeRange,
  names: readonly string[],
): Promise<SpokenLabels> {
  if (!names.includes(SERVICE_LABEL.spoken)) return AS_SPOKEN;
  const own = await store.series(tenant, {
    ...range,
    alternatives: [[labelMatcher(SERVICE_LABEL.spoken, '!=', '')]],
  });
  return own.length > 0 ? AS_SPOKEN : STORED_FOR_SPOKEN;
}

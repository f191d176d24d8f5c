// SPDX-License-Identifier: Apache-2.0
//
// A query engine over a few profiles, and requests that ask for all of them unless a test says otherwise.

import { HeadStore } from '../../storage/testing/head-store.ts';
import { CPU_TYPE, type StoredProfileOptions, storedProfile } from '../../storage/testing/stored-profile.ts';
import { StoreQuerier, type StoreQuerierOptions } from '../querier.ts';
import type { HeatmapRequest, MergeStacktracesRequest, SelectSeriesRequest } from '../requests.ts';

export const NOW = 10_000_000;
export const RANGE = { startMillis: 1000, endMillis: NOW };
export const TENANT = 'a';

/** Lines as `storedProfile` reads them. */
export type ProfileInput = readonly [
  text: string,
  options?: StoredProfileOptions & { readonly tenant?: string },
];

export async function querierOf(
  inputs: readonly ProfileInput[],
  options: Partial<StoreQuerierOptions> = {},
): Promise<StoreQuerier> {
  const store = new HeadStore();
  for (const [text, { tenant = TENANT, ...profile } = {}] of inputs) {
    await store.append(tenant, [storedProfile(text, profile)]);
  }
  return new StoreQuerier(store, { now: () => NOW, ...options });
}

export function seriesRequest(request: Partial<SelectSeriesRequest> = {}): SelectSeriesRequest {
  return {
    ...RANGE,
    profileTypeId: CPU_TYPE,
    labelSelector: '{}',
    groupBy: [],
    stepSeconds: 10,
    aggregation: 'sum',
    limit: 0,
    exemplars: 'none',
    ...request,
  };
}

export function heatmapRequest(request: Partial<HeatmapRequest> = {}): HeatmapRequest {
  return {
    ...RANGE,
    profileTypeId: CPU_TYPE,
    labelSelector: '{}',
    groupBy: [],
    stepSeconds: 10,
    of: 'individual',
    exemplars: 'none',
    limit: 0,
    ...request,
  };
}

export function mergeRequest(request: Partial<MergeStacktracesRequest> = {}): MergeStacktracesRequest {
  return {
    ...RANGE,
    profileTypeId: CPU_TYPE,
    labelSelector: '{}',
    maxNodes: undefined,
    callSite: [],
    profileIds: undefined,
    traceIds: undefined,
    spanIds: undefined,
    ...request,
  };
}

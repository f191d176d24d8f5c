// SPDX-License-Identifier: Apache-2.0
//
// The query engine: a store, limits and a clock. One method per question.

import type { FlameGraph } from '@hearthscope/profile/flame-graph';
import type { LabelSet } from '@hearthscope/profile/labels';
import type { Store, TimeRange } from '../storage/store.ts';
import { labelNames, labelValues, profileTypes, series } from './label-queries.ts';
import { mergeStacktraces } from './merge-stacktraces.ts';
import { checkRange, type QueryLimits } from './query-limits.ts';
import type {
  AnalyzeQueryAnswer,
  AnalyzeQueryRequest,
  LabelNamesRequest,
  LabelValuesRequest,
  MergeStacktracesRequest,
  ProfileStatsAnswer,
  ProfileTypeAnswer,
  SelectSeriesRequest,
  SeriesRequest,
  TimeSeriesAnswer,
} from './requests.ts';
import { selectSeries } from './select-series.ts';
import { parseSelector } from './selector.ts';

/** Requests are checked in the order range, profile type, selector, and refused with HearthscopeError
 * invalid_argument. */
export interface Querier {
  profileTypes(tenant: string, range: TimeRange): Promise<ProfileTypeAnswer[]>;
  labelNames(tenant: string, request: LabelNamesRequest): Promise<string[]>;
  labelValues(tenant: string, request: LabelValuesRequest): Promise<string[]>;
  series(tenant: string, request: SeriesRequest): Promise<LabelSet[]>;
  selectSeries(tenant: string, request: SelectSeriesRequest): Promise<TimeSeriesAnswer[]>;
  mergeStacktraces(tenant: string, request: MergeStacktracesRequest): Promise<FlameGraph>;
  profileStats(tenant: string): Promise<ProfileStatsAnswer>;
  analyzeQuery(tenant: string, request: AnalyzeQueryRequest): Promise<AnalyzeQueryAnswer>;
}

export class StoreQuerier implements Querier {
  readonly #store: Store;
  readonly #limits: QueryLimits;
  readonly #now: () => number;

  /** @param now milliseconds since the Unix epoch */
  constructor(store: Store, limits: QueryLimits, now: () => number) {
    this.#store = store;
    this.#limits = limits;
    this.#now = now;
  }

  profileTypes(tenant: string, range: TimeRange): Promise<ProfileTypeAnswer[]> {
    return profileTypes(this.#store, this.#limits, tenant, range, this.#now());
  }

  labelNames(tenant: string, request: LabelNamesRequest): Promise<string[]> {
    return labelNames(this.#store, this.#limits, tenant, request);
  }

  labelValues(tenant: string, request: LabelValuesRequest): Promise<string[]> {
    return labelValues(this.#store, this.#limits, tenant, request);
  }

  series(tenant: string, request: SeriesRequest): Promise<LabelSet[]> {
    return series(this.#store, this.#limits, tenant, request);
  }

  selectSeries(tenant: string, request: SelectSeriesRequest): Promise<TimeSeriesAnswer[]> {
    return selectSeries(this.#store, this.#limits, tenant, request);
  }

  mergeStacktraces(tenant: string, request: MergeStacktracesRequest): Promise<FlameGraph> {
    return mergeStacktraces(this.#store, this.#limits, tenant, request);
  }

  async profileStats(tenant: string): Promise<ProfileStatsAnswer> {
    const { range } = await this.#store.stats(tenant);
    return {
      dataIngested: range !== undefined,
      oldestProfileMillis: range?.startMillis ?? 0,
      newestProfileMillis: range?.endMillis ?? 0,
    };
  }

  async analyzeQuery(tenant: string, request: AnalyzeQueryRequest): Promise<AnalyzeQueryAnswer> {
    checkRange(request, this.#limits);
    const { startMillis, endMillis } = request;
    return this.#store.size(tenant, { startMillis, endMillis, alternatives: [parseSelector(request.query)] });
  }
}

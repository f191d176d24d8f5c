// SPDX-License-Identifier: Apache-2.0
//
// The query engine: a store, limits and a clock. One method per question.

import type { FlameGraph } from '@hearthscope/profile/flame-graph';
import type { LabelSet } from '@hearthscope/profile/labels';
import type { Store, TimeRange } from '../storage/store.ts';
import { type FrameNaming, NAMES_AS_STORED } from './frame-naming.ts';
import { labelNames, labelValues, profileTypes, series } from './label-queries.ts';
import { mergeStacktraces } from './merge-stacktraces.ts';
import { checkRange, type QueryLimits } from './query-limits.ts';
import { type QueryOptions, QueryScheduler } from './query-scheduler.ts';
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
 * invalid_argument. Any question can fail as {@link QueryScheduler.run} says. */
export interface Querier {
  profileTypes(tenant: string, range: TimeRange, options?: QueryOptions): Promise<ProfileTypeAnswer[]>;
  labelNames(tenant: string, request: LabelNamesRequest, options?: QueryOptions): Promise<string[]>;
  labelValues(tenant: string, request: LabelValuesRequest, options?: QueryOptions): Promise<string[]>;
  series(tenant: string, request: SeriesRequest, options?: QueryOptions): Promise<LabelSet[]>;
  selectSeries(
    tenant: string,
    request: SelectSeriesRequest,
    options?: QueryOptions,
  ): Promise<TimeSeriesAnswer[]>;
  mergeStacktraces(
    tenant: string,
    request: MergeStacktracesRequest,
    options?: QueryOptions,
  ): Promise<FlameGraph>;
  profileStats(tenant: string, options?: QueryOptions): Promise<ProfileStatsAnswer>;
  analyzeQuery(
    tenant: string,
    request: AnalyzeQueryRequest,
    options?: QueryOptions,
  ): Promise<AnalyzeQueryAnswer>;
}

export class StoreQuerier implements Querier {
  readonly scheduler: QueryScheduler;
  readonly #store: Store;
  readonly #limits: QueryLimits;
  readonly #now: () => number;
  readonly #naming: FrameNaming;

  /** @param now milliseconds since the Unix epoch */
  constructor(store: Store, limits: QueryLimits, now: () => number, naming: FrameNaming = NAMES_AS_STORED) {
    this.scheduler = new QueryScheduler(limits);
    this.#store = store;
    this.#limits = limits;
    this.#now = now;
    this.#naming = naming;
  }

  profileTypes: Querier['profileTypes'] = (tenant, range, options) =>
    this.scheduler.run(() => profileTypes(this.#store, this.#limits, tenant, range, this.#now()), options);

  labelNames: Querier['labelNames'] = (tenant, request, options) =>
    this.scheduler.run(() => labelNames(this.#store, this.#limits, tenant, request), options);

  labelValues: Querier['labelValues'] = (tenant, request, options) =>
    this.scheduler.run(() => labelValues(this.#store, this.#limits, tenant, request), options);

  series: Querier['series'] = (tenant, request, options) =>
    this.scheduler.run(() => series(this.#store, this.#limits, tenant, request), options);

  selectSeries: Querier['selectSeries'] = (tenant, request, options) =>
    this.scheduler.run(() => selectSeries(this.#store, this.#limits, tenant, request), options);

  mergeStacktraces: Querier['mergeStacktraces'] = (tenant, request, options) =>
    this.scheduler.run(
      (pace) => mergeStacktraces(this.#store, this.#naming, this.#limits, tenant, request, pace),
      options,
    );

  profileStats: Querier['profileStats'] = (tenant, options) =>
    this.scheduler.run(async () => {
      const { range } = await this.#store.stats(tenant);
      return {
        dataIngested: range !== undefined,
        oldestProfileMillis: range?.startMillis ?? 0,
        newestProfileMillis: range?.endMillis ?? 0,
      };
    }, options);

  analyzeQuery: Querier['analyzeQuery'] = (tenant, request, options) =>
    this.scheduler.run(async () => {
      checkRange(request, this.#limits);
      const { startMillis, endMillis } = request;
      const alternatives = [parseSelector(request.query)];
      return this.#store.size(tenant, { startMillis, endMillis, alternatives });
    }, options);
}

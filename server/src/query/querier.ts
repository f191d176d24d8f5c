// SPDX-License-Identifier: Apache-2.0
//
// The query engine: a store, limits and a clock. One method per question.

import { DEFAULT_TENANT_LIMITS } from '@hearthscope/collector/limits/tenant-limits';
import type { FlameGraph } from '@hearthscope/profile/flame-graph';
import type { FlameGraphDiff } from '@hearthscope/profile/flame-graph-diff';
import type { FunctionTable, FunctionTableDiff } from '@hearthscope/profile/function-table';
import type { LabelSet } from '@hearthscope/profile/labels';
import type { Sandwich } from '@hearthscope/profile/sandwich';
import type { Store, TimeRange } from '../storage/store.ts';
import { type FrameNaming, NAMES_AS_STORED } from './frame-naming.ts';
import { labelNames, labelValues, profileTypes, series } from './label-queries.ts';
import { mergeProfile } from './merge-profile.ts';
import {
  diff,
  diffFunctions,
  functions,
  mergeDot,
  mergeStacktraces,
  mergeTree,
  sandwich,
} from './merge-stacktraces.ts';
import type { QueryContext } from './query-context.ts';
import {
  DEFAULT_QUERY_LIMITS,
  type QueryLimits,
  strictestLimits,
  type TenantQueryLimits,
} from './query-limits.ts';
import { type QueryOptions, QueryScheduler } from './query-scheduler.ts';
import type {
  AnalyzeQueryAnswer,
  AnalyzeQueryRequest,
  DiffRequest,
  HeatmapAnswer,
  HeatmapRequest,
  LabelNamesRequest,
  LabelValuesRequest,
  MergeProfileRequest,
  MergeStacktracesRequest,
  ProfileStatsAnswer,
  ProfileTypeAnswer,
  SandwichRequest,
  SelectSeriesRequest,
  SeriesRequest,
  TimeSeriesAnswer,
} from './requests.ts';
import { selectHeatmap } from './select-heatmap.ts';
import { selectSeries } from './select-series.ts';
import { analyzeQuery, profileStats } from './tenant-statistics.ts';

/** Whose data a question is about: that of all these tenants together. */
type Tenants = readonly string[];

/** Requests are checked in the order range, profile type, selector, and refused with HearthscopeError
 * invalid_argument. A range that lies too far back is no error: nothing is found. Any question can fail as
 * {@link QueryScheduler.run} says. */
export interface Querier {
  profileTypes(tenants: Tenants, range: TimeRange, options?: QueryOptions): Promise<ProfileTypeAnswer[]>;
  labelNames(tenants: Tenants, request: LabelNamesRequest, options?: QueryOptions): Promise<string[]>;
  labelValues(tenants: Tenants, request: LabelValuesRequest, options?: QueryOptions): Promise<string[]>;
  series(tenants: Tenants, request: SeriesRequest, options?: QueryOptions): Promise<LabelSet[]>;
  selectSeries(
    tenants: Tenants,
    request: SelectSeriesRequest,
    options?: QueryOptions,
  ): Promise<TimeSeriesAnswer[]>;
  selectHeatmap(tenants: Tenants, request: HeatmapRequest, options?: QueryOptions): Promise<HeatmapAnswer[]>;
  mergeStacktraces(
    tenants: Tenants,
    request: MergeStacktracesRequest,
    options?: QueryOptions,
  ): Promise<FlameGraph>;
  /** A tree as bytes; see `profile/src/tree-codec.ts`. None when nothing matches. */
  mergeTree(tenants: Tenants, request: MergeStacktracesRequest, options?: QueryOptions): Promise<Uint8Array>;
  /** A graph in the DOT language; '' when nothing matches. */
  mergeDot(tenants: Tenants, request: MergeStacktracesRequest, options?: QueryOptions): Promise<string>;
  /** pprof, uncompressed. No bytes, which are an empty profile, when nothing matches. */
  mergeProfile(tenants: Tenants, request: MergeProfileRequest, options?: QueryOptions): Promise<Uint8Array>;
  diff(tenants: Tenants, request: DiffRequest, options?: QueryOptions): Promise<FlameGraphDiff>;
  functions(
    tenants: Tenants,
    request: MergeStacktracesRequest,
    options?: QueryOptions,
  ): Promise<FunctionTable>;
  diffFunctions(tenants: Tenants, request: DiffRequest, options?: QueryOptions): Promise<FunctionTableDiff>;
  sandwich(tenants: Tenants, request: SandwichRequest, options?: QueryOptions): Promise<Sandwich>;
  profileStats(tenants: Tenants, options?: QueryOptions): Promise<ProfileStatsAnswer>;
  analyzeQuery(
    tenants: Tenants,
    request: AnalyzeQueryRequest,
    options?: QueryOptions,
  ): Promise<AnalyzeQueryAnswer>;
}

export interface StoreQuerierOptions {
  /** Default: those of DEFAULT_QUERY_LIMITS. */
  readonly limits?: QueryLimits;
  /** Of a tenant, now. Default: those of DEFAULT_TENANT_LIMITS. */
  readonly limitsOf?: (tenant: string) => TenantQueryLimits;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Default: none. */
  readonly naming?: FrameNaming | undefined;
}

type Question<Request, Answer> = (context: QueryContext, request: Request) => Promise<Answer>;

export class StoreQuerier implements Querier {
  readonly scheduler: QueryScheduler;
  readonly #store: Store;
  readonly #limits: QueryLimits;
  readonly #limitsOf: (tenant: string) => TenantQueryLimits;
  readonly #now: () => number;
  readonly #naming: FrameNaming;

  constructor(store: Store, options: StoreQuerierOptions) {
    const { limits = DEFAULT_QUERY_LIMITS, limitsOf = () => DEFAULT_TENANT_LIMITS } = options;
    this.scheduler = new QueryScheduler(limits);
    this.#store = store;
    this.#limits = limits;
    this.#limitsOf = limitsOf;
    this.#now = options.now;
    this.#naming = options.naming ?? NAMES_AS_STORED;
  }

  profileTypes: Querier['profileTypes'] = this.#answering(profileTypes);
  labelNames: Querier['labelNames'] = this.#answering(labelNames);
  labelValues: Querier['labelValues'] = this.#answering(labelValues);
  series: Querier['series'] = this.#answering(series);
  selectSeries: Querier['selectSeries'] = this.#answering(selectSeries);
  selectHeatmap: Querier['selectHeatmap'] = this.#answering(selectHeatmap);
  mergeStacktraces: Querier['mergeStacktraces'] = this.#answering(mergeStacktraces);
  mergeTree: Querier['mergeTree'] = this.#answering(mergeTree);
  mergeDot: Querier['mergeDot'] = this.#answering(mergeDot);
  mergeProfile: Querier['mergeProfile'] = this.#answering(mergeProfile);
  diff: Querier['diff'] = this.#answering(diff);
  functions: Querier['functions'] = this.#answering(functions);
  diffFunctions: Querier['diffFunctions'] = this.#answering(diffFunctions);
  sandwich: Querier['sandwich'] = this.#answering(sandwich);
  analyzeQuery: Querier['analyzeQuery'] = this.#answering(analyzeQuery);

  profileStats: Querier['profileStats'] = (tenants, options) =>
    this.#answering(profileStats)(tenants, undefined, options);

  #answering<Request, Answer>(
    question: Question<Request, Answer>,
  ): (tenants: Tenants, request: Request, options?: QueryOptions) => Promise<Answer> {
    return (tenants, request, options) =>
      this.scheduler.run(
        (pace) =>
          question(
            {
              store: this.#store,
              naming: this.#naming,
              limits: this.#limits,
              tenants,
              tenantLimits: strictestLimits(tenants.map(this.#limitsOf)),
              nowMillis: this.#now(),
              pace,
            },
            request,
          ),
        options,
      );
  }
}

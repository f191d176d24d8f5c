// SPDX-License-Identifier: Apache-2.0
//
// The API's messages as questions to the query engine.

import { HearthscopeError } from '@hearthscope/profile/errors';
import {
  type DiffRequest,
  HeatmapQueryType,
  type SelectHeatmapRequest,
  type SelectMergeProfileRequest,
  type SelectMergeSpanProfileRequest,
  type SelectMergeStacktracesRequest,
  type SelectSeriesRequest,
} from '../../gen/querier/v1/querier_pb.js';
import {
  ExemplarType,
  type StackFrameFilter,
  type StackTraceSelector,
  TimeSeriesAggregationType,
} from '../../gen/types/v1/types_pb.js';
import type {
  DiffRequest as DiffQuery,
  ExemplarKind,
  FrameFilter,
  GoPgo,
  HeatmapRequest,
  MergeProfileRequest,
  MergeStacktracesRequest,
  SandwichRequest,
  SelectSeriesRequest as SelectSeriesQuery,
} from '../query/requests.ts';
import type { TimeRange } from '../storage/store.ts';

/** Times beyond the exact range of a number are further away than any profile can be. */
export function timeRange({ start, end }: { readonly start: bigint; readonly end: bigint }): TimeRange {
  return { startMillis: Number(start), endMillis: Number(end) };
}

interface ProfileSelectionMessage {
  readonly start: bigint;
  readonly end: bigint;
  readonly profileTypeID: string;
  readonly labelSelector: string;
}

function profileSelection(request: ProfileSelectionMessage) {
  return {
    ...timeRange(request),
    profileTypeId: request.profileTypeID,
    labelSelector: request.labelSelector,
  };
}

function stackSelector(selector: StackTraceSelector | undefined) {
  return {
    callSite: (selector?.callSite ?? []).map(({ name }) => name),
    frameFilter: selector?.frameFilter && frameFilter(selector.frameFilter),
  };
}

function frameFilter(filter: StackFrameFilter): FrameFilter {
  return {
    includeNames: filter.includeFunctionNames,
    excludeNames: filter.excludeFunctionNames,
    includeRegexes: filter.includeFunctionNameRegexes,
    excludeRegexes: filter.excludeFunctionNameRegexes,
  };
}

export function mergeStacktracesQuery(request: SelectMergeStacktracesRequest): MergeStacktracesRequest {
  return {
    ...profileSelection(request),
    ...stackSelector(request.stackTraceSelector),
    maxNodes: numberOf(request.maxNodes),
    profileIds: listOf(request.profileIdSelector),
    traceIds: listOf(request.traceIdSelector),
    spanIds: listOf(request.spanSelector),
  };
}

/** The pprof of a request for stack traces. */
export function mergePprofQuery(request: SelectMergeStacktracesRequest): MergeProfileRequest {
  return { ...mergeStacktracesQuery(request), goPgo: goPgo(request.stackTraceSelector) };
}

/** @throws HearthscopeError invalid_argument */
export function sandwichQuery(request: SelectMergeStacktracesRequest): SandwichRequest {
  if (!request.sandwichFunction) {
    throw new HearthscopeError('invalid_argument', 'sandwich_function is required');
  }
  return { ...mergeStacktracesQuery(request), functionName: request.sandwichFunction };
}

export function mergeSpanProfileQuery(request: SelectMergeSpanProfileRequest): MergeStacktracesRequest {
  return {
    ...profileSelection(request),
    callSite: [],
    maxNodes: numberOf(request.maxNodes),
    profileIds: undefined,
    traceIds: undefined,
    spanIds: listOf(request.spanSelector),
  };
}

export function mergeProfileQuery(request: SelectMergeProfileRequest): MergeProfileRequest {
  return {
    ...profileSelection(request),
    ...stackSelector(request.stackTraceSelector),
    goPgo: goPgo(request.stackTraceSelector),
    maxNodes: numberOf(request.maxNodes),
    profileIds: listOf(request.profileIdSelector),
    traceIds: listOf(request.traceIdSelector),
    spanIds: undefined,
  };
}

function goPgo(selector: StackTraceSelector | undefined): GoPgo | undefined {
  const shape = selector?.goPgo;
  return shape && { keepLocations: shape.keepLocations, aggregateCallees: shape.aggregateCallees };
}

/** A side that is missing is a request without anything, which is refused for its time range. */
const NO_SIDE: MergeStacktracesRequest = {
  startMillis: 0,
  endMillis: 0,
  profileTypeId: '',
  labelSelector: '',
  maxNodes: undefined,
  callSite: [],
  profileIds: undefined,
  traceIds: undefined,
  spanIds: undefined,
};

export function diffQuery({ left, right, maxNodes }: DiffRequest): DiffQuery {
  const side = (request: SelectMergeStacktracesRequest | undefined) => {
    const query = request === undefined ? NO_SIDE : mergeStacktracesQuery(request);
    return maxNodes === undefined ? query : { ...query, maxNodes: Number(maxNodes) };
  };
  return { left: side(left), right: side(right) };
}

export function selectSeriesQuery(request: SelectSeriesRequest): SelectSeriesQuery {
  return {
    ...profileSelection(request),
    ...stackSelector(request.stackTraceSelector),
    groupBy: request.groupBy,
    stepSeconds: request.step,
    aggregation: request.aggregation === TimeSeriesAggregationType.AVERAGE ? 'average' : 'sum',
    limit: numberOf(request.limit) ?? 0,
    exemplars: exemplarKind(request.exemplarType),
  };
}

/** @throws HearthscopeError invalid_argument */
export function heatmapQuery(request: SelectHeatmapRequest): HeatmapRequest {
  return {
    ...profileSelection(request),
    groupBy: request.groupBy,
    stepSeconds: request.step,
    of: heatmapKind(request.queryType),
    exemplars: exemplarKind(request.exemplarType),
    limit: numberOf(request.limit) ?? 0,
  };
}

function heatmapKind(type: HeatmapQueryType): HeatmapRequest['of'] {
  if (type === HeatmapQueryType.INDIVIDUAL) return 'individual';
  if (type === HeatmapQueryType.SPAN) return 'span';
  throw new HearthscopeError('invalid_argument', 'valid heatmap query type must be specified');
}

function exemplarKind(type: ExemplarType): ExemplarKind {
  if (type === ExemplarType.INDIVIDUAL) return 'individual';
  return type === ExemplarType.SPAN ? 'span' : 'none';
}

function numberOf(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** An empty list selects nothing away. */
function listOf(values: readonly string[]): readonly string[] | undefined {
  return values.length === 0 ? undefined : values;
}

// SPDX-License-Identifier: Apache-2.0
//
// Between the API's messages and the query engine's plain data.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { FlameGraph } from '@hearthscope/profile/flame-graph';
import type { LabelSet } from '@hearthscope/profile/labels';
import type {
  AnalyzeQueryResponseSchema,
  FlameGraphSchema,
  SelectMergeSpanProfileRequest,
  SelectMergeStacktracesRequest,
  SelectSeriesRequest,
} from '../../gen/querier/v1/querier_pb.js';
import { AsyncQueryType, ProfileFormat } from '../../gen/querier/v1/querier_pb.js';
import type { LabelsSchema, ProfileTypeSchema, SeriesSchema } from '../../gen/types/v1/types_pb.js';
import { ExemplarType, TimeSeriesAggregationType } from '../../gen/types/v1/types_pb.js';
import type {
  AnalyzeQueryAnswer,
  ExemplarKind,
  MergeStacktracesRequest,
  ProfileTypeAnswer,
  SelectSeriesRequest as SelectSeriesQuery,
  TimeSeriesAnswer,
} from '../query/requests.ts';
import type { TimeRange } from '../storage/store.ts';

/** Times beyond the exact range of a number are further away than any profile can be. */
export function timeRange({ start, end }: { readonly start: bigint; readonly end: bigint }): TimeRange {
  return { startMillis: Number(start), endMillis: Number(end) };
}

/** @throws HearthscopeError unimplemented for formats and options that are not available */
export function mergeStacktracesQuery(request: SelectMergeStacktracesRequest): MergeStacktracesRequest {
  requireFlameGraph(request.format);
  if (request.async?.type === AsyncQueryType.FORCE) {
    throw new HearthscopeError('unimplemented', 'async queries are not available');
  }
  if (request.stackTraceSelector?.goPgo !== undefined) {
    throw new HearthscopeError('unimplemented', 'go_pgo shapes pprof profiles, not flame graphs');
  }
  return {
    ...timeRange(request),
    profileTypeId: request.profileTypeID,
    labelSelector: request.labelSelector,
    maxNodes: numberOf(request.maxNodes),
    callSite: (request.stackTraceSelector?.callSite ?? []).map(({ name }) => name),
    profileIds: listOf(request.profileIdSelector),
    traceIds: listOf(request.traceIdSelector),
    spanIds: listOf(request.spanSelector),
  };
}

/** @throws HearthscopeError unimplemented for formats that are not available */
export function mergeSpanProfileQuery(request: SelectMergeSpanProfileRequest): MergeStacktracesRequest {
  requireFlameGraph(request.format);
  return {
    ...timeRange(request),
    profileTypeId: request.profileTypeID,
    labelSelector: request.labelSelector,
    maxNodes: numberOf(request.maxNodes),
    callSite: [],
    profileIds: undefined,
    traceIds: undefined,
    spanIds: listOf(request.spanSelector),
  };
}

export function selectSeriesQuery(request: SelectSeriesRequest): SelectSeriesQuery {
  return {
    ...timeRange(request),
    profileTypeId: request.profileTypeID,
    labelSelector: request.labelSelector,
    groupBy: request.groupBy,
    stepSeconds: request.step,
    aggregation: request.aggregation === TimeSeriesAggregationType.AVERAGE ? 'average' : 'sum',
    limit: numberOf(request.limit) ?? 0,
    exemplars: exemplarKind(request.exemplarType),
  };
}

export function flameGraphMessage(flameGraph: FlameGraph): MessageInitShape<typeof FlameGraphSchema> {
  const { names, levels, total, maxSelf } = flameGraph;
  return {
    names: [...names],
    levels: levels.map((values) => ({ values: Array.from(values) })),
    total,
    maxSelf,
  };
}

export function profileTypeMessage(type: ProfileTypeAnswer): MessageInitShape<typeof ProfileTypeSchema> {
  return {
    ID: type.id,
    name: type.name,
    sampleType: type.sampleType.type,
    sampleUnit: type.sampleType.unit,
    periodType: type.periodType.type,
    periodUnit: type.periodType.unit,
  };
}

export function labelsMessage(labels: LabelSet): MessageInitShape<typeof LabelsSchema> {
  return { labels: [...labels] };
}

export function seriesMessage({ labels, points }: TimeSeriesAnswer): MessageInitShape<typeof SeriesSchema> {
  return {
    labels: [...labels],
    points: points.map(({ timestampMillis, value, exemplar }) => ({
      timestamp: BigInt(timestampMillis),
      value,
      exemplars:
        exemplar === undefined
          ? []
          : [
              {
                timestamp: BigInt(exemplar.timestampMillis),
                profileId: uuidOf(exemplar.profileId),
                value: exemplar.value,
                labels: [...exemplar.labels],
              },
            ],
    })),
  };
}

export function analyzeQueryMessage(
  answer: AnalyzeQueryAnswer,
): MessageInitShape<typeof AnalyzeQueryResponseSchema> {
  const { series, profiles, samples, bytes } = answer;
  return {
    queryScopes: [
      {
        componentType: 'head',
        componentCount: 1n,
        seriesCount: BigInt(series),
        profileCount: BigInt(profiles),
        sampleCount: BigInt(samples),
        profileBytes: BigInt(bytes),
      },
    ],
    queryImpact: { totalBytesInTimeRange: BigInt(bytes), totalQueriedSeries: BigInt(series) },
  };
}

function requireFlameGraph(format: ProfileFormat): void {
  if (format === ProfileFormat.UNSPECIFIED || format === ProfileFormat.FLAMEGRAPH) return;
  throw new HearthscopeError(
    'unimplemented',
    `the format ${ProfileFormat[format] ?? format} is not available`,
  );
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

/** 8-4-4-4-12, as clients of this API write profile ids. */
function uuidOf(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

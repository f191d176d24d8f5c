// SPDX-License-Identifier: Apache-2.0
//
// The query engine's answers as the API's messages.

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type FlameGraph, ROOT_NAME } from '@hearthscope/profile/flame-graph';
import type { FlameGraphDiff } from '@hearthscope/profile/flame-graph-diff';
import type { FunctionTable, FunctionTableDiff } from '@hearthscope/profile/function-table';
import type { LabelSet } from '@hearthscope/profile/labels';
import type { Sandwich, SandwichHalf } from '@hearthscope/profile/sandwich';
import {
  type AnalyzeQueryResponseSchema,
  type FlameGraphDiffSchema,
  type FlameGraphSchema,
  type FunctionTableDiffSchema,
  type FunctionTableSchema,
  type SandwichNode,
  SandwichNodeSchema,
  type SandwichSchema,
} from '../../gen/querier/v1/querier_pb.js';
import type {
  ExemplarSchema,
  HeatmapSeriesSchema,
  LabelsSchema,
  ProfileTypeSchema,
  SeriesSchema,
} from '../../gen/types/v1/types_pb.js';
import type {
  AnalyzeQueryAnswer,
  ExemplarAnswer,
  HeatmapAnswer,
  ProfileTypeAnswer,
  TimeSeriesAnswer,
} from '../query/requests.ts';

/** Viewers fail on a graph without levels: an empty one has its root alone, as Pyroscope's. */
export function flameGraphMessage(flameGraph: FlameGraph): MessageInitShape<typeof FlameGraphSchema> {
  const { names, levels, total, maxSelf } = flameGraph;
  if (levels.length === 0) return { names: [ROOT_NAME], levels: [{ values: [0n, 0n, 0n, 0n] }] };
  return { names: [...names], levels: levelMessages(levels), total, maxSelf };
}

export function flameGraphDiffMessage(
  flameGraph: FlameGraphDiff,
): MessageInitShape<typeof FlameGraphDiffSchema> {
  const { names, levels, total, maxSelf, leftTicks, rightTicks } = flameGraph;
  return { names: [...names], levels: levelMessages(levels), total, maxSelf, leftTicks, rightTicks };
}

function levelMessages(levels: readonly BigInt64Array[]): { values: bigint[] }[] {
  return levels.map((values) => ({ values: Array.from(values) }));
}

export function functionTableMessage({
  functions,
  total,
  totalFunctions,
}: FunctionTable): MessageInitShape<typeof FunctionTableSchema> {
  return { functions: [...functions], total, totalFunctions: BigInt(totalFunctions) };
}

export function functionTableDiffMessage(
  table: FunctionTableDiff,
): MessageInitShape<typeof FunctionTableDiffSchema> {
  const { functions, leftTotal, rightTotal, totalFunctions } = table;
  return { functions: [...functions], leftTotal, rightTotal, totalFunctions: BigInt(totalFunctions) };
}

export function sandwichMessage(sandwich: Sandwich): MessageInitShape<typeof SandwichSchema> {
  const { names, callers, callees, total, self } = sandwich;
  return { names: [...names], callers: halfMessage(callers), callees: halfMessage(callees), total, self };
}

/** The rows as the nodes below their first one. */
function halfMessage({ name, parent, total, self, truncated }: SandwichHalf): SandwichNode {
  const nodes = Array.from(name, (nameIndex, row) =>
    create(SandwichNodeSchema, {
      nameIndex,
      total: total[row]!,
      self: self[row]!,
      truncated: truncated[row] === 1,
    }),
  );
  for (let row = 1; row < nodes.length; row++) nodes[parent[row]!]!.children.push(nodes[row]!);
  return nodes[0]!;
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
      exemplars: exemplar === undefined ? [] : [exemplarMessage(exemplar)],
    })),
  };
}

export function heatmapMessage({
  labels,
  slots,
}: HeatmapAnswer): MessageInitShape<typeof HeatmapSeriesSchema> {
  return {
    labels: [...labels],
    slots: slots.map(({ timestampMillis, yMin, counts, exemplars }) => ({
      timestamp: BigInt(timestampMillis),
      yMin: [...yMin],
      counts: [...counts],
      exemplars: exemplars.map(exemplarMessage),
    })),
  };
}

function exemplarMessage(exemplar: ExemplarAnswer): MessageInitShape<typeof ExemplarSchema> {
  const { timestampMillis, profileId, spanId, traceId, value, labels } = exemplar;
  return {
    timestamp: BigInt(timestampMillis),
    profileId: uuidOf(profileId),
    spanId,
    traceId,
    value,
    labels: [...labels],
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

/** 8-4-4-4-12, as clients of this API write profile ids. */
function uuidOf(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

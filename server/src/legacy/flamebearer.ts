// SPDX-License-Identifier: Apache-2.0
//
// The JSON document in which Pyroscope's plain endpoints and its ad hoc profiles give a flame graph. Numbers are written
// with all their digits: sums of nanoseconds leave the range that JSON.stringify would write exactly.

import { LEVEL_STRIDE, ROOT_NAME } from '@hearthscope/profile/flame-graph';
import type { ValueType } from '@hearthscope/profile/profile-type';
import type { Timeline } from './timeline.ts';

/** Levels of 4 numbers a node, or of 7 for a comparison. */
export interface FlamebearerGraph {
  readonly names: readonly string[];
  readonly levels: readonly BigInt64Array[];
  readonly total: bigint;
  readonly maxSelf: bigint;
}

export interface FlamebearerMetadata {
  readonly format: 'single' | 'double';
  readonly spyName: string;
  /** Values of a second. */
  readonly sampleRate: number;
  readonly units: string;
  readonly name: string;
}

export interface Flamebearer {
  readonly graph: FlamebearerGraph;
  readonly metadata: FlamebearerMetadata;
  readonly timeline?: Timeline;
  /** By the value of the label that was grouped by. */
  readonly groups?: ReadonlyMap<string, Timeline>;
  /** Of a comparison. */
  readonly leftTicks?: bigint;
  readonly rightTicks?: bigint;
}

const FORMAT_VERSION = 1;
const DEFAULT_SAMPLE_RATE = 100;
const NANOS_PER_SECOND = 1_000_000_000;
const OBJECT_TYPES = ['inuse_objects', 'alloc_objects', 'goroutine', 'samples'];

/** How values of a sample type are to be shown: the readers know `samples`, `objects` and units. */
export function flamebearerMetadata(
  { type, unit }: ValueType,
  format: FlamebearerMetadata['format'],
): FlamebearerMetadata {
  const isCpu = type === 'cpu';
  return {
    format,
    spyName: '',
    sampleRate: isCpu ? NANOS_PER_SECOND : DEFAULT_SAMPLE_RATE,
    units: isCpu ? 'samples' : OBJECT_TYPES.includes(type) ? 'objects' : unit,
    name: type,
  };
}

export function encodeFlamebearer({
  graph: anyGraph,
  metadata,
  timeline,
  groups,
  leftTicks,
  rightTicks,
}: Flamebearer): string {
  const graph = withRoot(anyGraph);
  const levels = graph.levels.map((level) => `[${level.join(',')}]`).join(',');
  const parts = [
    `"version":${FORMAT_VERSION}`,
    `"flamebearer":{"names":${JSON.stringify(graph.names)},"levels":[${levels}],` +
      `"numTicks":${graph.total},"maxSelf":${graph.maxSelf}}`,
    `"metadata":${JSON.stringify(metadata)}`,
    `"timeline":${timeline === undefined ? 'null' : encodeTimeline(timeline)}`,
    `"groups":${groups === undefined ? 'null' : encodeGroups(groups)}`,
    '"heatmap":null',
  ];
  if (leftTicks !== undefined) parts.push(`"leftTicks":${leftTicks}`);
  if (rightTicks !== undefined) parts.push(`"rightTicks":${rightTicks}`);
  return `{${parts.join(',')}}`;
}

/** Some readers cannot do without the bar of everything, so that it is there even when there is nothing. */
function withRoot(graph: FlamebearerGraph): FlamebearerGraph {
  if (graph.levels.length > 0) return graph;
  return { ...graph, names: [ROOT_NAME], levels: [new BigInt64Array(LEVEL_STRIDE)] };
}

function encodeTimeline({ startUnixSeconds, stepSeconds, samples }: Timeline): string {
  return `{"startTime":${startUnixSeconds},"samples":[${samples.join(',')}],"durationDelta":${stepSeconds},"watermarks":null}`;
}

function encodeGroups(groups: ReadonlyMap<string, Timeline>): string {
  const members = [...groups].map(
    ([value, timeline]) => `${JSON.stringify(value)}:${encodeTimeline(timeline)}`,
  );
  return `{${members.join(',')}}`;
}

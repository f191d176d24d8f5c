// SPDX-License-Identifier: Apache-2.0
//
// The questions and answers of the query engine as plain data, which crosses from thread to thread. The API's messages
// are made from these, and these know nothing of the API.

import type { Label, LabelSet } from '@hearthscope/profile/labels';
import type { ProfileType } from '@hearthscope/profile/profile-type';
import type { TimeRange } from '../storage/store.ts';

export interface LabelNamesRequest extends TimeRange {
  /** Label selectors; a series must match one of them. None means all series. */
  readonly matchers: readonly string[];
}

export interface LabelValuesRequest extends LabelNamesRequest {
  readonly name: string;
}

export interface SeriesRequest extends LabelNamesRequest {
  /** What the label sets are reduced to; none means all names. */
  readonly labelNames: readonly string[];
}

/** Profiles of one type. */
export interface ProfileSelectionRequest extends TimeRange {
  /** `name:sampleType:sampleUnit:periodType:periodUnit` */
  readonly profileTypeId: string;
  readonly labelSelector: string;
}

/** Whole stacks by the names of the functions on them. Values are untouched. */
export interface FrameFilter {
  /** Each of them is on the stack. */
  readonly includeNames: readonly string[];
  /** None of them is. */
  readonly excludeNames: readonly string[];
  /** RE2; each is found somewhere in the name of a function on the stack. */
  readonly includeRegexes: readonly string[];
  /** RE2; found in none. */
  readonly excludeRegexes: readonly string[];
}

/** Stacks of the profiles of one type. */
export interface StackSelectionRequest extends ProfileSelectionRequest {
  /** Function names, root first: only stacks that begin with them. */
  readonly callSite: readonly string[];
  readonly frameFilter?: FrameFilter | undefined;
  /** UUIDs; undefined when profiles are not selected by id. */
  readonly profileIds: readonly string[] | undefined;
  /** 32 hex digits each. */
  readonly traceIds: readonly string[] | undefined;
  /** 16 hex digits each. Not together with `traceIds`. */
  readonly spanIds: readonly string[] | undefined;
}

export interface MergeStacktracesRequest extends StackSelectionRequest {
  /** Undefined or 0 for the default. */
  readonly maxNodes: number | undefined;
}

/** Shapes a profile for profile-guided optimisation of Go programs. */
export interface GoPgo {
  /** Locations next to the leaf that stay; 0 for all. */
  readonly keepLocations: number;
  /** Whether the line within the leaf function does not matter. */
  readonly aggregateCallees: boolean;
}

export interface MergeProfileRequest extends StackSelectionRequest {
  /** Undefined or 0 for all. */
  readonly maxNodes: number | undefined;
  /** Takes precedence over `callSite`. */
  readonly goPgo?: GoPgo | undefined;
}

export interface DiffRequest {
  readonly left: MergeStacktracesRequest;
  readonly right: MergeStacktracesRequest;
}

export interface SandwichRequest extends MergeStacktracesRequest {
  /** The function in the middle. */
  readonly functionName: string;
}

export type ExemplarKind = 'none' | 'individual' | 'span';

export interface SelectSeriesRequest extends ProfileSelectionRequest {
  readonly groupBy: readonly string[];
  readonly stepSeconds: number;
  readonly aggregation: 'sum' | 'average';
  /** At most so many series, those with the largest totals; 0 for all. */
  readonly limit: number;
  readonly exemplars: ExemplarKind;
  /** Function names, root first: only the value of stacks that begin with them. */
  readonly callSite?: readonly string[];
  /** Only the value of stacks that pass. */
  readonly frameFilter?: FrameFilter | undefined;
}

export interface HeatmapRequest extends ProfileSelectionRequest {
  readonly groupBy: readonly string[];
  readonly stepSeconds: number;
  /** Whether a point is a profile or a span of one. */
  readonly of: 'individual' | 'span';
  readonly exemplars: ExemplarKind;
  /** At most so many series, those with the most points; 0 for all. */
  readonly limit: number;
}

export interface ProfileTypeAnswer extends ProfileType {
  readonly id: string;
}

export interface ExemplarAnswer {
  readonly timestampMillis: number;
  /** 32 hex digits, '' when the profile has none or when it stands for a span. */
  readonly profileId: string;
  /** 16 hex digits, '' when it stands for a profile. */
  readonly spanId: string;
  /** 32 hex digits, '' when it stands for a profile. */
  readonly traceId: string;
  readonly value: bigint;
  /** Labels of its series that are not grouped by. */
  readonly labels: readonly Label[];
}

export interface PointAnswer {
  readonly timestampMillis: number;
  readonly value: number;
  readonly exemplar: ExemplarAnswer | undefined;
}

export interface TimeSeriesAnswer {
  readonly labels: LabelSet;
  /** By time; steps without profiles have no point. */
  readonly points: readonly PointAnswer[];
}

export interface HeatmapSlotAnswer {
  /** The end of the step, which belongs to it. */
  readonly timestampMillis: number;
  /** Where each bucket begins; the same in all slots of an answer. */
  readonly yMin: readonly number[];
  /** Points of each bucket. */
  readonly counts: readonly number[];
  /** The point with the largest value of each bucket that has any, when they were asked for. */
  readonly exemplars: readonly ExemplarAnswer[];
}

export interface HeatmapAnswer {
  readonly labels: LabelSet;
  /** By time; steps without points have no slot. */
  readonly slots: readonly HeatmapSlotAnswer[];
}

export interface ProfileStatsAnswer {
  readonly dataIngested: boolean;
  readonly oldestProfileMillis: number;
  readonly newestProfileMillis: number;
}

export interface AnalyzeQueryRequest extends TimeRange {
  /** `<profile type>{<selector>}` */
  readonly query: string;
}

export interface AnalyzeQueryAnswer {
  readonly series: number;
  readonly profiles: number;
  readonly samples: number;
  readonly bytes: number;
}

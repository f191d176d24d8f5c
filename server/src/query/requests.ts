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

export type ExemplarKind = 'none' | 'individual' | 'span';

export interface SelectSeriesRequest extends ProfileSelectionRequest {
  readonly groupBy: readonly string[];
  readonly stepSeconds: number;
  readonly aggregation: 'sum' | 'average';
  /** At most so many series, those with the largest totals; 0 for all. */
  readonly limit: number;
  readonly exemplars: ExemplarKind;
}

export interface MergeStacktracesRequest extends ProfileSelectionRequest {
  /** Undefined or 0 for the default. */
  readonly maxNodes: number | undefined;
  /** Function names, root first: only stacks that begin with them. */
  readonly callSite: readonly string[];
  /** UUIDs; undefined when profiles are not selected by id. */
  readonly profileIds: readonly string[] | undefined;
  /** 32 hex digits each. */
  readonly traceIds: readonly string[] | undefined;
  /** 16 hex digits each. Not together with `traceIds`. */
  readonly spanIds: readonly string[] | undefined;
}

export interface ProfileTypeAnswer extends ProfileType {
  readonly id: string;
}

export interface ExemplarAnswer {
  readonly timestampMillis: number;
  readonly profileId: string;
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

// SPDX-License-Identifier: Apache-2.0
//
// The seam between what asks for profiles and what keeps them. The WAL with its head is one store; blocks, and a cluster
// that lives elsewhere, are others. A store answers with exact sums: what is cut off for display is cut after it.

import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import type { LabelSet } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import type { LabelMatcher } from '@hearthscope/profile/selector/label-matcher';
import type { Steps } from '@hearthscope/profile/steps';
import type { TimeSteps } from './time-steps.ts';

/** Milliseconds since the Unix epoch, both ends inclusive. A profile is where its start time is, rounded down. */
export interface TimeRange {
  readonly startMillis: number;
  readonly endMillis: number;
}

/** The series that match all matchers of one of the alternatives; no alternatives means all series. */
export interface SeriesSelection extends TimeRange {
  readonly alternatives: readonly (readonly LabelMatcher[])[];
  /** What was deleted and may still be there. Stores add it themselves. */
  readonly deleted?: readonly DeletedProfiles[];
}

/** The profiles of a service that start up to a moment. */
export interface DeletedProfiles {
  readonly service: string;
  readonly throughMillis: number;
}

/** Narrows a selection to some profiles or samples. An absent list does not narrow; all ids are lower-case hex. */
export interface SampleFilter {
  /** 32 digits. */
  readonly profileIds?: readonly string[] | undefined;
  /** 32 digits. */
  readonly traceIds?: readonly string[] | undefined;
  /** 16 digits. */
  readonly spanIds?: readonly string[] | undefined;
}

/** The profiles of one series, in order of arrival: column i is one profile. */
export interface SeriesTotals {
  readonly labels: LabelSet;
  readonly timeUnixMillis: Float64Array;
  /** Sum of the values of the profile's samples. */
  readonly total: BigInt64Array;
  /** 32 hex digits, or ''. */
  profileId(index: number): string;
}

/** The spans of one series' profiles: row i is one span of one profile. */
export interface SeriesSpans {
  readonly labels: LabelSet;
  /** Of the profile. */
  readonly timeUnixMillis: Float64Array;
  /** Sum of the values of the profile's samples in that span. */
  readonly total: BigInt64Array;
  /** 32 hex digits, or ''. */
  profileId(index: number): string;
  /** 16 hex digits. */
  spanId(index: number): string;
  /** 32 hex digits, or '' when only the span is known. */
  traceId(index: number): string;
}

/** Chooses among stacks: a flag for each sample of the profile, 1 for those that count.
 * @param stacks as {@link Store.mergeStacks} gives them */
/** The totals of one series summed by step: row i is one step in which it has profiles. */
export interface SeriesSteps {
  readonly labels: LabelSet;
  /** Numbers of steps; one may be there several times. */
  readonly step: Float64Array;
  /** May leave int64. */
  readonly sum: readonly bigint[];
  readonly profiles: Float64Array;
}

export type StackChoice = (stacks: Profile) => Promise<Uint8Array>;

export interface TenantStats {
  readonly profiles: number;
  /** Undefined when there are no profiles. */
  readonly range: TimeRange | undefined;
}

/** What a selection covers, counted without reading samples. */
export interface SelectionSize {
  readonly series: number;
  readonly profiles: number;
  readonly samples: number;
  /** Bytes that the profiles and samples take in this store. */
  readonly bytes: number;
}

/** Does long work bit by bit, so that what shares its thread is not kept waiting. */
export interface Pace {
  /** @throws HearthscopeError deadline_exceeded or canceled when the work is given up */
  run<Result>(steps: Steps<Result>): Promise<Result>;
}

export interface Store {
  /** Resolves once the profiles will survive the end of the process and are visible to queries: all or none of them.
   * @throws HearthscopeError unavailable when the store is full or cannot write; nothing is kept then */
  append(tenant: string, profiles: readonly NormalisedProfile[]): Promise<void>;
  /** The label sets of the selected series that have a profile in the range, in no particular order. */
  series(tenant: string, selection: SeriesSelection): Promise<LabelSet[]>;
  /** The profiles of the selection, by series. */
  totals(tenant: string, selection: SeriesSelection): Promise<SeriesTotals[]>;
  /** The same summed by step. A series may be there several times. */
  stepTotals(tenant: string, selection: SeriesSelection, steps: TimeSteps): Promise<SeriesSteps[]>;
  /** All samples of the selection summed by stack: one profile with one sample type, without times, attributes and
   * links. Undefined when nothing matches.
   * @throws HearthscopeError failed_precondition when a sum leaves int64 */
  mergeStacks(
    tenant: string,
    selection: SeriesSelection,
    filter: SampleFilter,
    pace: Pace,
  ): Promise<Profile | undefined>;
  /** The profiles of the selection, by series, with the totals of some of their stacks alone. Profiles of which nothing is
   * left have the total 0. */
  stackTotals(
    tenant: string,
    selection: SeriesSelection,
    choose: StackChoice,
    pace: Pace,
  ): Promise<SeriesTotals[]>;
  /** The spans of the selection's profiles, by series. Samples in no span are left out.
   * @throws HearthscopeError resource_exhausted when there are more than `maxSpans` */
  spanTotals(
    tenant: string,
    selection: SeriesSelection,
    maxSpans: number,
    pace: Pace,
  ): Promise<SeriesSpans[]>;
  size(tenant: string, selection: SeriesSelection): Promise<SelectionSize>;
  stats(tenant: string): Promise<TenantStats>;
}

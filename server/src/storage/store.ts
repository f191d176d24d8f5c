// SPDX-License-Identifier: Apache-2.0
//
// The seam between what asks for profiles and what keeps them. The WAL with its head is one store; blocks, and a cluster
// that lives elsewhere, are others. A store answers with exact sums: what is cut off for display is cut after it.

import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import type { LabelSet } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import type { Steps } from '@hearthscope/profile/steps';
import type { LabelMatcher } from './label-matcher.ts';

/** Milliseconds since the Unix epoch, both ends inclusive. A profile is where its start time is, rounded down. */
export interface TimeRange {
  readonly startMillis: number;
  readonly endMillis: number;
}

/** The series that match all matchers of one of the alternatives; no alternatives means all series. */
export interface SeriesSelection extends TimeRange {
  readonly alternatives: readonly (readonly LabelMatcher[])[];
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
  /** All samples of the selection summed by stack: one profile with one sample type, without times, attributes and
   * links. Undefined when nothing matches.
   * @throws HearthscopeError failed_precondition when a sum leaves int64 */
  mergeStacks(
    tenant: string,
    selection: SeriesSelection,
    filter: SampleFilter,
    pace: Pace,
  ): Promise<Profile | undefined>;
  size(tenant: string, selection: SeriesSelection): Promise<SelectionSize>;
  stats(tenant: string): Promise<TenantStats>;
}

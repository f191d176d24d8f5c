// SPDX-License-Identifier: Apache-2.0
//
// The last step: each series gets a profile of its own with its samples, equal ones summed. Sample types that were measured
// together (samples and time on CPU, objects and bytes) have the same rows, and then the work is done once and the tables
// are shared, as profiles never change.

import type { LabelSet } from '@hearthscope/profile/labels';
import type { Profile, SampleTable } from '@hearthscope/profile/profile';
import type { NormalisedProfile } from '../normalised-profile.ts';
import { SampleSelector } from '../select-samples.ts';
import { withDistinctSamples } from './distinct-samples.ts';

/** Samples that are stored under one sample type in one series. */
export interface TypedSeries {
  /** Index into the sample types. */
  readonly column: number;
  readonly labels: LabelSet;
  /** Rows of the sample table, ascending. */
  readonly rows: readonly number[];
}

/** @returns one for each series, in their order */
export function mergeSeries(profile: Profile, series: readonly TypedSeries[]): NormalisedProfile[] {
  const merged = new Map<TypedSeries, Profile>();
  let selector: SampleSelector | undefined;
  for (const together of groupByRows(series)) {
    const { rows } = together[0]!;
    const columns = together.map(({ column }) => column);
    // Nearly always a profile is one series with all its samples, and its tables can stay what they are.
    const isWhole = rows.length === profile.samples.length;
    if (!isWhole) selector ??= new SampleSelector(profile);
    const part = isWhole ? profile : selector!.select(rows);
    const all = withDistinctSamples(withColumns(part, part.samples, columns));
    together.forEach((each, i) => {
      merged.set(each, withColumns(all, all.samples, [i]));
    });
  }
  return series.map((each) => ({ labels: each.labels, profile: merged.get(each)! }));
}

function withColumns(profile: Profile, samples: SampleTable, columns: readonly number[]): Profile {
  return {
    ...profile,
    sampleTypes: columns.map((column) => profile.sampleTypes[column]!),
    samples: { ...samples, values: columns.map((column) => samples.values[column]!) },
  };
}

function groupByRows(series: readonly TypedSeries[]): TypedSeries[][] {
  const groups = new Map<string, TypedSeries[][]>();
  for (const each of series) {
    const { rows } = each;
    const key = `${rows[0]} ${rows.length}`;
    const similar = groups.get(key) ?? [];
    const equal = similar.find(([first]) => rows.every((row, i) => row === first!.rows[i]));
    if (equal === undefined) groups.set(key, [...similar, [each]]);
    else equal.push(each);
  }
  return [...groups.values()].flat();
}

// SPDX-License-Identifier: Apache-2.0
//
// What the labels of samples mean. Clients of push put there what belongs to a series (a thread pool, an endpoint) beside
// what belongs to one sample alone: the span it ran in. So a profile is split by the former:
//
//   span_id, trace_id (profile_id is an old name of span_id)   the sample's link
//   a name that the series has already                         the series' value holds; the sample keeps its own
//   any other text                                             a label of the series
//   a number                                                   left out: the size of an allocation, say, on every sample
//
// Labels are read once for each distinct set of them, not for each sample.

import { AttributeSets } from '@hearthscope/profile/codecs/attribute-sets';
import type { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import type { Label } from '@hearthscope/profile/labels';
import type { Link, Profile } from '@hearthscope/profile/profile';
import { UintListTable } from '@hearthscope/profile/uint-list-table';
import { byName } from '../series-labels.ts';

const SPAN_ID = 'span_id';
const TRACE_ID = 'trace_id';
const OLD_SPAN_ID = 'profile_id';
const SPAN_ID_PATTERN = /^[0-9a-f]{16}$/i;
const TRACE_ID_PATTERN = /^[0-9a-f]{32}$/i;
const ALL_ZERO = /^0+$/;
const NONE = -1;

/** Samples that carry the same labels. */
export interface SampleGroup {
  /** Of the samples alone, in the order of their names; without those of the series. */
  readonly labels: readonly Label[];
  /** Rows of the sample table, ascending. */
  readonly rows: number[];
}

export interface LabelledSamples {
  /** The same samples; their attributes are those that no label was made of. */
  readonly profile: Profile;
  /** In order of first appearance. */
  readonly groups: readonly SampleGroup[];
}

/** @param seriesLabels names that samples cannot set
 * @param report counts `numeric_label` and `shadowed_label`, by sample, and `span_id_invalid` and `trace_id_invalid` */
export function groupBySampleLabels(
  profile: Profile,
  seriesLabels: readonly Label[],
  report: DecodeReport,
): LabelledSamples {
  const reader = new SampleLabelReader(profile, seriesLabels);
  const { samples } = profile;
  const attributeSet = new Uint32Array(samples.length);
  const link = new Uint32Array(samples.length);
  const counts = { numeric: 0, shadowed: 0, badSpan: 0, badTrace: 0 };
  for (let row = 0; row < samples.length; row++) {
    const read = reader.read(samples.attributeSet[row]!);
    attributeSet[row] = read.attributeSet;
    link[row] = read.link === 0 ? samples.link[row]! : read.link;
    read.group.rows.push(row);
    counts.numeric += read.numeric;
    counts.shadowed += read.shadowed;
    counts.badSpan += read.badSpan;
    counts.badTrace += read.badTrace;
  }
  report.repair('numeric_label', counts.numeric);
  report.repair('shadowed_label', counts.shadowed);
  report.repair('span_id_invalid', counts.badSpan);
  report.repair('trace_id_invalid', counts.badTrace);
  return {
    profile: {
      ...profile,
      attributeSets: reader.attributeSets.finish(),
      links: reader.links,
      samples: { ...samples, attributeSet, link },
    },
    groups: reader.groups,
  };
}

/** What one set of attributes comes to. */
interface ReadSet {
  readonly group: SampleGroup;
  readonly attributeSet: number;
  readonly link: number;
  readonly numeric: number;
  readonly shadowed: number;
  readonly badSpan: number;
  readonly badTrace: number;
}

class SampleLabelReader {
  readonly groups: SampleGroup[] = [];
  readonly attributeSets = new AttributeSets();
  /** Those of the profile, then those of labels. */
  readonly links: Link[];
  readonly #profile: Profile;
  readonly #taken: ReadonlySet<string>;
  readonly #linkRow = new Map<string, number>();
  /** Attributes that became labels; a row for each group. */
  readonly #labelSets = new UintListTable();
  readonly #read: ReadSet[] = [];

  constructor(profile: Profile, seriesLabels: readonly Label[]) {
    this.#profile = profile;
    this.links = [...profile.links];
    this.#taken = new Set(seriesLabels.map(({ name }) => name));
  }

  read(set: number): ReadSet {
    this.#read[set] ??= this.#readSet(set);
    return this.#read[set];
  }

  #readSet(set: number): ReadSet {
    const { attributeSets, attributes } = this.#profile;
    const labels = new Map<string, string>();
    const labelIndexes: number[] = [];
    const rest: number[] = [];
    const counts = { numeric: 0, shadowed: 0, badSpan: 0, badTrace: 0 };
    let spanId = '';
    let traceId = '';
    for (let i = attributeSets.attributeStart[set]!; i < attributeSets.attributeStart[set + 1]!; i++) {
      const index = attributeSets.attribute[i]!;
      const attribute = attributes[index]!;
      const { value } = attribute;
      const key = attribute.key === OLD_SPAN_ID ? SPAN_ID : attribute.key;
      if (typeof value === 'bigint') {
        counts.numeric++;
      } else if (typeof value !== 'string') {
        rest.push(index);
      } else if (key === SPAN_ID && spanId === '' && SPAN_ID_PATTERN.test(value)) {
        spanId = value.toLowerCase();
      } else if (key === TRACE_ID && traceId === '' && TRACE_ID_PATTERN.test(value)) {
        traceId = value.toLowerCase();
      } else if (key === SPAN_ID || key === TRACE_ID) {
        counts[key === SPAN_ID ? 'badSpan' : 'badTrace']++;
        rest.push(index);
      } else if (this.#taken.has(key) || labels.has(key)) {
        counts.shadowed++;
        rest.push(index);
      } else if (value !== '') {
        labels.set(key, value);
        labelIndexes.push(index);
      }
    }
    return {
      ...counts,
      group: this.#group(labelIndexes, labels),
      attributeSet: this.attributeSets.row(rest),
      link: this.#link(traceId, spanId),
    };
  }

  /** Groups are told apart by the rows of their attributes, as their texts may be long and many. */
  #group(indexes: readonly number[], labels: ReadonlyMap<string, string>): SampleGroup {
    const row = this.#labelSets.intern(indexes);
    if (row === this.groups.length) {
      const sorted = [...labels].map(([name, value]) => ({ name, value })).sort(byName);
      this.groups.push({ labels: sorted, rows: [] });
    }
    return this.groups[row]!;
  }

  #link(traceId: string, spanId: string): number {
    const trace = ALL_ZERO.test(traceId) ? '' : traceId;
    const span = ALL_ZERO.test(spanId) ? '' : spanId;
    if (trace === '' && span === '') return 0;
    const key = `${trace} ${span}`;
    let row = this.#linkRow.get(key) ?? NONE;
    if (row === NONE) {
      row = this.links.push({ traceId: trace, spanId: span }) - 1;
      this.#linkRow.set(key, row);
    }
    return row;
  }
}

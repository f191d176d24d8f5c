// SPDX-License-Identifier: Apache-2.0
//
// How many profiles or spans there are, by time and by value: the fields of SelectHeatmap.

import { readList, readNumber, readText } from './fields.ts';

export type HeatmapKind = 'profiles' | 'spans';

/** One step of time, which ends at the timestamp. */
export interface HeatmapSlot {
  readonly timestampMillis: number;
  /** Where each bucket of values begins; equally wide, the same in every slot. */
  readonly bucketStarts: readonly number[];
  /** How many there are in each bucket. */
  readonly counts: readonly number[];
  /** The largest of each bucket that has any. */
  readonly exemplars: readonly HeatmapExemplar[];
}

export interface HeatmapExemplar {
  readonly timestampMillis: number;
  readonly value: number;
  /** '' when the sender gave none. */
  readonly profileId: string;
  /** '' for a profile. */
  readonly spanId: string;
}

const METHOD = 'SelectHeatmap';

export function heatmapFields(kind: HeatmapKind, stepMillis: number): object {
  const [query, exemplar] = kind === 'spans' ? ['SPAN', 'SPAN'] : ['INDIVIDUAL', 'INDIVIDUAL'];
  return {
    step: stepMillis / 1_000,
    queryType: `HEATMAP_QUERY_TYPE_${query}`,
    exemplarType: `EXEMPLAR_TYPE_${exemplar}`,
  };
}

/** The slots of all series of an answer; there is one, as no label groups. */
export function readHeatmap(answer: unknown): HeatmapSlot[] {
  return readList(answer, 'series', METHOD)
    .flatMap((series) => readList(series, 'slots', METHOD))
    .map((slot) => ({
      timestampMillis: readNumber(slot, 'timestamp', METHOD),
      bucketStarts: readList(slot, 'yMin', METHOD).map(Number),
      counts: readList(slot, 'counts', METHOD).map(Number),
      exemplars: readList(slot, 'exemplars', METHOD).map((exemplar) => ({
        timestampMillis: readNumber(exemplar, 'timestamp', METHOD),
        value: readNumber(exemplar, 'value', METHOD),
        profileId: readText(exemplar, 'profileId', METHOD),
        spanId: readText(exemplar, 'spanId', METHOD),
      })),
    }));
}

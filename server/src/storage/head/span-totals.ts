// SPDX-License-Identifier: Apache-2.0
//
// What the spans of profiles add up to: the points of a heatmap of spans.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { Steps } from '@hearthscope/profile/steps';
import type { SeriesSelection, SeriesSpans } from '../store.ts';
import { hexOfWords, ID_WORDS, SPAN_ID_WORDS } from './binary-id.ts';
import { profilesBySeries } from './head-reader.ts';
import type { TenantHead } from './tenant-head.ts';

/** Grows row by row, as it is not known how many spans there are. */
interface SpanRows {
  readonly profile: number[];
  readonly link: number[];
  readonly total: bigint[];
}

/** The spans of each selected series' profiles.
 * @throws HearthscopeError resource_exhausted when there are more than `maxSpans` */
export function* spanTotals(
  head: TenantHead,
  selection: SeriesSelection,
  maxSpans: number,
): Steps<SeriesSpans[]> {
  const isSpan = spanLinks(head);
  const answer: SeriesSpans[] = [];
  let spans = 0;
  for (const [series, profiles] of profilesBySeries(head, selection)) {
    const rows: SpanRows = { profile: [], link: [], total: [] };
    for (const profile of profiles) {
      for (const [link, total] of yield* spansOfProfile(head, profile, isSpan)) {
        rows.profile.push(profile);
        rows.link.push(link);
        rows.total.push(total);
        if (++spans > maxSpans) {
          throw new HearthscopeError(
            'resource_exhausted',
            `the profiles have more than ${maxSpans} spans (max_spans); narrow the time range or the selector`,
          );
        }
      }
    }
    if (rows.link.length > 0) answer.push(seriesSpans(head, series, rows));
  }
  return answer;
}

function* spansOfProfile(head: TenantHead, profile: number, isSpan: Uint8Array): Steps<Map<number, bigint>> {
  const totals = new Map<number, bigint>();
  const from = head.profiles.firstRow[profile]!;
  for (const { from: first, to, link, value } of head.rows.slices(
    from,
    from + head.profiles.rowCount[profile]!,
  )) {
    for (let row = first; row < to; row++) {
      const span = link[row]!;
      // Links that came after the query began are beyond its flags, and so are their profiles.
      if (isSpan[span] === 1) totals.set(span, (totals.get(span) ?? 0n) + value[row]!);
    }
    yield;
  }
  return totals;
}

/** A flag for each link that names a span. */
function spanLinks({ attributes: { links } }: TenantHead): Uint8Array {
  const flags = new Uint8Array(links.length);
  for (let link = 1; link < links.length; link++) {
    for (let word = 0; word < SPAN_ID_WORDS; word++) {
      if (links.get(link, ID_WORDS + word) !== 0) flags[link] = 1;
    }
  }
  return flags;
}

function seriesSpans(head: TenantHead, series: number, { profile, link, total }: SpanRows): SeriesSpans {
  const { timeUnixMillis } = head.profiles;
  const { links } = head.attributes;
  const idOf = (index: number, firstField: number, words: number) =>
    hexOfWords(Uint32Array.from({ length: words }, (_, word) => links.get(link[index]!, firstField + word)));
  return {
    labels: head.series.labels(series),
    timeUnixMillis: Float64Array.from(profile, (each) => timeUnixMillis[each]!),
    total: BigInt64Array.from(total),
    profileId: (index) => head.profiles.id(profile[index]!),
    spanId: (index) => idOf(index, ID_WORDS, SPAN_ID_WORDS),
    traceId: (index) => idOf(index, 0, ID_WORDS),
  };
}

// SPDX-License-Identifier: Apache-2.0
//
// From the bytes of an OTLP export request to profiles that can be stored:
//
//   decode ─▶ type, values in its unit ─▶ split by series ─▶ labels checked ─▶ time checked
//
// Pure and synchronous, as it runs in the ingest worker. What is refused is counted with its reason, and costs nothing
// of what stands beside it.

import { gunzipSync } from 'node:zlib';
import { DecodeReport, type Rejection, type Repair } from '@hearthscope/profile/codecs/decode-report';
import { decodeOtlpRequest, type OtlpDecodeResult } from '@hearthscope/profile/codecs/otlp-decode';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { type LabelSet, labelSet } from '@hearthscope/profile/labels';
import type { Profile, ResourceProfile } from '@hearthscope/profile/profile';
import { type ProfileType, profileTypeLabels } from '@hearthscope/profile/profile-type';
import { formatLabels, labelsOf, labelViolation } from './label-limits.ts';
import type { NormalisedProfile } from './normalised-profile.ts';
import { scaleValues, type TypedColumn, typedColumns } from './otlp-profile-type.ts';
import type { PipelineLimits } from './pipeline-limits.ts';
import { SampleSelector } from './select-samples.ts';
import {
  groupBySeries,
  IndexedAttributes,
  type SeriesIdentity,
  type SeriesSamples,
  seriesIdentity,
} from './series-attributes.ts';

/** Plain data, so that it can be given to a worker thread. */
export interface PipelineConfig {
  /** Attribute names that the operator wants as labels, beside the built-in ones. */
  readonly indexedAttributes: readonly string[];
  readonly limits: PipelineLimits;
}

export interface PipelineOptions extends PipelineConfig {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

export interface NormaliseResult {
  readonly accepted: NormalisedProfile[];
  /** What was refused, by the decoder and by the pipeline; one entry for each reason. */
  readonly rejected: Rejection[];
  /** What was changed on the way in. */
  readonly repaired: Repair[];
  /** How the sender numbered the fields of Sample, for metrics. */
  readonly numbering: OtlpDecodeResult['numbering'];
}

const NANOS_PER_MILLI = 1_000_000n;

/** @param bytes an ExportProfilesServiceRequest, decompressed
 * @throws FormatError when the bytes are no such message */
export function normaliseOtlpRequest(bytes: Uint8Array, options: PipelineOptions): NormaliseResult {
  const { limits, now } = options;
  const decoded = decodeOtlpRequest(bytes, {
    limits: limits.decode,
    gunzip: (payload, maxBytes) => gunzipSync(payload, { maxOutputLength: maxBytes }),
  });
  const run: PipelineRun = {
    accepted: [],
    report: new DecodeReport(),
    indexed: new IndexedAttributes(options.indexedAttributes),
    limits,
    nowMillis: now(),
  };
  for (const source of decoded.resourceProfiles) normaliseProfile(source, run);
  return {
    accepted: run.accepted,
    rejected: [...decoded.rejected, ...run.report.rejected],
    repaired: [...decoded.repaired],
    numbering: decoded.numbering,
  };
}

/** One request on its way through. */
interface PipelineRun {
  readonly accepted: NormalisedProfile[];
  readonly report: DecodeReport;
  readonly indexed: IndexedAttributes;
  readonly limits: PipelineLimits;
  readonly nowMillis: number;
}

function normaliseProfile(source: ResourceProfile, run: PipelineRun): void {
  const { profile } = source;
  const { report } = run;
  if (profile.samples.length === 0) {
    report.reject('profile', 'malformed_profile', 'empty profile');
    return;
  }
  const timeUnixNanos =
    profile.timeUnixNanos === 0n ? BigInt(run.nowMillis) * NANOS_PER_MILLI : profile.timeUnixNanos;
  if (!isInWindow(timeUnixNanos, run)) {
    report.reject('profile', 'not_in_ingestion_window', windowMessage(source, timeUnixNanos, run));
    return;
  }
  try {
    for (const typed of typedColumns(profile)) {
      const values = scaleValues(profile.samples.values[typed.column]!, typed.valueScale);
      const inUnit: Profile = {
        ...profile,
        timeUnixNanos,
        sampleTypes: [typed.profileType.sampleType],
        samples: { ...profile.samples, values: [values] },
      };
      normaliseColumn({ ...source, profile: inUnit }, typed, run);
    }
  } catch (error) {
    if (!(error instanceof HearthscopeError) || error.code !== 'invalid_argument') throw error;
    report.reject('profile', 'malformed_profile', error.message);
  }
}

/** A profile with one sample type, its time set and its values in the unit they are stored in. */
function normaliseColumn(source: ResourceProfile, typed: TypedColumn, run: PipelineRun): void {
  const { maxSeriesPerProfile } = run.limits;
  const groups = groupBySeries(source.profile, run.indexed);
  run.report.reject(
    'sample',
    'max_series_per_profile',
    `profile splits into ${groups.length} series by the attributes of its samples; limit ${maxSeriesPerProfile}`,
    groups.slice(maxSeriesPerProfile).reduce((count, { rows }) => count + rows.length, 0),
  );
  const selector = new SampleSelector(source.profile);
  for (const group of groups.slice(0, maxSeriesPerProfile)) {
    normaliseSeries(source, typed, group, selector, run);
  }
}

/** The samples of one profile that belong to one series. */
function normaliseSeries(
  source: ResourceProfile,
  { profileType }: TypedColumn,
  group: SeriesSamples,
  selector: SampleSelector,
  { accepted, report, indexed, limits }: PipelineRun,
): void {
  const { profile } = source;
  const identity = seriesIdentity(source, group.attributes, indexed);
  const violation = labelViolation(identity.labels, limits);
  if (violation !== undefined) {
    const isWhole = group.rows.length === profile.samples.length;
    report.reject(
      isWhole ? 'profile' : 'sample',
      violation.reason,
      violation.message,
      isWhole ? 1 : group.rows.length,
    );
    return;
  }
  const labels = seriesLabels(profileType, identity);
  const values = profile.samples.values[0]!;
  const rows = group.rows.filter((row) => values[row]! > 0n);
  report.reject(
    'sample',
    'non_positive_value',
    `profile with labels '${formatLabels(identity.labels)}' has samples whose value is zero or negative`,
    group.rows.length - rows.length,
  );
  if (rows.length === 0) return;
  const selected = rows.length === profile.samples.length ? profile : selector.select(rows);
  accepted.push({ labels, profile: { ...selected, profileAttributes: identity.profileAttributes } });
}

function seriesLabels(profileType: ProfileType, { labels }: SeriesIdentity): LabelSet {
  return labelSet([...profileTypeLabels(profileType), ...labelsOf(labels)]);
}

/** When a profile may have started, in milliseconds since the Unix epoch. */
function ingestionWindow({ limits, nowMillis }: PipelineRun): { start: number; end: number } {
  const { rejectOlderThanMillis, rejectNewerThanMillis } = limits;
  return {
    start: rejectOlderThanMillis === 0 ? 0 : nowMillis - rejectOlderThanMillis,
    end: rejectNewerThanMillis === 0 ? Number.POSITIVE_INFINITY : nowMillis + rejectNewerThanMillis,
  };
}

function isInWindow(timeUnixNanos: bigint, run: PipelineRun): boolean {
  const { start, end } = ingestionWindow(run);
  const millis = Number(timeUnixNanos / NANOS_PER_MILLI);
  return millis >= start && millis <= end;
}

function windowMessage(source: ResourceProfile, timeUnixNanos: bigint, run: PipelineRun): string {
  const { start, end } = ingestionWindow(run);
  const { labels } = seriesIdentity(source, [], run.indexed);
  return (
    `profile with labels '${formatLabels(labels)}' is outside of ingestion window ` +
    `(profile timestamp: ${formatTime(Number(timeUnixNanos / NANOS_PER_MILLI))}, ` +
    `the ingestion window starts at ${formatTime(start)} and ends at ${formatTime(end)})`
  );
}

/** ISO 8601 where the time has such a form, else the number of milliseconds. */
function formatTime(unixMillis: number): string {
  const date = new Date(unixMillis);
  return Number.isNaN(date.getTime()) ? `${unixMillis} ms` : date.toISOString();
}

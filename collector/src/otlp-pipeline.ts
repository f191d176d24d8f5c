// SPDX-License-Identifier: Apache-2.0
//
// From the bytes of an OTLP export request to profiles that can be stored:
//
//   decode ─▶ type, values in its unit ─▶ split by series ─▶ labels checked ─▶ time checked
//
// Pure and synchronous, as it runs in the ingest worker. What is refused is counted with its reason, and costs nothing
// of what stands beside it.

import { gunzipSync } from 'node:zlib';
import { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { decodeOtlpRequest, type OtlpDecodeResult } from '@hearthscope/profile/codecs/otlp-decode';
import { decodeOtlpJsonRequest } from '@hearthscope/profile/codecs/otlp-json-decode';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { type Label, ProfileTypeLabels } from '@hearthscope/profile/labels';
import type { Profile, ResourceProfile } from '@hearthscope/profile/profile';
import type { ProfileType } from '@hearthscope/profile/profile-type';
import { profileTime, windowRefusal } from './ingestion-window.ts';
import type { TenantLimits } from './limits/tenant-limits.ts';
import type { NormaliseResult } from './normalise-result.ts';
import type { NormalisedProfile } from './normalised-profile.ts';
import { scaleValues, type TypedColumn, typedColumns } from './otlp-profile-type.ts';
import type { PipelineOptions } from './pipeline-options.ts';
import type { Refusal } from './refusal.ts';
import { relabelRulesOf } from './relabel/default-rules.ts';
import { relabel } from './relabel/relabel.ts';
import { keepsSampleType } from './relabel/sample-type-relabel.ts';
import { SAMPLED_OUT } from './sampled-out.ts';
import { sampleProfile } from './sampling/sample-profile.ts';
import { SampleSelector } from './select-samples.ts';
import { groupBySeries, IndexedAttributes, type SeriesSamples, seriesIdentity } from './series-attributes.ts';
import { checkLabels, formatLabels, storedLabels } from './series-labels.ts';

export interface OtlpPipelineOptions extends PipelineOptions {
  /** `protobuf` unless given. */
  readonly encoding?: 'protobuf' | 'json';
}

export interface OtlpNormaliseResult extends NormaliseResult {
  /** How the sender numbered the fields of Sample, for metrics. */
  readonly numbering: OtlpDecodeResult['numbering'];
}

/** @param bytes an ExportProfilesServiceRequest, decompressed
 * @throws FormatError when the bytes are no such message; HearthscopeError invalid_argument for a request without
 *   dictionary or profiles */
export function normaliseOtlpRequest(bytes: Uint8Array, options: OtlpPipelineOptions): OtlpNormaliseResult {
  const { limits, now } = options;
  const decode = options.encoding === 'json' ? decodeOtlpJsonRequest : decodeOtlpRequest;
  const decoded = decode(bytes, {
    limits: limits.decode,
    gunzip: (payload, maxBytes) => gunzipSync(payload, { maxOutputLength: maxBytes }),
  });
  const samples = decoded.resourceProfiles.reduce((sum, { profile }) => sum + profile.samples.length, 0);
  const run: PipelineRun = {
    accepted: [],
    report: new DecodeReport(),
    indexed: new IndexedAttributes(options.indexedAttributes),
    options,
    limits,
    nowMillis: now(),
    bytesPerSample: bytes.length / Math.max(1, samples),
  };
  for (const source of decoded.resourceProfiles) normaliseProfile(source, run);
  return {
    accepted: run.accepted,
    rejected: [...decoded.rejected, ...run.report.rejected],
    repaired: [...decoded.repaired, ...run.report.repaired],
    numbering: decoded.numbering,
  };
}

/** One request on its way through. */
interface PipelineRun {
  readonly accepted: NormalisedProfile[];
  readonly report: DecodeReport;
  readonly indexed: IndexedAttributes;
  readonly options: PipelineOptions;
  readonly limits: TenantLimits;
  readonly nowMillis: number;
  /** Profiles share the tables of a request, so each counts against the tenant's rate for its part of the samples. */
  readonly bytesPerSample: number;
}

function normaliseProfile(source: ResourceProfile, run: PipelineRun): void {
  const { profile } = source;
  const { report, limits, nowMillis } = run;
  if (profile.samples.length === 0) {
    report.reject('profile', 'malformed_profile', 'empty profile');
    return;
  }
  const timeUnixNanos = profileTime(profile.timeUnixNanos, nowMillis);
  const labels = seriesIdentity(source, [], run.indexed).labels;
  const refusal =
    admissionRefusal(labels, profile, run) ??
    windowRefusal(timeUnixNanos, () => formatLabels(labels), limits, nowMillis);
  if (refusal !== undefined) {
    report.reject('profile', refusal.reason, refusal.message);
    return;
  }
  const { random = Math.random } = run.options;
  // One draw for all sample types: a profile is left out whole or not at all.
  const draw = random();
  try {
    for (const typed of typedColumns(profile)) {
      if (!keepsSampleType(typed.profileType.sampleType, labels, limits.sampleTypeRelabelRules)) {
        report.repair('sample_type_dropped');
        continue;
      }
      const values = scaleValues(profile.samples.values[typed.column]!, typed.valueScale);
      const inUnit: Profile = {
        ...profile,
        timeUnixNanos,
        sampleTypes: [typed.profileType.sampleType],
        samples: { ...profile.samples, values: [values] },
      };
      const sampled = sampleProfile(labels, inUnit, limits, () => draw);
      if (sampled === undefined) {
        report.reject('profile', SAMPLED_OUT.reason, SAMPLED_OUT.message);
        return;
      }
      if (sampled.isStripped) report.repair('stripped_by_sampling_rules');
      const extraLabels = sampled.labels.filter((label) => !labels.includes(label));
      normaliseColumn({ ...source, profile: sampled.profile }, typed, extraLabels, run);
    }
  } catch (error) {
    if (!(error instanceof HearthscopeError) || error.code !== 'invalid_argument') throw error;
    report.reject('profile', 'malformed_profile', error.message);
  }
}

function admissionRefusal(
  labels: readonly Label[],
  { samples }: Profile,
  run: PipelineRun,
): Refusal | undefined {
  const { tenant, limits, admission } = run.options;
  return admission?.admit(tenant, labels, Math.ceil(samples.length * run.bytesPerSample), limits);
}

/** A profile with one sample type, its time set and its values in the unit they are stored in. */
function normaliseColumn(
  source: ResourceProfile,
  typed: TypedColumn,
  extraLabels: readonly Label[],
  run: PipelineRun,
): void {
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
    normaliseSeries(source, typed, extraLabels, group, selector, run);
  }
}

/** The samples of one profile that belong to one series. */
function normaliseSeries(
  source: ResourceProfile,
  { profileType }: TypedColumn,
  extraLabels: readonly Label[],
  group: SeriesSamples,
  selector: SampleSelector,
  run: PipelineRun,
): void {
  const { profile } = source;
  const identity = seriesIdentity(source, group.attributes, run.indexed);
  const series = seriesLabels(profileType, [...identity.labels, ...extraLabels], run);
  if ('reason' in series) {
    const isWhole = group.rows.length === profile.samples.length;
    run.report.reject(
      isWhole ? 'profile' : 'sample',
      series.reason,
      series.message,
      isWhole ? 1 : group.rows.length,
    );
    return;
  }
  const values = profile.samples.values[0]!;
  const rows = group.rows.filter((row) => values[row]! > 0n);
  run.report.reject(
    'sample',
    'non_positive_value',
    `profile with labels '${formatLabels(identity.labels)}' has samples whose value is zero or negative`,
    group.rows.length - rows.length,
  );
  if (rows.length === 0) return;
  const selected = rows.length === profile.samples.length ? profile : selector.select(rows);
  run.accepted.push({
    labels: storedLabels(series.profileType, series.labels),
    profile: { ...selected, profileAttributes: identity.profileAttributes },
  });
}

/** The labels after the tenant's rules, which may also rename the profile type. */
function seriesLabels(
  profileType: ProfileType,
  labels: readonly Label[],
  { limits, report }: PipelineRun,
): { labels: readonly Label[]; profileType: ProfileType } | Refusal {
  const profileName = { name: ProfileTypeLabels.name, value: profileType.name };
  const relabelled = relabel([...labels, profileName], relabelRulesOf(limits));
  if (relabelled === undefined) {
    return {
      reason: 'dropped_by_relabel_rules',
      message: `the relabel rules drop the profile with labels '${formatLabels(labels)}'`,
    };
  }
  const name = relabelled.find((label) => label.name === ProfileTypeLabels.name)?.value ?? '';
  const own = relabelled.filter((label) => label.name !== ProfileTypeLabels.name);
  const checked = checkLabels(own, name, limits);
  if ('reason' in checked) return checked;
  report.repair('label_name_sanitized', checked.sanitized);
  return { labels: checked.labels, profileType: { ...profileType, name } };
}

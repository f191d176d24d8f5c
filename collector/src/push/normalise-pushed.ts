// SPDX-License-Identifier: Apache-2.0
//
// From decoded profiles of push and /ingest to profiles that can be stored:
//
//   labels ─▶ admitted ─▶ checked ─▶ samples that say something ─▶ Go repaired ─▶ addresses and versions ─▶
//   split by sample labels ─▶ relabelled ─▶ labels checked ─▶ for each sample type: equal samples summed
//
// The order, reasons and texts are those of Grafana Pyroscope. What is refused is counted with its reason, and costs
// nothing of what stands beside it.

import { randomUUID } from 'node:crypto';
import { DecodeReport } from '@hearthscope/profile/codecs/decode-report';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { int64Signs } from '@hearthscope/profile/int64-sum';
import { type Label, labelSetKey, ProfileTypeLabels, SERVICE_NAME_LABEL } from '@hearthscope/profile/labels';
import type { Profile } from '@hearthscope/profile/profile';
import { profileTime } from '../ingestion-window.ts';
import type { NormaliseResult } from '../normalise-result.ts';
import type { NormalisedProfile } from '../normalised-profile.ts';
import type { PipelineOptions } from '../pipeline-options.ts';
import type { Refusal } from '../refusal.ts';
import { relabelRulesOf } from '../relabel/default-rules.ts';
import { relabel } from '../relabel/relabel.ts';
import { keepsSampleType } from '../relabel/sample-type-relabel.ts';
import { SAMPLED_OUT } from '../sampled-out.ts';
import { sampleProfile } from '../sampling/sample-profile.ts';
import { UNKNOWN_SERVICE } from '../series-attributes.ts';
import { byName, checkLabels, formatLabels, storedLabels } from '../series-labels.ts';
import { repairGoProfile } from './go-profile.ts';
import { measuredSamples } from './measured-samples.ts';
import { mergeSeries, type TypedSeries } from './merge-series.ts';
import { profileRefusal } from './profile-checks.ts';
import { profileLanguage } from './profile-language.ts';
import type { PushedProfile } from './pushed-profile.ts';
import { groupBySampleLabels, type SampleGroup } from './sample-series.ts';
import { withServiceVersion } from './service-version.ts';
import { withFewerSessions } from './session-id.ts';
import { withoutNamedAddresses } from './symbolized-addresses.ts';

/** Labels that say something to the pipeline and nothing to the store. */
const TRANSIENT_LABELS: ReadonlySet<string> = new Set(['__delta__', '__order__']);
const NANOS_PER_MILLI = 1_000_000n;

/** Checks, repairs, splits and types each profile.
 * @param report what was refused and repaired before, by the decoder; the result has both */
export function normalisePushed(
  profiles: Iterable<PushedProfile>,
  options: PipelineOptions,
  report: DecodeReport = new DecodeReport(),
): NormaliseResult {
  const run = new PushRun(options, report);
  for (const pushed of profiles) run.add(pushed);
  return { accepted: run.accepted, rejected: report.rejected, repaired: report.repaired };
}

/** Samples of one profile that end in one series. */
interface Series {
  /** Of the profile: the value of `__name__`. */
  readonly name: string;
  /** As they are stored, but for those of the profile type. */
  readonly labels: readonly Label[];
  readonly rows: readonly number[];
}

/** What parts of a profile were refused: by reason, how many samples and the message of the first. */
class PartRefusals {
  readonly #byReason = new Map<string, { message: string; samples: number }>();

  add(reason: string, samples: number, message: () => string): void {
    const known = this.#byReason.get(reason);
    if (known === undefined) this.#byReason.set(reason, { message: message(), samples });
    else known.samples += samples;
  }

  get first(): Refusal | undefined {
    for (const [reason, { message }] of this.#byReason) return { reason, message };
    return undefined;
  }

  reportTo(report: DecodeReport): void {
    for (const [reason, { message, samples }] of this.#byReason) {
      report.reject('sample', reason, message, samples);
    }
  }
}

class PushRun {
  readonly accepted: NormalisedProfile[] = [];
  readonly #options: PipelineOptions;
  readonly #report: DecodeReport;
  readonly #nowMillis: number;

  constructor(options: PipelineOptions, report: DecodeReport) {
    this.#options = options;
    this.#report = report;
    this.#nowMillis = options.now();
  }

  add(pushed: PushedProfile): void {
    try {
      const refusal = this.#addProfile(pushed);
      if (refusal !== undefined) this.#report.reject('profile', refusal.reason, refusal.message);
    } catch (error) {
      if (!(error instanceof HearthscopeError) || error.code !== 'invalid_argument') throw error;
      this.#report.reject('profile', 'malformed_profile', error.message);
    }
  }

  /** @returns why the whole profile is refused */
  #addProfile(pushed: PushedProfile): Refusal | undefined {
    const { tenant, limits, admission, random = Math.random } = this.#options;
    const labels = withServiceName(pushed.labels);
    const text = () => formatLabels(labels);
    const refusal =
      duplicateRefusal(labels) ??
      admission?.admit(tenant, labels, pushed.sizeBytes, limits) ??
      profileRefusal(pushed.profile, text, pushed.sizeBytes, limits, this.#nowMillis);
    if (refusal !== undefined) return refusal;
    const measured = measuredSamples(pushed.profile, this.#report);
    if (measured.samples.length === 0) {
      this.#report.repair('empty_profile');
      return undefined;
    }
    const sampled = sampleProfile(labels, measured, limits, random);
    if (sampled === undefined) return SAMPLED_OUT;
    if (sampled.isStripped) this.#report.repair('stripped_by_sampling_rules');
    const isGo = profileLanguage(labels, measured) === 'go';
    const repaired = isGo ? repairGoProfile(sampled.profile, this.#report) : sampled.profile;
    const profile: Profile = {
      ...withServiceVersion(withoutNamedAddresses(repaired), labels),
      id: repaired.id === '' ? randomUUID().replaceAll('-', '') : repaired.id,
      timeUnixNanos: this.#storedTime(repaired),
    };
    return this.#addSamples(profile, withFewerSessions(sampled.labels, this.#maxSessions()));
  }

  /** Profiles of one window get one time, so that the store, which sums what is equal in series, time and stack, keeps them
   * as one. Nothing is held back for that, so nothing is lost with the process. */
  #storedTime({ timeUnixNanos }: Profile): bigint {
    const time = profileTime(timeUnixNanos, this.#nowMillis);
    const window = BigInt(this.#options.limits.aggregationWindowMillis) * NANOS_PER_MILLI;
    return window === 0n ? time : time - (time % window);
  }

  /** Profiles of several sessions are aggregated, so none of them can name its own. */
  #maxSessions(): number {
    const { aggregationWindowMillis, maxSessionsPerSeries } = this.#options.limits;
    return aggregationWindowMillis === 0 ? maxSessionsPerSeries : 0;
  }

  /** @returns why none of the samples was accepted */
  #addSamples(profile: Profile, labels: readonly Label[]): Refusal | undefined {
    const samples = groupBySampleLabels(profile, labels, this.#report);
    const refusals = new PartRefusals();
    const series = this.#seriesOf(samples.groups, labels, refusals);
    const { sampleTypes, periodType } = profile;
    const typed: TypedSeries[] = [];
    sampleTypes.forEach((sampleType, column) => {
      if (!keepsSampleType(sampleType, labels, this.#options.limits.sampleTypeRelabelRules)) {
        this.#report.repair('sample_type_dropped');
        return;
      }
      const signs = int64Signs(samples.profile.samples.values[column]!);
      // Nearly always all samples have a value of each type.
      const isWhole = !signs.includes(0);
      for (const { name, labels: own, rows: all } of series) {
        const rows = isWhole ? all : all.filter((row) => signs[row]! > 0);
        if (rows.length === 0) continue;
        typed.push({ column, labels: storedLabels({ name, sampleType, periodType }, own), rows });
      }
    });
    if (series.length === 0) return refusals.first;
    for (const each of mergeSeries(samples.profile, typed)) this.accepted.push(each);
    refusals.reportTo(this.#report);
    return undefined;
  }

  /** Groups whose labels the rules make equal are one series. */
  #seriesOf(groups: readonly SampleGroup[], labels: readonly Label[], refusals: PartRefusals): Series[] {
    const { limits } = this.#options;
    const { maxSeriesPerProfile } = limits;
    const found = new Map<string, { labels: readonly Label[]; rows: number[] }>();
    for (const { labels: ofSamples, rows } of groups) {
      const relabelled = relabel([...labels, ...ofSamples], relabelRulesOf(limits));
      if (relabelled === undefined) {
        const message = () =>
          `the relabel rules drop the profile with labels '${formatLabels([...labels, ...ofSamples])}'`;
        refusals.add('dropped_by_relabel_rules', rows.length, message);
        continue;
      }
      const sorted = relabelled.toSorted(byName);
      const key = labelSetKey(sorted);
      const known = found.get(key);
      if (known !== undefined) {
        for (const row of rows) known.rows.push(row);
      } else if (found.size < maxSeriesPerProfile) {
        found.set(key, { labels: sorted, rows: [...rows] });
      } else {
        const message = () =>
          `profile splits into more series by the labels of its samples than the limit of ${maxSeriesPerProfile}`;
        refusals.add('max_series_per_profile', rows.length, message);
      }
    }
    const series: Series[] = [];
    for (const each of found.values()) {
      const name = each.labels.find((label) => label.name === ProfileTypeLabels.name)?.value ?? '';
      const checked = checkLabels(each.labels, name, limits);
      if ('reason' in checked) {
        refusals.add(checked.reason, each.rows.length, () => checked.message);
        continue;
      }
      this.#report.repair('label_name_sanitized', checked.sanitized);
      const own = checked.labels.filter((label) => !TRANSIENT_LABELS.has(label.name));
      series.push({ name, labels: own, rows: each.rows });
    }
    return series;
  }
}

/** Sorted by name, without empty values; a series that has no service is of an unknown one. */
function withServiceName(labels: readonly Label[]): readonly Label[] {
  const present = labels.filter(({ value }) => value !== '');
  const hasService = present.some(({ name }) => name === SERVICE_NAME_LABEL);
  if (!hasService) present.push({ name: SERVICE_NAME_LABEL, value: UNKNOWN_SERVICE });
  return present.sort(byName);
}

/** Rules rewrite labels by name, so a name that is there twice must be refused before them. */
function duplicateRefusal(labels: readonly Label[]): Refusal | undefined {
  const twice = labels.find(({ name }, i) => labels[i - 1]?.name === name);
  if (twice === undefined) return undefined;
  return {
    reason: 'duplicate_label_names',
    message: `profile with labels '${formatLabels(labels)}' has duplicate label name: '${twice.name}'`,
  };
}

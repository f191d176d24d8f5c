// SPDX-License-Identifier: Apache-2.0
//
// Checks the labels of a series and makes them those that are stored. The order of the checks and the texts are those of
// Grafana Pyroscope, which clients know and search for.

import {
  formatLabelSet,
  type Label,
  type LabelSet,
  labelSet,
  SERVICE_NAME_LABEL,
} from '@hearthscope/profile/labels';
import { type ProfileType, profileTypeLabels } from '@hearthscope/profile/profile-type';
import type { PipelineLimits } from './pipeline-limits.ts';
import type { Refusal } from './refusal.ts';

/** `service_name` once more, which clients of Grafana Pyroscope list among the internal labels. */
const INTERNAL_SERVICE_NAME_LABEL = '__service_name__';
/** What a label name could be before Prometheus 3, and dots, which sanitising turns into `_`. */
const SANITIZABLE_NAME = /^[a-zA-Z_.][a-zA-Z0-9_.]*$/;
const MAX_SHOWN_LENGTH = 4096;
const MAX_SHOWN_LABELS = 100;
/** UTF-8 needs at most three bytes for a UTF-16 code unit. */
const MAX_UTF8_BYTES_PER_UNIT = 3;

export interface LabelRules
  extends Pick<PipelineLimits, 'maxLabelNameLength' | 'maxLabelValueLength' | 'maxLabelNamesPerSeries'> {
  readonly sanitizeLabelNames: boolean;
}

export interface CheckedLabels {
  readonly labels: readonly Label[];
  /** Labels whose name was changed. */
  readonly sanitized: number;
}

export function byName(a: Label, b: Label): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** `{a="b", c="d"}`, sorted by name. Unlike a LabelSet, the labels may repeat a name. What is far beyond all limits is not
 * shown whole: the text of one error must not cost more than the data that it is about. */
export function formatLabels(labels: readonly Label[]): string {
  const shownLabels = [...labels]
    .sort(byName)
    .slice(0, MAX_SHOWN_LABELS)
    .map(({ name, value }) => ({ name: shown(name), value: shown(value) }));
  return formatLabelSet(shownLabels);
}

function shown(text: string): string {
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH).toWellFormed()}…` : text;
}

/** @param labels in any order, empty values left out
 * @param profileName the value of `__name__`, which may be among the labels or not */
export function checkLabels(
  labels: readonly Label[],
  profileName: string,
  rules: LabelRules,
): CheckedLabels | Refusal {
  if (labels.length === 0) {
    return { reason: 'missing_labels', message: 'error at least one label pair is required per profile' };
  }
  const text = () => formatLabels(labels);
  const invalid = (error: string, reason = 'invalid_labels'): Refusal => ({
    reason,
    message: `invalid labels '${text()}' with error: ${error}`,
  });
  if (labels.length > rules.maxLabelNamesPerSeries) {
    return {
      reason: 'max_label_names_per_series',
      message: `profile series '${text()}' has ${labels.length} label names; limit ${rules.maxLabelNamesPerSeries}`,
    };
  }
  if (profileName === '' || !profileName.isWellFormed()) return invalid('invalid metric name');
  // It would make a type id of more than five parts, which nobody could select.
  if (profileName.includes(':')) return invalid("metric name contains ':'");
  if (!labels.some(({ name }) => name === SERVICE_NAME_LABEL)) {
    return invalid('service name is not provided', 'missing_labels');
  }
  return new LabelCheck(labels, rules, text, invalid).run();
}

class LabelCheck {
  readonly #labels: readonly Label[];
  readonly #rules: LabelRules;
  readonly #text: () => string;
  readonly #invalid: (error: string) => Refusal;

  constructor(
    labels: readonly Label[],
    rules: LabelRules,
    text: () => string,
    invalid: (error: string) => Refusal,
  ) {
    this.#labels = [...labels].sort(byName);
    this.#rules = rules;
    this.#text = text;
    this.#invalid = invalid;
  }

  run(): CheckedLabels | Refusal {
    const kept = new Map<string, string>();
    const renamed: { from: string; to: string; value: string }[] = [];
    for (const label of this.#labels) {
      const refusal = this.#refusalOf(label);
      if (refusal !== undefined) return refusal;
      const { name, value } = label;
      if (this.#rules.sanitizeLabelNames && name.includes('.')) {
        renamed.push({ from: name, to: name.replaceAll('.', '_'), value });
      } else if (kept.has(name)) {
        return this.#duplicate(`duplicate label name: '${name}'`);
      } else {
        kept.set(name, value);
      }
    }
    for (const { from, to, value } of renamed) {
      const known = kept.get(to);
      if (known !== undefined && known !== value) {
        return this.#duplicate(`duplicate label name '${to}' after label name sanitization from '${from}'`);
      }
      kept.set(to, value);
    }
    return {
      labels: [...kept].map(([name, value]) => ({ name, value })).sort(byName),
      sanitized: renamed.length,
    };
  }

  #refusalOf({ name, value }: Label): Refusal | undefined {
    const { maxLabelNameLength, maxLabelValueLength, sanitizeLabelNames } = this.#rules;
    if (isLongerThan(name, maxLabelNameLength)) {
      return {
        reason: 'label_name_too_long',
        message: `profile with labels '${this.#text()}' has label name too long: '${shown(name)}'`,
      };
    }
    if (isLongerThan(value, maxLabelValueLength)) {
      return {
        reason: 'label_value_too_long',
        message: `profile with labels '${this.#text()}' has label value too long: '${shown(value)}'`,
      };
    }
    const isName = sanitizeLabelNames ? SANITIZABLE_NAME.test(name) : name !== '' && name.isWellFormed();
    if (!isName) return this.#invalid(`invalid label name '${name}'`);
    if (!value.isWellFormed()) return this.#invalid(`invalid label value '${value}'`);
    return undefined;
  }

  #duplicate(what: string): Refusal {
    return {
      reason: 'duplicate_label_names',
      message: `profile with labels '${this.#text()}' has ${what}`,
    };
  }
}

/** @param limitBytes of UTF-8 */
function isLongerThan(text: string, limitBytes: number): boolean {
  return text.length * MAX_UTF8_BYTES_PER_UNIT > limitBytes && Buffer.byteLength(text, 'utf8') > limitBytes;
}

/** The labels under which a series is stored: its own and those of its profile type, which nobody can set. */
export function storedLabels(profileType: ProfileType, labels: Iterable<Label>): LabelSet {
  const own = [...labels];
  const service = own.find(({ name }) => name === SERVICE_NAME_LABEL)?.value ?? '';
  return labelSet([
    ...profileTypeLabels(profileType),
    { name: INTERNAL_SERVICE_NAME_LABEL, value: service },
    ...own,
  ]);
}

// SPDX-License-Identifier: Apache-2.0
//
// Limits that Grafana Pyroscope has too. Clients know its texts, which name the labels of the series; a decoder knows no
// labels, so the error has its parts for whoever does.

import { HearthscopeError } from '../errors.ts';

export class DecodeLimitError extends HearthscopeError {
  /** The reason under which the refusal is counted. */
  readonly reason: 'samples_limit' | 'sample_labels_limit';
  /** `exceeds the … limit (…)`, to be put behind a subject. */
  readonly predicate: string;

  constructor(format: string, reason: DecodeLimitError['reason'], predicate: string) {
    super('invalid_argument', `${format}: the profile ${predicate}`);
    this.name = 'DecodeLimitError';
    this.reason = reason;
    this.predicate = predicate;
  }
}

/** @param format such as `pprof` */
export function samplesLimit(format: string, actual: number, limit: number): DecodeLimitError {
  return new DecodeLimitError(
    format,
    'samples_limit',
    `exceeds the samples count limit (max_profile_stacktrace_samples, actual: ${actual}, limit: ${limit})`,
  );
}

/** @param actual labels of the sample that has too many */
export function sampleLabelsLimit(format: string, actual: number, limit: number): DecodeLimitError {
  return new DecodeLimitError(
    format,
    'sample_labels_limit',
    `exceeds the sample labels limit (max_profile_stacktrace_sample_labels, actual: ${actual}, limit: ${limit})`,
  );
}

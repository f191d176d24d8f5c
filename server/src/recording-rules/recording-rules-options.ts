// SPDX-License-Identifier: Apache-2.0
//
// What an operator says about recording rules. The rules themselves are the tenants', or come with their limits.

import { ANONYMOUS_TENANT } from '@hearthscope/collector/tenant';

export interface RecordingRulesOptions {
  /** While it is off the service answers `unimplemented` and nothing is computed. */
  readonly isEnabled: boolean;
  /** Where metrics are sent with Prometheus remote write 1.0; undefined to keep rules without computing them. */
  readonly remoteWriteUrl: string | undefined;
  /** Of every request, such as Authorization; never logged. */
  readonly remoteWriteHeaders: Readonly<Record<string, string>>;
  /** Labels that every metric gets. */
  readonly externalLabels: Readonly<Record<string, string>>;
  /** How often rules are computed; also the width of the windows that profiles are counted in. */
  readonly intervalMillis: number;
  /** How long after its time a profile may arrive and still be counted. */
  readonly lateWindowMillis: number;
  /** Of one request. */
  readonly requestTimeoutMillis: number;
  /** Requests that wait for the receiver; beyond it the oldest is dropped. */
  readonly maxQueuedRequests: number;
  /** Series of one rule in the late window; beyond it those with the smallest totals are left out. */
  readonly maxSeriesPerRule: number;
  /** The tenants whose configured rules are computed; those who have stored rules are known without this. */
  readonly tenants: () => readonly string[];
}

export const DEFAULT_RECORDING_RULES_OPTIONS: RecordingRulesOptions = {
  isEnabled: false,
  remoteWriteUrl: undefined,
  remoteWriteHeaders: {},
  externalLabels: {},
  intervalMillis: 60_000,
  lateWindowMillis: 600_000,
  requestTimeoutMillis: 10_000,
  maxQueuedRequests: 120,
  maxSeriesPerRule: 1_000,
  tenants: () => [ANONYMOUS_TENANT],
};

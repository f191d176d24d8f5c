// SPDX-License-Identifier: Apache-2.0
//
// What is counted of recording rules.

import { Counter, type Registry } from 'prom-client';

/** Why a rule was not evaluated, or a tenant's state not written. */
export type EvaluationFailure = 'query' | 'state';
/** Why samples never reach the receiver. */
export type DropReason = 'rejected' | 'queue_full' | 'too_many_series' | 'gap';

export interface RecordingRulesMetrics {
  readonly evaluations: Counter;
  readonly failures: Counter<'reason'>;
  readonly sent: Counter<'tenant' | 'rule_id'>;
  readonly requests: Counter<'result'>;
  readonly dropped: Counter<'reason'>;
}

export function recordingRulesMetrics(registry: Registry): RecordingRulesMetrics {
  const registers = [registry];
  return {
    evaluations: new Counter({
      name: 'hearthscope_recording_rules_evaluations_total',
      help: 'Recording rules evaluated.',
      registers,
    }),
    failures: new Counter({
      name: 'hearthscope_recording_rules_failures_total',
      help: 'Evaluations that failed and are made up for by the next, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    sent: new Counter({
      name: 'pyroscope_metrics_exporter_series_sent_total',
      help: 'Series that the remote-write receiver has taken, by rule.',
      labelNames: ['tenant', 'rule_id'],
      registers,
    }),
    requests: new Counter({
      name: 'hearthscope_recording_rules_requests_total',
      help: 'Requests to the remote-write receiver, by what became of them; all but sent and rejected are tried again.',
      labelNames: ['result'],
      registers,
    }),
    dropped: new Counter({
      name: 'hearthscope_recording_rules_dropped_series_total',
      help: 'Series with a sample that never reaches the receiver, and evaluations with a gap before them, by reason.',
      labelNames: ['reason'],
      registers,
    }),
  };
}

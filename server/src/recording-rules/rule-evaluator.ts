// SPDX-License-Identifier: Apache-2.0
//
// Evaluates recording rules: at each multiple of the interval, what profiles have added to each series of each rule since
// the evaluation before becomes a sample of that time. A profile is counted once, if it arrives no later than the late
// window after its time; nothing is counted of the time before a rule was there.

import { createHash } from 'node:crypto';
import { messageOf } from '@hearthscope/profile/errors';
import { type Label, type LabelSet, labelSet, labelValue } from '@hearthscope/profile/labels';
import type { Logger } from 'pino';
import type { ServiceContext } from '../http/service-context.ts';
import type { Querier } from '../query/querier.ts';
import type { TenantDocuments } from '../settings/tenant-documents.ts';
import { countWindows } from './count-windows.ts';
import { METRIC_NAME_LABEL, type RecordingRule, RULE_ID_LABEL, selectionOf } from './recording-rule.ts';
import type { RecordingRulesMetrics } from './recording-rules-metrics.ts';
import type { RecordingRulesOptions } from './recording-rules-options.ts';
import type { RemoteWriteClient } from './remote-write-client.ts';
import { encodeWriteRequest, type WrittenSeries } from './remote-write-message.ts';
import type { QueuedRequest, RuleState, TenantState } from './rule-state.ts';
import type { RuleStore } from './rule-store.ts';

export interface RuleEvaluatorOptions {
  readonly querier: Querier;
  /** How far back queries may look. */
  readonly limitsOf: ServiceContext['limitsOf'];
  readonly rules: RuleStore;
  readonly states: TenantDocuments<TenantState>;
  readonly client: RemoteWriteClient;
  readonly options: RecordingRulesOptions;
  readonly metrics: RecordingRulesMetrics;
  readonly logger: Logger;
}

/** After a pause of the server, so much of the time before is still counted. */
export const MAX_CATCH_UP_MILLIS = 6 * 3_600_000;
export const MAX_SERIES_PER_REQUEST = 1000;

interface RuleEvaluation {
  readonly state: RuleState;
  readonly series: readonly WrittenSeries[];
}

export class RuleEvaluator {
  readonly #context: RuleEvaluatorOptions;
  readonly #stopping = new AbortController();

  constructor(context: RuleEvaluatorOptions) {
    this.#context = context;
  }

  /** One evaluation of all rules, then what waits is sent. Does not throw.
   * @param nowMillis the evaluation is that of the last multiple of the interval */
  async evaluate(nowMillis: number): Promise<void> {
    const { rules, options, states } = this.#context;
    const tickMillis = nowMillis - (nowMillis % options.intervalMillis);
    const tenants = new Set([...rules.tenants(), ...states.tenants(), ...options.tenants()]);
    for (const tenant of tenants) {
      if (this.#stopping.signal.aborted) return;
      try {
        await this.#evaluateTenant(tenant, tickMillis);
        await this.#send(tenant);
      } catch (error) {
        this.#failed('state', tenant, error);
      }
    }
  }

  /** Gives up what is being sent; it is in the queue when the server starts again. */
  stop(): void {
    this.#stopping.abort();
  }

  async #evaluateTenant(tenant: string, tickMillis: number): Promise<void> {
    const { rules, states, metrics, options } = this.#context;
    const before = await states.read(tenant);
    const list = await rules.list(tenant);
    if (list.length === 0 && before.rules.length === 0) return;
    const evaluations: RuleEvaluation[] = [];
    for (const rule of list) {
      const old = before.rules.find(({ ruleId }) => ruleId === rule.id);
      try {
        evaluations.push(await this.#evaluateRule(tenant, rule, old, tickMillis));
        metrics.evaluations.inc();
      } catch (error) {
        this.#failed('query', tenant, error, rule.id);
        if (old !== undefined) evaluations.push({ state: old, series: [] });
      }
    }
    const series = evaluations.flatMap((evaluation) => evaluation.series);
    const queue = [...before.queue, ...requestsOf(series, tickMillis)];
    const surplus = Math.max(0, queue.length - options.maxQueuedRequests);
    for (const request of queue.splice(0, surplus)) {
      metrics.dropped.inc({ reason: 'queue_full' }, request.series.length);
    }
    await states.update(tenant, () => ({ rules: evaluations.map(({ state }) => state), queue }));
  }

  async #evaluateRule(
    tenant: string,
    rule: RecordingRule,
    old: RuleState | undefined,
    tickMillis: number,
  ): Promise<RuleEvaluation> {
    const { querier, options, metrics } = this.#context;
    const { intervalMillis, lateWindowMillis, maxSeriesPerRule } = options;
    const fingerprint = fingerprintOf(rule, intervalMillis);
    const begun: RuleState =
      old?.fingerprint === fingerprint
        ? old
        : {
            ruleId: rule.id,
            fingerprint,
            sinceMillis: tickMillis,
            evaluatedMillis: tickMillis - intervalMillis,
            series: [],
          };
    if (begun.evaluatedMillis >= tickMillis) return { state: begun, series: [] };
    const oldestMillis = this.#oldestMillis(tenant, tickMillis);
    if (begun.evaluatedMillis < oldestMillis) metrics.dropped.inc({ reason: 'gap' });
    const firstEndMillis = Math.max(
      begun.sinceMillis,
      begun.evaluatedMillis - lateWindowMillis + intervalMillis,
      oldestMillis,
    );
    const sums = await querier.selectSeries(
      [tenant],
      {
        ...selectionOf(rule),
        startMillis: firstEndMillis,
        endMillis: tickMillis,
        groupBy: rule.groupBy,
        stepSeconds: intervalMillis / 1000,
        aggregation: 'sum',
        limit: 0,
        exemplars: 'none',
        ...(rule.functionName === undefined ? {} : { frameFilter: onlyFunction(rule.functionName) }),
      },
      { signal: this.#stopping.signal },
    );
    const counted = countWindows(
      begun.series,
      sums,
      tickMillis - lateWindowMillis + intervalMillis,
      maxSeriesPerRule,
    );
    metrics.dropped.inc({ reason: 'too_many_series' }, counted.leftOut);
    return {
      state: { ...begun, evaluatedMillis: tickMillis, series: counted.series },
      series: counted.added.map(({ labels, value }) => ({ labels: this.#labelsOf(rule, labels), value })),
    };
  }

  /** The end of the first window that a query answers in full. A query that began earlier would be cut at its beginning,
   * and have other windows. */
  #oldestMillis(tenant: string, tickMillis: number): number {
    const { intervalMillis } = this.#context.options;
    const { maxQueryLookbackMillis, maxQueryLengthMillis } = this.#context.limitsOf(tenant);
    const reach = Math.min(
      MAX_CATCH_UP_MILLIS,
      ...[maxQueryLookbackMillis, maxQueryLengthMillis].filter((limit) => limit > 0),
    );
    // The tick is up to one interval ago, and a window begins one interval before its end.
    const windows = Math.max(0, Math.floor(reach / intervalMillis) - 2);
    return tickMillis - windows * intervalMillis;
  }

  /** What says the most wins: the metric's name and rule, the profile, the rule, the server. */
  #labelsOf(rule: RecordingRule, group: LabelSet): LabelSet {
    const ofServer: Label[] = Object.entries(this.#context.options.externalLabels).map(([name, value]) => ({
      name,
      value,
    }));
    return labelSet([
      { name: METRIC_NAME_LABEL, value: rule.metricName },
      { name: RULE_ID_LABEL, value: rule.id },
      ...group,
      ...rule.externalLabels,
      ...ofServer,
    ]);
  }

  /** Sends what waits, the oldest first, until the receiver takes no more. */
  async #send(tenant: string): Promise<void> {
    const { states, client, metrics, logger } = this.#context;
    for (;;) {
      const [request] = (await states.read(tenant)).queue;
      if (request === undefined || this.#stopping.signal.aborted) return;
      const body = encodeWriteRequest(request.series, request.timestampMillis);
      const outcome = await client.send(tenant, body, this.#stopping.signal);
      metrics.requests.inc({ result: outcome.result });
      if (outcome.result !== 'sent') {
        logger.warn({ tenant, ...outcome }, 'metrics of recording rules were not taken');
      }
      if (outcome.result === 'sent') this.#countSent(tenant, request);
      else if (outcome.result === 'rejected') {
        metrics.dropped.inc({ reason: 'rejected' }, request.series.length);
      } else return;
      await states.update(tenant, (state) => ({ ...state, queue: state.queue.slice(1) }));
    }
  }

  #countSent(tenant: string, { series }: QueuedRequest): void {
    for (const { labels } of series) {
      this.#context.metrics.sent.inc({ tenant, rule_id: labelValue(labels, RULE_ID_LABEL) });
    }
  }

  #failed(reason: 'query' | 'state', tenant: string, error: unknown, ruleId?: string): void {
    this.#context.metrics.failures.inc({ reason });
    this.#context.logger.warn(
      { tenant, ruleId, err: messageOf(error) },
      'a recording rule was not evaluated',
    );
  }
}

function requestsOf(series: readonly WrittenSeries[], timestampMillis: number): QueuedRequest[] {
  const requests: QueuedRequest[] = [];
  for (let at = 0; at < series.length; at += MAX_SERIES_PER_REQUEST) {
    requests.push({ timestampMillis, series: series.slice(at, at + MAX_SERIES_PER_REQUEST) });
  }
  return requests;
}

/** What counts depends on this; a rule in which it changes begins anew. */
function fingerprintOf(rule: RecordingRule, intervalMillis: number): string {
  const { metricName, matchers, groupBy, functionName = null } = rule;
  const text = JSON.stringify([metricName, matchers, groupBy, functionName, intervalMillis]);
  return createHash('sha256').update(text).digest('hex');
}

/** Samples that have the function anywhere in their stack. */
function onlyFunction(name: string) {
  return { includeNames: [name], excludeNames: [], includeRegexes: [], excludeRegexes: [] };
}

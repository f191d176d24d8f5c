// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type TenantLimits, tenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { storedQuerier } from '../settings/testing/stored-querier.ts';
import { CPU_TYPE, type StoredProfileOptions, storedProfile } from '../storage/testing/stored-profile.ts';
import { testDirectory } from '../storage/testing/test-directory.ts';
import type { RecordingRule } from './recording-rule.ts';
import { recordingRulesMetrics } from './recording-rules-metrics.ts';
import { DEFAULT_RECORDING_RULES_OPTIONS, type RecordingRulesOptions } from './recording-rules-options.ts';
import { RemoteWriteClient } from './remote-write-client.ts';
import { MAX_CATCH_UP_MILLIS, MAX_SERIES_PER_REQUEST, RuleEvaluator } from './rule-evaluator.ts';
import { ruleStates } from './rule-state.ts';
import { RuleStore } from './rule-store.ts';
import { RemoteWriteReceiver } from './testing/remote-write-receiver.ts';

const MINUTE = 60_000;
/** A multiple of the interval. */
const START = 29_453_760 * MINUTE;

const RULE: RecordingRule = {
  id: 'rule',
  metricName: 'profiles_recorded_cpu',
  matchers: [`{__profile_type__="${CPU_TYPE}"}`, '{service_name=~"w.*"}'],
  groupBy: ['pod'],
  externalLabels: [{ name: 'team', value: 'x' }],
  generation: 0,
  functionName: undefined,
  isProvisioned: false,
};

interface SetupOptions {
  readonly rules?: Partial<RecordingRulesOptions>;
  readonly limits?: Partial<TenantLimits>;
}

/** The parts of a server over one store and one data directory. */
async function setUp(t: TestContext, { rules: changes = {}, limits = {} }: SetupOptions = {}) {
  let nowMillis = START;
  const receiver = await RemoteWriteReceiver.start(t);
  const { store, querier } = await storedQuerier(t, () => nowMillis);
  const dataDir = testDirectory(t);
  const logger = pino({ level: 'silent' });
  const limitsOf = () => tenantLimits(limits);
  /** As at a start of the server. */
  const start = () => {
    const registry = new Registry();
    const rules = new RuleStore({ dataDir, limitsOf, logger });
    const client = new RemoteWriteClient({
      url: receiver.url,
      headers: {},
      requestTimeoutMillis: 5000,
      attempts: 1,
      firstRetryMillis: 1,
    });
    const evaluator = new RuleEvaluator({
      querier,
      limitsOf,
      rules,
      states: ruleStates(dataDir),
      client,
      options: {
        ...DEFAULT_RECORDING_RULES_OPTIONS,
        externalLabels: { cluster: 'c', team: 'y' },
        ...changes,
      },
      metrics: recordingRulesMetrics(registry),
      logger,
    });
    return { registry, rules, evaluator };
  };
  const add = (value: number, minutes: number, options: StoredProfileOptions = {}, stack = 'main;work') =>
    store.append('anonymous', [
      storedProfile(`${stack} ${value}`, { timeMillis: START + minutes * MINUTE, ...options }),
    ]);
  const evaluate = async (evaluator: RuleEvaluator, minutes: number) => {
    nowMillis = START + minutes * MINUTE;
    await evaluator.evaluate(nowMillis);
  };
  /** [minute, value] of the samples of one pod. */
  const samples = (pod?: string) =>
    receiver.samples
      .filter(({ labels }) => labels.pod === pod)
      .map(({ timestampMillis, value }) => [(timestampMillis - START) / MINUTE, value]);
  return { receiver, dataDir, start, add, evaluate, samples };
}

test('each profile is in one sample: that of the evaluation which first saw it', async (t) => {
  const { start, add, evaluate, samples, receiver } = await setUp(t);
  const { evaluator, rules, registry } = start();
  await rules.upsert('anonymous', RULE);
  await add(1000, -1.5);
  await add(1, -0.5, { labels: { pod: 'a' } });
  await add(2, 0, { labels: { pod: 'a' } });
  await add(4, -0.2, { labels: { pod: 'b' } });
  await add(100, -0.5, { service: 'other' });
  await evaluate(evaluator, 0.01);
  assert.deepEqual(samples('a'), [[0, 3]], 'what is older than the rule is not counted');
  assert.deepEqual(samples('b'), [[0, 4]]);
  assert.deepEqual(receiver.samples[0]?.labels, {
    __name__: 'profiles_recorded_cpu',
    profiles_rule_id: 'rule',
    cluster: 'c',
    team: 'x',
    pod: 'a',
  });

  await add(8, 0.5, { labels: { pod: 'a' } });
  await add(16, -0.7, { labels: { pod: 'a' } });
  await evaluate(evaluator, 1);
  await evaluate(evaluator, 1.5);
  assert.deepEqual(samples('a'), [
    [0, 3],
    [1, 24],
  ]);
  await add(32, 5, { labels: { pod: 'a' } });
  await evaluate(evaluator, 5);
  assert.deepEqual(
    samples('a').at(-1),
    [5, 32],
    'nothing is sent twice, and nothing when there is nothing new',
  );
  assert.match(
    await registry.metrics(),
    /pyroscope_metrics_exporter_series_sent_total\{tenant="anonymous",rule_id="rule"\} 4/,
  );
});

test('a profile may come as late as the late window', async (t) => {
  const { start, add, evaluate, samples } = await setUp(t, { rules: { lateWindowMillis: 3 * MINUTE } });
  const { evaluator, rules } = start();
  await rules.upsert('anonymous', { ...RULE, groupBy: [] });
  for (let minute = 0; minute <= 10; minute++) await evaluate(evaluator, minute);
  await add(1, 7.5);
  await add(2, 8);
  await add(1000, 6.9);
  await evaluate(evaluator, 11);
  assert.deepEqual(samples(), [[11, 3]]);
});

test('a rule of a function counts the samples that have it', async (t) => {
  const { start, add, evaluate, samples } = await setUp(t);
  const { evaluator, rules } = start();
  await rules.upsert('anonymous', { ...RULE, functionName: 'work' });
  await add(1, -0.5, { labels: { pod: 'a' } }, 'main;work;inner');
  await add(2, -0.5, { labels: { pod: 'a' } }, 'work;work');
  await add(4, -0.5, { labels: { pod: 'a' } }, 'main;other');
  await add(8, -0.5, { labels: { pod: 'b' } }, 'main;other');
  await evaluate(evaluator, 0);
  assert.deepEqual(samples('a'), [[0, 3]]);
  assert.deepEqual(samples('b'), []);
});

test('nothing is lost or counted twice over restarts and while the receiver is away', async (t) => {
  const { start, add, evaluate, samples, receiver } = await setUp(t);
  const first = start();
  await first.rules.upsert('anonymous', RULE);
  await evaluate(first.evaluator, 0);
  await add(1, 0.5, { labels: { pod: 'a' } });
  receiver.answers.push(500);
  await evaluate(first.evaluator, 1);
  assert.deepEqual(samples('a'), []);
  // The receiver took it, and the server was gone before it could write that down.
  const second = start();
  await add(2, 1.5, { labels: { pod: 'a' } });
  await evaluate(second.evaluator, 2);
  const both = [
    [1, 1],
    [2, 2],
  ];
  assert.deepEqual(samples('a'), both);
  const third = start();
  await evaluate(third.evaluator, 2);
  assert.deepEqual(samples('a'), both);
  await add(4, 2.5, { labels: { pod: 'a' } });
  const fourth = start();
  await evaluate(fourth.evaluator, 120);
  assert.deepEqual(samples('a').at(-1), [120, 4], 'a long pause is made up for');
  await add(8, 121, { labels: { pod: 'a' } });
  const later = 121 + MAX_CATCH_UP_MILLIS / MINUTE;
  await evaluate(fourth.evaluator, later);
  assert.equal(samples('a').length, 3, 'a longer one is not');
  assert.match(await fourth.registry.metrics(), /dropped_series_total\{reason="gap"\} 1/);
});

test('a queue that is full loses its oldest request, and what a receiver refuses is not sent again', async (t) => {
  const { start, add, evaluate, samples, receiver } = await setUp(t, { rules: { maxQueuedRequests: 2 } });
  const { evaluator, rules, registry } = start();
  await rules.upsert('anonymous', RULE);
  receiver.answers.push(503, 503, 429, 503);
  for (let minute = 0; minute < 4; minute++) {
    await add(2 ** minute, minute - 0.5, { labels: { pod: 'a' } });
    await evaluate(evaluator, minute);
  }
  await evaluate(evaluator, 4);
  assert.deepEqual(samples('a'), [
    [2, 4],
    [3, 8],
  ]);
  assert.match(await registry.metrics(), /dropped_series_total\{reason="queue_full"\} 2/);
  receiver.answers.push(400);
  await add(1, 4.5, { labels: { pod: 'a' } });
  await evaluate(evaluator, 5);
  await evaluate(evaluator, 6);
  assert.equal(samples('a').length, 2);
  assert.match(await registry.metrics(), /dropped_series_total\{reason="rejected"\} 1/);
  assert.match(await registry.metrics(), /requests_total\{result="throttled"\} 1/);
});

test('series of a rule are limited, and requests are cut', async (t) => {
  const { start, add, evaluate, receiver } = await setUp(t, {
    rules: { maxSeriesPerRule: MAX_SERIES_PER_REQUEST + 1 },
  });
  const { evaluator, rules, registry } = start();
  await rules.upsert('anonymous', RULE);
  for (let i = 0; i < MAX_SERIES_PER_REQUEST + 3; i++) await add(i + 1, -0.5, { labels: { pod: `p${i}` } });
  await evaluate(evaluator, 0);
  assert.equal(receiver.samples.length, MAX_SERIES_PER_REQUEST + 1);
  assert.equal(receiver.headers.length, 2);
  assert.ok(
    receiver.samples.every(({ value }) => value > 2),
    'the largest are kept',
  );
  assert.match(await registry.metrics(), /dropped_series_total\{reason="too_many_series"\} 2/);
});

test('a changed rule begins anew, a deleted one ends', async (t) => {
  const { start, add, evaluate, samples } = await setUp(t);
  const { evaluator, rules } = start();
  await rules.upsert('anonymous', RULE);
  await add(1, -0.5, { labels: { pod: 'a' } });
  await evaluate(evaluator, 0);
  await rules.upsert('anonymous', { ...RULE, groupBy: ['pod', 'zone'], generation: 1 });
  await add(2, 0.5, { labels: { pod: 'a' } });
  await evaluate(evaluator, 1);
  assert.deepEqual(samples('a'), [
    [0, 1],
    [1, 2],
  ]);
  await rules.delete('anonymous', 'rule');
  await add(4, 1.5, { labels: { pod: 'a' } });
  await evaluate(evaluator, 2);
  assert.equal(samples('a').length, 2);
});

test('a rule that fails is evaluated the next time, and the others meanwhile', async (t) => {
  const recordingRules = [{ id: 'p', metric_name: 'profiles_recorded_p', matchers: RULE.matchers }];
  const { start, add, evaluate, receiver, dataDir } = await setUp(t, {
    limits: { recordingRules, maxQueryLookbackMillis: 20 * MINUTE },
  });
  const { evaluator, rules, registry } = start();
  await rules.upsert('anonymous', RULE);
  const file = join(dataDir, 'recording-rules/anonymous/rules.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('service_name=~', 'service_name=~~'));
  await add(1, -0.5);
  await evaluate(evaluator, 0);
  assert.deepEqual(
    receiver.samples.map(({ labels }) => labels.profiles_rule_id),
    ['p'],
  );
  assert.match(await registry.metrics(), /recording_rules_failures_total\{reason="query"\} 1/);
  // A query that would be cut at its beginning is not asked.
  await add(2, 0.5);
  await evaluate(evaluator, 15);
  assert.deepEqual(
    receiver.samples.map(({ value }) => value),
    [1, 2],
  );
  writeFileSync(
    join(dataDir, 'recording-rules/anonymous/state.json'),
    '{"version":1,"rules":[{}],"queue":[]}',
  );
  await evaluate(evaluator, 16);
  assert.match(await registry.metrics(), /recording_rules_failures_total\{reason="state"\} 1/);
});

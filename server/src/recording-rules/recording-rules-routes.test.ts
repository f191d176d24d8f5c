// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { type TenantLimits, tenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { RecordingRulesService } from '../../gen/settings/v1/recording_rules_pb.js';
import type { ServiceContext } from '../http/service-context.ts';
import type { Querier } from '../query/querier.ts';
import { routeTransport, tenantByHeader } from '../settings/testing/route-transport.ts';
import { storedQuerier } from '../settings/testing/stored-querier.ts';
import { storedProfile } from '../storage/testing/stored-profile.ts';
import { testDirectory } from '../storage/testing/test-directory.ts';
import { RULE_LIMITS } from './recording-rule.ts';
import { DEFAULT_RECORDING_RULES_OPTIONS } from './recording-rules-options.ts';
import { recordingRulesRoutes } from './recording-rules-routes.ts';
import { RemoteWriteReceiver } from './testing/remote-write-receiver.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const MATCHERS = [`{__profile_type__="${CPU}"}`, '{service_name="a"}'];
const RULE = { metricName: 'profiles_recorded_cpu', matchers: MATCHERS, groupBy: ['pod'] };

function clientOf(dataDir: string, limits: Partial<TenantLimits> = {}, isEnabled = true) {
  const routes = recordingRulesRoutes(
    {
      // Rules are kept without being evaluated: there is no receiver.
      querier: {} as Querier,
      authenticator: tenantByHeader,
      dataDir,
      limitsOf: () => tenantLimits(limits),
      now: () => 0,
      logger: pino({ level: 'silent' }),
      registry: new Registry(),
    },
    { ...DEFAULT_RECORDING_RULES_OPTIONS, isEnabled },
  );
  return createClient(RecordingRulesService, routeTransport(routes));
}

async function refusal(call: Promise<unknown>): Promise<[Code, string]> {
  const error = await call.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ConnectError);
  return [error.code, error.rawMessage];
}

test('rules are kept, changed by generation and deleted', async (t) => {
  const dataDir = testDirectory(t);
  const client = clientOf(dataDir);
  assert.deepEqual((await client.listRecordingRules({})).rules, []);
  const { rule } = await client.upsertRecordingRule({
    ...RULE,
    externalLabels: [{ name: 'team', value: 'x' }],
    stacktraceFilter: { functionName: { functionName: 'main' } },
  });
  assert.ok(rule !== undefined);
  assert.match(rule.id, /^[a-zA-Z]{10}$/);
  assert.equal(rule.generation, 1n);
  assert.equal(rule.profileType, CPU);
  assert.equal(rule.stacktraceFilter?.functionName?.functionName, 'main');
  assert.equal(rule.provisioned, false);

  const again = clientOf(dataDir);
  assert.deepEqual((await again.getRecordingRule({ id: rule.id })).rule, rule);
  const changed = await again.upsertRecordingRule({ ...RULE, id: rule.id, generation: 1n });
  assert.equal(changed.rule?.generation, 2n);
  assert.deepEqual(await refusal(again.upsertRecordingRule({ ...RULE, id: rule.id, generation: 1n })), [
    Code.AlreadyExists,
    'conflicting update, please try again',
  ]);
  await again.deleteRecordingRule({ id: rule.id });
  assert.deepEqual(await refusal(again.getRecordingRule({ id: rule.id })), [
    Code.NotFound,
    `no rule with id='${rule.id}' found`,
  ]);
  assert.equal((await refusal(again.deleteRecordingRule({ id: rule.id })))[0], Code.NotFound);
  assert.deepEqual(await refusal(again.getRecordingRule({})), [Code.InvalidArgument, 'id is required']);
  assert.deepEqual(await refusal(again.deleteRecordingRule({ id: ' ' })), [
    Code.InvalidArgument,
    'invalid request: id is required',
  ]);
});

test('a rule that is not valid is refused with each mistake', async (t) => {
  const client = clientOf(testDirectory(t));
  const { maxMatchers, maxMatcherBytes, maxGroupBy, maxExternalLabels, maxTextBytes } = RULE_LIMITS;
  const label = { name: 'a', value: '' };
  const cases: [object, RegExp][] = [
    [{ id: 'a1' }, /^invalid request: id "a1" must match \^\[a-zA-Z\]\+\$$/],
    [{ metricName: ' ' }, /metric_name is required/],
    [
      { metricName: 'profiles_recorded_a-b' },
      /metric_name .* is invalid: invalid metric name: profiles_recorded_a-b/,
    ],
    [{ metricName: 'cpu' }, /metric name must start with profiles_recorded_/],
    [{ matchers: [] }, /matchers must contain a "__profile_type__" matcher/],
    [{ matchers: [...MATCHERS, MATCHERS[0]] }, /matchers must contain a "__profile_type__" matcher/],
    [{ matchers: ['{__profile_type__=~"a.*"}'] }, /must have type "="/],
    [{ matchers: ['{__profile_type__="cpu"}'] }, /profile-type selection must be of the form/],
    [{ matchers: [...MATCHERS, '{'] }, /matcher "\{" is invalid/],
    [{ matchers: [...MATCHERS, ...Array(maxMatchers - 1).fill('{}')] }, /matchers: 33 are too many/],
    [{ matchers: [...MATCHERS, `{a="${'x'.repeat(maxMatcherBytes)}"}`] }, /at most 4096 bytes/],
    [{ groupBy: ['a.b'] }, /group_by label "a.b" must match/],
    [{ groupBy: Array(maxGroupBy + 1).fill('a') }, /group_by: 33 are too many/],
    [{ externalLabels: [{ name: '', value: 'x' }] }, /external_labels name "" must match/],
    [{ externalLabels: Array(maxExternalLabels + 1).fill(label) }, /external_labels: 33 are too many/],
    [{ externalLabels: [{ name: 'a', value: 'x'.repeat(maxTextBytes + 1) }] }, /at most 1024 bytes/],
    [{ generation: -1n }, /generation must be positive/],
  ];
  for (const [change, text] of cases) {
    const [code, message] = await refusal(client.upsertRecordingRule({ ...RULE, ...change }));
    assert.equal(code, Code.InvalidArgument, message);
    assert.match(message, text);
  }
  const [, both] = await refusal(client.upsertRecordingRule({ id: '1', matchers: [] }));
  assert.equal(both.split('\n').length, 3, both);
  await client.upsertRecordingRule({
    ...RULE,
    matchers: [...MATCHERS, ...Array(maxMatchers - 2).fill('{}')],
    groupBy: Array(maxGroupBy).fill('a'),
    externalLabels: Array(maxExternalLabels).fill({ name: 'a', value: 'x'.repeat(maxTextBytes) }),
  });
  assert.equal((await client.listRecordingRules({})).rules.length, 1);
});

test('a tenant has so many rules', async (t) => {
  const client = clientOf(testDirectory(t), { maxRecordingRules: 2 });
  await client.upsertRecordingRule({ ...RULE, id: 'a' });
  await client.upsertRecordingRule({ ...RULE, id: 'b' });
  assert.deepEqual(await refusal(client.upsertRecordingRule({ ...RULE, id: 'c' })), [
    Code.ResourceExhausted,
    'recording rules limit (2) exceeded for this tenant',
  ]);
  await client.upsertRecordingRule({ ...RULE, id: 'b', generation: 1n });
  const other = { headers: { 'x-scope-orgid': 'other' } };
  assert.deepEqual((await client.listRecordingRules({}, other)).rules, []);
});

test('rules of the configuration come first and hide those of users; one that is not valid is left out', async (t) => {
  const dataDir = testDirectory(t);
  const recordingRules = [
    { id: 'a', metric_name: 'profiles_recorded_x', matchers: MATCHERS },
    { metric_name: 'profiles_recorded_y', matchers: MATCHERS, group_by: ['pod'] },
    { metric_name: 'nothing', matchers: [] },
    { metric_name: 7 },
  ];
  await clientOf(dataDir).upsertRecordingRule({ ...RULE, id: 'a' });
  await clientOf(dataDir).upsertRecordingRule({ ...RULE, id: 'b' });
  const client = clientOf(dataDir, { recordingRules });
  const { rules } = await client.listRecordingRules({});
  assert.deepEqual(
    rules.map(({ metricName, provisioned }) => [metricName, provisioned]),
    [
      ['profiles_recorded_x', true],
      ['profiles_recorded_y', true],
      ['profiles_recorded_cpu', false],
    ],
  );
  assert.match(rules[1]!.id, /^[a-zA-Z]{10}$/);
  assert.deepEqual((await client.getRecordingRule({ id: rules[1]!.id })).rule, rules[1]);
});

test('a server without recording rules says so', async (t) => {
  const client = clientOf(testDirectory(t), {}, false);
  assert.equal((await refusal(client.listRecordingRules({})))[0], Code.Unimplemented);
  assert.equal((await refusal(client.upsertRecordingRule(RULE)))[0], Code.Unimplemented);
});

test('an address that is none is refused at the start', (t) => {
  for (const remoteWriteUrl of ['', 'prometheus:9090/api/v1/write', 'file:///etc/passwd']) {
    const options = { ...DEFAULT_RECORDING_RULES_OPTIONS, isEnabled: true, remoteWriteUrl };
    const context = { dataDir: testDirectory(t), logger: pino({ level: 'silent' }) } as ServiceContext;
    assert.throws(
      () => recordingRulesRoutes(context, options),
      { code: 'failed_precondition' },
      remoteWriteUrl,
    );
  }
});

test('rules are evaluated by the clock, and sent', async (t) => {
  const receiver = await RemoteWriteReceiver.start(t);
  const { store, querier } = await storedQuerier(t, () => Date.now());
  const registry = new Registry();
  const routes = recordingRulesRoutes(
    {
      querier,
      authenticator: tenantByHeader,
      dataDir: testDirectory(t),
      limitsOf: () => tenantLimits({}),
      now: () => Date.now(),
      logger: pino({ level: 'silent' }),
      registry,
    },
    {
      ...DEFAULT_RECORDING_RULES_OPTIONS,
      isEnabled: true,
      remoteWriteUrl: receiver.url,
      intervalMillis: 50,
    },
  );
  const client = createClient(RecordingRulesService, routeTransport(routes));
  await client.upsertRecordingRule({ ...RULE, matchers: [MATCHERS[0]!], groupBy: ['service_name'] });
  while (!/evaluations_total [1-9]/.test(await registry.metrics())) await sleep(10);
  await store.append('anonymous', [storedProfile('main 7', { timeMillis: Date.now() })]);
  while (receiver.samples.length === 0) await sleep(10);
  await routes.close!();
  assert.deepEqual(
    receiver.samples.map(({ labels, value }) => [labels.service_name, value]),
    [['web', 7]],
  );
  assert.equal(receiver.headers[0]?.['x-scope-orgid'], 'anonymous');
});

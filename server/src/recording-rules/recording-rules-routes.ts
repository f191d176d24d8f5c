// SPDX-License-Identifier: Apache-2.0
//
// settings.v1.RecordingRulesService, and the clock by which rules are evaluated.

import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { HearthscopeError } from '@hearthscope/profile/errors';
import {
  MetricType,
  RecordingRulesService,
  type UpsertRecordingRuleRequest,
} from '../../gen/settings/v1/recording_rules_pb.js';
import { answering, JSON_OPTIONS } from '../api/connect-service.ts';
import { identityOfCall } from '../http/request-identity.ts';
import type { RouteGroup, ServiceContext } from '../http/service-context.ts';
import { checkRule, profileTypeOf, type RecordingRule, randomRuleId } from './recording-rule.ts';
import { recordingRulesMetrics } from './recording-rules-metrics.ts';
import type { RecordingRulesOptions } from './recording-rules-options.ts';
import { RemoteWriteClient } from './remote-write-client.ts';
import { RuleEvaluator } from './rule-evaluator.ts';
import { ruleStates } from './rule-state.ts';
import { RuleStore } from './rule-store.ts';

/** Of one request, in one evaluation; what was not taken then waits for the next. */
const SEND_ATTEMPTS = 3;
const FIRST_RETRY_MILLIS = 500;

/** @throws HearthscopeError failed_precondition when there is an address for metrics that is none */
export function recordingRulesRoutes(context: ServiceContext, options: RecordingRulesOptions): RouteGroup {
  if (!options.isEnabled) return { connect: answerUnimplemented };
  const rules = new RuleStore(context);
  const connect = serveRules(context, rules);
  if (options.remoteWriteUrl === undefined) {
    context.logger.warn(
      'recording rules are kept and not evaluated, as there is no address to send metrics to',
    );
    return { connect };
  }
  checkAddress(options.remoteWriteUrl);
  const evaluator = new RuleEvaluator({
    querier: context.querier,
    limitsOf: context.limitsOf,
    rules,
    states: ruleStates(context.dataDir),
    client: new RemoteWriteClient({
      url: options.remoteWriteUrl,
      headers: options.remoteWriteHeaders,
      requestTimeoutMillis: options.requestTimeoutMillis,
      attempts: SEND_ATTEMPTS,
      firstRetryMillis: FIRST_RETRY_MILLIS,
    }),
    options,
    metrics: recordingRulesMetrics(context.registry),
    logger: context.logger,
  });
  return { connect, close: evaluateRegularly(evaluator, context.now, options.intervalMillis) };
}

function checkAddress(url: string): void {
  if (['http:', 'https:'].includes(URL.parse(url)?.protocol ?? '')) return;
  throw new HearthscopeError(
    'failed_precondition',
    'the remote-write address of recording rules must be a URL that begins with http:// or https://',
  );
}

/** @returns what stops it, and waits for the evaluation that runs */
function evaluateRegularly(evaluator: RuleEvaluator, now: () => number, intervalMillis: number) {
  let isStopped = false;
  let running = Promise.resolve();
  let timer: NodeJS.Timeout;
  const schedule = () => {
    timer = setTimeout(
      () => {
        running = evaluator.evaluate(now()).then(() => {
          if (!isStopped) schedule();
        });
      },
      intervalMillis - (now() % intervalMillis),
    ).unref();
  };
  schedule();
  return async () => {
    isStopped = true;
    clearTimeout(timer);
    evaluator.stop();
    await running;
  };
}

function serveRules({ authenticator }: ServiceContext, rules: RuleStore): (router: ConnectRouter) => void {
  return (router) => {
    router.service(
      RecordingRulesService,
      {
        getRecordingRule: answering(async (request, call) => {
          const tenant = authenticator.tenant(identityOfCall(call), 'read');
          const id = requiredId(request.id, '');
          const rule = (await rules.list(tenant)).find((each) => each.id === id);
          if (rule === undefined) {
            throw new HearthscopeError('not_found', `no rule with id='${id}' found`);
          }
          return { rule: ruleFields(rule) };
        }),
        listRecordingRules: answering(async (_request, call) => {
          const tenant = authenticator.tenant(identityOfCall(call), 'read');
          return { rules: (await rules.list(tenant)).map(ruleFields) };
        }),
        upsertRecordingRule: answering(async (request, call) => {
          const tenant = authenticator.tenant(identityOfCall(call), 'write');
          const rule = ruleOf(request);
          checkRequest(rule);
          return { rule: ruleFields(await rules.upsert(tenant, rule)) };
        }),
        deleteRecordingRule: answering(async (request, call) => {
          const tenant = authenticator.tenant(identityOfCall(call), 'write');
          await rules.delete(tenant, requiredId(request.id, 'invalid request: '));
          return {};
        }),
      },
      { jsonOptions: JSON_OPTIONS },
    );
  };
}

function answerUnimplemented(router: ConnectRouter): void {
  const refuse = () => {
    throw new ConnectError('recording rules are not enabled on this server', Code.Unimplemented);
  };
  router.service(RecordingRulesService, {
    getRecordingRule: refuse,
    listRecordingRules: refuse,
    upsertRecordingRule: refuse,
    deleteRecordingRule: refuse,
  });
}

function requiredId(text: string, prefix: string): string {
  const id = text.trim();
  if (id === '') throw new HearthscopeError('invalid_argument', `${prefix}id is required`);
  return id;
}

function checkRequest(rule: RecordingRule): void {
  try {
    checkRule(rule);
  } catch (error) {
    if (!(error instanceof HearthscopeError)) throw error;
    throw new HearthscopeError(error.code, `invalid request: ${error.message}`, { cause: error });
  }
}

function ruleOf(request: UpsertRecordingRuleRequest): RecordingRule {
  const generation = Number(request.generation);
  return {
    id: request.id === '' ? randomRuleId() : request.id,
    metricName: request.metricName.trim(),
    matchers: request.matchers,
    groupBy: request.groupBy,
    externalLabels: request.externalLabels.map(({ name, value }) => ({ name, value })),
    generation,
    functionName: request.stacktraceFilter?.functionName?.functionName || undefined,
    isProvisioned: false,
  };
}

function ruleFields(rule: RecordingRule) {
  const { id, metricName, matchers, groupBy, externalLabels, generation, functionName } = rule;
  return {
    id,
    metricName,
    profileType: profileTypeOf(rule),
    matchers: [...matchers],
    groupBy: [...groupBy],
    externalLabels: externalLabels.map(({ name, value }) => ({ name, value })),
    generation: BigInt(generation),
    provisioned: rule.isProvisioned,
    ...(functionName === undefined
      ? {}
      : { stacktraceFilter: { functionName: { functionName, metricType: MetricType.TOTAL } } }),
  };
}

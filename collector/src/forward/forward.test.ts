// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCollapsed } from '@hearthscope/profile/codecs/collapsed';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { labelSet, labelValue } from '@hearthscope/profile/labels';
import { formatProfileType, parseProfileType, profileTypeLabels } from '@hearthscope/profile/profile-type';
import { profileFromText } from '@hearthscope/profile/testing/text-profile';
import { DEFAULT_TENANT_LIMITS } from '../limits/tenant-limits.ts';
import type { NormalisedProfile } from '../normalised-profile.ts';
import { normaliseOtlpRequest } from '../otlp-pipeline.ts';
import { normalisePushRequest } from '../push/push-request.ts';
import { encodeOtlp } from './encode-otlp.ts';
import { encodePush } from './encode-push.ts';
import type { ForwardOutcome, ForwardRequest } from './forward-transport.ts';
import { Forwarder, type ForwarderOptions } from './forwarder.ts';

const NOW_MILLIS = 1_700_000_000_000;
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const SAMPLES = 'process_cpu:samples:count:cpu:nanoseconds';
const SPACE = 'memory:inuse_space:bytes:space:bytes';
const OPTIONS = {
  tenant: 'a',
  limits: DEFAULT_TENANT_LIMITS,
  now: () => NOW_MILLIS,
  indexedAttributes: ['env'],
};

function normalised(typeId: string, text: string, period = 10n): NormalisedProfile {
  const type = parseProfileType(typeId);
  return {
    labels: labelSet([
      { name: 'service_name', value: 'shop' },
      { name: 'env', value: 'prod' },
      ...profileTypeLabels(type),
    ]),
    profile: profileFromText(text, { sampleTypes: [type.sampleType], periodType: type.periodType, period }),
  };
}

/** What a receiver stores: type, labels that users see, stacks. */
function summary(profiles: readonly NormalisedProfile[]): unknown[] {
  return profiles
    .map(({ labels, profile }) => ({
      type: labelValue(labels, '__profile_type__'),
      service: labelValue(labels, 'service_name'),
      env: labelValue(labels, 'env'),
      time: profile.timeUnixNanos,
      stacks: encodeCollapsed(profile),
    }))
    .sort((a, b) => (a.type < b.type ? -1 : 1));
}

test('pushed profiles arrive as they were', () => {
  const profiles = [
    normalised(CPU, 'main;work 70\nmain;rest 30'),
    normalised(SAMPLES, 'main;work 7\nmain;rest 3'),
    normalised(SPACE, 'main;alloc 4096', 524288n),
  ];
  const { bodies, lost } = encodePush(profiles);
  assert.deepEqual(lost, {});
  assert.equal(bodies.length, 1);
  const { accepted, rejected } = normalisePushRequest(bodies[0]!, OPTIONS);
  assert.deepEqual(rejected, []);
  assert.deepEqual(summary(accepted), summary(profiles));
});

test('time on CPU goes as OpenTelemetry counts it, once, and comes back as it was', () => {
  const cpu = normalised(CPU, 'main;work 70\nmain;rest 30');
  const { bodies, lost } = encodeOtlp([cpu, normalised(SAMPLES, 'main;work 7\nmain;rest 3')], 1 << 20);
  assert.deepEqual(lost, { count_beside_time: 1 });
  const { accepted, rejected } = normaliseOtlpRequest(bodies[0]!, OPTIONS);
  assert.deepEqual(rejected, []);
  assert.deepEqual(summary(accepted), summary([cpu]));
});

test('what is no multiple of the period, and other types, keep their values', () => {
  const uneven = normalised(CPU, 'main;work 75');
  const space = normalised(SPACE, 'main;alloc 4096', 524288n);
  const { bodies } = encodeOtlp([uneven, space], 1 << 20);
  const stored = bodies.flatMap((body) => normaliseOtlpRequest(body, OPTIONS).accepted);
  assert.deepEqual(stored.map(({ profile }) => encodeCollapsed(profile)).sort(), [
    'main;alloc 4096\n',
    'main;work 75\n',
  ]);
  for (const { labels } of stored) {
    assert.equal(labelValue(labels, 'service_name'), 'shop');
    assert.notEqual(formatProfileType(parseProfileType(labelValue(labels, '__profile_type__'))), '');
  }
});

/** A forwarder over a transport that answers what it is told to. */
function forwarder(answers: ForwardOutcome[], changes: Partial<ForwarderOptions> = {}) {
  const sent: ForwardRequest[] = [];
  const counts: string[] = [];
  const waits: number[] = [];
  let clock = 0;
  const options: ForwarderOptions = {
    transport: {
      send: async (request) => {
        sent.push(request);
        return answers.shift() ?? ACCEPTED;
      },
    },
    encode: encodePush,
    maxQueuedBytes: 1 << 20,
    timeoutMillis: 8000,
    now: () => clock,
    sleep: async (millis) => {
      waits.push(millis);
      clock += millis;
    },
    random: () => 1,
    observer: {
      onSent: () => counts.push('sent'),
      onRetry: (reason) => counts.push(`retry ${reason}`),
      onLost: (reason, profiles) => counts.push(`lost ${reason} ${profiles}`),
    },
    ...changes,
  };
  return { forwarder: new Forwarder(options), sent, counts, waits };
}

const ACCEPTED: ForwardOutcome = { kind: 'accepted', rejectedProfiles: 0, message: '' };
const BUSY: ForwardOutcome = {
  kind: 'retry',
  reason: 'http_503',
  message: '503 busy',
  retryAfterMillis: undefined,
};

async function failure(promise: Promise<void>): Promise<HearthscopeError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof HearthscopeError, String(error));
    return error;
  }
  return assert.fail('should have been refused');
}

const PROFILES = [normalised(CPU, 'main;work 70')];

test('a call ends when the receiver has taken the profiles, after as many attempts as it takes', async () => {
  const {
    forwarder: one,
    sent,
    counts,
    waits,
  } = forwarder([BUSY, BUSY, { ...BUSY, retryAfterMillis: 700 } as ForwardOutcome]);
  await one.forward('team-a', PROFILES);
  assert.equal(sent.length, 4);
  assert.equal(sent[3]!.tenant, 'team-a');
  assert.deepEqual(waits, [100, 200, 700]);
  assert.deepEqual(counts, ['retry http_503', 'retry http_503', 'retry http_503', 'sent']);
  assert.equal(one.queuedBytes, 0);
});

test('a receiver that does not come back within the time is the answer, and counted', async () => {
  const busy = forwarder(new Array<ForwardOutcome>(100).fill(BUSY));
  const error = await failure(busy.forwarder.forward('a', PROFILES));
  assert.equal(error.code, 'unavailable');
  assert.match(error.message, /in time: 503 busy/);
  assert.ok(busy.waits.reduce((sum, wait) => sum + wait, 0) < 8000);
  assert.equal(busy.counts.at(-1), 'lost http_503 1');
  assert.equal(busy.forwarder.queuedBytes, 0);

  const limited = forwarder([{ ...BUSY, reason: 'http_429', retryAfterMillis: 60_000 } as ForwardOutcome]);
  assert.equal((await failure(limited.forwarder.forward('a', PROFILES))).code, 'resource_exhausted');
  assert.deepEqual(limited.waits, []);
});

test('what is refused is told and not tried again', async () => {
  const refused = forwarder([
    { kind: 'refused', reason: 'http_422', message: 'too old', code: 'invalid_argument' },
  ]);
  const error = await failure(refused.forwarder.forward('a', PROFILES));
  assert.equal(error.code, 'invalid_argument');
  assert.match(error.message, /too old/);
  assert.deepEqual(refused.counts, ['lost http_422 1']);

  const partly = forwarder([{ kind: 'accepted', rejectedProfiles: 2, message: 'bad stacks' }]);
  assert.match(
    (await failure(partly.forwarder.forward('a', PROFILES))).message,
    /refused 2 profiles: bad stacks/,
  );
  assert.deepEqual(partly.counts, ['sent', 'lost rejected 2']);
});

test('bytes on their way are bounded; one request alone is always taken', async () => {
  const { promise, resolve } = Promise.withResolvers<ForwardOutcome>();
  const size = encodePush(PROFILES).bodies[0]!.length;
  const one = forwarder([], { maxQueuedBytes: size * 2 - 1, transport: { send: () => promise } });
  const first = one.forwarder.forward('a', PROFILES);
  assert.equal(one.forwarder.queuedBytes, size);
  const error = await failure(one.forwarder.forward('a', PROFILES));
  assert.equal(error.code, 'unavailable');
  assert.deepEqual(one.counts, ['lost queue_full 1']);
  resolve(ACCEPTED);
  await first;
  await one.forwarder.forward('a', PROFILES);
  const small = forwarder([], { maxQueuedBytes: 1 });
  await small.forwarder.forward('a', PROFILES);
  assert.deepEqual(small.counts, ['sent']);
  const exact = forwarder([], { maxQueuedBytes: size * 2, transport: { send: () => promise } });
  await Promise.all([exact.forwarder.forward('a', PROFILES), exact.forwarder.forward('a', PROFILES)]);
  assert.deepEqual(exact.counts, ['sent', 'sent']);
});

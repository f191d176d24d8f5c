// SPDX-License-Identifier: Apache-2.0
//
// The agent on the real kernel against a real HTTP receiver.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { hostname } from 'node:os';
import { after, before, describe, it, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { decodeOtlpRequest } from '@hearthscope/profile/codecs/otlp-decode';
import type { ResourceProfile } from '@hearthscope/profile/profile';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { type AgentOptions, type RunningAgent, startAgent } from './agent.ts';
import { type CompiledProgram, compileProgram, samplingUnavailable } from './testing/programs.ts';

const skip = samplingUnavailable();
const logger = pino({ level: 'silent' });

/** A test that fails must not leave an agent behind that keeps the process alive. */
const LIMIT = { timeout: 60_000 };

async function startTestAgent(t: TestContext, options: AgentOptions): Promise<RunningAgent> {
  const agent = await startAgent(options);
  t.after(() => agent.stop());
  return agent;
}

/** Collects what is posted to it. */
async function startReceiver(t: TestContext): Promise<{
  endpoint: string;
  profiles: ResourceProfile[];
  until: (condition: () => boolean) => Promise<void>;
}> {
  const profiles: ResourceProfile[] = [];
  let wake = (): void => {};
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { resourceProfiles, rejected } = decodeOtlpRequest(gunzipSync(Buffer.concat(chunks)));
      assert.deepEqual(rejected, []);
      profiles.push(...resourceProfiles);
      response.writeHead(200).end();
      wake();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    profiles,
    until: async (condition) => {
      while (!condition()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

function options(endpoint: string, over: Partial<AgentOptions> = {}): AgentOptions {
  return {
    frequencyHz: 99,
    intervalMillis: 1000,
    excludeSelf: true,
    export: {
      endpoint,
      protocol: 'http',
      headers: {},
      tenant: '',
      content: 'both',
      timeoutMillis: 5000,
      queueMaxBytes: 1 << 20,
    },
    serviceRules: [],
    symbolCacheBytes: 16 << 20,
    metrics: { host: '127.0.0.1', port: 0 },
    logger,
    registry: new Registry(),
    ...over,
  };
}

function attribute({ resource }: ResourceProfile, key: string): unknown {
  return resource.attributes.find((each) => each.key === key)?.value;
}

describe('startAgent', { skip }, () => {
  let program: CompiledProgram;
  const children: ChildProcess[] = [];
  before(async () => {
    program = await compileProgram('known-split');
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await program.remove();
  });

  it('ships named stacks of a service, flushes at the end, and shows its metrics', LIMIT, async (t) => {
    const receiver = await startReceiver(t);
    const env = { OTEL_SERVICE_NAME: 'split-service', OTEL_RESOURCE_ATTRIBUTES: 'k8s.namespace.name=shop' };
    children.push(spawn(program.path, ['60'], { env }));
    const agent = await startTestAgent(t, options(receiver.endpoint));
    const ofService = (): ResourceProfile[] =>
      receiver.profiles.filter((each) => attribute(each, 'service.name') === 'split-service');
    // On a busy machine the first batches go out with the names that are known by then.
    const named = (): ResourceProfile | undefined =>
      ofService().find(({ profile }) => profile.strings.includes('spin_seventy'));
    await receiver.until(() => ofService().length >= 2 && named() !== undefined);

    const first = named()!;
    assert.equal(attribute(first, 'host.name'), hostname());
    assert.equal(attribute(first, 'k8s.namespace.name'), 'shop');
    const { profile } = first;
    assert.deepEqual(profile.sampleTypes, [{ type: 'samples', unit: 'count' }]);
    assert.deepEqual(profile.periodType, { type: 'cpu', unit: 'nanoseconds' });
    assert.equal(profile.period, 10_101_010n);
    const keys = new Set(profile.attributes.map(({ key }) => key));
    for (const key of ['process.pid', 'thread.id', 'thread.name', 'process.executable.name']) {
      assert.ok(keys.has(key), key);
    }

    const metrics = await (await fetch(`http://127.0.0.1:${agent.metricsPort}/metrics`)).text();
    assert.match(metrics, /hearthscope_agent_sampler_events_total\{reason="samples"\} [1-9]/);
    assert.match(metrics, /hearthscope_agent_export_requests_total\{outcome="accepted"\} [1-9]/);
    assert.equal((await fetch(`http://127.0.0.1:${agent.metricsPort}/`)).status, 404);

    const shippedBefore = receiver.profiles.length;
    await Promise.all([agent.stop(), agent.stop()]);
    assert.ok(receiver.profiles.length > shippedBefore, 'the last batch arrives');
    await assert.rejects(fetch(`http://127.0.0.1:${agent.metricsPort}/metrics`));
  });

  it('makes one resource of many short processes of one service', LIMIT, async (t) => {
    const receiver = await startReceiver(t);
    const agent = await startTestAgent(t, options(receiver.endpoint));
    const pids = new Set<number>();
    const env = { OTEL_SERVICE_NAME: 'short-lived' };
    for (let round = 0; round < 20; round++) {
      const child = spawn(program.path, ['0.06'], { env });
      pids.add(child.pid!);
      await once(child, 'exit');
    }
    await agent.stop();
    const profiles = receiver.profiles.filter((each) => attribute(each, 'service.name') === 'short-lived');
    assert.equal(
      new Set(
        profiles
          .map((each) =>
            JSON.stringify(each.resource.attributes.filter(({ key }) => !/^(os|host)\./.test(key))),
          )
          .values(),
      ).size,
      1,
    );
    const seen = new Set(
      profiles.flatMap(({ profile }) =>
        profile.attributes.filter(({ key }) => key === 'process.pid').map(({ value }) => Number(value)),
      ),
    );
    assert.ok([...seen].every((pid) => pids.has(pid)));
    assert.ok(seen.size >= 15, `samples of ${seen.size} of 20 processes`);
  });

  it('stops in time when nobody listens', LIMIT, async (t) => {
    const agent = await startTestAgent(t, options('http://127.0.0.1:1'));
    await agent.stop();
  });

  it('says what is wrong before anything runs', LIMIT, async () => {
    await assert.rejects(startAgent(options('nowhere')), { code: 'invalid_argument' });
    await assert.rejects(
      startAgent(options('http://127.0.0.1:1', { serviceRules: [{ match: {}, name: 'x' }] })),
      {
        code: 'invalid_argument',
      },
    );
    const taken = createTcpServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const metrics = { host: '127.0.0.1', port };
    await assert.rejects(startAgent(options('http://127.0.0.1:1', { metrics })), { code: 'unavailable' });
    taken.close();
  });
});

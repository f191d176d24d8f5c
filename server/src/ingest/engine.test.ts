// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DEFAULT_TENANT_LIMITS } from '@hearthscope/collector/limits/tenant-limits';
import { encodeTestRequest, type TestProfile } from '@hearthscope/collector/testing/otlp-request';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { DataDir } from '../storage/data-dir.ts';
import { startChildProgram } from '../storage/testing/child-program.ts';
import { CPU_TYPE } from '../storage/testing/stored-profile.ts';
import { testDirectory } from '../storage/testing/test-directory.ts';
import { Engine, type EngineOptions } from './engine.ts';

const PERIOD = 10_000_000;

async function startEngine(t: TestContext, dataDir: string, options: Partial<EngineOptions> = {}) {
  const registry = new Registry();
  const engine = await Engine.start({
    dataDir,
    headMaxBytes: 1 << 28,
    pipeline: { indexedAttributes: [] },
    limits: { defaults: DEFAULT_TENANT_LIMITS, overrides: {} },
    logger: pino({ level: 'silent' }),
    registry,
    ...options,
  });
  t.after(() => engine.stop());
  return { engine, registry };
}

function cpuProfile(
  samples: Readonly<Record<string, number>>,
  profile: Partial<TestProfile> = {},
): TestProfile {
  return {
    resource: { 'service.name': 'web' },
    period: PERIOD,
    timeUnixNanos: BigInt(Date.now()) * 1_000_000n,
    samples: Object.entries(samples).map(([stack, value]) => ({ stack: stack.split(';'), value })),
    ...profile,
  };
}

function exportOtlp(engine: Engine, body: Uint8Array) {
  return engine.exportOtlp('a', body, 'protobuf');
}

function lastMinute() {
  return { startMillis: Date.now() - 60_000, endMillis: Date.now() + 60_000 };
}

function totalOf(engine: Engine): Promise<bigint> {
  return engine.querier
    .mergeStacktraces(['a'], {
      ...lastMinute(),
      profileTypeId: CPU_TYPE,
      labelSelector: '{service_name="web"}',
      maxNodes: undefined,
      callSite: [],
      profileIds: undefined,
      traceIds: undefined,
      spanIds: undefined,
    })
    .then(({ total }) => total);
}

test('what is acknowledged can be asked for at once, and after a restart', async (t) => {
  const dataDir = testDirectory(t);
  const { engine, registry } = await startEngine(t, dataDir);
  assert.deepEqual(engine.readiness(), { ready: true, reason: '' });
  const body = encodeTestRequest([cpuProfile({ 'main;work': 7, 'main;idle': 3 })]);
  assert.deepEqual(await exportOtlp(engine, body), {
    accepted: [{ name: 'process_cpu', profiles: 1, samples: 2 }],
    rejected: [],
  });
  assert.equal(await totalOf(engine), BigInt(10 * PERIOD));
  assert.deepEqual(
    (await engine.querier.profileTypes(['a'], lastMinute())).map(({ id }) => id),
    [CPU_TYPE],
  );
  const text = await registry.metrics();
  assert.match(text, /^hearthscope_ingest_profiles_total 1$/m);
  assert.match(text, /^hearthscope_ingest_samples_total 2$/m);
  assert.match(text, /^hearthscope_wal_group_frames_count 1$/m);
  assert.match(text, /^hearthscope_head_series 1$/m);
  assert.match(text, /^hearthscope_query_seconds_count\{method="mergeStacktraces"\} 1$/m);
  await engine.stop();
  assert.deepEqual(engine.readiness(), { ready: false, reason: 'the server is stopping' });
  await assert.rejects(totalOf(engine), /the server is stopping/);
  assert.match(await registry.metrics(), /^hearthscope_ingest_profiles_total 1$/m, 'the last figures stay');

  const { engine: again } = await startEngine(t, dataDir);
  assert.equal(await totalOf(again), BigInt(10 * PERIOD));
});

test('good profiles are stored beside refused ones, which are counted', async (t) => {
  const { engine, registry } = await startEngine(t, testDirectory(t));
  const tooOld = cpuProfile({ main: 1 }, { timeUnixNanos: 1_000_000_000n });
  const { accepted, rejected } = await exportOtlp(
    engine,
    encodeTestRequest([cpuProfile({ main: 1 }), tooOld, tooOld]),
  );
  assert.deepEqual(accepted, [{ name: 'process_cpu', profiles: 1, samples: 1 }]);
  assert.deepEqual(
    rejected.map(({ what, reason, count }) => ({ what, reason, count })),
    [{ what: 'profile', reason: 'not_in_ingestion_window', count: 2 }],
  );
  assert.match(rejected[0]!.message, /outside of ingestion window/);
  assert.equal(await totalOf(engine), BigInt(PERIOD));
  assert.match(
    await registry.metrics(),
    /^hearthscope_ingest_discarded_profiles_total\{reason="not_in_ingestion_window"\} 2$/m,
  );
});

test('queries beyond the queue are refused, and one that nobody waits for is given up', async (t) => {
  const { engine, registry } = await startEngine(t, testDirectory(t), {
    queryLimits: { maxConcurrentQueries: 1, maxQueuedQueries: 1 },
  });
  const cancellation = new AbortController();
  const queries = [
    engine.querier.profileStats(['a']),
    engine.querier.profileStats(['a'], { signal: cancellation.signal }),
    engine.querier.profileStats(['a']),
  ];
  cancellation.abort();
  const outcomes = await Promise.allSettled(queries);
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : outcome.status)),
    ['fulfilled', 'canceled', 'resource_exhausted'],
  );
  assert.equal((await engine.querier.profileStats(['a'])).dataIngested, false);
  const text = await registry.metrics();
  assert.match(text, /^hearthscope_query_failures_total\{method="profileStats",code="canceled"\} 1$/m);
  assert.match(text, /^hearthscope_queries_in_flight 0$/m);
  assert.match(text, /^hearthscope_queries_queued 0$/m);
});

test('malformed bytes are refused and nothing else is', async (t) => {
  const { engine, registry } = await startEngine(t, testDirectory(t));
  await assert.rejects(
    exportOtlp(engine, Uint8Array.of(1, 2, 3)),
    (error) => error instanceof HearthscopeError && error.code === 'invalid_argument',
  );
  await exportOtlp(engine, encodeTestRequest([cpuProfile({ main: 1 })]));
  assert.match(
    await registry.metrics(),
    /^hearthscope_ingest_refused_requests_total\{reason="invalid_argument"\} 1$/m,
  );
});

test('a body that is part of a larger buffer is not torn out of it', async (t) => {
  const { engine } = await startEngine(t, testDirectory(t));
  const bytes = encodeTestRequest([cpuProfile({ main: 1 })]);
  const larger = new Uint8Array(bytes.length + 20);
  larger.set(bytes, 10);
  await exportOtlp(engine, larger.subarray(10, 10 + bytes.length));
  assert.equal(larger.length, bytes.length + 20);
  assert.equal(await totalOf(engine), BigInt(PERIOD));
});

test('a full head is unavailable and counted, and queries go on', async (t) => {
  const { engine, registry } = await startEngine(t, testDirectory(t), { headMaxBytes: 600_000 });
  let accepted = 0;
  const isFull = (error: unknown) => error instanceof HearthscopeError && error.code === 'unavailable';
  for (let i = 0; i < 200; i++) {
    const samples = Object.fromEntries(Array.from({ length: 50 }, (_, k) => [`main;f${i};g${k}`, 1]));
    await exportOtlp(engine, encodeTestRequest([cpuProfile(samples)])).then(
      () => {
        accepted++;
      },
      (error) => assert.ok(isFull(error), String(error)),
    );
  }
  assert.ok(accepted > 0 && accepted < 200, `${accepted} accepted`);
  assert.equal(await totalOf(engine), BigInt(accepted * 50 * PERIOD));
  const refused = new RegExp(
    `^hearthscope_ingest_refused_requests_total\\{reason="unavailable"\\} ${200 - accepted}$`,
    'm',
  );
  assert.match(await registry.metrics(), refused);
  // A full head is a matter of memory: the disk can be written, and the server goes on answering.
  assert.equal(engine.readiness().ready, true);
});

test('a WAL that cannot be written makes the server not ready, until it can', async (t) => {
  const dataDir = testDirectory(t);
  // The first frame fills the segment, so that the second one needs a new file.
  const { engine, registry } = await startEngine(t, dataDir, {
    walLimits: { maxSegmentBytes: 1, retryMillis: 20, minFreeBytes: 0 },
  });
  const ingest = () => exportOtlp(engine, encodeTestRequest([cpuProfile({ main: 1 })]));
  await ingest();
  rmSync(join(dataDir, 'wal'), { recursive: true });
  await assert.rejects(
    ingest(),
    (error) => error instanceof HearthscopeError && error.code === 'unavailable',
  );
  assert.equal(engine.readiness().ready, false);
  assert.match(engine.readiness().reason, /the WAL cannot be written: ENOENT/);
  await assert.rejects(ingest(), /the WAL cannot be written/);
  assert.equal(await totalOf(engine), BigInt(PERIOD), 'queries go on');
  assert.match(await registry.metrics(), /^hearthscope_wal_failures_total\{reason="ENOENT"\} 1$/m);
});

test('a data directory in use, and one that cannot be made, are clear errors', async (t) => {
  const dataDir = testDirectory(t);
  await startEngine(t, dataDir);
  const isClear = (message: RegExp) => (error: unknown) =>
    error instanceof HearthscopeError && error.code === 'failed_precondition' && message.test(error.message);
  await assert.rejects(startEngine(t, dataDir), isClear(/in use by another process/));
  await assert.rejects(startEngine(t, '/proc/nowhere'), isClear(/cannot be used: .*give another one/));
});

test('stop waits for what was asked before it', async (t) => {
  const dataDir = testDirectory(t);
  const { engine } = await startEngine(t, dataDir);
  const ingested = Promise.all(
    Array.from({ length: 20 }, () => exportOtlp(engine, encodeTestRequest([cpuProfile({ main: 1 })]))),
  );
  await engine.stop();
  assert.equal((await ingested).length, 20);
  const { engine: again } = await startEngine(t, dataDir);
  assert.equal(await totalOf(again), BigInt(20 * PERIOD));
});

const NOBODY = 65534;
const UNPRIVILEGED = new URL(`./testing/unprivileged-engine${extname(import.meta.url)}`, import.meta.url);

test('an engine started as root goes on as another user, and keeps its directory to itself', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('SKIPPED: becoming another user needs root');
  const parent = testDirectory(t);
  chmodSync(parent, 0o755);
  const dataDir = join(parent, 'data');
  mkdirSync(dataDir);
  chownSync(dataDir, NOBODY, NOBODY);
  const request = Buffer.from(encodeTestRequest([cpuProfile({ main: 1 })])).toString('base64');
  const child = startChildProgram(UNPRIVILEGED, [dataDir, String(NOBODY), request]);
  t.after(() => child.process.kill('SIGKILL'));
  const { value, done } = await child.lines.next();
  assert.equal(value, `uid ${NOBODY} total ${3 * PERIOD}`, done ? (await child.ended).stderr : '');
  assert.throws(() => DataDir.open(dataDir), /in use by another process/);
  child.process.kill('SIGKILL');
  await child.ended;
  for (const name of readdirSync(join(dataDir, 'wal'))) {
    assert.equal(statSync(join(dataDir, 'wal', name)).uid, NOBODY);
  }
  const { engine } = await startEngine(t, dataDir);
  assert.equal(await totalOf(engine), BigInt(3 * PERIOD));
});

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { type TenantLimits, tenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { encodePprof } from '@hearthscope/profile/codecs/pprof-encode';
import { ProfileBuilder } from '@hearthscope/profile/profile-builder';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { AdHocProfileService } from '../../gen/adhocprofiles/v1/adhocprofiles_pb.js';
import { routeTransport, tenantByHeader } from '../settings/testing/route-transport.ts';
import { testDirectory } from '../storage/testing/test-directory.ts';
import { DEFAULT_ADHOC_READER_LIMITS } from './adhoc-reader.ts';
import { type AdhocOptions, adhocRoutes } from './adhoc-routes.ts';
import { DEFAULT_ADHOC_STORE_LIMITS } from './adhoc-store.ts';

const NOW = 1_767_225_600_000;

const SPEEDSCOPE = JSON.stringify({
  $schema: 'https://www.speedscope.app/file-format-schema.json',
  shared: { frames: [{ name: 'main' }, { name: 'work' }] },
  profiles: [
    {
      type: 'sampled',
      name: 'one',
      unit: 'none',
      startValue: 0,
      endValue: 3,
      samples: [[0, 1], [0]],
      weights: [2, 1],
    },
    { type: 'sampled', name: 'one', unit: 'bytes', startValue: 0, endValue: 7, samples: [[0]], weights: [7] },
  ],
});

const FLAMEBEARER = JSON.stringify({
  version: 1,
  flamebearer: {
    names: ['total', 'main', 'work'],
    levels: [
      [0, 3, 0, 0],
      [0, 3, 1, 1],
      [1, 2, 2, 2],
    ],
    numTicks: 3,
    maxSelf: 2,
  },
  metadata: { format: 'single', spyName: 'gospy', sampleRate: 100, units: 'samples', name: 'cpu' },
  timeline: null,
});

const PERF_SCRIPT = `app 1234 100.000001: 1 cpu-clock:
\t    55d0c0 work (/usr/bin/app)
\t    55d0a0 main (/usr/bin/app)

app 1234 100.010001: 1 cpu-clock:
\t    55d0a0 main (/usr/bin/app)

`;

const COLLAPSED = 'main;work 2\nmain 1\n';

interface Shown {
  readonly flamebearer: { readonly names: string[]; readonly levels: number[][]; readonly numTicks: number };
  readonly metadata: { readonly format: string; readonly units: string; readonly name: string };
  readonly leftTicks?: number;
  readonly rightTicks?: number;
}

async function start(
  t: TestContext,
  {
    tenant = {},
    dataDir = testDirectory(t),
    ...limits
  }: AdhocOptions & { tenant?: Partial<TenantLimits>; dataDir?: string } = {},
) {
  const registry = new Registry();
  let nowMillis = NOW;
  const routes = await adhocRoutes(
    {
      authenticator: tenantByHeader,
      dataDir,
      limitsOf: () => tenantLimits(tenant),
      now: () => nowMillis++,
      logger: pino({ level: 'silent' }),
      registry,
    },
    limits,
  );
  t.after(() => routes.close!());
  const client = createClient(AdHocProfileService, routeTransport(routes));
  const upload = (name: string, content: string | Uint8Array) =>
    client.upload({ name, profile: Buffer.from(content).toString('base64') });
  return { client, upload, dataDir, registry };
}

async function refusal(call: Promise<unknown>): Promise<[Code, string]> {
  const error = await call.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ConnectError, String(error));
  return [error.code, error.rawMessage];
}

/** Two sample types: `samples` as in the texts above, and `cpu` in nanoseconds. */
function pprof(): Uint8Array {
  const builder = new ProfileBuilder({
    timeUnixNanos: 1n,
    durationNanos: 1n,
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: 10n,
  });
  const location = (name: string) =>
    builder.location({ mapping: 0, address: 0n, lines: [{ function: builder.function({ name }) }] });
  const main = location('main');
  builder.addSample(builder.stack([location('work'), main]), [2n, 20n]);
  builder.addSample(builder.stack([main]), [1n, 10n]);
  return encodePprof(builder.build());
}

test('each format is read, whatever its file is called', async (t) => {
  const { client, upload } = await start(t);
  const plain = pprof();
  const cases: [string, string | Uint8Array, string[], string[]][] = [
    ['cpu.pprof', plain, ['samples', 'cpu'], ['total', 'main', 'work']],
    ['cpu.pb.gz', gzipSync(plain), ['samples', 'cpu'], ['total', 'main', 'work']],
    ['download', gzipSync(gzipSync(plain)), ['samples', 'cpu'], ['total', 'main', 'work']],
    ['export.json', FLAMEBEARER, ['cpu'], ['total', 'main', 'work']],
    ['x.speedscope.json', SPEEDSCOPE, ['one', 'one (2)'], ['total', 'main', 'work']],
    ['stacks.collapsed', COLLAPSED, ['stacks.collapsed'], ['total', 'main', 'work']],
    ['stacks.txt', COLLAPSED, ['stacks.txt'], ['total', 'main', 'work']],
    ['perf.txt', PERF_SCRIPT, ['perf.txt'], ['total', 'app', 'main', 'work']],
    ['', PERF_SCRIPT, ['profile'], ['total', 'app', 'main', 'work']],
  ];
  for (const [name, content, profileTypes, names] of cases) {
    const uploaded = await upload(name, content);
    assert.deepEqual(uploaded.profileTypes, profileTypes, name);
    assert.equal(uploaded.profileType, profileTypes[0]);
    const shown = JSON.parse(uploaded.flamebearerProfile) as Shown;
    assert.deepEqual(shown.flamebearer.names.sort(), names.sort(), name);
    assert.equal(shown.flamebearer.numTicks, name === 'perf.txt' || name === '' ? 2 : 3, name);
    const again = await client.get({ id: uploaded.id });
    assert.equal(again.flamebearerProfile, uploaded.flamebearerProfile);
    assert.equal(again.uploadedAt, uploaded.uploadedAt);
  }
});

test('a profile type can be chosen, and nodes cut', async (t) => {
  const { client, upload } = await start(t);
  const { id } = await upload('a.pprof', pprof());
  const cpu = await client.get({ id, profileType: 'cpu' });
  assert.equal(cpu.profileType, 'cpu');
  const shown = JSON.parse(cpu.flamebearerProfile) as Shown;
  assert.equal(shown.flamebearer.numTicks, 30);
  assert.equal(shown.metadata.units, 'samples');
  assert.equal((await client.get({ id, profileType: 'nothing' })).profileType, 'samples');
  const cut = JSON.parse((await client.get({ id, maxNodes: 1n })).flamebearerProfile) as Shown;
  assert.deepEqual(cut.flamebearer.names, ['total', 'main', 'other']);
  const [code, message] = await refusal(client.get({ id, maxNodes: 1_048_577n }));
  assert.equal(code, Code.InvalidArgument);
  assert.match(message, /greater than allowed/);
});

test('two files are compared', async (t) => {
  const { client, upload } = await start(t);
  const left = (await upload('left.pprof', pprof())).id;
  const right = (await upload('right.json', FLAMEBEARER)).id;
  const diff = await client.diff({ leftId: left, rightId: right, profileType: 'cpu' });
  assert.deepEqual(diff.profileTypes, ['cpu']);
  const shown = JSON.parse(diff.flamebearerProfile) as Shown;
  assert.equal(shown.metadata.format, 'double');
  assert.deepEqual([shown.leftTicks, shown.rightTicks], [30, 3]);
  assert.equal(shown.flamebearer.levels[0]?.length, 7);
  assert.match(
    (await refusal(client.diff({ leftId: left, rightId: right })))[1],
    /profile type mismatch: left profile uses 'samples', right profile uses 'cpu'/,
  );
  const text = (await upload('a.collapsed', COLLAPSED)).id;
  const other = (await upload('b.collapsed', 'main 5\n')).id;
  assert.match((await refusal(client.diff({ leftId: left, rightId: text })))[1], /no common profile types/);
  const texts = JSON.parse((await client.diff({ leftId: text, rightId: other })).flamebearerProfile) as Shown;
  assert.deepEqual([texts.leftTicks, texts.rightTicks], [3, 5]);
  assert.deepEqual(await refusal(client.diff({ leftId: `${left}x`, rightId: right })), [
    Code.NotFound,
    `left profile ${left}x not found`,
  ]);
});

test('files are listed, the latest first, by tenant, and survive the process', async (t) => {
  const { upload, dataDir } = await start(t);
  const first = await upload('first.txt', COLLAPSED);
  const second = await upload('../../etc/päss wd.txt', COLLAPSED);
  assert.equal(second.name, '.._.._etc_p_ss_wd.txt');
  assert.match(second.id, /^[0-9A-Z]{26}-\.\._\.\._etc_p_ss_wd\.txt$/);
  assert.deepEqual(readdirSync(join(dataDir, 'adhoc/tenants')), ['anonymous']);
  writeFileSync(join(dataDir, 'adhoc/tenants/anonymous/no-id'), '');
  mkdirSync(join(dataDir, 'adhoc/staging'), { recursive: true });
  writeFileSync(join(dataDir, 'adhoc/staging/left'), 'over');

  const again = await start(t, { dataDir });
  assert.equal(existsSync(join(dataDir, 'adhoc/staging/left')), false);
  const { profiles } = await again.client.list({});
  assert.deepEqual(
    profiles.map(({ id, name, uploadedAt }) => [id, name, uploadedAt]),
    [
      [second.id, second.name, second.uploadedAt],
      [first.id, first.name, first.uploadedAt],
    ],
  );
  const other = { headers: { 'x-scope-orgid': 'other' } };
  assert.deepEqual((await again.client.list({}, other)).profiles, []);
  assert.equal((await refusal(again.client.get({ id: first.id }, other)))[0], Code.NotFound);
});

test('ids lead nowhere else', async (t) => {
  const { client } = await start(t);
  for (const id of ['', '../settings.json', 'a/b', 'a\u0000', 'ä', `${'a'.repeat(500)}/`]) {
    const [code, message] = await refusal(client.get({ id }));
    assert.equal(code, Code.InvalidArgument);
    assert.match(message, /is invalid: can only contain \[a-zA-Z0-9_-\.\]$/);
  }
  for (const id of [
    '..',
    '.',
    'abc',
    'a'.repeat(300),
    '01JGFJJZ00AAAAAAAAAAAAAAAA-',
    '01JGFJJZ00AAAAAAAAAAAAAAAA-a',
  ]) {
    assert.deepEqual(await refusal(client.get({ id })), [Code.NotFound, `profile ${id} not found`]);
  }
});

test('what is no profile is refused and not kept', async (t) => {
  const { client, upload } = await start(t, { tenant: { maxProfileSizeBytes: 1000 } });
  const invalid = async (call: Promise<unknown>, text: RegExp) => {
    const [code, message] = await refusal(call);
    assert.equal(code, Code.InvalidArgument, message);
    assert.match(message, text);
  };
  await invalid(client.upload({ name: 'a', profile: '%%%%' }), /not base64/);
  await invalid(client.upload({ name: 'a', profile: 'YWI' }), /not base64/);
  await invalid(upload('a', 'x'.repeat(1001)), /profile payload size exceeds limit of 1\.0 kB/);
  await invalid(upload('a', gzipSync('x'.repeat(1001))), /uncompressed profile payload size exceeds limit/);
  await invalid(upload('a', gzipSync(gzipSync(gzipSync(COLLAPSED)))), /compressed more than 2 times/);
  await invalid(upload('a.gz', gzipSync(COLLAPSED).subarray(0, 20)), /damaged/);
  await invalid(upload('a.txt', 'no count\n'), /failed to parse profile/);
  await invalid(upload('a.json', '{'), /failed to parse profile/);
  await invalid(upload('a.json', '{"version":1}'), /failed to parse profile/);
  await invalid(
    upload('a.json', '{"flamebearer":{"levels":[[1e99]]},"version":1,"metadata":{}}'),
    /failed to parse/,
  );
  await invalid(upload('a.pprof', Buffer.from([0xff, 0xff, 0xff])), /failed to parse profile/);
  await invalid(upload('a.pprof', pprof().subarray(0, 40)), /failed to parse profile/);
  await invalid(
    upload('a.json', SPEEDSCOPE.replace('"samples":[[0,1]', '"samples":[[0,9]').slice(0, -2)),
    /failed/,
  );
  assert.deepEqual((await client.list({})).profiles, []);
  const exact = await upload('a.txt', `${'x'.repeat(998)} 1`);
  assert.equal((await client.list({})).profiles[0]?.id, exact.id);
});

test('the oldest files make room', async (t) => {
  const store = { ...DEFAULT_ADHOC_STORE_LIMITS, maxFiles: 2, maxTenants: 1 };
  const { client, upload, registry } = await start(t, { store });
  for (const name of ['a', 'b', 'c']) await upload(name, COLLAPSED);
  assert.deepEqual(
    (await client.list({})).profiles.map(({ name }) => name),
    ['c', 'b'],
  );
  assert.match(await registry.metrics(), /hearthscope_adhoc_removals_total\{reason="too_many"\} 1/);
  const profile = Buffer.from(COLLAPSED).toString('base64');
  const refused = client.upload({ name: 'd', profile }, { headers: { 'x-scope-orgid': 'other' } });
  assert.equal((await refusal(refused))[0], Code.ResourceExhausted);

  const bytes = { ...DEFAULT_ADHOC_STORE_LIMITS, maxTotalBytes: 5000, maxFileBytes: 3000 };
  const small = await start(t, { store: bytes });
  for (const name of ['a', 'b', 'c']) await small.upload(name, `${'x'.repeat(1500)} 1\n`);
  assert.deepEqual(
    (await small.client.list({})).profiles.map(({ name }) => name),
    ['c', 'b'],
  );
  assert.equal((await refusal(small.upload('d', `${'x'.repeat(3000)} 1\n`)))[0], Code.ResourceExhausted);
});

test('a damaged file is told of', async (t) => {
  const { client, upload, dataDir } = await start(t);
  const { id } = await upload('a.txt', COLLAPSED);
  const path = join(dataDir, 'adhoc/tenants/anonymous', id);
  const whole = readFileSync(path);
  truncateSync(path, whole.length - 1);
  assert.equal((await refusal(client.get({ id })))[0], Code.DataLoss);
  for (const text of ['', '{}', '{}\n', 'null\n', '{"version":2,"sizeBytes":0}\n', '{\n']) {
    writeFileSync(path, text);
    assert.equal((await refusal(client.get({ id })))[0], Code.DataLoss, text);
  }
});

test('a file over which the worker hangs or dies costs one answer', async (t) => {
  const reader = { ...DEFAULT_ADHOC_READER_LIMITS, timeoutMillis: 1 };
  const slow = await start(t, { reader });
  const [code, message] = await refusal(slow.upload('a.txt', `${'a;'.repeat(400)} 1\n`.repeat(2000)));
  assert.equal(code, Code.Unavailable);
  assert.match(message, /no answer within 1 ms/);

  const { client, upload, registry } = await start(t, {
    reader: { ...DEFAULT_ADHOC_READER_LIMITS, maxHeapMebibytes: 16 },
    tenant: { maxProfileSizeBytes: 0, maxProfileSamples: 0 },
  });
  const lines = Array.from({ length: 200_000 }, (_, i) => `main;f${i};g${i};h${i} 1\n`).join('');
  const [lost] = await refusal(upload('large.txt', gzipSync(lines)));
  assert.ok(lost === Code.Unavailable || lost === Code.InvalidArgument, String(lost));
  assert.equal((await upload('small.txt', COLLAPSED)).profileTypes.length, 1, 'the next one is read');
  assert.equal((await client.list({})).profiles.length, 1);
  t.diagnostic(
    (await registry.metrics()).match(/hearthscope_adhoc_worker_losses_total\{.*/)?.[0] ??
      'no worker was lost',
  );
});

test('workers that are loaded at once are there when they are needed', async (t) => {
  const { upload } = await start(t, {
    mustLoadNow: true,
    reader: { ...DEFAULT_ADHOC_READER_LIMITS, idleMillis: 0 },
  });
  assert.equal((await upload('a.txt', COLLAPSED)).profileTypes.length, 1);
  assert.equal((await upload('b.txt', COLLAPSED)).profileTypes.length, 1);
});

test('no more files wait than may', async (t) => {
  const { upload } = await start(t, { reader: { ...DEFAULT_ADHOC_READER_LIMITS, maxQueued: 1 } });
  const results = await Promise.allSettled([1, 2, 3].map((i) => upload(`${i}.txt`, COLLAPSED)));
  const refused = results.filter(({ status }) => status === 'rejected');
  assert.equal(refused.length, 1);
});

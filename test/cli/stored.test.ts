// SPDX-License-Identifier: Apache-2.0
//
// `hearthscope server inspect|verify|export|delete`: on real stored data, beside a server and without one.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { decodePprof } from '@hearthscope/profile/codecs/pprof-decode';
import { KEEP_FOR_EVER } from '@hearthscope/server/storage/blocks/block-limits';
import { LocalStore } from '@hearthscope/server/storage/local-store';
import { RecordingLog, storedProfile } from '@hearthscope/server/storage/testing/stored-profile';
import { Registry } from 'prom-client';
import { run } from './run.ts';

const EXIT_DATA_DIRECTORY = 4;
const TIME = 1_700_000_000_000;
const RANGE = ['--from', String(TIME - 1000), '--until', String(TIME + 10_000)];

function openStore(dataDir: string): Promise<LocalStore> {
  return LocalStore.open({
    dataDir,
    headMaxBytes: 1 << 28,
    blockLimits: { retention: { defaults: KEEP_FOR_EVER, overrides: {} } },
    onStateChange: () => undefined,
    registry: new Registry(),
    log: new RecordingLog(),
  });
}

async function storedData(t: TestContext): Promise<{ dataDir: string; store: LocalStore }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'hearthscope-stored-'));
  const store = await openStore(dataDir);
  t.after(async () => {
    await store.close().catch(() => undefined);
    rmSync(dataDir, { recursive: true });
  });
  await store.append('anonymous', [
    storedProfile('main;work 7', { timeMillis: TIME }),
    storedProfile('main;rest 5', { timeMillis: TIME + 1000, service: 'db' }),
  ]);
  await store.flush();
  return { dataDir, store };
}

test('what is stored is listed, checked and exported, while a server runs and after it', async (t) => {
  const { dataDir, store } = await storedData(t);
  for (const isServed of [true, false]) {
    if (!isServed) await store.close();
    const inspected = await run(['server', 'inspect', dataDir, '--json']);
    assert.equal(inspected.status, 0, inspected.stderr);
    const report = JSON.parse(inspected.stdout);
    assert.equal(report.isServed, isServed);
    assert.deepEqual(
      report.tenants.map((tenant: { tenant: string; samples: number }) => [tenant.tenant, tenant.samples]),
      [['anonymous', 2]],
    );
    const verified = await run(['server', 'verify', dataDir]);
    assert.equal(verified.status, 0, verified.stdout + verified.stderr);
    assert.match(verified.stdout, /^no problems in 1 blocks of 1 tenants/);
  }
  const listed = await run(['server', 'inspect', dataDir, '--blocks']);
  assert.match(listed.stdout, /^no server is running on it$/m);
  assert.match(listed.stdout, /^ {2}cut +1 +2023-11-14T22:13:20\.000Z +2023-11-14T22:13:21\.000Z +2 +2 /m);

  const pprof = join(dataDir, 'out.pb.gz');
  const exported = await run([
    'server',
    'export',
    dataDir,
    '-o',
    pprof,
    '-q',
    '{service_name="web"}',
    ...RANGE,
  ]);
  assert.equal(exported.status, 0, exported.stderr);
  const { profile } = decodePprof(gunzipSync(readFileSync(pprof)));
  assert.deepEqual([...profile.samples.values[0]!], [7n]);

  const parquet = await run(['server', 'export', dataDir, '-o', join(dataDir, 'out.parquet'), ...RANGE]);
  assert.equal(parquet.status, 0, parquet.stderr);
  assert.match(parquet.stdout, /: 2 rows$/m);
  assert.equal(readFileSync(join(dataDir, 'out.parquet')).subarray(0, 4).toString(), 'PAR1');
});

test('damage makes verify fail, and its line names the file', async (t) => {
  const { dataDir, store } = await storedData(t);
  await store.close();
  const { tenants } = JSON.parse((await run(['server', 'inspect', dataDir, '--json'])).stdout);
  const file = join('v1/anonymous/blocks', tenants[0].blocks[0].id, 'samples.parquet');
  const path = join(dataDir, 'objects', file);
  const content = readFileSync(path);
  content[content.length >> 1]! ^= 1;
  writeFileSync(path, content);
  const verified = await run(['server', 'verify', dataDir]);
  assert.equal(verified.status, 1);
  assert.ok(verified.stdout.startsWith(`${file}: `), verified.stdout);
});

test('mistakes are told from failures', async (t) => {
  const { dataDir } = await storedData(t);
  const missing = await run(['server', 'inspect', join(dataDir, 'no')]);
  assert.equal(missing.status, EXIT_DATA_DIRECTORY, missing.stderr);
  assert.equal((await run(['server', 'inspct', dataDir])).status, 2);
  assert.equal((await run(['server', 'verify'])).status, 2);
  assert.equal((await run(['server', 'export', dataDir, '-o', 'x.txt'])).status, 2);
  const nothing = await run([
    'server',
    'export',
    dataDir,
    '-o',
    join(dataDir, 'x.pb.gz'),
    '--type',
    'heap',
    ...RANGE,
  ]);
  assert.equal(nothing.status, 1);
  assert.match(nothing.stderr, /there are no profiles of type heap/);
});

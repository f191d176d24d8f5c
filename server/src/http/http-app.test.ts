// SPDX-License-Identifier: Apache-2.0
//
// What the HTTP port does around its services: prefixes, credentials, limits that change, compression, logs. With the
// whole server, as that is where the parts meet.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { tenantLimits } from '@hearthscope/collector/limits/tenant-limits';
import { pino } from 'pino';
import type { ServerOptions } from '../server.ts';
import { startServer } from '../server.ts';
import { serverOptions, TestDirectory } from '../testing/server-fixture.ts';
import { withoutPrefix } from './path-prefix.ts';
import { MIN_GZIP_BYTES } from './plain-routes.ts';

async function withServer(
  options: Partial<ServerOptions>,
  run: (url: string, directory: TestDirectory) => Promise<void>,
  directory = new TestDirectory(),
): Promise<void> {
  directory.writeUi();
  const server = await startServer(serverOptions(directory, options));
  try {
    await run(`http://127.0.0.1:${server.httpPort}`, directory);
  } finally {
    await server.stop();
    directory[Symbol.dispose]();
  }
}

function ingest(url: string, text: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/ingest?name=shop`, { method: 'POST', body: text, headers });
}

function profileTypes(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/querier.v1.QuerierService/ProfileTypes`, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json', ...headers },
  });
}

test('a prefix is taken from paths that have it', () => {
  for (const [url, prefix, expected] of [
    ['/a/b?c=/a', '/a', '/b?c=/a'],
    ['/a', '/a', '/'],
    ['/a?x=1', '/a', '/?x=1'],
    ['/ab', '/a', '/ab'],
    ['/b', '/a', '/b'],
    ['/b', '', '/b'],
  ] as const) {
    assert.equal(withoutPrefix(url, prefix), expected, `${url} under ${prefix}`);
  }
});

test('the server answers under its prefix and without it', async () => {
  await withServer({ pathPrefix: '/profiles' }, async (url) => {
    for (const base of [url, `${url}/profiles`]) {
      assert.equal((await fetch(`${base}/ready`)).status, 200);
      assert.equal((await ingest(base, 'main;work 1\n')).status, 200);
      assert.match(await (await profileTypes(base)).text(), /process_cpu/);
    }
    assert.equal((await fetch(`${url}/other/ready`)).status, 404);
  });
});

test('credentials are asked for at every door, with their scopes, and a 401 says how', async () => {
  const directory = new TestDirectory();
  const file = join(directory.path, 'credentials.yaml');
  writeFileSync(
    file,
    'users:\n  reader: { password: r, scopes: [read] }\n  writer: { password: w, scopes: [write] }\n',
  );
  const as = (user: string, password: string) => ({
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  });
  await withServer(
    { auth: { type: 'basic', file } },
    async (url) => {
      for (const refused of [await ingest(url, 'a 1\n'), await profileTypes(url)]) {
        assert.equal(refused.status, 401);
        assert.match(refused.headers.get('www-authenticate')!, /^Basic /);
      }
      assert.equal((await ingest(url, 'a 1\n', as('writer', 'w'))).status, 200);
      assert.equal((await ingest(url, 'a 1\n', as('writer', 'wrong'))).status, 401);
      assert.equal((await ingest(url, 'a 1\n', as('reader', 'r'))).status, 403);
      assert.equal((await profileTypes(url, as('reader', 'r'))).status, 200);
      assert.equal((await profileTypes(url, as('writer', 'w'))).status, 403);
      assert.equal((await fetch(`${url}/ready`)).status, 200);
      assert.equal((await fetch(`${url}/metrics`)).status, 200);
    },
    directory,
  );
});

test('limits of a tenant come from the runtime configuration, also when it changes', async () => {
  const directory = new TestDirectory();
  const file = join(directory.path, 'runtime.yaml');
  const text = (limit: number) => `overrides:\n  small: { max_label_value_length: ${limit} }\n`;
  writeFileSync(file, text(2));
  const options = { multitenancyEnabled: true, runtimeConfig: { file, periodMillis: 20 } };
  await withServer(
    options,
    async (url) => {
      const status = async (tenant: string) =>
        (await ingest(url, 'main;work 1\n', { 'x-scope-orgid': tenant })).status;
      assert.equal(await status('large'), 200);
      assert.equal(await status('small'), 422);
      writeFileSync(file, text(200));
      while ((await status('small')) !== 200) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    directory,
  );
});

test('a body is limited by the tenant as well as by the server', async () => {
  const limits = tenantLimits({ ingestionBodyLimitBytes: 1000 });
  await withServer({ limits }, async (url) => {
    assert.equal((await ingest(url, `main;${'w'.repeat(900)} 1\n`)).status, 200);
    const refused = await ingest(url, `main;${'w'.repeat(1000)} 1\n`);
    assert.equal(refused.status, 413);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(
      metrics,
      /^pyroscope_discarded_samples_total\{reason="body_size_limit_exceeded",tenant="anonymous"\} 1$/m,
    );
  });
});

/** fetch unpacks answers, so this asks without it. */
function encodingOf(url: string, acceptEncoding: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    http
      .get(url, { headers: { 'accept-encoding': acceptEncoding } }, (response) => {
        response.resume();
        resolve(response.headers['content-encoding']);
      })
      .on('error', reject);
  });
}

test('large plain answers are compressed for those who take it', async () => {
  await withServer({}, async (url) => {
    const metrics = `${url}/metrics`;
    assert.ok((await (await fetch(metrics)).text()).length >= MIN_GZIP_BYTES);
    assert.equal(await encodingOf(metrics, 'gzip'), 'gzip');
    assert.equal(await encodingOf(metrics, 'gzip;q=0'), undefined);
    assert.equal(await encodingOf(`${url}/api/v1/status/buildinfo`, 'gzip'), undefined);
  });
});

test('the log of requests has the fields that dashboards select', async () => {
  const lines: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  await withServer({ logger: pino({ level: 'debug' }, stream) }, async (url) => {
    const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
    await profileTypes(url, { traceparent });
    const line = lines.map((text) => JSON.parse(text)).find(({ msg }) => msg === 'request');
    assert.equal(line.route, '/querier.v1.QuerierService/ProfileTypes');
    assert.deepEqual([line.status, line.orgID, line.traceID], [200, 'anonymous', 'ab'.repeat(16)]);
    assert.match(line.duration, /^\d+\.\d{3}ms$/);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(
      metrics,
      /^pyroscope_query_frontend_duration_seconds_bucket\{.*route="querier_v1_querierservice_profiletypes"\} 1$/m,
    );
    assert.match(metrics, /^pyroscope_inflight_requests\{method="GET",route="metrics"\} 1$/m);
  });
});

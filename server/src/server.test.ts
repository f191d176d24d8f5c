// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { type RunningServer, startServer } from './server.ts';
import {
  CPU_TYPE,
  exportOverGrpc,
  exportOverHttp,
  exportRequest,
  query,
  serverOptions,
  TestDirectory,
  totalMillis,
} from './testing/server-fixture.ts';

let directory: TestDirectory;
let server: RunningServer;
let url: string;

before(async () => {
  directory = new TestDirectory();
  directory.writeUi();
  server = await startServer(serverOptions(directory));
  url = `http://127.0.0.1:${server.httpPort}`;
});

after(async () => {
  await server.stop();
  directory[Symbol.dispose]();
});

test('what is exported through any door is there to be asked for', async () => {
  const { httpPort, otlpGrpcPort, otlpHttpPort } = server;
  assert.equal(await exportOverGrpc(httpPort, exportRequest('by-grpc', 2)), 0);
  assert.equal(await exportOverGrpc(otlpGrpcPort!, exportRequest('by-grpc', 3)), 0);
  for (const port of [httpPort, otlpGrpcPort!, otlpHttpPort!]) {
    const response = await exportOverHttp(port, exportRequest('by-http', 7));
    assert.equal(response.status, 200);
  }
  assert.equal(await totalMillis(httpPort, 'by-grpc'), 5);
  assert.equal(await totalMillis(httpPort, 'by-http'), 21);
  const types = (await query(httpPort, 'ProfileTypes', {
    start: Date.now() - 60_000,
    end: Date.now() + 60_000,
  })) as { profileTypes: { ID: string }[] };
  assert.deepEqual(
    types.profileTypes.map(({ ID }) => ID),
    [CPU_TYPE],
  );
});

test('bytes that are no request are refused with the place of the error', async () => {
  const response = await exportOverHttp(server.httpPort, Buffer.of(0x0a, 0x7f, 1));
  assert.equal(response.status, 400);
  assert.match(await response.text(), / at byte \d/);
  assert.equal(await exportOverGrpc(server.httpPort, Buffer.of(0x0a, 0x7f, 1)), 3);
});

test('a bad profile beside a good one is told as partial success', async () => {
  const { encodeTestRequest, decodeTestResponse } = await import(
    '@hearthscope/collector/testing/otlp-request'
  );
  const good = { timeUnixNanos: BigInt(Date.now()) * 1_000_000n, period: 1_000_000 };
  const samples = [{ stack: ['main'], value: 1 }];
  const resource = { 'service.name': 'partial' };
  const response = await exportOverHttp(
    server.httpPort,
    encodeTestRequest([
      { ...good, resource, samples },
      { ...good, resource, samples, timeUnixNanos: 1n },
    ]),
  );
  assert.equal(response.status, 200);
  const { rejectedProfiles, errorMessage } = decodeTestResponse(new Uint8Array(await response.arrayBuffer()));
  assert.equal(rejectedProfiles, 1);
  assert.match(errorMessage, /outside of ingestion window/);
  assert.equal(await totalMillis(server.httpPort, 'partial'), 1);
});

test('status pages', async () => {
  const ready = await fetch(`${url}/ready`);
  assert.equal(ready.status, 200);
  assert.equal(await ready.text(), 'ready\n');
  const metrics = await fetch(`${url}/metrics`);
  assert.match(metrics.headers.get('content-type')!, /^text\/plain/);
  const text = await metrics.text();
  assert.match(
    text,
    /^hearthscope_receiver_requests_total\{receiver="otlp",transport="grpc",result="ok"\} [1-9]/m,
  );
  assert.match(
    text,
    /^pyroscope_request_duration_seconds_count\{method="GET",route="ready",status_code="200",ws="false"\} 1$/m,
  );
  assert.match(text, /route="querier_v1_querierservice_selectmergestacktraces"/);
  assert.match(text, /^pyroscope_build_info\{version="\d+\.\d+\.\d+"/m);
  assert.match(
    text,
    /^# TYPE pyroscope_compactor_compactions_total counter\npyroscope_compactor_compactions_total 0$/m,
  );
  const buildinfo = (await (await fetch(`${url}/api/v1/status/buildinfo`)).json()) as {
    status: string;
    data: { version: string };
  };
  assert.equal(buildinfo.status, 'success');
  assert.match(buildinfo.data.version, /^\d+\.\d+\.\d+$/);
});

test('the web UI comes with its headers, compressed and revalidated', async () => {
  const page = await fetch(`${url}/`);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<title>Hearthscope/);
  assert.match(page.headers.get('content-security-policy')!, /default-src 'none'; script-src 'self'/);
  assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(page.headers.get('x-frame-options'), 'DENY');
  const again = await fetch(`${url}/`, { headers: { 'if-none-match': page.headers.get('etag')! } });
  assert.equal(again.status, 304);

  const script = `${url}/assets/index-0a1b2c3d.js`;
  const compressed = await fetch(script, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(compressed.headers.get('content-encoding'), 'gzip');
  assert.equal(compressed.headers.get('vary'), 'Accept-Encoding');
  assert.match(compressed.headers.get('cache-control')!, /immutable/);
  assert.match(await compressed.text(), /^'use strict';/);
  for (const encoding of ['identity', 'gzip;q=0', 'br']) {
    const plain = await fetch(script, { headers: { 'accept-encoding': encoding } });
    assert.equal(plain.headers.get('content-encoding'), null, encoding);
  }
  const head = await fetch(`${url}/`, { method: 'HEAD' });
  assert.equal(head.status, 200);
});

/** A request whose path no client library tidies up. */
async function rawStatus(method: string, path: string): Promise<number> {
  const request = http.request({ port: server.httpPort, method, path });
  request.end();
  const [response] = await once(request, 'response');
  response.resume();
  return response.statusCode;
}

test('unknown paths are 404 in JSON, wrong methods are 405, and no path leaves the UI', async () => {
  const missing = await fetch(`${url}/nothing?x=1`);
  assert.equal(missing.status, 404);
  assert.deepEqual(await missing.json(), { code: 'not_found', message: 'there is nothing at /nothing' });
  for (const path of [
    '/../../etc/passwd',
    '/assets/../../secret',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/assets/',
    '//',
  ]) {
    assert.equal(await rawStatus('GET', path), 404, path);
  }
  assert.equal(await rawStatus('GET', '/%zz'), 400);
  for (const path of ['/', '/ready', '/metrics', '/assets/index-0a1b2c3d.js']) {
    const response = await fetch(`${url}${path}`, { method: 'DELETE' });
    assert.equal(response.status, 405, path);
    assert.equal(response.headers.get('allow'), 'GET, HEAD');
    assert.equal(((await response.json()) as { code: string }).code, 'unimplemented');
  }
  const posted = await fetch(`${url}/nothing`, {
    method: 'POST',
    body: '{',
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(posted.status, 404);
});

test('the querier refuses what is not a call', async () => {
  const path = `${url}/querier.v1.QuerierService/LabelNames`;
  const get = await fetch(path, { method: 'PUT' });
  assert.equal(get.status, 405);
  const type = await fetch(path, { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } });
  assert.equal(type.status, 415);
  const json = await fetch(path, {
    method: 'POST',
    body: '{',
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(json.status, 400);
  assert.equal(((await json.json()) as { code: string }).code, 'invalid_argument');
  const bomb = await fetch(path, {
    method: 'POST',
    body: gzipSync(Buffer.alloc(64 * 1024 * 1024, ' ')),
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
  });
  assert.equal(((await bomb.json()) as { code: string }).code, 'resource_exhausted');
});

/** Holds a free port of the loopback. */
async function takePort(): Promise<{ port: number; close: () => Promise<void> }> {
  const holder = net.createServer();
  holder.listen(0, '127.0.0.1');
  await once(holder, 'listening');
  return {
    port: (holder.address() as net.AddressInfo).port,
    close: async () => {
      holder.close();
      await once(holder, 'close');
    },
  };
}

test('a taken OTLP port is one warning, or an error when it was asked for', async () => {
  using own = new TestDirectory();
  const [grpcPort, otlpHttpPort] = [await takePort(), await takePort()];
  const ports = { otlpGrpcPort: grpcPort.port, otlpHttpPort: otlpHttpPort.port };
  const lines: { level: number; msg: string }[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => lines.push(JSON.parse(line)) });

  const lenient = await startServer(
    serverOptions(own, { ...ports, otlpPortsExplicit: false, logger, uiDir: own.writeUi() }),
  );
  assert.equal(lenient.otlpGrpcPort, null);
  assert.equal(lenient.otlpHttpPort, null);
  assert.equal(await exportOverGrpc(lenient.httpPort, exportRequest('shop', 1)), 0);
  await lenient.stop();
  const warnings = lines.map(({ msg }) => msg).filter((text) => text.includes('cannot listen'));
  assert.equal(warnings.length, 1);
  assert.ok(warnings[0]!.includes(`port ${grpcPort.port} and ${otlpHttpPort.port}`), warnings[0]);

  await assert.rejects(startServer(serverOptions(own, ports)), {
    code: 'failed_precondition',
    message: new RegExp(`port ${grpcPort.port} on 127.0.0.1 is taken`),
  });
  await Promise.all([grpcPort.close(), otlpHttpPort.close()]);
});

test('a start that fails leaves nothing behind', async () => {
  using own = new TestDirectory();
  const [free, taken] = [await takePort(), await takePort()];
  await free.close();
  const options = { httpPort: free.port, otlpGrpcPort: taken.port };
  await assert.rejects(startServer(serverOptions(own, options)), { code: 'failed_precondition' });
  await taken.close();
  // The ports are free again, and so is the data directory, also after a failure that came later.
  const first = await startServer(serverOptions(own, options));
  await assert.rejects(startServer(serverOptions(own)), { code: 'failed_precondition', message: /in use/ });
  await first.stop();
  const second = await startServer(serverOptions(own, options));
  assert.equal(second.httpPort, free.port);
  await second.stop();
});

test('stop answers what is in flight, and what was acknowledged is there after a restart', async () => {
  using own = new TestDirectory();
  const first = await startServer(serverOptions(own));
  const body = exportRequest('shop', 4);
  const request = http.request(`http://127.0.0.1:${first.httpPort}/v1development/profiles`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-length': body.length },
  });
  request.write(body.subarray(0, 10));
  await once(request, 'socket');
  await new Promise((resolve) => setTimeout(resolve, 100));
  const stopped = first.stop();
  await assert.rejects(fetch(`http://127.0.0.1:${first.httpPort}/ready`));
  request.end(body.subarray(10));
  const [response] = await once(request, 'response');
  response.resume();
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers.connection, 'close');
  await stopped;
  assert.equal(first.stop(), first.stop(), 'stopping twice is stopping once');
  await first.stop();

  const second = await startServer(serverOptions(own));
  assert.equal(await totalMillis(second.httpPort, 'shop'), 4);
  await second.stop();
});

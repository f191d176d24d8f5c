// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { DebuginfoService, ObjectMetadata_State } from '../../gen/debuginfo/v1alpha1/debuginfo_pb.js';
import { type RunningServer, startServer } from '../server.ts';
import { buildTestBinary } from '../symbolize/testing/test-binary.ts';
import { serverOptions, TestDirectory } from '../testing/server-fixture.ts';
import { UploadClient } from './testing/upload-client.ts';
import { withBuildId } from './testing/with-build-id.ts';

const MAX_FILE_BYTES = 1_000_000;
const UPLOAD_TIMEOUT_MILLIS = 1500;

const directory = new TestDirectory();
const program = buildTestBinary(directory.path);
let count = 1;
const nextProgram = () => withBuildId(program.bytes, count++);
let server: RunningServer;
let client: UploadClient;

before(async () => {
  const limits = {
    maxFileBytes: MAX_FILE_BYTES,
    minFreeBytes: 0,
    maxConcurrentUploads: 1,
    uploadTimeoutMillis: UPLOAD_TIMEOUT_MILLIS,
  };
  server = await startServer(serverOptions(directory, { debugInfo: { limits } }));
  client = new UploadClient(server.httpPort);
});

after(async () => {
  await server.stop();
  directory[Symbol.dispose]();
});

const uploads = (result: string) => client.metric(`hearthscope_debuginfo_uploads_total{result="${result}"}`);

/** Nothing but what was stored is on the disk. */
function assertNothingStaged(): void {
  assert.deepEqual(readdirSync(join(directory.path, 'data/debuginfo/staging')), []);
}

test('ask, send, finish: as the protocol has it, in JSON', async () => {
  const { buildId, copy } = nextProgram();
  const file = { gnuBuildId: buildId.toUpperCase(), name: 'program', type: 'TYPE_EXECUTABLE_FULL' };
  const asked = await client.call('ShouldInitiateUpload', { file });
  assert.equal(asked.body.shouldInitiateUpload, true);
  const early = await client.call('UploadFinished', { gnuBuildId: buildId });
  assert.deepEqual([early.status, early.body.code], [400, 'failed_precondition']);
  assert.equal((await client.send(buildId, copy)).status, 200);
  assert.deepEqual(await client.call('UploadFinished', { gnuBuildId: buildId }), { status: 200, body: {} });
  const again = await client.call('ShouldInitiateUpload', { file });
  assert.deepEqual(
    [again.body.shouldInitiateUpload ?? false, again.body.reason],
    [false, 'it is here already'],
  );
  const [entry] = await client.list();
  assert.deepEqual(entry?.file, { gnuBuildId: buildId, name: 'program', type: 'TYPE_EXECUTABLE_FULL' });
  assert.equal(entry?.state, 'STATE_UPLOADED');
  assert.equal(entry?.sizeBytes, String(copy.length));
  assert.deepEqual(await client.call('DeleteDebuginfo', { gnuBuildId: buildId }), { status: 200, body: {} });
  assert.equal((await client.call('DeleteDebuginfo', { gnuBuildId: buildId })).status, 404);
  assert.deepEqual(await client.list(), []);
});

test('the same over gRPC, with the bytes over HTTP/2', async () => {
  const { buildId, copy } = nextProgram();
  const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${server.httpPort}` });
  const grpc = createClient(DebuginfoService, transport);
  assert.ok((await grpc.shouldInitiateUpload({ file: { gnuBuildId: buildId } })).shouldInitiateUpload);
  const [expected] = (await grpc.listDebuginfo({})).object;
  assert.equal(expected?.state, ObjectMetadata_State.UPLOADING);
  const session = http2Connect(`http://127.0.0.1:${server.httpPort}`);
  const path = `/debuginfo.v1alpha1.DebuginfoService/Upload/${buildId}`;
  const stream = session.request({ ':method': 'POST', ':path': path });
  stream.end(copy);
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  assert.equal(headers[':status'], 200);
  stream.resume();
  await once(stream, 'close');
  session.close();
  await grpc.uploadFinished({ gnuBuildId: buildId });
  await grpc.deleteDebuginfo({ gnuBuildId: buildId });
});

test('gzip is unpacked on the way, and damaged gzip is refused', async () => {
  const { buildId, copy } = nextProgram();
  const gzip = { 'content-encoding': 'gzip' };
  assert.ok(await client.shouldUpload(buildId));
  assert.equal((await client.send(buildId, gzipSync(copy).subarray(0, 2000), gzip)).status, 400);
  assert.equal(await uploads('malformed_body'), 1);
  assert.ok(await client.shouldUpload(buildId));
  assert.equal((await client.send(buildId, gzipSync(copy), gzip)).status, 200);
  assertNothingStaged();
});

test('a bomb is refused at the limit, packed or not, announced or not', async () => {
  const { buildId } = nextProgram();
  const zeroes = new Uint8Array(MAX_FILE_BYTES + 1);
  const bodies: readonly [Uint8Array, Record<string, string>][] = [
    [zeroes, {}],
    [gzipSync(zeroes), { 'content-encoding': 'gzip' }],
  ];
  for (const [body, headers] of bodies) {
    assert.ok(await client.shouldUpload(buildId));
    const { status, body: error } = await client.send(buildId, body, headers);
    assert.equal(status, 413);
    assert.match(String(error.message), /larger than 1000000 bytes/);
  }
  assert.equal(await uploads('too_large'), 2);
  assertNothingStaged();
});

test('what was not asked for, is no POST, or is encoded otherwise, is not read', async () => {
  const { buildId, copy } = nextProgram();
  assert.equal((await client.send(buildId, copy)).status, 412);
  assert.equal((await client.send(buildId, copy, { 'content-encoding': 'br' })).status, 415);
  const url = `http://127.0.0.1:${server.httpPort}/debuginfo.v1alpha1.DebuginfoService/Upload/${buildId}`;
  const put = await fetch(url, { method: 'PUT', body: Buffer.from(copy) });
  assert.equal(put.status, 405);
  assert.equal(put.headers.get('allow'), 'POST');
});

test('a build id that is no hex never becomes a path', async () => {
  const tricks = [
    '..',
    '%2e%2e%2f%2e%2e%2fwal',
    '..%2fx',
    'ab%00',
    'xyz',
    'abc',
    'a'.repeat(42),
    '',
    'ab/cd',
    'ab%0a',
  ];
  for (const trick of tricks) {
    // Sent as they are: fetch would tidy them up.
    const sent = httpRequest({
      port: server.httpPort,
      method: 'POST',
      path: `/debuginfo.v1alpha1.DebuginfoService/Upload/${trick}`,
    });
    sent.end('x');
    const [answer] = await once(sent, 'response');
    assert.equal(answer.statusCode, 400, trick);
    assert.match(await text(answer), /is no GNU build id/);
  }
  const asked = await client.call('ShouldInitiateUpload', { file: { gnuBuildId: '../../wal' } });
  assert.equal(asked.status, 400);
  assert.equal((await client.call('ShouldInitiateUpload', {})).status, 400);
  assert.equal(await uploads('invalid_build_id'), tricks.length);
});

test('a client that goes away in the middle leaves nothing, and another may try at once', async () => {
  const { buildId, copy } = nextProgram();
  assert.ok(await client.shouldUpload(buildId));
  const socket = connect(server.httpPort, '127.0.0.1');
  socket.write(
    `POST /debuginfo.v1alpha1.DebuginfoService/Upload/${buildId} HTTP/1.1\r\nHost: x\r\nContent-Length: ${copy.length}\r\n\r\n`,
  );
  socket.write(copy.subarray(0, 5000));
  await client.counted('hearthscope_debuginfo_uploads_in_flight');
  // One at a time is the limit here.
  const other = nextProgram();
  assert.ok(await client.shouldUpload(other.buildId));
  assert.equal((await client.send(other.buildId, other.copy)).status, 503);
  socket.destroy();
  await client.counted('hearthscope_debuginfo_uploads_total{result="aborted"}');
  assertNothingStaged();
  assert.equal((await client.upload(buildId, copy)).status, 200);
});

test('a client that is too slow is told so', async () => {
  const { buildId, copy } = nextProgram();
  assert.ok(await client.shouldUpload(buildId));
  const socket = connect(server.httpPort, '127.0.0.1');
  socket.write(
    `POST /debuginfo.v1alpha1.DebuginfoService/Upload/${buildId} HTTP/1.1\r\nHost: x\r\nContent-Length: ${copy.length}\r\n\r\n`,
  );
  assert.match(await text(socket), /^HTTP\/1\.1 408 [\s\S]*longer than 1500 ms/);
  await client.counted('hearthscope_debuginfo_uploads_total{result="timeout"}');
  assertNothingStaged();
});

test('a server that takes none says so', async () => {
  const own = new TestDirectory();
  const closed = await startServer(serverOptions(own, { debugInfo: { takesUploads: false } }));
  try {
    const other = new UploadClient(closed.httpPort);
    assert.equal(await other.shouldUpload(program.buildId), false);
    assert.equal((await other.send(program.buildId, program.bytes)).status, 501);
    assert.equal((await other.call('ListDebuginfo', {})).status, 501);
  } finally {
    await closed.stop();
    own[Symbol.dispose]();
  }
});

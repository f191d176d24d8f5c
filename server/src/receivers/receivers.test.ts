// SPDX-License-Identifier: Apache-2.0
//
// The doors over real sockets, with foreign clients: @grpc/grpc-js, fetch and plain connections. What stands behind them
// only notes what it was given. Most of what doors have in common is tested on those of OTLP.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { Readable } from 'node:stream';
import { after, before, beforeEach, test } from 'node:test';
import { createGzip, deflateSync, gzipSync } from 'node:zlib';
import grpc from '@grpc/grpc-js';
import { decodeTestResponse, encodeTestRequest } from '@hearthscope/collector/testing/otlp-request';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { PortListener } from '../listen.ts';
import { DEFAULT_TRANSPORT_LIMITS } from '../transport-limits.ts';
import { type IngestOutcome, NOTHING_ACCEPTED } from './ingest-outcome.ts';
import type { ReceiverService } from './receiver-context.ts';
import { Receivers } from './receivers.ts';

const EXPORT = '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export';
const HTTP_PATH = '/v1development/profiles';
const MEBIBYTE = 1024 * 1024;
const MAX_BODY_BYTES = 4 * MEBIBYTE;

const REQUEST = encodeTestRequest([
  {
    resource: { 'service.name': 'shop' },
    timeUnixNanos: 1_700_000_000_000_000_000n,
    samples: [{ stack: ['main', 'work'], value: 3 }],
  },
]);

const TOO_OLD = {
  what: 'profile',
  reason: 'not_in_ingestion_window',
  count: 2,
  message: 'zu alt ✗',
} as const;
const RATE_LIMITED = {
  what: 'profile',
  reason: 'rate_limited',
  count: 1,
  message: 'push rate limit',
} as const;
const STORED: IngestOutcome = {
  accepted: [{ name: 'process_cpu', profiles: 1, samples: 2 }],
  rejected: [],
};

/** Notes what the doors hand on. */
const behind = {
  bodies: [] as Uint8Array[],
  tenants: [] as string[],
  isReady: true,
  notes: [] as string[],
  answer: async (): Promise<IngestOutcome> => STORED,
};
const note = (what: string, tenant: string, body: Uint8Array) => {
  behind.notes.push(what);
  behind.tenants.push(tenant);
  behind.bodies.push(body);
  return behind.answer();
};
const service: ReceiverService = {
  readiness: () => ({ ready: behind.isReady, reason: behind.isReady ? '' : 'starting' }),
  exportOtlp: (tenant, body, encoding) => note(`otlp ${encoding}`, tenant, body),
  push: (tenant, body, encoding) => note(`push ${encoding}`, tenant, body),
  ingest: (tenant, { query, contentType, body }) => note(`ingest ${query} ${contentType}`, tenant, body),
};

let listener: PortListener;
let registry: Registry;
let url: string;

before(async () => {
  registry = new Registry();
  const receivers = new Receivers({
    service,
    authenticator: { tenant: () => 'anonymous', tenants: () => ['anonymous'] },
    maxBodyBytesOf: () => MAX_BODY_BYTES,
    maxInFlightBytes: 2 * MAX_BODY_BYTES,
    healthServices: [],
    logger: pino({ level: 'silent' }),
    registry,
  });
  listener = await PortListener.listen({
    host: '127.0.0.1',
    port: 0,
    limits: DEFAULT_TRANSPORT_LIMITS,
    handler: (request, response) => receivers.handle(request, response, request.url!.split('?')[0]!),
    onFailure: () => {},
  });
  url = `http://127.0.0.1:${listener.port}`;
});

after(() => listener.stop(0));

beforeEach(() => {
  behind.bodies = [];
  behind.notes = [];
  behind.tenants = [];
  behind.isReady = true;
  behind.answer = async () => STORED;
});

async function results(): Promise<Record<string, number>> {
  const { values } = await registry.getSingleMetric('hearthscope_receiver_requests_total')!.get();
  return Object.fromEntries(
    values.map(({ labels, value }) => [`${labels.receiver} ${labels.transport} ${labels.result}`, value]),
  );
}

async function inFlightBytes(): Promise<number> {
  return (await registry.getSingleMetric('hearthscope_receiver_in_flight_bytes')!.get()).values[0]!.value;
}

/** Waits for what the server does after the client has gone. */
async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

interface GrpcAnswer {
  readonly code: number;
  readonly details: string;
  readonly message: Buffer | undefined;
  readonly metadata: grpc.Metadata | undefined;
}

function grpcCall(
  path: string,
  message: Uint8Array,
  options: { gzip?: boolean; deadline?: number; client?: grpc.Client } = {},
): Promise<GrpcAnswer> {
  const client =
    options.client ??
    new grpc.Client(`127.0.0.1:${listener.port}`, grpc.credentials.createInsecure(), {
      'grpc.default_compression_algorithm': options.gzip === true ? 2 : 0,
    });
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      path,
      (value: Buffer) => value,
      (value: Buffer) => value,
      Buffer.from(message),
      new grpc.Metadata(),
      options.deadline === undefined ? {} : { deadline: Date.now() + options.deadline },
      (error, answer) => {
        if (options.client === undefined) client.close();
        resolve(
          error === null
            ? { code: 0, details: '', message: answer, metadata: undefined }
            : { code: error.code, details: error.details, message: undefined, metadata: error.metadata },
        );
      },
    );
  });
}

type Body = NonNullable<RequestInit['body']>;

function post(body: Body, headers: Record<string, string> = {}, path = HTTP_PATH): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-protobuf', ...headers },
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
  } as RequestInit);
}

/** code and message of a google.rpc.Status whose code is below 128 and whose message is short. */
async function statusOf(response: Response): Promise<{ code: number; message: string }> {
  assert.equal(response.headers.get('content-type'), 'application/x-protobuf');
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.equal(bytes[0], 0x08);
  assert.equal(bytes[2], 0x12);
  return { code: bytes[1]!, message: bytes.subarray(4, 4 + bytes[3]!).toString() };
}

function gzipBomb(bytes: number): ReadableStream {
  const zeros = Buffer.alloc(MEBIBYTE);
  const source = Readable.from(
    (function* () {
      for (let at = 0; at < bytes; at += zeros.length) yield zeros;
    })(),
  );
  return Readable.toWeb(source.pipe(createGzip())) as ReadableStream;
}

test('a gRPC client exports, compressed and not', async () => {
  for (const gzip of [false, true]) {
    const { code, message } = await grpcCall(EXPORT, REQUEST, { gzip });
    assert.equal(code, 0);
    assert.deepEqual(decodeTestResponse(message!), { rejectedProfiles: 0, errorMessage: '' });
    assert.deepEqual(Buffer.from(behind.bodies.pop()!), Buffer.from(REQUEST));
    assert.equal(behind.tenants.pop(), 'anonymous');
  }
});

test('an HTTP client exports, compressed, not, and in chunks of no known length', async () => {
  const stream = () => new Blob([Buffer.from(REQUEST)]).stream();
  const cases: [Body, Record<string, string>][] = [
    [Buffer.from(REQUEST), {}],
    [Buffer.from(REQUEST), { 'content-type': 'application/protobuf; charset=utf-8' }],
    [Buffer.from(REQUEST), { 'content-encoding': 'identity' }],
    [gzipSync(REQUEST), { 'content-encoding': 'gzip' }],
    [stream(), {}],
  ];
  for (const [body, headers] of cases) {
    const response = await post(body, headers);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'application/x-protobuf');
    assert.deepEqual(decodeTestResponse(new Uint8Array(await response.arrayBuffer())).rejectedProfiles, 0);
    const stored = behind.bodies.pop()!;
    assert.deepEqual(Buffer.from(stored), Buffer.from(REQUEST));
    assert.equal(stored.buffer.byteLength, stored.length, 'the body owns its buffer');
  }
});

test('OTLP over HTTP works on HTTP/2 as well', async () => {
  const session = http2.connect(url);
  const stream = session.request({
    ':method': 'POST',
    ':path': HTTP_PATH,
    'content-type': 'application/x-protobuf',
  });
  stream.end(REQUEST);
  const [headers] = await once(stream, 'response');
  stream.resume();
  session.close();
  assert.equal(headers[':status'], 200);
  assert.deepEqual(Buffer.from(behind.bodies[0]!), Buffer.from(REQUEST));
});

test('what was refused is told as partial success', async () => {
  behind.answer = async () => ({ ...STORED, rejected: [TOO_OLD] });
  const expected = { rejectedProfiles: 2, errorMessage: '2 profile(s): zu alt ✗' };
  assert.deepEqual(decodeTestResponse((await grpcCall(EXPORT, REQUEST)).message!), expected);
  const response = await post(Buffer.from(REQUEST));
  assert.equal(response.status, 200);
  assert.deepEqual(decodeTestResponse(new Uint8Array(await response.arrayBuffer())), expected);
});

test('errors of the storage keep their code; what is retryable says when', async () => {
  behind.answer = () => Promise.reject(new HearthscopeError('unavailable', 'head is full: 100 % ü'));
  const call = await grpcCall(EXPORT, REQUEST);
  assert.equal(call.code, grpc.status.UNAVAILABLE);
  assert.equal(call.details, 'head is full: 100 % ü');
  const [details] = call.metadata!.get('grpc-status-details-bin');
  assert.match(String(details), /type\.googleapis\.com\/google\.rpc\.RetryInfo/);
  const response = await post(Buffer.from(REQUEST));
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '5');
  assert.deepEqual(await statusOf(response), { code: 14, message: 'head is full: 100 % ü' });

  behind.answer = () => Promise.reject(new HearthscopeError('invalid_argument', 'otlp: bad at byte 3'));
  assert.equal((await grpcCall(EXPORT, REQUEST)).code, grpc.status.INVALID_ARGUMENT);
  assert.equal((await post(Buffer.from(REQUEST))).status, 400);
});

test('an error that is no message for a client stays inside', async () => {
  behind.answer = () => Promise.reject(new TypeError('secret of /etc'));
  const { code, details } = await grpcCall(EXPORT, REQUEST);
  assert.equal(code, grpc.status.INTERNAL);
  assert.doesNotMatch(details, /secret/);
  const response = await post(Buffer.from(REQUEST));
  assert.equal(response.status, 500);
  assert.doesNotMatch((await statusOf(response)).message, /secret/);
});

test('before it is ready the receiver refuses, to be tried again', async () => {
  behind.isReady = false;
  assert.equal((await grpcCall(EXPORT, REQUEST)).code, grpc.status.UNAVAILABLE);
  const response = await post(Buffer.from(REQUEST));
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '5');
  assert.equal(behind.bodies.length, 0);
});

test('wrong methods, types, encodings and paths are told apart', async () => {
  const cases: [Promise<Response>, number, string][] = [
    [fetch(`${url}${HTTP_PATH}`), 405, 'unimplemented'],
    [post('x', { 'content-type': 'text/plain' }), 415, 'invalid_argument'],
    [post('x', { 'content-type': 'application/x-protobufx' }), 415, 'invalid_argument'],
    [post(Buffer.from(REQUEST), {}, '/v1/traces'), 404, 'not_found'],
    [post('x', { 'content-type': 'text/plain' }, EXPORT), 415, 'invalid_argument'],
    [post('x', { 'content-type': 'application/grpc' }, EXPORT), 415, 'invalid_argument'],
    [fetch(`${url}${EXPORT}`), 405, 'unimplemented'],
  ];
  for (const [answer, status, code] of cases) {
    const response = await answer;
    const body = (await response.json()) as { code: string; message: string };
    assert.deepEqual([response.status, body.code], [status, code], body.message);
    if (status === 405) assert.equal(response.headers.get('allow'), 'POST');
  }
  const deflated = await post(deflateSync(REQUEST), { 'content-encoding': 'deflate' });
  assert.equal(deflated.status, 415);
  assert.match((await statusOf(deflated)).message, /"deflate" is not supported/);
  assert.equal(behind.bodies.length, 0);
});

test('what nothing was stored of is an error of OTLP as well', async () => {
  behind.answer = async () => ({ accepted: [], rejected: [TOO_OLD] });
  assert.equal((await grpcCall(EXPORT, REQUEST)).code, grpc.status.INVALID_ARGUMENT);
  const old = await post(Buffer.from(REQUEST));
  assert.equal(old.status, 400);
  assert.equal((await statusOf(old)).message, '2 errors: zu alt ✗ (and 1 more like it)');
  behind.answer = async () => ({ accepted: [], rejected: [RATE_LIMITED] });
  const limited = await post(Buffer.from(REQUEST));
  assert.equal(limited.status, 429);
  assert.equal(limited.headers.get('retry-after'), '5');
  assert.match(
    String((await grpcCall(EXPORT, REQUEST)).metadata!.get('grpc-status-details-bin')[0]),
    /RetryInfo/,
  );
});

test('OTLP in JSON is handed on as it is, and answered in JSON', async () => {
  const json = { 'content-type': 'application/json; charset=utf-8' };
  const stored = await post('{"resourceProfiles":[]}', json);
  assert.deepEqual([stored.status, stored.headers.get('content-type')], [200, 'application/json']);
  assert.equal(await stored.text(), '{}');
  assert.deepEqual(behind.notes, ['otlp json']);
  behind.answer = async () => ({ ...STORED, rejected: [TOO_OLD] });
  assert.deepEqual(await (await post('{}', json)).json(), {
    partialSuccess: { rejectedProfiles: '2', errorMessage: '2 profile(s): zu alt ✗' },
  });
  behind.answer = () => Promise.reject(new HearthscopeError('invalid_argument', 'no JSON'));
  const refused = await post('{', json);
  assert.equal(refused.status, 400);
  assert.deepEqual(await refused.json(), { code: 3, message: 'no JSON' });
});

const PUSH = '/push.v1.PusherService/Push';
const PUSHED = Buffer.from('any bytes');

function push(body: Body, headers: Record<string, string>): Promise<Response> {
  return post(body, headers, PUSH);
}

test('push comes by Connect, in both codecs, compressed and not', async () => {
  for (const [type, encoding, answer] of [
    ['application/proto', 'protobuf', ''],
    ['application/json', 'json', '{}'],
  ] as const) {
    for (const packing of ['identity', 'gzip']) {
      const body = packing === 'gzip' ? gzipSync(PUSHED) : PUSHED;
      const response = await push(body, { 'content-type': type, 'content-encoding': packing });
      assert.deepEqual([response.status, response.headers.get('content-type')], [200, type]);
      assert.equal(await response.text(), answer);
      assert.equal(behind.notes.pop(), `push ${encoding}`);
      assert.deepEqual(Buffer.from(behind.bodies.pop()!), PUSHED);
    }
  }
});

test('push comes by gRPC, and by gRPC-Web over HTTP/1.1', async () => {
  for (const gzip of [false, true]) {
    const { code, message } = await grpcCall(PUSH, PUSHED, { gzip });
    assert.deepEqual([code, message!.length], [0, 0]);
    assert.deepEqual(Buffer.from(behind.bodies.pop()!), PUSHED);
  }
  const framed = Buffer.concat([Buffer.of(0, 0, 0, 0, PUSHED.length), PUSHED]);
  const response = await push(framed, { 'content-type': 'application/grpc-web+proto' });
  assert.equal(response.headers.get('content-type'), 'application/grpc-web+proto');
  assert.deepEqual(Buffer.from(behind.bodies.pop()!), PUSHED);
  const frames = Buffer.from(await response.arrayBuffer());
  assert.deepEqual([...frames.subarray(0, 6)], [0, 0, 0, 0, 0, 0x80]);
  assert.equal(frames.subarray(10).toString(), 'grpc-status: 0\r\n');
});

test('an error of push names all that was refused, in the protocol of the call', async () => {
  behind.answer = async () => ({ ...STORED, rejected: [TOO_OLD, RATE_LIMITED] });
  const message = '3 errors: zu alt ✗ (and 1 more like it); push rate limit';
  const response = await push(PUSHED, { 'content-type': 'application/proto' });
  assert.equal(response.status, 400);
  assert.deepEqual(await response.json(), { code: 'invalid_argument', message });
  assert.equal((await grpcCall(PUSH, PUSHED)).details, message);
  const web = await push(Buffer.of(0, 0, 0, 0, 0), { 'content-type': 'application/grpc-web' });
  assert.deepEqual([web.status, web.headers.get('grpc-status')], [200, '3']);
  behind.answer = async () => ({ accepted: [], rejected: [RATE_LIMITED] });
  const limited = await push('{}', { 'content-type': 'application/json' });
  assert.equal(limited.status, 429);
  assert.deepEqual(await limited.json(), { code: 'resource_exhausted', message: 'push rate limit' });
});

test('push refuses what it cannot read', async () => {
  const cases: [Promise<Response>, number, string][] = [
    [fetch(`${url}${PUSH}`), 405, 'unimplemented'],
    [push('x', { 'content-type': 'text/plain' }), 415, 'invalid_argument'],
    [push('x', { 'content-type': 'application/grpc' }), 415, 'invalid_argument'],
    [push('x', { 'content-type': 'application/proto', 'content-encoding': 'br' }), 415, 'unimplemented'],
    [
      push('x', { 'content-type': 'application/proto', 'connect-protocol-version': '2' }),
      400,
      'invalid_argument',
    ],
    [push('x', { 'content-type': 'application/proto', 'connect-timeout-ms': '1s' }), 400, 'invalid_argument'],
    [post('x', { 'content-type': 'application/proto' }, '/push.v1.PusherService/Pull'), 404, 'unimplemented'],
    [
      push(Buffer.alloc(MAX_BODY_BYTES + 1), { 'content-type': 'application/proto' }),
      413,
      'resource_exhausted',
    ],
  ];
  for (const [answer, status, code] of cases) {
    const response = await answer;
    const body = (await response.json()) as { code: string; message: string };
    assert.deepEqual([response.status, body.code], [status, code], body.message);
  }
  assert.equal(behind.bodies.length, 0);
});

test('the deadline of a Connect client is kept', async () => {
  const never = Promise.withResolvers<IngestOutcome>();
  behind.answer = () => never.promise;
  const response = await push(PUSHED, { 'content-type': 'application/proto', 'connect-timeout-ms': '100' });
  assert.equal(response.status, 504);
  never.resolve(NOTHING_ACCEPTED);
  await eventually(async () => (await inFlightBytes()) === 0);
});

test('/ingest hands on its parameters and answers 200 with nothing', async () => {
  for (const path of ['/ingest', '/pyroscope/ingest']) {
    const response = await post(
      'a;b 1',
      { 'content-type': 'text/plain' },
      `${path}?name=app%7Ba%3Db%7D&from=1`,
    );
    assert.deepEqual([response.status, response.headers.get('content-length')], [200, '0']);
    assert.equal(await response.text(), '');
    assert.equal(behind.notes.pop(), 'ingest name=app%7Ba%3Db%7D&from=1 text/plain');
    assert.equal(Buffer.from(behind.bodies.pop()!).toString(), 'a;b 1');
  }
  const packed = gzipSync('a;b 1');
  await post(packed, { 'content-encoding': 'gzip' }, '/ingest');
  assert.deepEqual(Buffer.from(behind.bodies.pop()!), packed, 'unpacking is not the business of the door');
});

test('/ingest has its own statuses for errors', async () => {
  const ingest = async (answer: () => Promise<IngestOutcome>) => {
    behind.answer = answer;
    const response = await post('x', {}, '/ingest');
    return [response.status, await response.json()];
  };
  assert.deepEqual(await ingest(async () => ({ ...STORED, rejected: [TOO_OLD] })), [
    422,
    {
      code: 'unknown',
      message: 'pushing IngestInput-pprof failed invalid_argument: 2 errors: zu alt ✗ (and 1 more like it)',
    },
  ]);
  assert.deepEqual(await ingest(async () => ({ accepted: [], rejected: [RATE_LIMITED] })), [
    429,
    {
      code: 'resource_exhausted',
      message: 'pushing IngestInput-pprof failed resource_exhausted: push rate limit',
    },
  ]);
  assert.deepEqual(
    await ingest(() => Promise.reject(new HearthscopeError('invalid_argument', 'name: empty'))),
    [400, { code: 'invalid_argument', message: 'name: empty' }],
  );
  assert.equal((await post(Buffer.alloc(MAX_BODY_BYTES + 1), {}, '/ingest')).status, 413);
  assert.equal((await post('x', { 'content-encoding': 'br' }, '/ingest')).status, 415);
  const get = await fetch(`${url}/ingest`);
  assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST']);
});

test('what comes in and what does not is counted under the names of dashboards', async () => {
  behind.answer = async () => ({ ...STORED, rejected: [TOO_OLD] });
  await post('x', {}, '/ingest');
  const text = await registry.metrics();
  assert.match(
    text,
    /^hearthscope_receiver_requests_total\{receiver="ingest",transport="http",result="rejected"\} /m,
  );
  assert.match(
    text,
    /^pyroscope_discarded_samples_total\{reason="not_in_ingestion_window",tenant="anonymous"\} \d/m,
  );
  assert.match(
    text,
    /^pyroscope_discarded_samples_total\{reason="body_size_limit_exceeded",tenant="anonymous"\} \d/m,
  );
  assert.match(
    text,
    /^pyroscope_discarded_bytes_total\{reason="body_size_limit_exceeded",tenant="anonymous"\} \d/m,
  );
  assert.match(text, /^pyroscope_distributor_received_compressed_bytes_count\{tenant="anonymous"\} \d/m);
  assert.match(
    text,
    /^pyroscope_ingester_profile_samples_received_total\{type="process_cpu",tenant="anonymous"\} \d/m,
  );
});

test('unknown gRPC methods are unimplemented', async () => {
  for (const path of [EXPORT.replace('Export', 'Import'), '/foo.Bar/Baz', '/grpc.health.v1.Health/Watch']) {
    assert.equal((await grpcCall(path, REQUEST)).code, grpc.status.UNIMPLEMENTED, path);
  }
});

test('the health check follows readiness and knows its services', async () => {
  const check = (name: string) => {
    const bytes = Buffer.from(name);
    const request = name === '' ? bytes : Buffer.concat([Buffer.of(0x0a, bytes.length), bytes]);
    return grpcCall('/grpc.health.v1.Health/Check', request);
  };
  const service = EXPORT.split('/')[1]!;
  assert.deepEqual([...(await check('')).message!], [8, 1]);
  assert.deepEqual([...(await check(service)).message!], [8, 1]);
  assert.equal((await check('foo')).code, grpc.status.NOT_FOUND);
  behind.isReady = false;
  assert.deepEqual([...(await check('')).message!], [8, 2]);
  const garbage = await grpcCall('/grpc.health.v1.Health/Check', Buffer.of(0x0a, 0x7f));
  assert.equal(garbage.code, grpc.status.INVALID_ARGUMENT);
});

test('broken gzip is an error of the sender', async () => {
  const gzipped = gzipSync(REQUEST);
  const bodies = [
    gzipped.subarray(0, gzipped.length - 5),
    gzipped.subarray(0, 3),
    Buffer.from('plain'),
    Buffer.alloc(0),
  ];
  for (const body of bodies) {
    const response = await post(body, { 'content-encoding': 'gzip' });
    assert.equal(response.status, 400, `${body.length} bytes`);
    const { code, message } = await statusOf(response);
    assert.equal(code, 3);
    assert.match(message, /^gzip: /);
  }
  assert.equal(behind.bodies.length, 0);
});

test('body limit at its edge, plain and compressed', async () => {
  const limit = Buffer.alloc(MAX_BODY_BYTES);
  const over = Buffer.alloc(MAX_BODY_BYTES + 1);
  for (const gzip of [false, true]) {
    const headers: Record<string, string> = gzip ? { 'content-encoding': 'gzip' } : {};
    assert.equal((await post(gzip ? gzipSync(limit) : limit, headers)).status, 200);
    assert.equal(behind.bodies.pop()!.length, MAX_BODY_BYTES);
    const refused = await post(gzip ? gzipSync(over) : over, headers);
    assert.equal(refused.status, 413);
    assert.equal((await statusOf(refused)).code, 8);
    assert.equal((await grpcCall(EXPORT, limit, { gzip })).code, 0);
    assert.equal((await grpcCall(EXPORT, over, { gzip })).code, grpc.status.RESOURCE_EXHAUSTED);
  }
  const chunked = await post(new Blob([over]).stream());
  assert.equal(chunked.status, 413);
});

test('a gzip bomb of 1 GiB ends at the limit and costs no more', async () => {
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 5);
  const response = await post(gzipBomb(1024 * MEBIBYTE), { 'content-encoding': 'gzip' });
  clearInterval(watch);
  assert.equal(response.status, 413);
  assert.equal(behind.bodies.length, 0);
  assert.equal(await inFlightBytes(), 0);
  // Room for the bomb's own making in this process, and for the collector of garbage.
  assert.ok(peak - before < 200 * MEBIBYTE, `grew by ${(peak - before) / MEBIBYTE} MiB`);
});

test('gzip members without content are counted as well', async () => {
  const empty = gzipSync(Buffer.alloc(0));
  const members = Buffer.concat(Array<Buffer>(Math.ceil(MAX_BODY_BYTES / empty.length) + 1).fill(empty));
  const response = await post(new Blob([members]).stream(), { 'content-encoding': 'gzip' });
  assert.equal(response.status, 413);
});

test('requests in flight are bounded together, and the refusal asks to try again', async () => {
  const release = Promise.withResolvers<void>();
  behind.answer = async () => {
    await release.promise;
    return STORED;
  };
  const large = Buffer.alloc(MAX_BODY_BYTES);
  const held = [post(large), post(large)];
  await eventually(async () => behind.bodies.length === 2);
  const refused = await post(Buffer.from(REQUEST));
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '5');
  const call = await grpcCall(EXPORT, REQUEST);
  assert.equal(call.code, grpc.status.RESOURCE_EXHAUSTED);
  assert.match(String(call.metadata!.get('grpc-status-details-bin')[0]), /RetryInfo/);
  release.resolve();
  for (const response of await Promise.all(held)) assert.equal(response.status, 200);
  await eventually(async () => (await inFlightBytes()) === 0);
  assert.equal((await post(Buffer.from(REQUEST))).status, 200);
});

test('a client that leaves midway leaves nothing behind', async () => {
  const start = (await results())['otlp http aborted'] ?? 0;
  const request = http.request(`${url}${HTTP_PATH}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-length': '100000' },
  });
  request.on('error', () => {});
  request.write(Buffer.alloc(50_000));
  await eventually(async () => (await inFlightBytes()) === 50_000);
  request.destroy();
  await eventually(async () => (await results())['otlp http aborted'] === start + 1);

  const leave = [
    (session: http2.ClientHttp2Session) => session.destroy(),
    // Node's client ends the stream before it resets it; the length it announced tells the difference.
    (_: http2.ClientHttp2Session, stream: http2.ClientHttp2Stream) =>
      stream.close(http2.constants.NGHTTP2_CANCEL),
  ];
  for (const [index, leaveNow] of leave.entries()) {
    const session = http2.connect(url);
    const stream = session.request({
      ':method': 'POST',
      ':path': HTTP_PATH,
      'content-type': 'application/x-protobuf',
      'content-length': '100000',
    });
    stream.on('error', () => {});
    stream.write(REQUEST);
    await eventually(async () => (await inFlightBytes()) === REQUEST.length);
    leaveNow(session, stream);
    await eventually(async () => (await results())['otlp http aborted'] === start + 2 + index);
    session.destroy();
  }
  assert.equal(await inFlightBytes(), 0);
  assert.equal(behind.bodies.length, 0, 'half a request is not a request');
});

test('the deadline of a gRPC client is kept', async () => {
  const never = Promise.withResolvers<IngestOutcome>();
  behind.answer = () => never.promise;
  const { code } = await grpcCall(EXPORT, REQUEST, { deadline: 200 });
  assert.equal(code, grpc.status.DEADLINE_EXCEEDED);
  await eventually(async () => (await results())['otlp grpc deadline_exceeded'] !== undefined);
  never.resolve(STORED);
  await eventually(async () => (await inFlightBytes()) === 0);
});

/** A gRPC call written byte by byte. */
async function rawGrpc(
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<http2.IncomingHttpHeaders> {
  const session = http2.connect(url);
  const stream = session.request({
    ':method': 'POST',
    ':path': EXPORT,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.end(body);
  const [answer] = await once(stream, 'response');
  stream.resume();
  await once(stream, 'close');
  session.close();
  return answer;
}

test('malformed gRPC framing is refused', async () => {
  const cases: [number[], Record<string, string>, number, RegExp][] = [
    [[], {}, 3, /0 bytes where a prefix of 5 is needed/],
    [[0, 0, 0], {}, 3, /3 bytes where a prefix of 5 is needed/],
    [[2, 0, 0, 0, 0], {}, 3, /unknown flags 2/],
    [[0, 0, 0, 0, 9, 1], {}, 3, /ended 8 bytes before its length of 9/],
    [[0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], {}, 3, /more bytes follow/],
    [[0, 255, 255, 255, 255], {}, 8, /message of 4294967295 bytes/],
    [[1, 0, 0, 0, 1, 1], {}, 3, /grpc-encoding does not say how/],
    [[1, 0, 0, 0, 1, 1], { 'grpc-encoding': 'gzip' }, 3, /gzip: /],
    [[0, 0, 0, 0, 0], { 'grpc-encoding': 'br' }, 12, /"br" is not supported/],
    [[0, 0, 0, 0, 0], { 'grpc-timeout': '5x' }, 3, /grpc-timeout "5x" is malformed/],
  ];
  for (const [body, headers, status, message] of cases) {
    const answer = await rawGrpc(Buffer.from(body), headers);
    assert.equal(answer[':status'], 200);
    assert.equal(answer['grpc-status'], String(status), String(message));
    assert.match(decodeURIComponent(String(answer['grpc-message'])), message);
  }
  assert.equal(behind.bodies.length, 0);
  const empty = await rawGrpc(Buffer.from([0, 0, 0, 0, 0]));
  assert.equal(empty['grpc-status'], undefined, 'an empty message is a message');
  assert.equal(behind.bodies.length, 1);
});

test('a refused upload does not cost the connection its answer', async () => {
  const socket = net.connect(listener.port, '127.0.0.1');
  socket.setEncoding('latin1');
  socket.write(
    `POST ${HTTP_PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: ${8 * MEBIBYTE}\r\n\r\n`,
  );
  socket.write(Buffer.alloc(8 * MEBIBYTE));
  const [first] = await once(socket, 'data');
  assert.match(first, /^HTTP\/1\.1 415 /);
  socket.write('GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const [second] = await once(socket, 'data');
  assert.match(second, /^HTTP\/1\.1 404 /);
  socket.destroy();
});

test('a refused upload over HTTP/2 is answered, then told to stop', async () => {
  const session = http2.connect(url);
  const stream = session.request({ ':method': 'POST', ':path': HTTP_PATH, 'content-type': 'text/plain' });
  stream.write(Buffer.alloc(100_000));
  const [headers] = await once(stream, 'response');
  assert.equal(headers[':status'], 415);
  stream.resume();
  await once(stream, 'close');
  assert.equal(stream.rstCode, http2.constants.NGHTTP2_NO_ERROR);
  session.close();
});

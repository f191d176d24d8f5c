// SPDX-License-Identifier: Apache-2.0
//
// The exporter against real receivers: Node's HTTP server, and the gRPC server of @grpc/grpc-js.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { ProtobufWriter } from '@hearthscope/profile/wire/protobuf-writer';
import { pino } from 'pino';
import { type Counter, Registry } from 'prom-client';
import { AgentMetrics } from '../metrics.ts';
import { Exporter, type ExporterOptions } from './exporter.ts';
import { EXPORT_METHOD, GrpcTransport } from './grpc-transport.ts';
import { HttpTransport, PROFILES_PATH, parseRetryAfter } from './http-transport.ts';
import type { ExportTransport } from './transport.ts';

const FAST: ExporterOptions = { queueMaxBytes: 1 << 20, initialBackoffMillis: 5, maxBackoffMillis: 20 };
const TIMEOUT_MILLIS = 5000;

interface Harness {
  exporter: Exporter;
  metrics: AgentMetrics;
}

function makeExporter(transport: ExportTransport, options: ExporterOptions = FAST): Harness {
  const logger = pino({ level: 'silent' });
  const metrics = new AgentMetrics(new Registry(), logger);
  return { exporter: new Exporter(transport, options, metrics, logger), metrics };
}

async function countsOf<Label extends string>(counter: Counter<Label>): Promise<Record<string, number>> {
  const { values } = await counter.get();
  return Object.fromEntries(values.map(({ labels, value }) => [Object.values(labels).join(), value]));
}

function partialSuccess(rejectedProfiles: bigint, message: string): Uint8Array {
  const writer = new ProtobufWriter();
  writer.message(1, () => {
    writer.int64(1, rejectedProfiles);
    writer.string(2, message);
  });
  return writer.finish();
}

/** google.rpc.Status with a RetryInfo of that many milliseconds. */
function retryInfoStatus(millis: number): Uint8Array {
  const writer = new ProtobufWriter();
  writer.uint32(1, status.RESOURCE_EXHAUSTED);
  writer.string(2, 'slow down');
  writer.message(3, () => {
    writer.string(1, 'type.googleapis.com/google.rpc.RetryInfo');
    writer.message(2, () => {
      writer.message(1, () => {
        writer.int64(1, BigInt(Math.floor(millis / 1000)));
        writer.uint32(2, (millis % 1000) * 1e6);
      });
    });
  });
  return writer.finish();
}

function gzipped(text: string): { body: Uint8Array } {
  return { body: gzipSync(text) };
}

describe('Exporter over HTTP', () => {
  let server: HttpServer;
  let endpoint: string;
  let received: { request: IncomingMessage; text: string; atMillis: number }[];
  let answers: ((response: ServerResponse) => void)[];
  let arrived: () => void;

  beforeEach(async () => {
    received = [];
    answers = [];
    arrived = () => {};
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = gunzipSync(Buffer.concat(chunks)).toString();
        received.push({ request, text, atMillis: performance.now() });
        const answer = answers.shift() ?? ((to: ServerResponse) => to.writeHead(200).end());
        answer(response);
        arrived();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function transport(over: { timeoutMillis?: number; headers?: Record<string, string> } = {}): HttpTransport {
    return new HttpTransport({ endpoint, headers: {}, timeoutMillis: TIMEOUT_MILLIS, ...over });
  }

  async function untilReceived(count: number): Promise<void> {
    while (received.length < count) {
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
    }
  }

  it('posts protobuf to the profiles path with the headers given', async () => {
    const { exporter, metrics } = makeExporter(transport({ headers: { 'x-scope-orgid': 'team-a' } }));
    exporter.enqueue(gzipped('one'));
    await untilReceived(1);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    const { request, text } = received[0]!;
    assert.equal(request.method, 'POST');
    assert.equal(request.url, PROFILES_PATH);
    assert.equal(request.headers['content-type'], 'application/x-protobuf');
    assert.equal(request.headers['content-encoding'], 'gzip');
    assert.equal(request.headers['x-scope-orgid'], 'team-a');
    assert.equal(text, 'one');
    assert.deepEqual(await countsOf(metrics.exportRequests), { accepted: 1 });
  });

  it('keeps one connection', async () => {
    const { exporter } = makeExporter(transport());
    for (let i = 0; i < 5; i++) exporter.enqueue(gzipped(`${i}`));
    await untilReceived(5);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.equal(new Set(received.map(({ request }) => request.socket)).size, 1);
    assert.deepEqual(
      received.map(({ text }) => text),
      ['0', '1', '2', '3', '4'],
    );
  });

  it('tries the same bytes again after each retryable status', async () => {
    for (const code of [429, 502, 503, 504]) answers.push((response) => response.writeHead(code).end('busy'));
    const { exporter, metrics } = makeExporter(transport());
    exporter.enqueue(gzipped('again'));
    await untilReceived(5);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.deepEqual(
      received.map(({ text }) => text),
      ['again', 'again', 'again', 'again', 'again'],
    );
    assert.deepEqual(await countsOf(metrics.exportRetries), {
      http_429: 1,
      http_502: 1,
      http_503: 1,
      http_504: 1,
    });
    assert.deepEqual(await countsOf(metrics.exportDroppedRequests), {});
  });

  it('waits as long as Retry-After asks for', async () => {
    answers.push((response) => response.writeHead(503, { 'retry-after': '1' }).end());
    const { exporter } = makeExporter(transport());
    exporter.enqueue(gzipped('later'));
    await untilReceived(2);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    // A lower bound holds however slow the machine is.
    assert.ok(received[1]!.atMillis - received[0]!.atMillis >= 990);
  });

  it('gives up what is refused, and goes on with the next', async () => {
    answers.push((response) => response.writeHead(400, { 'content-type': 'text/plain' }).end('wrong\nbytes'));
    const { exporter, metrics } = makeExporter(transport());
    exporter.enqueue(gzipped('bad'));
    exporter.enqueue(gzipped('good'));
    await untilReceived(2);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.deepEqual(await countsOf(metrics.exportDroppedRequests), { http_400: 1 });
    assert.deepEqual(await countsOf(metrics.exportRequests), { refused: 1, accepted: 1 });
  });

  it('does not follow redirects', async () => {
    answers.push((response) => response.writeHead(302, { location: endpoint }).end());
    const { exporter, metrics } = makeExporter(transport());
    exporter.enqueue(gzipped('moved'));
    await untilReceived(1);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.equal(received.length, 1);
    assert.deepEqual(await countsOf(metrics.exportDroppedRequests), { http_302: 1 });
  });

  it('counts profiles that a partial success rejects', async () => {
    answers.push((response) =>
      response
        .writeHead(200, { 'content-type': 'application/x-protobuf' })
        .end(partialSuccess(2n, 'too old')),
    );
    const { exporter, metrics } = makeExporter(transport());
    exporter.enqueue(gzipped('some'));
    await untilReceived(1);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.deepEqual((await metrics.exportRejectedProfiles.get()).values[0]?.value, 2);
    assert.deepEqual(await countsOf(metrics.exportRequests), { accepted: 1 });
  });

  it('takes an endless or a garbled answer for what its status says', async () => {
    answers.push((response) => response.writeHead(200).end('x'.repeat(1 << 20)));
    answers.push((response) =>
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end('\xff\xff'),
    );
    const { exporter, metrics } = makeExporter(transport());
    exporter.enqueue(gzipped('a'));
    exporter.enqueue(gzipped('b'));
    await untilReceived(2);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.deepEqual(await countsOf(metrics.exportRequests), { accepted: 2 });
  });

  it('tries again after a timeout and after a connection that breaks', async () => {
    answers.push(() => {});
    answers.push((response) => response.socket!.destroy());
    const { exporter, metrics } = makeExporter(transport({ timeoutMillis: 200 }));
    exporter.enqueue(gzipped('slow'));
    await untilReceived(3);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    const retries = await countsOf(metrics.exportRetries);
    assert.equal(retries.timeout, 1);
    assert.equal(retries.ECONNRESET, 1);
  });

  it('keeps the newest when nobody listens, and delivers them when somebody does', async () => {
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const sizes = gzipped('0').body.byteLength;
    const { exporter, metrics } = makeExporter(transport(), { ...FAST, queueMaxBytes: 3 * sizes });
    for (let i = 0; i < 9; i++) {
      exporter.enqueue(gzipped(`${i}`));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(exporter.queuedBytes <= 3 * sizes);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    await untilReceived(3);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.deepEqual(
      received.map(({ text }) => text),
      ['6', '7', '8'],
    );
    assert.deepEqual(await countsOf(metrics.exportDroppedRequests), { queue_full: 6 });
    assert.ok((await countsOf(metrics.exportRetries)).ECONNREFUSED! > 0);
  });

  it('drops a request that is larger than the whole queue', async () => {
    const { exporter, metrics } = makeExporter(transport(), { ...FAST, queueMaxBytes: 10 });
    exporter.enqueue({ body: new Uint8Array(11) });
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.deepEqual(await countsOf(metrics.exportDroppedRequests), { too_large: 1 });
  });

  it('flushes with one attempt each and drops the rest', async () => {
    answers.push((response) => response.writeHead(503, { 'retry-after': '3600' }).end());
    const { exporter, metrics } = makeExporter(transport());
    exporter.enqueue(gzipped('first'));
    await untilReceived(1);
    exporter.enqueue(gzipped('second'));
    answers.push((response) => response.writeHead(503).end());
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.deepEqual(
      received.map(({ text }) => text),
      ['first', 'first', 'second'],
    );
    assert.deepEqual(await countsOf(metrics.exportDroppedRequests), { shutdown: 1 });
    exporter.enqueue(gzipped('too late'));
    assert.deepEqual(await countsOf(metrics.exportDroppedRequests), { shutdown: 2 });
  });

  it('ends a flush in time when the receiver hangs', async () => {
    answers.push(() => {});
    const { exporter, metrics } = makeExporter(transport({ timeoutMillis: 60_000 }));
    exporter.enqueue(gzipped('a'));
    exporter.enqueue(gzipped('b'));
    await untilReceived(1);
    await exporter.flushAndClose(100);
    assert.deepEqual(await countsOf(metrics.exportDroppedRequests), { shutdown: 2 });
  });
});

describe('HttpTransport', () => {
  it('wants a URL', () => {
    const options = { headers: {}, timeoutMillis: 1 };
    for (const endpoint of ['', 'localhost:4318', 'ftp://x', '/path']) {
      assert.throws(
        () => new HttpTransport({ ...options, endpoint }),
        /the endpoint must be a URL/,
        endpoint,
      );
    }
  });
});

describe('parseRetryAfter', () => {
  it('reads seconds and dates', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    assert.equal(parseRetryAfter('3', now), 3000);
    assert.equal(parseRetryAfter('Thu, 01 Jan 2026 00:00:05 GMT', now), 5000);
    assert.equal(parseRetryAfter('Wed, 31 Dec 2025 00:00:05 GMT', now), 0);
    assert.equal(parseRetryAfter('soon', now), undefined);
    assert.equal(parseRetryAfter(undefined, now), undefined);
  });
});

describe('Exporter over gRPC', () => {
  let server: Server;
  let endpoint: string;
  let received: { text: string; metadata: Metadata; atMillis: number }[];
  let answers: (Partial<ServiceError> | Uint8Array)[];
  let arrived: () => void = () => {};

  before(async () => {
    server = new Server();
    server.addService(
      {
        Export: {
          path: EXPORT_METHOD,
          requestStream: false,
          responseStream: false,
          requestSerialize: (bytes: Buffer) => bytes,
          requestDeserialize: (bytes: Buffer) => bytes,
          responseSerialize: (bytes: Buffer) => bytes,
          responseDeserialize: (bytes: Buffer) => bytes,
        },
      },
      {
        Export: (
          call: { request: Buffer; metadata: Metadata },
          callback: (error: Partial<ServiceError> | null, bytes?: Buffer) => void,
        ) => {
          received.push({
            text: call.request.toString(),
            metadata: call.metadata,
            atMillis: performance.now(),
          });
          const answer = answers.shift() ?? new Uint8Array();
          if (answer instanceof Uint8Array) callback(null, Buffer.from(answer));
          else callback(answer);
          arrived();
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    endpoint = `http://127.0.0.1:${port}`;
  });
  after(() => server.forceShutdown());
  beforeEach(() => {
    received = [];
    answers = [];
  });

  async function untilReceived(count: number): Promise<void> {
    while (received.length < count) {
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
    }
  }

  function transport(): Promise<GrpcTransport> {
    const headers = { 'X-Scope-OrgID': 'team-a' };
    return GrpcTransport.create({ endpoint, headers, timeoutMillis: TIMEOUT_MILLIS });
  }

  function plain(text: string): { body: Uint8Array } {
    return { body: Buffer.from(text) };
  }

  it('calls Export with the headers as metadata', async () => {
    const { exporter, metrics } = makeExporter(await transport());
    exporter.enqueue(plain('one'));
    await untilReceived(1);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.equal(received[0]!.text, 'one');
    assert.deepEqual(received[0]!.metadata.get('x-scope-orgid'), ['team-a']);
    assert.deepEqual(await countsOf(metrics.exportRequests), { accepted: 1 });
  });

  it('tries again after UNAVAILABLE, not after INVALID_ARGUMENT', async () => {
    answers.push({ code: status.UNAVAILABLE, details: 'busy' }, new Uint8Array());
    answers.push({ code: status.INVALID_ARGUMENT, details: 'no' });
    const { exporter, metrics } = makeExporter(await transport());
    exporter.enqueue(plain('first'));
    exporter.enqueue(plain('second'));
    await untilReceived(3);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.deepEqual(
      received.map(({ text }) => text),
      ['first', 'first', 'second'],
    );
    assert.deepEqual(await countsOf(metrics.exportRetries), { unavailable: 1 });
    assert.deepEqual(await countsOf(metrics.exportDroppedRequests), { grpc_3: 1 });
  });

  it('tries again after RESOURCE_EXHAUSTED only when told when', async () => {
    const metadata = new Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from(retryInfoStatus(300)));
    answers.push({ code: status.RESOURCE_EXHAUSTED, details: 'slow down', metadata }, new Uint8Array());
    answers.push({ code: status.RESOURCE_EXHAUSTED, details: 'never' });
    const { exporter, metrics } = makeExporter(await transport());
    exporter.enqueue(plain('first'));
    exporter.enqueue(plain('second'));
    await untilReceived(3);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.ok(received[1]!.atMillis - received[0]!.atMillis >= 290);
    assert.deepEqual(await countsOf(metrics.exportRetries), { resource_exhausted: 1 });
    assert.deepEqual(await countsOf(metrics.exportDroppedRequests), { grpc_8: 1 });
  });

  it('counts profiles that a partial success rejects', async () => {
    answers.push(partialSuccess(1n, 'too old'));
    const { exporter, metrics } = makeExporter(await transport());
    exporter.enqueue(plain('some'));
    await untilReceived(1);
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.deepEqual((await metrics.exportRejectedProfiles.get()).values[0]?.value, 1);
  });

  it('tries again when nobody listens', async () => {
    const closed = await GrpcTransport.create({ endpoint: '127.0.0.1:1', headers: {}, timeoutMillis: 500 });
    const { exporter, metrics } = makeExporter(closed);
    exporter.enqueue(plain('lost'));
    while (!((await countsOf(metrics.exportRetries)).unavailable! > 1)) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await exporter.flushAndClose(TIMEOUT_MILLIS);
    assert.deepEqual(await countsOf(metrics.exportDroppedRequests), { shutdown: 1 });
  });

  it('wants host and port', async () => {
    for (const endpoint of ['', 'http://x:1/path', 'grpc://x:1']) {
      await assert.rejects(
        GrpcTransport.create({ endpoint, headers: {}, timeoutMillis: 1 }),
        /the endpoint for gRPC must be/,
      );
    }
  });
});

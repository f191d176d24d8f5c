// SPDX-License-Identifier: Apache-2.0
//
// The listening port with TLS: real sockets, real certificates.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import tls from 'node:tls';
import pino from 'pino';
import { Registry } from 'prom-client';
import { identityOf } from '../http/request-identity.ts';
import { PortListener, type RequestHandler, type TransportFailure } from '../listen.ts';
import { DEFAULT_TRANSPORT_LIMITS } from '../transport-limits.ts';
import {
  type CertificateFiles,
  contentsOf,
  makeCertificate,
  opensslMissing,
} from './testing/certificates.ts';
import { TlsContext } from './tls-context.ts';
import type { ClientAuthType, TlsOptions } from './tls-options.ts';

const skip = opensslMissing() ?? false;
const folder = mkdtempSync(join(tmpdir(), 'hearthscope-tls-'));
after(() => rmSync(folder, { recursive: true }));

let authority: CertificateFiles;
let stranger: CertificateFiles;
let server: CertificateFiles;
let client: CertificateFiles;
before(() => {
  if (skip !== false) return;
  authority = makeCertificate(folder, 'authority', 'Test authority');
  stranger = makeCertificate(folder, 'stranger', 'Another authority');
  server = makeCertificate(folder, 'server', 'server', authority);
  client = makeCertificate(folder, 'client', 'agent-1', authority);
});

const opened: { stop(): Promise<void> }[] = [];
const failures: TransportFailure[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.stop()));
  failures.length = 0;
});

/** Answers with the protocol's version, the client's name and the body. */
const echo: RequestHandler = (request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => {
    const { clientCertificate } = identityOf(request);
    response.end(`${request.httpVersionMajor} ${clientCertificate ?? 'nobody'} ${body}`);
  });
};

async function listen(files: TlsOptions = server, registry = new Registry()) {
  const context = new TlsContext({
    files,
    reloadPeriodMillis: 3_600_000,
    logger: pino({ level: 'silent' }),
    registry,
  });
  const listener = await PortListener.listen({
    host: '127.0.0.1',
    port: 0,
    limits: { ...DEFAULT_TRANSPORT_LIMITS, headersTimeoutMillis: 2000 },
    handler: echo,
    tls: context,
    onFailure: (failure) => failures.push(failure),
  });
  opened.push({
    stop: async () => {
      await listener.stop(0);
      context.close();
    },
  });
  return { listener, context };
}

type Credentials = { readonly cert?: Buffer; readonly key?: Buffer };

function trusting(credentials: Credentials = {}) {
  return { ca: readFileSync(authority.certFile), ...credentials };
}

/** Over HTTP/1.1. */
async function post(port: number, body: string, credentials: Credentials = {}): Promise<string> {
  const request = https.request({
    host: '127.0.0.1',
    port,
    method: 'POST',
    agent: false,
    ...trusting(credentials),
  });
  request.end(body);
  const [response] = await once(request, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

async function post2(port: number, body: string, credentials: Credentials = {}): Promise<string> {
  const session = http2.connect(`https://127.0.0.1:${port}`, trusting(credentials));
  session.on('error', () => {});
  try {
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    stream.end(body);
    stream.setEncoding('utf8');
    let text = '';
    for await (const chunk of stream) text += chunk;
    return text;
  } finally {
    session.close();
  }
}

test('one port answers HTTP/1.1 and HTTP/2 over TLS', { skip }, async () => {
  const { listener } = await listen();
  assert.equal(await post(listener.port, 'one'), '1 nobody one');
  assert.equal(await post2(listener.port, 'two'), '2 nobody two');
  const large = 'x'.repeat(1_000_000);
  assert.equal(await post(listener.port, large), `1 nobody ${large}`);
  assert.equal(await post2(listener.port, large), `2 nobody ${large}`);
  // Without an agreement on a protocol it is HTTP/1.1.
  const socket = tls.connect({ host: '127.0.0.1', port: listener.port, ...trusting() });
  socket.end('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi');
  let text = '';
  for await (const chunk of socket) text += chunk;
  assert.match(text, /1 nobody hi$/);
  assert.deepEqual(failures, []);
});

test('who does not speak TLS, or ends before it began, is counted and gone', { skip }, async () => {
  const { listener } = await listen();
  const plain = net.connect(listener.port, '127.0.0.1');
  plain.on('error', () => {});
  plain.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  plain.resume();
  await once(plain, 'close');
  assert.deepEqual(failures, ['tls']);
  const distrustful = tls.connect({
    host: '127.0.0.1',
    port: listener.port,
    ca: readFileSync(stranger.certFile),
  });
  await once(distrustful, 'error');
  while (failures.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await post(listener.port, 'still there'), '1 nobody still there');
});

test('a handshake that never ends is ended, and a stop does not wait for one', { skip }, async () => {
  const { listener } = await listen();
  const silent = net.connect(listener.port, '127.0.0.1');
  silent.on('error', () => {});
  silent.resume();
  await once(silent, 'close');
  assert.deepEqual(failures, ['tls']);
  const another = net.connect(listener.port, '127.0.0.1');
  another.on('error', () => {});
  await once(another, 'connect');
  // A request that is answered after the connection was made: the server has seen it.
  assert.equal(await post(listener.port, ''), '1 nobody ');
  await listener.stop(600_000);
});

test('client certificates, in each mode', { skip }, async () => {
  const known = contentsOf(client);
  const unknown = contentsOf(makeCertificate(folder, 'unknown', 'agent-1', stranger));
  const modes: readonly [mode: ClientAuthType, none: string, known: string, unknown: string][] = [
    ['NoClientCert', 'nobody', 'nobody', 'nobody'],
    ['RequestClientCert', 'nobody', 'agent-1', 'nobody'],
    ['RequireAnyClientCert', 'refused', 'agent-1', 'nobody'],
    ['VerifyClientCertIfGiven', 'nobody', 'agent-1', 'refused'],
    ['RequireAndVerifyClientCert', 'refused', 'agent-1', 'refused'],
  ];
  for (const [clientAuth, ...expected] of modes) {
    const { listener } = await listen({ ...server, clientCaFile: authority.certFile, clientAuth });
    for (const send of [post, post2]) {
      const answers = [];
      for (const credentials of [{}, known, unknown]) {
        answers.push(
          await send(listener.port, '', credentials).then(
            // Over HTTP/2 the end of the connection looks like that of an empty answer.
            (text) => (text === '' ? 'refused' : text.split(' ')[1]),
            () => 'refused',
          ),
        );
      }
      assert.deepEqual(answers, expected, `${clientAuth} ${send.name}`);
    }
  }
  assert.ok(failures.every((failure) => failure === 'tls' || failure === 'reset'));
  await assert.rejects(listen({ ...server, clientAuth: 'RequireAndVerifyClientCert' }), {
    code: 'failed_precondition',
    message: /RequireAndVerifyClientCert needs/,
  });
  const { listener } = await listen({ ...server, clientCaFile: authority.certFile });
  await assert.rejects(post(listener.port, ''), 'with an authority, certificates are required');
});

test('a resumed session without a certificate gets no name', { skip }, async () => {
  const { listener } = await listen({
    ...server,
    clientCaFile: authority.certFile,
    clientAuth: 'VerifyClientCertIfGiven',
  });
  let session: Buffer | undefined;
  for (const expected of [false, true]) {
    const socket = tls.connect({
      host: '127.0.0.1',
      port: listener.port,
      ...trusting(),
      ...(session && { session }),
    });
    socket.on('session', (data) => {
      session = data;
    });
    await once(socket, 'secureConnect');
    assert.equal(socket.isSessionReused(), expected);
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    let text = '';
    for await (const chunk of socket) text += chunk;
    assert.match(text, /1 nobody $/);
  }
});

test('a renewed certificate is used for new connections; a broken one is not', { skip }, async () => {
  const certFile = join(folder, 'current.pem');
  const keyFile = join(folder, 'current.key');
  copyFileSync(server.certFile, certFile);
  copyFileSync(server.keyFile, keyFile);
  const registry = new Registry();
  const { listener, context } = await listen({ certFile, keyFile }, registry);
  const serialNumber = async () => {
    const socket = tls.connect({ host: '127.0.0.1', port: listener.port, ...trusting() });
    await once(socket, 'secureConnect');
    const { serialNumber: serial } = socket.getPeerCertificate();
    socket.destroy();
    return serial;
  };
  const first = await serialNumber();
  const session = http2.connect(`https://127.0.0.1:${listener.port}`, trusting());
  await once(session, 'connect');

  const renewed = makeCertificate(folder, 'renewed', 'server', authority);
  copyFileSync(renewed.certFile, certFile);
  context.check();
  assert.equal(await serialNumber(), first, 'certificate and key do not fit together yet');
  copyFileSync(renewed.keyFile, keyFile);
  context.check();
  const second = await serialNumber();
  assert.notEqual(second, first);
  writeFileSync(certFile, 'no certificate');
  context.check();
  context.check();
  assert.equal(await serialNumber(), second);

  const stream = session.request({ ':path': '/' });
  stream.setEncoding('utf8');
  let text = '';
  for await (const chunk of stream) text += chunk;
  assert.equal(text, '2 nobody ', 'open connections go on');
  session.close();
  const metrics = await registry.metrics();
  assert.match(metrics, /hearthscope_tls_reload_failures_total\{reason="invalid"\} 3/);
  assert.match(metrics, /hearthscope_tls_certificate_not_after_timestamp_seconds \d{10}/);
});

test('files that are missing or do not fit are an error at the start', { skip }, async () => {
  const absent = join(folder, 'absent.pem');
  await assert.rejects(listen({ ...server, certFile: absent }), {
    code: 'failed_precondition',
    message: /cannot read .*absent\.pem: ENOENT/,
  });
  await assert.rejects(listen({ ...server, keyFile: client.keyFile }), {
    code: 'failed_precondition',
    message: /key values mismatch/,
  });
});

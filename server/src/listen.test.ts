// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { afterEach, test } from 'node:test';
import { type HttpRequest, PortListener, type RequestHandler, type TransportFailure } from './listen.ts';
import { DEFAULT_TRANSPORT_LIMITS, type TransportLimits } from './transport-limits.ts';

const listeners: PortListener[] = [];
const failures: TransportFailure[] = [];

afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.stop(0)));
  failures.length = 0;
});

async function listen(handler: RequestHandler, limits: Partial<TransportLimits> = {}): Promise<PortListener> {
  const listener = await PortListener.listen({
    host: '127.0.0.1',
    port: 0,
    limits: { ...DEFAULT_TRANSPORT_LIMITS, ...limits },
    handler,
    onFailure: (failure) => failures.push(failure),
    hasOwnDeadline: (request) => request.url === '/patient',
  });
  listeners.push(listener);
  return listener;
}

/** Answers with the protocol version and the body it was sent. */
const echo: RequestHandler = (request, response) => {
  bodyOf(request).then(
    (body) => response.end(`${request.httpVersionMajor} ${body}`),
    () => response.destroy(),
  );
};

async function bodyOf(request: HttpRequest): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** All that the server sends on a plain connection until it closes it. */
async function readToEnd(socket: net.Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    text += chunk;
  });
  await once(socket, 'close');
  return text;
}

function connect(listener: PortListener): net.Socket {
  const socket = net.connect(listener.port, '127.0.0.1');
  socket.on('error', () => {});
  return socket;
}

async function http2Post(session: http2.ClientHttp2Session, body: string): Promise<string> {
  const stream = session.request({ ':method': 'POST', ':path': '/' });
  stream.end(body);
  stream.setEncoding('utf8');
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

test('one port answers HTTP/1.1 and HTTP/2', async () => {
  const listener = await listen(echo);
  const url = `http://127.0.0.1:${listener.port}/`;
  const answer = await fetch(url, { method: 'POST', body: 'one' });
  assert.equal(await answer.text(), '1 one');
  const session = http2.connect(url);
  assert.equal(await http2Post(session, 'two'), '2 two');
  assert.equal(await http2Post(session, 'x'.repeat(1_000_000)), `2 ${'x'.repeat(1_000_000)}`);
  session.close();
});

test('the protocol is recognised however the first bytes are cut', async () => {
  const listener = await listen(echo);
  const request = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi';
  for (const cut of [1, 2, 5]) {
    const socket = connect(listener);
    socket.setNoDelay(true);
    socket.write(request.slice(0, cut));
    setTimeout(() => socket.write(request.slice(cut)), 20);
    assert.match(await readToEnd(socket), /1 hi$/);
  }
  const session = http2.connect(`http://127.0.0.1:${listener.port}`, {
    createConnection: () => {
      const socket = connect(listener);
      const { write } = socket;
      let isFirst = true;
      // The preface leaves the client byte by byte at first.
      socket.write = ((chunk: Buffer, ...rest: []) => {
        if (!isFirst) return write.call(socket, chunk, ...rest);
        isFirst = false;
        for (const byte of chunk.subarray(0, 4)) write.call(socket, Buffer.of(byte));
        return write.call(socket, chunk.subarray(4), ...rest);
      }) as typeof socket.write;
      return socket;
    },
  });
  assert.equal(await http2Post(session, 'cut'), '2 cut');
  session.close();
});

test('an offer to upgrade to h2c is ignored', async () => {
  const listener = await listen(echo);
  const socket = connect(listener);
  socket.write(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
  );
  assert.match(await readToEnd(socket), /^HTTP\/1\.1 200 OK[\s\S]*1 $/);
});

test('a client that says nothing is disconnected', async () => {
  const listener = await listen(echo, { headersTimeoutMillis: 100 });
  const socket = connect(listener);
  assert.equal(await readToEnd(socket), '');
  assert.deepEqual(failures, ['timeout']);
});

test('a client that dribbles its headers is answered 408', async () => {
  const listener = await listen(echo, { headersTimeoutMillis: 300 });
  const socket = connect(listener);
  socket.write('GET / HTTP/1.1\r\n');
  const dribble = setInterval(() => socket.write('A: b\r\n'), 50);
  const text = await readToEnd(socket);
  clearInterval(dribble);
  assert.match(text, /^HTTP\/1\.1 408 [\s\S]*"code":"deadline_exceeded"/);
  assert.deepEqual(failures, ['timeout']);
});

test('a client that dribbles its body is answered 408 on HTTP/1.1 and reset on HTTP/2', async () => {
  const listener = await listen(echo, { headersTimeoutMillis: 200, requestTimeoutMillis: 300 });
  const socket = connect(listener);
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n');
  const session = http2.connect(`http://127.0.0.1:${listener.port}`);
  const stream = session.request({ ':method': 'POST', ':path': '/' });
  const dribble = setInterval(() => {
    socket.write('x');
    if (stream.writable) stream.write('x');
  }, 50);
  const [text] = await Promise.all([readToEnd(socket), once(stream, 'close')]);
  clearInterval(dribble);
  session.close();
  assert.match(text, /^HTTP\/1\.1 408 /);
  assert.equal(stream.rstCode, http2.constants.NGHTTP2_CANCEL);
  assert.deepEqual(failures, ['timeout', 'timeout']);
});

test('an idle connection is closed on both protocols', async () => {
  const listener = await listen(echo, { idleTimeoutMillis: 100 });
  const socket = connect(listener);
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const session = http2.connect(`http://127.0.0.1:${listener.port}`);
  assert.equal(await http2Post(session, 'x'), '2 x');
  await Promise.all([readToEnd(socket), once(session, 'close')]);
});

test('headers larger than the limit are refused on both protocols', async () => {
  const listener = await listen(echo, { maxHeaderBytes: 4096 });
  const url = `http://127.0.0.1:${listener.port}/`;
  const headers = { 'x-big': 'x'.repeat(5000) };
  const answer = await fetch(url, { headers });
  assert.equal(answer.status, 431);
  assert.equal(((await answer.json()) as { code: string }).code, 'invalid_argument');
  const session = http2.connect(url);
  // The client must have learnt the limit, else only that of the HTTP/2 library holds.
  assert.equal(await http2Post(session, ''), '2 ');
  const stream = session.request({ ':path': '/', ...headers });
  const [error] = await once(stream, 'error');
  assert.match(String(error), /ENHANCE_YOUR_CALM/);
  session.close();
});

test('what is not HTTP is answered 400', async () => {
  const listener = await listen(echo);
  const socket = connect(listener);
  socket.write('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03');
  assert.match(await readToEnd(socket), /^HTTP\/1\.1 400 /);
  const other = connect(listener);
  other.write('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n');
  await readToEnd(other);
  assert.deepEqual(failures, ['malformed', 'session_error']);
});

test('connections beyond the limit are closed', async () => {
  const listener = await listen(echo, { maxConnections: 1 });
  const first = connect(listener);
  await once(first, 'connect');
  const second = connect(listener);
  assert.equal(await readToEnd(second), '');
  assert.deepEqual(failures, ['connection_limit']);
  first.destroy();
});

test('a taken port is an error that names it', async () => {
  const listener = await listen(echo);
  await assert.rejects(
    PortListener.listen({
      host: '127.0.0.1',
      port: listener.port,
      limits: DEFAULT_TRANSPORT_LIMITS,
      handler: echo,
      onFailure: () => {},
    }),
    {
      code: 'failed_precondition',
      message: new RegExp(`port ${listener.port} on 127.0.0.1 is taken .* choose another port`),
    },
  );
});

test('stop closes idle connections at once and lets requests in flight end', async () => {
  const release = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  let inFlight = 0;
  const listener = await listen(async (request, response) => {
    await bodyOf(request);
    if (request.url === '/slow') {
      inFlight += 1;
      if (inFlight === 2) entered.resolve();
      await release.promise;
    }
    response.end('done');
  });
  const url = `http://127.0.0.1:${listener.port}`;
  const idle = connect(listener);
  idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(idle, 'data');
  const silent = connect(listener);
  await once(silent, 'connect');
  const idleSession = http2.connect(url);
  assert.equal(await http2Post(idleSession, ''), 'done');
  const slow = fetch(`${url}/slow`);
  const busySession = http2.connect(url);
  const slowStream = busySession.request({ ':path': '/slow' });
  slowStream.setEncoding('utf8');
  await entered.promise;

  const gone = Promise.all([once(idle, 'close'), once(silent, 'close'), once(idleSession, 'close')]);
  let hasStopped = false;
  const stopped = listener.stop(60_000).then(() => {
    hasStopped = true;
  });
  idle.resume();
  await gone;
  await assert.rejects(fetch(url), 'no new connection is taken');
  assert.equal(hasStopped, false);
  release.resolve();
  const answer = await slow;
  assert.equal(await answer.text(), 'done');
  assert.equal(await slowStream.toArray().then((chunks) => chunks.join('')), 'done');
  await stopped;
  assert.deepEqual(failures, []);
});

test('stop ends what is still in flight when the grace is over', async () => {
  const entered = Promise.withResolvers<void>();
  const listener = await listen(() => entered.resolve());
  const never = fetch(`http://127.0.0.1:${listener.port}/`).then(
    () => 'answered',
    () => 'cut off',
  );
  await entered.promise;
  await listener.stop(50);
  assert.equal(await never, 'cut off');
  assert.deepEqual(failures, ['shutdown']);
});

test('a request whose handler keeps its deadline may take longer, over both protocols', async () => {
  const listener = await listen(echo, { requestTimeoutMillis: 300, headersTimeoutMillis: 300 });
  const slow = connect(listener);
  slow.write('POST /patient HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab');
  const other = connect(listener);
  other.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab');
  const session = http2.connect(`http://127.0.0.1:${listener.port}`);
  const stream = session.request({ ':method': 'POST', ':path': '/patient' });
  stream.write('ab');
  // The connections are looked at every so often; the one without patience shows that it has happened.
  assert.match(await readToEnd(other), /^HTTP\/1\.1 408 /);
  slow.write('cd');
  stream.end('cd');
  stream.setEncoding('utf8');
  let answer = '';
  for await (const chunk of stream) answer += chunk;
  assert.equal(answer, '2 abcd');
  const [chunk] = (await once(slow, 'data')) as [Buffer];
  assert.match(chunk.toString(), /^HTTP\/1\.1 200 /);
  assert.deepEqual(failures, ['timeout']);
  slow.destroy();
  session.close();
});

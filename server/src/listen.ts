// SPDX-License-Identifier: Apache-2.0
//
// One TCP port that speaks HTTP/1.1 and HTTP/2, with or without TLS. Clients of HTTP/2 over plain TCP begin with a fixed
// preface, so the first bytes of a connection decide which of Node's servers it is given to; with TLS, the protocol that
// was agreed on (ALPN) decides:
//
//   port ──▶ http.Server (listens, times out, counts) ──"PRI " / h2──▶ http2 session ──▶ handler
//                     └─────────────────────anything else──▶ HTTP/1.1 parser ────────────────┘
//
// `Upgrade: h2c` is ignored, as HTTP allows: such a client stays on HTTP/1.1.

import http from 'node:http';
import http2 from 'node:http2';
import type net from 'node:net';
import type tls from 'node:tls';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { TlsContext } from './tls/tls-context.ts';
import {
  HTTP2_SESSION_WINDOW_BYTES,
  HTTP2_STREAM_WINDOW_BYTES,
  type TransportLimits,
} from './transport-limits.ts';

export type HttpRequest = http.IncomingMessage | http2.Http2ServerRequest;
export type HttpResponse = http.ServerResponse | http2.Http2ServerResponse;
export type RequestHandler = (request: HttpRequest, response: HttpResponse) => void;

/** Why a connection or a request ended without a handler's answer. */
export type TransportFailure =
  | 'connection_limit'
  | 'headers_too_large'
  | 'malformed'
  | 'reset'
  | 'session_error'
  | 'timeout'
  | 'tls'
  | 'shutdown';

export interface ListenOptions {
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  readonly limits: TransportLimits;
  readonly handler: RequestHandler;
  /** Absent for plain text. */
  readonly tls?: TlsContext | undefined;
  /** Called once for each failure, to be counted. */
  readonly onFailure: (failure: TransportFailure) => void;
  /** Whether the handler of a request keeps its deadline itself, as a large upload may take longer than others. */
  readonly hasOwnDeadline?: (request: HttpRequest) => boolean;
}

const HTTP2_PREFACE_START = Buffer.from('PRI ');
/** How often HTTP/1.1 connections are checked against their deadlines. */
const DEADLINE_CHECK_MILLIS = 1000;

const FAILURE_RESPONSES: Partial<Record<TransportFailure, readonly [status: string, body: string]>> = {
  headers_too_large: [
    '431 Request Header Fields Too Large',
    '{"code":"invalid_argument","message":"request headers are too large"}',
  ],
  malformed: ['400 Bad Request', '{"code":"invalid_argument","message":"malformed HTTP request"}'],
  timeout: [
    '408 Request Timeout',
    '{"code":"deadline_exceeded","message":"the request took too long to arrive"}',
  ],
};

/** A listening port. */
export class PortListener {
  /** Replaced while the server starts and stops. */
  handler: RequestHandler;
  readonly #options: ListenOptions;
  readonly #http1: http.Server;
  readonly #http2: http2.Http2Server;
  readonly #tls: tls.Server | undefined;
  readonly #acceptHttp1: (socket: net.Socket) => void;
  readonly #sockets = new Set<net.Socket>();
  /** Connections that have not yet shown which protocol they speak, or are not yet encrypted. */
  readonly #undecided = new Set<net.Socket>();
  /** Open HTTP/2 sessions and how many requests each is busy with. */
  readonly #sessions = new Map<http2.Http2Session, number>();
  /** The response that an HTTP/1.1 connection is busy with. */
  readonly #responses = new Map<net.Socket, http.ServerResponse>();
  /** HTTP/1.1 connections that are busy with a request whose handler keeps its deadline. */
  readonly #ownDeadlines = new Set<net.Socket>();
  #stopping = false;

  private constructor(options: ListenOptions) {
    const { limits } = options;
    this.#options = options;
    this.handler = options.handler;
    this.#http1 = http.createServer({
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMillis,
      requestTimeout: limits.requestTimeoutMillis,
      keepAliveTimeout: limits.idleTimeoutMillis,
      connectionsCheckingInterval: Math.min(DEADLINE_CHECK_MILLIS, limits.headersTimeoutMillis),
    });
    this.#http1.maxConnections = limits.maxConnections;
    this.#http1.timeout = limits.idleTimeoutMillis;
    this.#http1.on('request', (request, response) => this.#onHttp1Request(request, response));
    this.#http1.on('clientError', (error: NodeJS.ErrnoException, socket) =>
      this.#onClientError(error, socket as net.Socket),
    );
    this.#http1.on('drop', () => options.onFailure('connection_limit'));
    // The http.Server keeps its deadlines and its accounting; only what it does with a fresh connection comes second.
    this.#acceptHttp1 = this.#http1.listeners('connection')[0] as (socket: net.Socket) => void;
    this.#http1.removeAllListeners('connection');
    this.#http1.on('connection', (socket) => this.#onConnection(socket));
    this.#tls = this.#createTls(options);

    this.#http2 = http2.createServer({
      settings: {
        maxConcurrentStreams: limits.maxConcurrentStreams,
        maxHeaderListSize: limits.maxHeaderBytes,
        initialWindowSize: HTTP2_STREAM_WINDOW_BYTES,
        enablePush: false,
      },
    });
    this.#http2.on('session', (session) => this.#onSession(session));
    this.#http2.on('sessionError', () => options.onFailure('session_error'));
    this.#http2.on('request', (request, response) => this.#onHttp2Request(request, response));
  }

  /** @throws HearthscopeError failed_precondition when the port is taken or may not be opened */
  static async listen(options: ListenOptions): Promise<PortListener> {
    const listener = new PortListener(options);
    const { host, port } = options;
    await new Promise<void>((resolve, reject) => {
      listener.#http1.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
      listener.#http1.listen({ host, port }, () => {
        listener.#http1.removeAllListeners('error');
        resolve();
      });
    });
    return listener;
  }

  get port(): number {
    return (this.#http1.address() as net.AddressInfo).port;
  }

  #createTls({ tls: context, limits, onFailure }: ListenOptions): tls.Server | undefined {
    const server = context?.createServer(limits.headersTimeoutMillis);
    server?.on('tlsClientError', (_error, socket) => {
      if (!this.#stopping) onFailure('tls');
      socket.destroy();
    });
    server?.on('secureConnection', (socket) => {
      if (context?.accepts(socket)) {
        this.#onSecureConnection(socket);
      } else {
        onFailure('tls');
        socket.destroy();
      }
    });
    return server;
  }

  /** Accepts nothing more, closes idle connections at once, and gives requests in flight `graceMillis` to end. */
  async stop(graceMillis: number): Promise<void> {
    this.#stopping = true;
    const closed = new Promise<void>((resolve) => this.#http1.close(() => resolve()));
    for (const socket of this.#undecided) socket.destroy();
    for (const session of this.#sessions.keys()) session.close();
    for (const response of this.#responses.values()) announceClose(response);
    const deadline = setTimeout(() => {
      for (const socket of this.#sockets) {
        this.#options.onFailure('shutdown');
        socket.destroy();
      }
    }, graceMillis);
    await closed;
    clearTimeout(deadline);
    if (this.#tls !== undefined) this.#options.tls?.release(this.#tls);
  }

  #onConnection(socket: net.Socket): void {
    this.#sockets.add(socket);
    this.#undecided.add(socket);
    socket.setNoDelay(true);
    socket.once('close', () => {
      this.#undecided.delete(socket);
      this.#sockets.delete(socket);
    });
    if (this.#tls === undefined) {
      this.#recognise(socket);
    } else {
      // A handshake that the client ends by closing its side is over.
      socket.allowHalfOpen = false;
      this.#tls.emit('connection', socket);
    }
  }

  /** A connection is encrypted, and its protocol agreed on. */
  #onSecureConnection(socket: tls.TLSSocket): void {
    for (const tcpSocket of this.#undecided) {
      if (peerOf(tcpSocket) === peerOf(socket)) this.#undecided.delete(tcpSocket);
    }
    socket.on('error', () => this.#options.onFailure('reset'));
    if (socket.alpnProtocol === 'h2') this.#http2.emit('connection', socket);
    else this.#acceptHttp1.call(this.#http1, socket);
  }

  /** Waits for what tells the protocols of a plain connection apart. */
  #recognise(socket: net.Socket): void {
    let start: Buffer = Buffer.alloc(0);
    const deadline = setTimeout(() => {
      this.#options.onFailure('timeout');
      socket.destroy();
    }, this.#options.limits.headersTimeoutMillis);
    const onError = () => this.#options.onFailure('reset');
    const settle = () => {
      clearTimeout(deadline);
      this.#undecided.delete(socket);
      socket.off('data', onData).off('error', onError).off('end', onEnd);
    };
    const onData = (chunk: Buffer) => {
      start = start.length === 0 ? chunk : Buffer.concat([start, chunk]);
      const compared = Math.min(start.length, HTTP2_PREFACE_START.length);
      const isPreface = HTTP2_PREFACE_START.subarray(0, compared).equals(start.subarray(0, compared));
      if (isPreface && compared < HTTP2_PREFACE_START.length) return;
      settle();
      socket.pause();
      socket.unshift(start);
      if (isPreface) {
        socket.allowHalfOpen = false;
        this.#http2.emit('connection', socket);
      } else {
        this.#acceptHttp1.call(this.#http1, socket);
        socket.resume();
      }
    };
    const onEnd = () => socket.destroy();
    socket.on('data', onData).on('error', onError).on('end', onEnd);
    socket.once('close', settle);
  }

  #onHttp1Request(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { socket } = request;
    this.#responses.set(socket, response);
    if (this.#options.hasOwnDeadline?.(request)) this.#ownDeadlines.add(socket);
    if (this.#stopping) announceClose(response);
    response.once('close', () => {
      this.#responses.delete(socket);
      this.#ownDeadlines.delete(socket);
      if (this.#stopping) socket.destroySoon();
    });
    this.handler(request, response);
  }

  #onHttp2Request(request: http2.Http2ServerRequest, response: http2.Http2ServerResponse): void {
    const { stream } = request;
    const { session } = stream;
    if (session !== undefined) this.#addRequests(session, 1);
    const deadline = this.#options.hasOwnDeadline?.(request)
      ? undefined
      : setTimeout(() => {
          this.#options.onFailure('timeout');
          stream.close(http2.constants.NGHTTP2_CANCEL);
        }, this.#options.limits.requestTimeoutMillis);
    const clear = () => clearTimeout(deadline);
    request.once('end', clear);
    stream.once('close', () => {
      clear();
      if (session !== undefined) this.#addRequests(session, -1);
    });
    this.handler(request, response);
  }

  #onSession(session: http2.ServerHttp2Session): void {
    this.#sessions.set(session, 0);
    session.setLocalWindowSize(HTTP2_SESSION_WINDOW_BYTES);
    session.setTimeout(this.#options.limits.idleTimeoutMillis, () => {
      if (this.#sessions.get(session) === 0) {
        session.close();
      } else {
        this.#options.onFailure('timeout');
        session.destroy();
      }
    });
    session.once('close', () => this.#sessions.delete(session));
    if (this.#stopping) session.close();
  }

  #addRequests(session: http2.Http2Session, change: 1 | -1): void {
    const requests = this.#sessions.get(session);
    if (requests !== undefined) this.#sessions.set(session, requests + change);
  }

  #onClientError(error: NodeJS.ErrnoException, socket: net.Socket): void {
    const failure = failureOf(error);
    // Node says so once in a connection's life and then leaves it alone.
    if (failure === 'timeout' && this.#ownDeadlines.has(socket)) return;
    this.#options.onFailure(failure);
    const answer = FAILURE_RESPONSES[failure];
    if (answer !== undefined && socket.writable && this.#responses.get(socket)?.headersSent !== true) {
      const [status, body] = answer;
      socket.write(
        `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${body.length}\r\n\r\n${body}`,
      );
    }
    socket.destroySoon();
  }
}

/** Both ends of a connection: what an encrypted one and the one below it have in common. */
function peerOf({ localAddress, remoteAddress, remotePort }: net.Socket): string {
  return `${localAddress} ${remoteAddress} ${remotePort}`;
}

/** Tells the client not to send another request on this connection. */
function announceClose(response: http.ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}

function failureOf(error: NodeJS.ErrnoException): TransportFailure {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return 'headers_too_large';
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'timeout';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'reset';
    default:
      return 'malformed';
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): HearthscopeError {
  const what =
    error.code === 'EADDRINUSE'
      ? `port ${port} on ${host} is taken by another process: stop it, or choose another port`
      : error.code === 'EACCES'
        ? `port ${port} on ${host} may not be opened by this user: choose a port from 1024 on`
        : `cannot listen on ${host}, port ${port}: ${messageOf(error)}`;
  return new HearthscopeError('failed_precondition', what, { cause: error });
}

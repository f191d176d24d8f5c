// SPDX-License-Identifier: Apache-2.0
//
// The routes of the HTTP port beside OTLP: the Connect services, the status pages and the web UI. Fastify is the router
// here and not the server: connections are the PortListener's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { fastifyConnectPlugin } from '@connectrpc/connect-fastify';
import { compressionGzip } from '@connectrpc/connect-node';
import { HearthscopeError } from '@hearthscope/profile/errors';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import type { Readiness } from '../receivers/receiver-context.ts';
import { answerUnknownPath } from '../receivers/receivers.ts';
import { Refusal } from '../receivers/refusal.ts';
import { errorBody, httpStatusOf, publicError } from './error-response.ts';
import { answerMalformedCalls } from './malformed-calls.ts';
import { acceptsGzip, addPlainRoutes, MAX_QUERY_BYTES, sendPlain } from './plain-routes.ts';
import { identityValues } from './request-identity.ts';
import type { PlainRoute, RouteGroup } from './service-context.ts';
import type { StaticFile, StaticFiles } from './static-files.ts';

export interface HttpAppOptions {
  readonly ui: StaticFiles;
  /** What the services answer; no two of them the same path. */
  readonly groups: readonly RouteGroup[];
  readonly readiness: () => Readiness;
  readonly registry: Registry;
  readonly logger: Logger;
}

const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
} as const;

const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
} as const;

const READ_METHODS = 'GET, HEAD';

/** The HTTP port's router, ready for requests. */
export class HttpApp {
  /** All paths it has a route for. */
  readonly paths: readonly string[];
  readonly #fastify: FastifyInstance;

  private constructor(instance: FastifyInstance, paths: readonly string[]) {
    this.#fastify = instance;
    this.paths = paths;
  }

  static async create(options: HttpAppOptions): Promise<HttpApp> {
    const app = fastify({
      logger: false,
      routerOptions: { maxParamLength: 1024 },
      frameworkErrors: (error, _request, reply) => sendAppError(reply, error),
    });
    const plain = options.groups.flatMap((group) => group.plain ?? []);
    const allowed = allowedMethods(plain, ['/ready', '/metrics', ...options.ui.keys()]);
    const callPaths = new Set<string>();

    // Bodies are read by Connect alone. Elsewhere they are ignored, whatever their type.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.addHook('onRequest', (request, reply, done) => {
      reply.headers(SECURITY_HEADERS);
      // Connect would refuse it as well, but without saying which method it takes.
      if (request.method !== 'POST' && callPaths.has(pathOf(request))) {
        refuseMethod(request, reply, 'POST');
        return;
      }
      done();
    });
    app.setErrorHandler((error, request, reply) => {
      if (!(error instanceof HearthscopeError))
        options.logger.error({ err: error, path: request.url }, 'request failed');
      return sendAppError(reply, error);
    });
    app.setNotFoundHandler((request, reply) => answerNotFound(request, reply, allowed));
    addStatusPages(app, options);
    addPlainRoutes(app, plain);
    for (const [path, file] of options.ui) app.get(path, (request, reply) => sendFile(request, reply, file));
    await app.register(fastifyConnectPlugin, {
      routes: (router) => {
        for (const { connect } of options.groups) connect?.(router);
        answerMalformedCalls(router.handlers);
        for (const { requestPath } of router.handlers) callPaths.add(requestPath);
      },
      contextValues: (request) => identityValues(request.raw),
      acceptCompression: [compressionGzip],
      readMaxBytes: MAX_QUERY_BYTES,
    });
    await app.ready();
    return new HttpApp(app, [...allowed.keys(), ...callPaths]);
  }

  handle(request: HttpRequest, response: HttpResponse): void {
    // Fastify works alike with the objects of both HTTP versions; its types want one to be chosen.
    this.#fastify.routing(request as IncomingMessage, response as ServerResponse);
  }

  async close(): Promise<void> {
    await this.#fastify.close();
  }
}

/** Which methods each path takes, as an Allow header has them. */
function allowedMethods(
  plain: readonly PlainRoute[],
  readablePaths: readonly string[],
): ReadonlyMap<string, string> {
  const methods = new Map(readablePaths.map((path) => [path, [READ_METHODS]]));
  for (const { path, method } of plain) {
    methods.set(path, [...(methods.get(path) ?? []), method === 'GET' ? READ_METHODS : method]);
  }
  return new Map([...methods].map(([path, names]) => [path, names.join(', ')]));
}

function addStatusPages(app: FastifyInstance, { readiness, registry }: HttpAppOptions): void {
  app.get('/ready', async (_request, reply) => {
    const { ready, reason } = readiness();
    return reply
      .code(ready ? 200 : 503)
      .type('text/plain; charset=utf-8')
      .send(ready ? 'ready\n' : `${reason}\n`);
  });
  app.get('/metrics', async (request, reply) =>
    sendPlain(request, reply, {
      status: 200,
      contentType: registry.contentType,
      body: await registry.metrics(),
    }),
  );
}

async function sendFile(request: FastifyRequest, reply: FastifyReply, file: StaticFile): Promise<unknown> {
  reply.headers(PAGE_HEADERS);
  reply
    .header('Cache-Control', file.cacheControl)
    .header('ETag', file.etag)
    .header('Vary', 'Accept-Encoding');
  if (matchesEtag(request.headers['if-none-match'], file.etag)) return reply.code(304).send();
  reply.type(file.contentType);
  if (file.gzipped !== undefined && acceptsGzip(request)) {
    return reply.header('Content-Encoding', 'gzip').send(file.gzipped);
  }
  return reply.send(file.body);
}

function matchesEtag(header: string | undefined, etag: string): boolean {
  return header?.split(',').some((each) => each.trim().replace(/^W\//, '') === etag) ?? false;
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0]!;
}

function refuseMethod(request: FastifyRequest, reply: FastifyReply, allowed: string): FastifyReply {
  reply.code(405).header('Allow', allowed).type('application/json');
  return reply.send(errorBody('unimplemented', `${pathOf(request)} takes ${allowed}, not ${request.method}`));
}

/** A path that exists for other methods is not missing: the method is wrong. */
function answerNotFound(
  request: FastifyRequest,
  reply: FastifyReply,
  allowed: ReadonlyMap<string, string>,
): unknown {
  const path = pathOf(request);
  const methods = allowed.get(path);
  if (methods !== undefined) return refuseMethod(request, reply, methods);
  reply.hijack();
  answerUnknownPath(request.raw, reply.raw, path);
  return reply;
}

function sendAppError(reply: FastifyReply, error: unknown): unknown {
  if (error instanceof Refusal) {
    reply.code(error.httpStatus).type('application/json');
    return reply.send(errorBody(error.code, error.message));
  }
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  const isClientError = status >= 400 && status < 500;
  const shown = isClientError
    ? new HearthscopeError('invalid_argument', (error as Error).message)
    : publicError(error);
  return reply
    .code(isClientError ? status : httpStatusOf(shown.code))
    .type('application/json')
    .send(errorBody(shown.code, shown.message));
}

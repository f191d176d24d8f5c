// SPDX-License-Identifier: Apache-2.0
//
// The plain HTTP routes of services: what they are asked in one object, and their answers compressed where that pays.

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HttpRequest } from '../listen.ts';
import { bodyEncoding, readBody, requestChunks } from '../receivers/body.ts';
import { InFlightBudget } from '../receivers/in-flight-budget.ts';
import { identityOf } from './request-identity.ts';
import type { PlainAnswer, PlainRequest, PlainRoute } from './service-context.ts';

/** Largest query, after decompression. */
export const MAX_QUERY_BYTES = 16 * 1024 * 1024;

/** Bodies of plain requests that are read at one time. */
const MAX_IN_FLIGHT_BYTES = 4 * MAX_QUERY_BYTES;

/** Smaller answers fit into one packet anyway. */
export const MIN_GZIP_BYTES = 1400;

const GZIP_ACCEPTED = /(?:^|[\s,])gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/i;

const gzipAsync = promisify(gzip);

export function acceptsGzip({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return GZIP_ACCEPTED.test(String(headers['accept-encoding'] ?? ''));
}

/** Adds the routes. Fastify answers HEAD where there is a GET. */
export function addPlainRoutes(app: FastifyInstance, routes: readonly PlainRoute[]): void {
  const budget = new InFlightBudget(MAX_IN_FLIGHT_BYTES);
  for (const { method, path, handle } of routes) {
    app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        const reservation = budget.open();
        try {
          const raw = request.raw as HttpRequest;
          const body =
            method === 'GET'
              ? new Uint8Array(0)
              : (
                  await readBody(requestChunks(raw), bodyEncoding(raw), {
                    maxBytes: MAX_QUERY_BYTES,
                    reservation,
                  })
                ).bytes;
          return await sendPlain(request, reply, await handle(plainRequest(request, reply, path, body)));
        } finally {
          reservation.release();
        }
      },
    });
  }
}

function plainRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
  body: Uint8Array,
): PlainRequest {
  const { url } = request;
  const start = url.indexOf('?');
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableEnded) gone.abort();
  });
  return {
    path,
    query: new URLSearchParams(start < 0 ? '' : url.slice(start + 1)),
    headers: request.headers,
    body,
    signal: gone.signal,
    identity: identityOf(request.raw as HttpRequest),
  };
}

/** Sends an answer, in gzip when it is large and the client takes that. */
export async function sendPlain(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, contentType, body, headers = {} }: PlainAnswer,
): Promise<FastifyReply> {
  const bytes =
    typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.length);
  reply.code(status).type(contentType).headers(headers);
  if (bytes.length < MIN_GZIP_BYTES) return reply.send(bytes);
  reply.header('Vary', 'Accept-Encoding');
  if (!acceptsGzip(request)) return reply.send(bytes);
  return reply.header('Content-Encoding', 'gzip').send(await gzipAsync(bytes));
}

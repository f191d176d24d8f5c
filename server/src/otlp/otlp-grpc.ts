// SPDX-License-Identifier: Apache-2.0
//
// OTLP over gRPC: unary calls on HTTP/2, written out here because the body must be bounded while it inflates and handed
// on as bytes, which no ready-made server does. Errors are trailers-only answers.

import { encodeOtlpResponse } from '@hearthscope/profile/codecs/otlp-response';
import { sendError } from '../http/error-response.ts';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import { type BodyLimit, readBody, requestChunks } from './body.ts';
import { checkHealth } from './grpc-health.ts';
import { encodeGrpcMessage, frameMessage, grpcTimeoutMillis, openUnaryMessage } from './grpc-message.ts';
import type { Reservation } from './in-flight-budget.ts';
import { endRequest, type ReceiverContext, requireReady, tenantOfRequest } from './receiver-context.ts';
import { Refusal, refusalOf } from './refusal.ts';
import { encodeRpcStatus, grpcStatusOf } from './rpc-status.ts';

export const PROFILES_SERVICE = 'opentelemetry.proto.collector.profiles.v1development.ProfilesService';
const EXPORT_PATH = `/${PROFILES_SERVICE}/Export`;
const HEALTH_CHECK_PATH = '/grpc.health.v1.Health/Check';

const GRPC_CONTENT_TYPE = /^application\/grpc(\+proto)?\s*(;|$)/i;
const ACCEPTED_ENCODINGS = 'identity,gzip';

/** Whether a path belongs to the services here; their other methods are answered UNIMPLEMENTED. */
export function isOtlpGrpcPath(path: string): boolean {
  return path.startsWith(`/${PROFILES_SERVICE}/`) || path.startsWith('/grpc.health.v1.Health/');
}

/** Whether the client wants its answer, also an error, in gRPC. */
export function isGrpcRequest({ headers }: HttpRequest): boolean {
  return GRPC_CONTENT_TYPE.test(headers['content-type'] ?? '');
}

export async function handleOtlpGrpc(
  request: HttpRequest,
  response: HttpResponse,
  path: string,
  context: ReceiverContext,
): Promise<void> {
  if (!canSpeakGrpc(request, response, context)) {
    endRequest(request, response);
    return;
  }
  const reservation = context.budget.open();
  const deadline = new Deadline();
  try {
    deadline.start(grpcTimeoutMillis(headerText(request, 'grpc-timeout')));
    const answer = await Promise.race([call(request, path, context, reservation), deadline.passed]);
    sendMessage(response, answer);
  } catch (error) {
    const refusal = refusalOf(error);
    context.onRefusal('grpc', refusal, error);
    sendGrpcError(response, refusal);
  } finally {
    deadline.stop();
    endRequest(request, response);
  }
}

/** Answers in HTTP what cannot be answered in gRPC. */
function canSpeakGrpc(request: HttpRequest, response: HttpResponse, context: ReceiverContext): boolean {
  let refusal: Refusal;
  if (request.method !== 'POST') {
    response.setHeader('Allow', 'POST');
    refusal = new Refusal('method_not_allowed', `gRPC calls are POST, not ${request.method}`);
  } else if (!isGrpcRequest(request)) {
    refusal = new Refusal(
      'unsupported_content_type',
      `content type ${JSON.stringify(request.headers['content-type'] ?? '')} is not supported here: use application/grpc`,
    );
  } else if (request.httpVersionMajor < 2) {
    refusal = new Refusal('unsupported_content_type', 'gRPC needs HTTP/2');
  } else {
    return true;
  }
  context.onRefusal('grpc', refusal, refusal);
  sendError(response, refusal.code, refusal.message, refusal.httpStatus);
  return false;
}

/** Runs one call to its answer. The reservation is held as long as the bytes are, also past the client's deadline. */
async function call(
  request: HttpRequest,
  path: string,
  context: ReceiverContext,
  reservation: Reservation,
): Promise<Uint8Array> {
  const limit: BodyLimit = { maxBytes: context.maxGrpcMessageBytes, reservation };
  try {
    switch (path) {
      case EXPORT_PATH: {
        requireReady(context);
        const tenant = tenantOfRequest(request, context);
        const message = await readMessage(request, limit);
        const messageBytes = message.length;
        const { rejectedProfiles, errorMessage } = await context.service.export(tenant, message);
        context.onSuccess('grpc', messageBytes);
        return encodeOtlpResponse({ rejectedProfiles: BigInt(rejectedProfiles), errorMessage });
      }
      case HEALTH_CHECK_PATH:
        return checkHealth(
          await readMessage(request, limit),
          context.healthServices,
          context.service.readiness().ready,
        );
      default:
        throw new Refusal('unknown_method', `unknown method ${path}`);
    }
  } finally {
    reservation.release();
  }
}

async function readMessage(request: HttpRequest, limit: BodyLimit): Promise<Uint8Array> {
  const encoding = headerText(request, 'grpc-encoding') ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new Refusal(
      'unsupported_encoding',
      `grpc-encoding ${JSON.stringify(encoding)} is not supported: use gzip or identity`,
    );
  }
  const { isCompressed, payload } = await openUnaryMessage(requestChunks(request), limit.maxBytes);
  if (isCompressed && encoding === 'identity') {
    throw new Refusal('malformed_body', 'gRPC message: compressed, but grpc-encoding does not say how');
  }
  return readBody(payload, isCompressed ? 'gzip' : 'identity', limit);
}

function headerText(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function sendMessage(response: HttpResponse, message: Uint8Array): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = 200;
  response.setHeader('Content-Type', 'application/grpc+proto');
  response.setHeader('grpc-accept-encoding', ACCEPTED_ENCODINGS);
  response.addTrailers({ 'grpc-status': '0' });
  response.end(frameMessage(message));
}

/** A gRPC error as a trailers-only answer: the headers say it all. */
export function sendGrpcError(response: HttpResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = 200;
  response.setHeader('Content-Type', 'application/grpc+proto');
  response.setHeader('grpc-accept-encoding', ACCEPTED_ENCODINGS);
  response.setHeader('grpc-status', String(grpcStatusOf(refusal.code)));
  response.setHeader('grpc-message', encodeGrpcMessage(refusal.message));
  if (refusal.retryAfterSeconds > 0) {
    response.setHeader(
      'grpc-status-details-bin',
      Buffer.from(encodeRpcStatus(refusal)).toString('base64').replace(/=+$/, ''),
    );
  }
  response.end();
}

/** The client's deadline, as a promise that fails when it passes. */
class Deadline {
  readonly passed: Promise<never>;
  #fail: (reason: Refusal) => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.passed = new Promise((_, reject) => {
      this.#fail = reject;
    });
  }

  start(millis: number | undefined): void {
    if (millis === undefined) return;
    this.#timer = setTimeout(
      () => this.#fail(new Refusal('deadline_exceeded', `the deadline of ${millis} ms passed`)),
      millis,
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

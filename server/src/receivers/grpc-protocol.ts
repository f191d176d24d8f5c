// SPDX-License-Identifier: Apache-2.0
//
// Unary calls of gRPC, whose status is in the trailers of HTTP/2, and of gRPC-Web, where a last frame of the body takes
// the place of trailers, so that it works on HTTP/1.1 as well. Errors are answers without a message: the headers say it
// all.

import type { HttpRequest, HttpResponse } from '../listen.ts';
import { type BodyLimit, type ReadBody, readBody, requestChunks } from './body.ts';
import {
  encodeGrpcMessage,
  frameMessage,
  frameTrailers,
  grpcTimeoutMillis,
  openUnaryMessage,
} from './grpc-message.ts';
import { headerText, type MessageEncoding } from './receiver-context.ts';
import { Refusal } from './refusal.ts';
import type { RpcProtocol } from './rpc-protocol.ts';
import { encodeRpcStatus, grpcStatusOf } from './rpc-status.ts';

const ACCEPTED_ENCODINGS = 'identity,gzip';
const CODECS: Readonly<Record<string, MessageEncoding>> = {
  '': 'protobuf',
  '+proto': 'protobuf',
  '+json': 'json',
};

export const GRPC: RpcProtocol = {
  transport: 'grpc',
  needsHttp2: true,
  encodingOf: (mediaType) => encodingBehind('application/grpc', mediaType),
  timeoutMillis: (request) => grpcTimeoutMillis(headerText(request, 'grpc-timeout')),
  readMessage,
  sendMessage(response, message, encoding) {
    if (!openAnswer(response, 'application/grpc', encoding)) return;
    response.addTrailers({ 'grpc-status': '0' });
    response.end(frameMessage(message));
  },
  sendError: (response, refusal, encoding) =>
    sendErrorHeaders(response, refusal, 'application/grpc', encoding),
};

export const GRPC_WEB: RpcProtocol = {
  transport: 'grpc-web',
  needsHttp2: false,
  encodingOf: (mediaType) => encodingBehind('application/grpc-web', mediaType),
  timeoutMillis: GRPC.timeoutMillis,
  readMessage,
  sendMessage(response, message, encoding) {
    if (!openAnswer(response, 'application/grpc-web', encoding)) return;
    response.end(Buffer.concat([frameMessage(message), frameTrailers({ 'grpc-status': '0' })]));
  },
  sendError: (response, refusal, encoding) =>
    sendErrorHeaders(response, refusal, 'application/grpc-web', encoding),
};

/** Whether the client wants its answer, also an error, in gRPC. */
export function isGrpcMediaType(mediaType: string): boolean {
  return GRPC.encodingOf(mediaType) !== undefined;
}

/** An error for a call that no method takes. */
export function sendGrpcError(response: HttpResponse, refusal: Refusal): void {
  GRPC.sendError(response, refusal, 'protobuf');
}

function encodingBehind(prefix: string, mediaType: string): MessageEncoding | undefined {
  if (!mediaType.startsWith(prefix)) return undefined;
  const suffix = mediaType.slice(prefix.length);
  return Object.hasOwn(CODECS, suffix) ? CODECS[suffix] : undefined;
}

async function readMessage(request: HttpRequest, limit: BodyLimit): Promise<ReadBody> {
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

/** @returns false when there is nothing left to answer */
function openAnswer(response: HttpResponse, prefix: string, encoding: MessageEncoding): boolean {
  if (response.headersSent || response.destroyed) return false;
  response.statusCode = 200;
  response.setHeader('Content-Type', `${prefix}${encoding === 'json' ? '+json' : '+proto'}`);
  response.setHeader('grpc-accept-encoding', ACCEPTED_ENCODINGS);
  return true;
}

function sendErrorHeaders(
  response: HttpResponse,
  refusal: Refusal,
  prefix: string,
  encoding: MessageEncoding,
): void {
  if (!openAnswer(response, prefix, encoding)) return;
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

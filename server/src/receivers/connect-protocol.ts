// SPDX-License-Identifier: Apache-2.0
//
// Unary calls of the Connect protocol: the message is the body, in protobuf or JSON, and an error is a status with a
// JSON object.

import { RETRY_AFTER_SECONDS, sendError } from '../http/error-response.ts';
import type { HttpRequest } from '../listen.ts';
import { bodyEncoding, readBody, requestChunks } from './body.ts';
import { headerText } from './receiver-context.ts';
import { Refusal } from './refusal.ts';
import { MAX_TIMER_MILLIS, type RpcProtocol } from './rpc-protocol.ts';

const TIMEOUT = /^\d{1,10}$/;

export const CONNECT: RpcProtocol = {
  transport: 'connect',
  needsHttp2: false,
  encodingOf(mediaType) {
    if (mediaType === 'application/proto') return 'protobuf';
    return mediaType === 'application/json' ? 'json' : undefined;
  },
  timeoutMillis: (request) => connectTimeoutMillis(request),
  async readMessage(request, limit) {
    const version = headerText(request, 'connect-protocol-version') ?? '1';
    if (version !== '1') {
      throw new Refusal('malformed_body', `connect-protocol-version ${JSON.stringify(version)} is not 1`);
    }
    return readBody(requestChunks(request), bodyEncoding(request), limit);
  },
  sendMessage(response, message, encoding) {
    if (response.headersSent || response.destroyed) return;
    response.statusCode = 200;
    response.setHeader('Content-Type', encoding === 'json' ? 'application/json' : 'application/proto');
    response.end(message);
  },
  sendError(response, refusal) {
    if (refusal.reason === 'unsupported_encoding') response.setHeader('Accept-Encoding', 'gzip, identity');
    if (refusal.retryAfterSeconds > 0) response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
    sendError(response, refusal.code, refusal.message, refusal.httpStatus);
  },
};

function connectTimeoutMillis(request: HttpRequest): number | undefined {
  const header = headerText(request, 'connect-timeout-ms');
  if (header === undefined) return undefined;
  if (!TIMEOUT.test(header)) {
    throw new Refusal('malformed_body', `connect-timeout-ms ${JSON.stringify(header)} is malformed`);
  }
  return Math.min(Number(header), MAX_TIMER_MILLIS);
}

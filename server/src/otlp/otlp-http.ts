// SPDX-License-Identifier: Apache-2.0
//
// OTLP over HTTP: POST /v1development/profiles with a protobuf body, gzip or not. Errors to senders of protobuf are a
// google.rpc.Status, as OTLP wants; to anyone else they are the JSON that the rest of the server answers with.

import { encodeOtlpResponse } from '@hearthscope/profile/codecs/otlp-response';
import { RETRY_AFTER_SECONDS, sendError } from '../http/error-response.ts';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import { type BodyEncoding, readBody, requestChunks, tooLarge } from './body.ts';
import { endRequest, type ReceiverContext, requireReady, tenantOfRequest } from './receiver-context.ts';
import { Refusal, refusalOf } from './refusal.ts';
import { encodeRpcStatus } from './rpc-status.ts';

export const OTLP_HTTP_PATH = '/v1development/profiles';

const PROTOBUF = 'application/x-protobuf';
const PROTOBUF_TYPES: readonly string[] = [PROTOBUF, 'application/protobuf'];

export async function handleOtlpHttp(
  request: HttpRequest,
  response: HttpResponse,
  context: ReceiverContext,
): Promise<void> {
  const reservation = context.budget.open();
  try {
    const encoding = checkHeaders(request, context);
    const tenant = tenantOfRequest(request, context);
    const limit = { maxBytes: context.maxBodyBytes, reservation };
    const body = await readBody(requestChunks(request), encoding, limit);
    const bodyBytes = body.length;
    const { rejectedProfiles, errorMessage } = await context.service.export(tenant, body);
    context.onSuccess('http', bodyBytes);
    response.statusCode = 200;
    response.setHeader('Content-Type', PROTOBUF);
    response.end(encodeOtlpResponse({ rejectedProfiles: BigInt(rejectedProfiles), errorMessage }));
  } catch (error) {
    const refusal = refusalOf(error);
    context.onRefusal('http', refusal, error);
    sendRefusal(request, response, refusal);
  } finally {
    reservation.release();
    endRequest(request, response);
  }
}

/** @throws Refusal for what can be refused before a byte of the body is read */
function checkHeaders(request: HttpRequest, context: ReceiverContext): BodyEncoding {
  const { headers, method } = request;
  if (method !== 'POST') {
    throw new Refusal('method_not_allowed', `${OTLP_HTTP_PATH} takes POST, not ${method}`);
  }
  requireReady(context);
  const type = mediaType(request);
  if (type === 'application/json') {
    throw new Refusal(
      'unsupported_content_type',
      `OTLP profiles in JSON are not supported: send them as ${PROTOBUF}`,
    );
  }
  if (!PROTOBUF_TYPES.includes(type)) {
    throw new Refusal(
      'unsupported_content_type',
      `content type ${JSON.stringify(type)} is not supported: use ${PROTOBUF}`,
    );
  }
  if (Number(headers['content-length'] ?? 0) > context.maxBodyBytes) throw tooLarge(context.maxBodyBytes);
  const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'gzip' && encoding !== 'identity') {
    throw new Refusal(
      'unsupported_encoding',
      `content encoding ${JSON.stringify(encoding)} is not supported: use gzip or identity`,
    );
  }
  return encoding;
}

function sendRefusal(request: HttpRequest, response: HttpResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) return;
  if (refusal.reason === 'method_not_allowed') response.setHeader('Allow', 'POST');
  if (refusal.reason === 'unsupported_encoding') response.setHeader('Accept-Encoding', 'gzip, identity');
  if (!PROTOBUF_TYPES.includes(mediaType(request))) {
    sendError(response, refusal.code, refusal.message, refusal.httpStatus);
    return;
  }
  response.statusCode = refusal.httpStatus;
  if (refusal.retryAfterSeconds > 0) response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
  response.setHeader('Content-Type', PROTOBUF);
  response.end(encodeRpcStatus(refusal));
}

/** The content type without its parameters, in lower case; '' without one. */
function mediaType({ headers }: HttpRequest): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

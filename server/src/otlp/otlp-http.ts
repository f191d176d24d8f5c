// SPDX-License-Identifier: Apache-2.0
//
// OTLP over HTTP: POST /v1development/profiles in protobuf or JSON, gzip or not. The answer is written as the request
// was; an error is a google.rpc.Status, as OTLP wants. Whoever sends neither gets the JSON that the rest of the server
// answers with.

import { encodeOtlpResponse, type OtlpPartialSuccess } from '@hearthscope/profile/codecs/otlp-response';
import { RETRY_AFTER_SECONDS, sendError } from '../http/error-response.ts';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import { bodyEncoding, readBody, requestChunks } from '../receivers/body.ts';
import type { Reservation } from '../receivers/in-flight-budget.ts';
import { receiveBody } from '../receivers/receive-body.ts';
import {
  type Door,
  endRequest,
  type MessageEncoding,
  mediaType,
  type ReceiverContext,
} from '../receivers/receiver-context.ts';
import { Refusal, refusalOf } from '../receivers/refusal.ts';
import { encodeRpcStatus, grpcStatusOf } from '../receivers/rpc-status.ts';
import { partialSuccess } from './partial-success.ts';

export const OTLP_HTTP_PATH = '/v1development/profiles';

const DOOR: Door = { receiver: 'otlp', transport: 'http' };
const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';
const ENCODINGS: Readonly<Record<string, MessageEncoding>> = {
  [PROTOBUF]: 'protobuf',
  'application/protobuf': 'protobuf',
  [JSON_TYPE]: 'json',
};

export async function handleOtlpHttp(
  request: HttpRequest,
  response: HttpResponse,
  context: ReceiverContext,
): Promise<void> {
  const reservation = context.budget.open();
  try {
    const encoding = checkHeaders(request);
    const answer = await receive(request, encoding, reservation, context);
    response.statusCode = 200;
    response.setHeader('Content-Type', encoding === 'json' ? JSON_TYPE : PROTOBUF);
    response.end(encoding === 'json' ? jsonResponse(answer) : encodeOtlpResponse(answer));
    context.onSuccess(DOOR);
  } catch (error) {
    const refusal = refusalOf(error);
    context.onRefusal(DOOR, refusal, error);
    sendRefusal(request, response, refusal);
  } finally {
    reservation.release();
    endRequest(request, response);
  }
}

/** @throws Refusal for what can be refused before a byte of the body is read */
function checkHeaders(request: HttpRequest): MessageEncoding {
  if (request.method !== 'POST') {
    throw new Refusal('method_not_allowed', `${OTLP_HTTP_PATH} takes POST, not ${request.method}`);
  }
  const encoding = encodingOf(request);
  if (encoding === undefined) {
    throw new Refusal(
      'unsupported_content_type',
      `content type ${JSON.stringify(mediaType(request))} is not supported: use ${PROTOBUF} or ${JSON_TYPE}`,
    );
  }
  return encoding;
}

async function receive(
  request: HttpRequest,
  encoding: MessageEncoding,
  reservation: Reservation,
  context: ReceiverContext,
): Promise<OtlpPartialSuccess> {
  const packing = bodyEncoding(request);
  const outcome = await receiveBody(
    {
      request,
      reservation,
      read: (limit) => readBody(requestChunks(request), packing, limit),
      store: (tenant, body) => context.service.exportOtlp(tenant, body, encoding),
    },
    context,
  );
  return partialSuccess(outcome);
}

function encodingOf(request: HttpRequest): MessageEncoding | undefined {
  const type = mediaType(request);
  return Object.hasOwn(ENCODINGS, type) ? ENCODINGS[type] : undefined;
}

/** As protobuf's JSON has it: numbers of 64 bits are strings, and what is empty is left out. */
function jsonResponse({ rejectedProfiles, errorMessage }: OtlpPartialSuccess): string {
  if (rejectedProfiles === 0n && errorMessage === '') return '{}';
  return JSON.stringify({ partialSuccess: { rejectedProfiles: String(rejectedProfiles), errorMessage } });
}

function sendRefusal(request: HttpRequest, response: HttpResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) return;
  const { reason, code, message, httpStatus } = refusal;
  if (reason === 'method_not_allowed') response.setHeader('Allow', 'POST');
  if (reason === 'unsupported_encoding') response.setHeader('Accept-Encoding', 'gzip, identity');
  const encoding = encodingOf(request);
  if (encoding === undefined) {
    sendError(response, code, message, httpStatus);
    return;
  }
  response.statusCode = httpStatus;
  if (refusal.retryAfterSeconds > 0) response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
  if (encoding === 'json') {
    response.setHeader('Content-Type', JSON_TYPE);
    response.end(JSON.stringify({ code: grpcStatusOf(code), message }));
  } else {
    response.setHeader('Content-Type', PROTOBUF);
    response.end(encodeRpcStatus(refusal));
  }
}

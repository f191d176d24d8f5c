// SPDX-License-Identifier: Apache-2.0
//
// POST /ingest, by which the SDKs of Pyroscope send profiles of many formats. They take exactly 200 for success, follow
// no redirect, and know errors by their status: 400 for wrong parameters, 422 for a profile that cannot be stored, 429 to
// come again later.

import { RETRY_AFTER_SECONDS, sendError } from '../http/error-response.ts';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import { bodyEncoding, readBody, requestChunks } from './body.ts';
import type { Reservation } from './in-flight-budget.ts';
import { errorOfOutcome } from './ingest-outcome.ts';
import { receiveBody } from './receive-body.ts';
import { type Door, endRequest, headerText, type ReceiverContext } from './receiver-context.ts';
import { Refusal, refusalOf } from './refusal.ts';

export const INGEST_PATHS: readonly string[] = ['/ingest', '/pyroscope/ingest'];
const DOOR: Door = { receiver: 'ingest', transport: 'http' };
const STATUS_UNPROCESSABLE = 422;

export async function handleIngest(
  request: HttpRequest,
  response: HttpResponse,
  context: ReceiverContext,
): Promise<void> {
  const reservation = context.budget.open();
  try {
    await receive(request, reservation, context);
    response.statusCode = 200;
    response.setHeader('Content-Length', '0');
    response.end();
    context.onSuccess(DOOR);
  } catch (error) {
    const refusal = refusalOf(error);
    context.onRefusal(DOOR, refusal, error);
    sendRefusal(response, refusal);
  } finally {
    reservation.release();
    endRequest(request, response);
  }
}

async function receive(
  request: HttpRequest,
  reservation: Reservation,
  context: ReceiverContext,
): Promise<void> {
  if (request.method !== 'POST') {
    throw new Refusal('method_not_allowed', `/ingest takes POST, not ${request.method}`);
  }
  // Profiles are unpacked by what they are, not by what the header says: some senders pack the body, most the profile.
  bodyEncoding(request);
  const outcome = await receiveBody(
    {
      request,
      reservation,
      read: (limit) => readBody(requestChunks(request), 'identity', limit),
      store: (tenant, body) =>
        context.service.ingest(tenant, {
          query: queryOf(request),
          contentType: headerText(request, 'content-type') ?? '',
          body,
        }),
    },
    context,
  );
  const error = errorOfOutcome(outcome);
  if (error === undefined) return;
  throw new Refusal(
    'rejected',
    `pushing IngestInput-pprof failed ${error.code}: ${error.message}`,
    error.code,
  );
}

function queryOf({ url = '' }: HttpRequest): string {
  const start = url.indexOf('?');
  return start < 0 ? '' : url.slice(start + 1);
}

function sendRefusal(response: HttpResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) return;
  const { reason, code, message, httpStatus } = refusal;
  if (reason === 'method_not_allowed') response.setHeader('Allow', 'POST');
  if (reason === 'unsupported_encoding') response.setHeader('Accept-Encoding', 'gzip, identity');
  if (refusal.retryAfterSeconds > 0) response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
  if (reason === 'rejected' && code === 'invalid_argument') {
    sendError(response, 'unknown', message, STATUS_UNPROCESSABLE);
  } else {
    sendError(response, code, message, httpStatus);
  }
}

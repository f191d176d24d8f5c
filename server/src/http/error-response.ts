// SPDX-License-Identifier: Apache-2.0
//
// How an error looks over plain HTTP: the status of its code and the body `{"code","message"}`, which Connect uses too.

import { type ErrorCode, HearthscopeError } from '@hearthscope/profile/errors';
import type { HttpResponse } from '../listen.ts';

const HTTP_STATUS: Record<ErrorCode, number> = {
  canceled: 499,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  unauthenticated: 401,
  resource_exhausted: 429,
  failed_precondition: 400,
  unimplemented: 501,
  unavailable: 503,
  data_loss: 500,
  internal: 500,
};

/** How long a client is asked to wait before it tries again. */
export const RETRY_AFTER_SECONDS = 5;

export function httpStatusOf(code: ErrorCode): number {
  return HTTP_STATUS[code];
}

/** What a client may be told: the message of an error of ours, and of any other error only that there was one. */
export function publicError(error: unknown): HearthscopeError {
  if (error instanceof HearthscopeError && error.code !== 'internal') return error;
  return new HearthscopeError('internal', 'internal error; the server log has the details', { cause: error });
}

/** Codes of answers; `unknown` is what Pyroscope says with statuses that have no code. */
export type AnsweredCode = ErrorCode | 'unknown';

export function errorBody(code: AnsweredCode, message: string): string {
  return JSON.stringify({ code, message });
}

/** Answers with an error, unless an answer has begun. */
export function sendError(
  response: HttpResponse,
  code: AnsweredCode,
  message: string,
  status = code === 'unknown' ? 500 : httpStatusOf(code),
): void {
  if (response.headersSent) return;
  response.statusCode = status;
  if (status === 503) response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
  response.setHeader('Content-Type', 'application/json');
  response.end(errorBody(code, message));
}

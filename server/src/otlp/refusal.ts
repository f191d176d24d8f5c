// SPDX-License-Identifier: Apache-2.0
//
// A request that a receiver does not take, with all that either transport needs to say so.

import { type ErrorCode, HearthscopeError } from '@hearthscope/profile/errors';
import { httpStatusOf, publicError, RETRY_AFTER_SECONDS } from '../http/error-response.ts';

/** The label `result` of the request counter. */
export type RefusalReason =
  | 'aborted'
  | 'body_too_large'
  | 'deadline_exceeded'
  | 'in_flight_limit'
  | 'internal'
  | 'malformed_body'
  | 'method_not_allowed'
  | 'not_ready'
  | 'refused'
  | 'tenant'
  | 'unknown_method'
  | 'unsupported_content_type'
  | 'unsupported_encoding';

interface RefusalShape {
  readonly code: ErrorCode;
  /** Where HTTP says it better than the code's own status. */
  readonly httpStatus?: number;
  /** Whether the same request may succeed later. */
  readonly isRetryable?: boolean;
}

const SHAPES: Record<RefusalReason, RefusalShape> = {
  aborted: { code: 'canceled' },
  body_too_large: { code: 'resource_exhausted', httpStatus: 413 },
  deadline_exceeded: { code: 'deadline_exceeded' },
  in_flight_limit: { code: 'resource_exhausted', httpStatus: 503, isRetryable: true },
  internal: { code: 'internal' },
  malformed_body: { code: 'invalid_argument' },
  method_not_allowed: { code: 'unimplemented', httpStatus: 405 },
  not_ready: { code: 'unavailable', isRetryable: true },
  refused: { code: 'invalid_argument' },
  tenant: { code: 'unauthenticated' },
  unknown_method: { code: 'unimplemented', httpStatus: 404 },
  unsupported_content_type: { code: 'invalid_argument', httpStatus: 415 },
  unsupported_encoding: { code: 'unimplemented', httpStatus: 415 },
};

export class Refusal extends HearthscopeError {
  readonly reason: RefusalReason;
  readonly httpStatus: number;
  /** 0 when trying again does not help. */
  readonly retryAfterSeconds: number;

  /** @param code in place of the reason's own */
  constructor(reason: RefusalReason, message: string, code: ErrorCode = SHAPES[reason].code) {
    super(code, message);
    this.name = 'Refusal';
    this.reason = reason;
    this.httpStatus = SHAPES[reason].httpStatus ?? httpStatusOf(code);
    this.retryAfterSeconds =
      SHAPES[reason].isRetryable === true || code === 'unavailable' ? RETRY_AFTER_SECONDS : 0;
  }
}

/** What a sender is told about anything thrown while its request was handled. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const { code, message } = publicError(error);
  return new Refusal(code === 'internal' ? 'internal' : 'refused', message, code);
}

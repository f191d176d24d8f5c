// SPDX-License-Identifier: Apache-2.0
//
// A request that a receiver does not take, with all that either transport needs to say so.

import { type ErrorCode, HearthscopeError } from '@hearthscope/profile/errors';
import { httpStatusOf, publicError, RETRY_AFTER_SECONDS } from '../http/error-response.ts';

/** The label `result` of the request counter. `refused` is a request that was not understood or that nothing could be
 * done with, `rejected` one that has profiles which were not stored. */
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
  | 'rejected'
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
  rejected: { code: 'invalid_argument' },
  tenant: { code: 'unauthenticated' },
  unknown_method: { code: 'unimplemented', httpStatus: 404 },
  unsupported_content_type: { code: 'invalid_argument', httpStatus: 415 },
  unsupported_encoding: { code: 'unimplemented', httpStatus: 415 },
};

/** Of answers that came from behind the door. */
const RETRYABLE_CODES: ReadonlySet<ErrorCode> = new Set(['unavailable', 'resource_exhausted']);

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
    const { isRetryable = RETRYABLE_CODES.has(code) && SHAPES[reason].httpStatus === undefined } =
      SHAPES[reason];
    this.retryAfterSeconds = isRetryable ? RETRY_AFTER_SECONDS : 0;
  }
}

export function tooLarge(maxBytes: number): Refusal {
  return new Refusal('body_too_large', `request body is larger than ${maxBytes} bytes after decompression`);
}

/** What a sender is told about anything thrown while its request was handled. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const { code, message } = publicError(error);
  return new Refusal(code === 'internal' ? 'internal' : 'refused', message, code);
}

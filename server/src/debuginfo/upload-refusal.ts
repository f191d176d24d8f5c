// SPDX-License-Identifier: Apache-2.0
//
// An upload that is not taken: the label it is counted under, and what its sender is told.

import { type ErrorCode, HearthscopeError } from '@hearthscope/profile/errors';
import { httpStatusOf, publicError } from '../http/error-response.ts';

/** The label `result` of `hearthscope_debuginfo_uploads_total`. */
export type UploadReason =
  | 'aborted'
  | 'build_id_mismatch'
  | 'busy'
  | 'disabled'
  | 'disk_full'
  | 'internal'
  | 'invalid_build_id'
  | 'malformed_body'
  | 'method_not_allowed'
  | 'not_asked_for'
  | 'not_elf'
  | 'not_ready'
  | 'rate_limited'
  | 'tenant'
  | 'timeout'
  | 'too_large'
  | 'unsupported_encoding'
  | 'unverified';

const SHAPES: Record<UploadReason, { readonly code: ErrorCode; readonly httpStatus?: number }> = {
  aborted: { code: 'canceled' },
  build_id_mismatch: { code: 'invalid_argument' },
  busy: { code: 'unavailable' },
  disabled: { code: 'unimplemented' },
  disk_full: { code: 'resource_exhausted', httpStatus: 507 },
  internal: { code: 'internal' },
  invalid_build_id: { code: 'invalid_argument' },
  malformed_body: { code: 'invalid_argument' },
  method_not_allowed: { code: 'unimplemented', httpStatus: 405 },
  not_asked_for: { code: 'failed_precondition', httpStatus: 412 },
  not_elf: { code: 'invalid_argument' },
  not_ready: { code: 'unavailable' },
  rate_limited: { code: 'resource_exhausted' },
  tenant: { code: 'unauthenticated' },
  timeout: { code: 'deadline_exceeded', httpStatus: 408 },
  too_large: { code: 'resource_exhausted', httpStatus: 413 },
  unsupported_encoding: { code: 'unimplemented', httpStatus: 415 },
  unverified: { code: 'unavailable' },
};

export class UploadRefusal extends HearthscopeError {
  readonly reason: UploadReason;
  readonly httpStatus: number;

  /** @param code in place of the reason's own */
  constructor(reason: UploadReason, message: string, code: ErrorCode = SHAPES[reason].code) {
    super(code, message);
    this.name = 'UploadRefusal';
    this.reason = reason;
    this.httpStatus = SHAPES[reason].httpStatus ?? httpStatusOf(code);
  }
}

/** Codes of the system that mean that there is no room. */
const NO_ROOM: readonly (string | undefined)[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];

/** What a sender is told about anything thrown while its upload was handled. */
export function uploadRefusalOf(error: unknown): UploadRefusal {
  if (error instanceof UploadRefusal) return error;
  if (NO_ROOM.includes((error as NodeJS.ErrnoException).code)) {
    return new UploadRefusal('disk_full', 'there is no room for it on the disk of the server');
  }
  return new UploadRefusal('internal', publicError(error).message);
}

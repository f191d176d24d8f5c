// SPDX-License-Identifier: Apache-2.0
//
// Our errors as those of the RPC protocols. Codes have the same names on both sides.

import { Code, ConnectError } from '@connectrpc/connect';
import { HearthscopeError } from '@hearthscope/profile/errors';

const CODES: Readonly<Record<HearthscopeError['code'], Code>> = {
  canceled: Code.Canceled,
  invalid_argument: Code.InvalidArgument,
  deadline_exceeded: Code.DeadlineExceeded,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  permission_denied: Code.PermissionDenied,
  unauthenticated: Code.Unauthenticated,
  resource_exhausted: Code.ResourceExhausted,
  failed_precondition: Code.FailedPrecondition,
  unimplemented: Code.Unimplemented,
  unavailable: Code.Unavailable,
  data_loss: Code.DataLoss,
  internal: Code.Internal,
};

/** What is no HearthscopeError is a defect, of which a client learns no more than that. */
export function connectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof HearthscopeError) {
    const message = error.code === 'internal' ? 'internal error' : error.message;
    return new ConnectError(message, CODES[error.code]);
  }
  return new ConnectError('internal error', Code.Internal);
}

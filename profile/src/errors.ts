// SPDX-License-Identifier: Apache-2.0
//
// The one family of errors. A code says what kind of failure it is; the edge (HTTP, Connect, gRPC, exit code)
// maps the code, and nobody in between inspects messages.

/** Codes are those of the Connect and gRPC protocols, so that the edge never has to guess. */
export type ErrorCode =
  | 'canceled'
  | 'invalid_argument'
  | 'deadline_exceeded'
  | 'not_found'
  | 'already_exists'
  | 'permission_denied'
  | 'unauthenticated'
  | 'resource_exhausted'
  | 'failed_precondition'
  | 'unimplemented'
  | 'unavailable'
  | 'data_loss'
  | 'internal';

/** An operational failure whose message says what happened and what the reader can do. */
export class HearthscopeError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HearthscopeError';
    this.code = code;
  }
}

/** Bytes that do not follow their format. `offset` is the byte position in the decompressed input. */
export class FormatError extends HearthscopeError {
  readonly offset: number;
  readonly format: string;

  constructor(format: string, offset: number, what: string) {
    super('invalid_argument', `${format}: ${what} at byte ${offset}`);
    this.name = 'FormatError';
    this.format = format;
    this.offset = offset;
  }
}

/** The message of anything thrown, for logs and error bodies. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

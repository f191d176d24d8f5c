// SPDX-License-Identifier: Apache-2.0
//
// What two threads say to each other when one calls methods of the other.

import { type ErrorCode, HearthscopeError, messageOf } from '@hearthscope/profile/errors';

export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
}

export type CallMessage =
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly method: string;
      readonly parameters: readonly unknown[];
    }
  /** Nobody waits for the answer of this call any more. */
  | { readonly kind: 'cancel'; readonly id: number };

export type AnswerMessage =
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: ErrorData };

export function errorData(error: unknown): ErrorData {
  return error instanceof HearthscopeError
    ? { code: error.code, message: error.message }
    : { code: 'internal', message: messageOf(error) };
}

export function errorOf({ code, message }: ErrorData): HearthscopeError {
  return new HearthscopeError(code, message);
}

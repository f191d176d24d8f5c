// SPDX-License-Identifier: Apache-2.0
//
// The worker thread that parses files that users have uploaded. It holds nothing that could not be lost.

import { parentPort } from 'node:worker_threads';
import { type ErrorCode, HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { type AdhocAnswer, answerAdhoc, type DiffQuestion, type ViewQuestion } from './adhoc-view.ts';

export type AdhocQuestion = ViewQuestion | DiffQuestion;

export type AdhocMessage =
  /** The first one. */
  | { readonly isLoaded: true }
  | { readonly answer: AdhocAnswer }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } };

const port = parentPort!;

port.on('message', (question: AdhocQuestion) => {
  try {
    port.postMessage({ answer: answerAdhoc(question) } satisfies AdhocMessage);
  } catch (error) {
    // What a file can make a parser throw beside its own errors is a range of arrays or of strings.
    const isDamage = error instanceof RangeError;
    const code = isDamage ? 'invalid_argument' : error instanceof HearthscopeError ? error.code : 'internal';
    port.postMessage({ error: { code, message: messageOf(error) } } satisfies AdhocMessage);
  }
});
port.postMessage({ isLoaded: true } satisfies AdhocMessage);

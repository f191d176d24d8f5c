// SPDX-License-Identifier: Apache-2.0
//
// The called side: runs methods, and tells them when nobody waits any more.

import { HearthscopeError } from '@hearthscope/profile/errors';
import { type AnswerMessage, type CallMessage, errorData } from './call-messages.ts';

/** An answer, and memory that is given away with it. */
export interface Answered {
  readonly value: unknown;
  readonly transfer: readonly ArrayBuffer[];
}

export class CallServer {
  readonly #run: (method: string, parameters: readonly unknown[], signal: AbortSignal) => Promise<Answered>;
  readonly #post: (message: AnswerMessage, transfer: readonly ArrayBuffer[]) => void;
  readonly #cancellations = new Map<number, AbortController>();

  constructor(
    run: (method: string, parameters: readonly unknown[], signal: AbortSignal) => Promise<Answered>,
    post: (message: AnswerMessage, transfer: readonly ArrayBuffer[]) => void,
  ) {
    this.#run = run;
    this.#post = post;
  }

  async receive(message: CallMessage): Promise<void> {
    if (message.kind === 'cancel') {
      this.#cancellations
        .get(message.id)
        ?.abort(new HearthscopeError('canceled', 'the request was cancelled by the client'));
      return;
    }
    const { id, method, parameters } = message;
    const cancellation = new AbortController();
    this.#cancellations.set(id, cancellation);
    try {
      const { value, transfer } = await this.#run(method, parameters, cancellation.signal);
      this.#post({ kind: 'result', id, value }, transfer);
    } catch (error) {
      this.#post({ kind: 'failure', id, error: errorData(error) }, []);
    } finally {
      this.#cancellations.delete(id);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// The calling side: numbers calls, waits for their answers, and fails all of them when the other side ends.

import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { type AnswerMessage, type CallMessage, errorOf } from './call-messages.ts';

/** Methods by name; the signal of a call is no parameter of them here, and the last one there. */
export type CallMethods = Readonly<Record<string, (...parameters: never[]) => unknown>>;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Memory that is given away with the parameters. */
  readonly transfer?: readonly ArrayBuffer[];
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: HearthscopeError) => void;
}

export class CallClient<Methods extends object> {
  readonly #post: (message: CallMessage, transfer: readonly ArrayBuffer[]) => void;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended: string | undefined;

  constructor(post: (message: CallMessage, transfer: readonly ArrayBuffer[]) => void) {
    this.#post = post;
  }

  /** Why no calls are taken any more. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** @throws HearthscopeError what the method threw; unavailable when the other side has ended */
  async call<Method extends keyof Methods & string>(
    method: Method,
    parameters: Methods[Method] extends (...parameters: infer Parameters) => unknown ? Parameters : never,
    { signal, transfer = [] }: CallOptions = {},
  ): Promise<Methods[Method] extends (...parameters: never[]) => infer Result ? Awaited<Result> : never> {
    if (this.#ended !== undefined) throw new HearthscopeError('unavailable', this.#ended);
    const id = ++this.#lastId;
    const answer = new Promise<never>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    try {
      this.#post({ kind: 'call', id, method, parameters: parameters as readonly unknown[] }, transfer);
    } catch (error) {
      this.#pending.delete(id);
      throw new HearthscopeError('internal', `${method} cannot be asked: ${messageOf(error)}`, {
        cause: error,
      });
    }
    const cancel = () => this.#post({ kind: 'cancel', id }, []);
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await answer;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  receive(message: AnswerMessage): void {
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.kind === 'result') pending?.resolve(message.value as never);
    else pending?.reject(errorOf(message.error));
  }

  /** Fails what is pending and what comes. The first reason stays. */
  end(reason: string): void {
    this.#ended ??= reason;
    for (const { reject } of this.#pending.values()) reject(new HearthscopeError('unavailable', reason));
    this.#pending.clear();
  }
}

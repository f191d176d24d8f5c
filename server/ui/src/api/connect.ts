// SPDX-License-Identifier: Apache-2.0
//
// One exchange with the server: a unary call of the Connect protocol with JSON, as any client of the server makes it, or
// a plain request for bytes. Whatever goes wrong becomes a HearthscopeError, whose code tells a server that cannot be
// reached (`unavailable`) from one that refuses.

import { type ErrorCode, HearthscopeError, messageOf } from '@hearthscope/profile/errors';

/** A call that takes longer is given up, and the page says so. */
export const CALL_TIMEOUT_MILLIS = 30_000;
const MAX_MESSAGE_CHARS = 2_000;

/** Makes one call and returns its answer as parsed JSON. */
export type Call = (method: string, request: object, signal: AbortSignal) => Promise<unknown>;

/** Asks for bytes, by POST when there is a body. */
export type Fetch = (path: string, signal: AbortSignal, body?: FetchBody) => Promise<ArrayBuffer>;

export interface FetchBody {
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Calls methods below `baseUrl`, which is the page's own address unless a proxy says otherwise. */
export function connectCall(baseUrl: string): Call {
  return (method, request, signal) => {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' },
      body: JSON.stringify(request),
    };
    return exchange(new URL(method, baseUrl), init, signal, (response) => response.json());
  };
}

/** Asks for paths below `baseUrl`. */
export function bytesFetch(baseUrl: string): Fetch {
  return (path, signal, body) => {
    const init =
      body === undefined
        ? {}
        : { method: 'POST', headers: { 'content-type': body.contentType }, body: body.bytes };
    return exchange(new URL(path, baseUrl), init, signal, (response) => response.arrayBuffer());
  };
}

async function exchange<T>(
  url: URL,
  init: RequestInit,
  signal: AbortSignal,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(CALL_TIMEOUT_MILLIS);
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.any([signal, timeout]) });
    if (!response.ok) throw await refusal(response);
    return await read(response);
  } catch (error) {
    if (error instanceof HearthscopeError) throw error;
    if (signal.aborted) throw new HearthscopeError('canceled', 'The call was given up.', { cause: error });
    if (timeout.aborted) {
      throw new HearthscopeError(
        'deadline_exceeded',
        `The server did not answer within ${CALL_TIMEOUT_MILLIS / 1_000} s. Try a shorter time range.`,
        { cause: error },
      );
    }
    if (error instanceof SyntaxError) throw notUnderstood(url.pathname, messageOf(error));
    throw new HearthscopeError('unavailable', 'The server cannot be reached.', { cause: error });
  }
}

/** An answer of the wrong shape: another version of the server, or something between that answers in its place. */
export function notUnderstood(method: string, what: string): HearthscopeError {
  return new HearthscopeError('internal', `The server's answer to ${method} is not understood: ${what}.`);
}

async function refusal(response: Response): Promise<HearthscopeError> {
  const text = await response.text();
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
    if (typeof code === 'string' && typeof message === 'string') {
      // A code this page does not know is shown with its message like any other.
      return new HearthscopeError(code as ErrorCode, message.slice(0, MAX_MESSAGE_CHARS) || code);
    }
  } catch {
    // Not an error of the server: a proxy's page, most likely. The status says it best.
  }
  const code: ErrorCode = [502, 503, 504].includes(response.status) ? 'unavailable' : 'internal';
  return new HearthscopeError(code, `The server answered HTTP ${response.status} ${response.statusText}.`);
}

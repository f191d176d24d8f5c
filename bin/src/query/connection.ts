// SPDX-License-Identifier: Apache-2.0
//
// Calls the methods of a running server as Connect with JSON, which is what can be read in a log and replayed with curl.
// An int64 is a string in it, and one that is zero is left out.

import { type ErrorCode, HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { DURATION_EXPECTED, parseDurationMillis } from '@hearthscope/profile/query-dialect/duration';
import { packageVersion } from '../commands/version.ts';
import { UsageError } from '../exit-codes.ts';
import { ClientVariable } from './client-variables.ts';

const DEFAULT_URL = 'http://localhost:4040';
const DEFAULT_TIMEOUT_MILLIS = 30_000;
/** A message comes from the network and goes to a terminal. */
const MAX_MESSAGE_CHARACTERS = 1000;
const HINTS: Partial<Readonly<Record<ErrorCode, string>>> = {
  unauthenticated: '; name a --tenant, or say who you are with --user or --token',
};

export interface Connection {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMillis: number;
}

/** @throws UsageError */
export function connectionOf(
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): Connection {
  const given = (flag: string, variable: string) =>
    (flags[flag] as string | undefined) ?? environment[variable] ?? undefined;
  const text = given('url', ClientVariable.url) ?? DEFAULT_URL;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`--url: expected a URL such as ${DEFAULT_URL}, got ${JSON.stringify(text)}`);
  }
  const user = given('user', ClientVariable.user);
  const token = given('token', ClientVariable.token);
  if (user !== undefined && token !== undefined) throw new UsageError('give --user or --token, not both');
  if (user !== undefined && !user.includes(':')) throw new UsageError('--user: expected NAME:PASSWORD');
  const authorization =
    user === undefined ? token && `Bearer ${token}` : `Basic ${Buffer.from(user).toString('base64')}`;
  const tenant = flags.tenant as string | undefined;
  const timeout = flags.timeout as string | undefined;
  const timeoutMillis = timeout === undefined ? DEFAULT_TIMEOUT_MILLIS : parseDurationMillis(timeout);
  if (timeoutMillis === undefined || timeoutMillis === 0) {
    throw new UsageError(`--timeout: expected ${DURATION_EXPECTED}, got ${JSON.stringify(timeout)}`);
  }
  return {
    url,
    headers: {
      'user-agent': `hearthscope/${packageVersion()}`,
      ...(authorization && { authorization }),
      ...(tenant !== undefined && { 'x-scope-orgid': tenant }),
    },
    timeoutMillis,
  };
}

export type JsonMessage = Readonly<Record<string, unknown>>;

/** Calls a method such as `querier.v1.QuerierService/Series`.
 * @throws HearthscopeError with the server's code, or unavailable when it cannot be reached */
export async function call<Answer>(
  connection: Connection,
  method: string,
  request: JsonMessage,
): Promise<Answer> {
  const body = JSON.stringify(request);
  const response = await post(connection, method, 'application/json', body);
  return (await response.json()) as Answer;
}

/** The same in protobuf, for answers that are one.
 * @throws HearthscopeError as {@link call} */
export async function callBytes(
  connection: Connection,
  method: string,
  request: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  const response = await post(connection, method, 'application/proto', request);
  return response.bytes();
}

async function post(
  { url, headers, timeoutMillis }: Connection,
  method: string,
  contentType: string,
  body: string | Uint8Array<ArrayBuffer>,
): Promise<Response> {
  const target = new URL(url);
  target.pathname = `${target.pathname.replace(/\/+$/, '')}/${method}`;
  let response: Response;
  try {
    response = await fetch(target, {
      method: 'POST',
      headers: { ...headers, 'content-type': contentType },
      body,
      signal: AbortSignal.timeout(timeoutMillis),
    });
  } catch (error) {
    const isTimeout = (error as Error).name === 'TimeoutError';
    const reason = isTimeout
      ? `no answer within ${timeoutMillis} ms`
      : messageOf((error as Error).cause ?? error);
    throw new HearthscopeError('unavailable', `cannot ask ${target.origin}: ${reason}`, { cause: error });
  }
  if (!response.ok) throw await errorOf(response, target);
  return response;
}

async function errorOf(response: Response, { origin }: URL): Promise<HearthscopeError> {
  const text = (await response.text()).slice(0, MAX_MESSAGE_CHARACTERS);
  try {
    const { code, message } = JSON.parse(text) as { code: ErrorCode; message?: string };
    return new HearthscopeError(
      code,
      `${origin} says ${code}: ${printable(message ?? '')}${HINTS[code] ?? ''}`,
    );
  } catch {
    return new HearthscopeError('unavailable', `${origin} answered ${response.status}: ${printable(text)}`);
  }
}

/** Control characters of a foreign text could move a terminal's cursor. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}

// SPDX-License-Identifier: Apache-2.0
//
// Bytes that are no message of protobuf are the client's mistake. The Connect library calls them an internal error, which
// clients try again after and operators are woken by; other servers of this API answer 400.

import type { UniversalHandler, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { errorBody, httpStatusOf } from './error-response.ts';

const MALFORMED = /^parse binary: /;

/** Puts a handler with the right answer in the place of each. */
export function answerMalformedCalls(handlers: UniversalHandler[]): void {
  for (const [index, handler] of handlers.entries()) {
    const answer = async (request: Parameters<UniversalHandler>[0]) => corrected(await handler(request));
    handlers[index] = Object.assign(answer, {
      protocolNames: handler.protocolNames,
      supportedContentType: handler.supportedContentType,
      allowedMethods: handler.allowedMethods,
      requestPath: handler.requestPath,
      service: handler.service,
      method: handler.method,
    });
  }
}

/** Errors are short, so their bodies may be read. */
async function corrected(response: UniversalServerResponse): Promise<UniversalServerResponse> {
  if (response.status !== httpStatusOf('internal') || response.body === undefined) return response;
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const message = messageOf(body);
  if (!MALFORMED.test(message)) return { ...response, body: asyncChunks(body) };
  return {
    ...response,
    status: httpStatusOf('invalid_argument'),
    body: asyncChunks(Buffer.from(errorBody('invalid_argument', message))),
  };
}

function messageOf(body: Buffer): string {
  try {
    const { message } = JSON.parse(body.toString()) as { message?: unknown };
    return String(message);
  } catch {
    return '';
  }
}

async function* asyncChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

// SPDX-License-Identifier: Apache-2.0
//
// What the handlers of all Connect services share: how JSON is read, and how their errors become those of the protocol.

import type { HandlerContext } from '@connectrpc/connect';
import { connectError } from './connect-error.ts';

/** Clients send fields and enum values that are newer than this server; they are ignored. */
export const JSON_OPTIONS = { ignoreUnknownFields: true };

type Answer<Request, Response> = (request: Request, context: HandlerContext) => Response | Promise<Response>;

/** A handler that may throw HearthscopeError. */
export function answering<Request, Response>(
  answer: Answer<Request, Response>,
): (request: Request, context: HandlerContext) => Promise<Response> {
  return async (request, context) => {
    try {
      return await answer(request, context);
    } catch (error) {
      throw connectError(error);
    }
  };
}

// SPDX-License-Identifier: Apache-2.0
//
// Unary calls in the protocols that clients of Pyroscope choose from. They are written out here because a body must be
// bounded while it inflates, count against the memory of all requests, and be handed on as bytes: the ready-made servers
// decode it first.

import type { HttpRequest, HttpResponse } from '../listen.ts';
import { MAX_GRPC_MESSAGE_BYTES } from '../transport-limits.ts';
import type { BodyLimit, ReadBody } from './body.ts';
import type { MessageEncoding, ReceiverTransport } from './receiver-context.ts';
import type { Refusal } from './refusal.ts';

export interface RpcProtocol {
  readonly transport: ReceiverTransport;
  /** How the message of a request is written; undefined when the request is not of this protocol. */
  encodingOf(mediaType: string): MessageEncoding | undefined;
  readonly needsHttp2: boolean;
  /** How long the client waits, in milliseconds; undefined for as long as it takes.
   * @throws Refusal malformed_body */
  timeoutMillis(request: HttpRequest): number | undefined;
  /** @throws Refusal malformed_body, body_too_large, unsupported_encoding, in_flight_limit, aborted */
  readMessage(request: HttpRequest, limit: BodyLimit): Promise<ReadBody>;
  /** Does nothing when the answer has begun or nobody is there to read it, like {@link sendError}. */
  sendMessage(response: HttpResponse, message: Uint8Array, encoding: MessageEncoding): void;
  sendError(response: HttpResponse, refusal: Refusal, encoding: MessageEncoding): void;
}

/** The longest delay a timer takes. */
export const MAX_TIMER_MILLIS = 2 ** 31 - 1;

/** Of one message, where the limit of bodies is not lower. Connect messages are bodies. */
export function maxMessageBytes({ transport }: RpcProtocol): number {
  return transport === 'connect' ? Number.POSITIVE_INFINITY : MAX_GRPC_MESSAGE_BYTES;
}

// SPDX-License-Identifier: Apache-2.0
//
// One unary call from its headers to its answer, in whichever protocol it came.

import { sendError } from '../http/error-response.ts';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import { CONNECT } from './connect-protocol.ts';
import { GRPC, GRPC_WEB } from './grpc-protocol.ts';
import type { Reservation } from './in-flight-budget.ts';
import {
  endRequest,
  type MessageEncoding,
  mediaType,
  type ReceiverContext,
  type ReceiverKind,
  type ReceiverTransport,
} from './receiver-context.ts';
import { Refusal, refusalOf } from './refusal.ts';
import type { RpcProtocol } from './rpc-protocol.ts';

export interface RpcMethod {
  readonly receiver: ReceiverKind;
  readonly transports: readonly ReceiverTransport[];
  readonly encodings: readonly MessageEncoding[];
  /** @returns the answer's message
   * @throws Refusal, HearthscopeError */
  answer(call: RpcCall, context: ReceiverContext): Promise<Uint8Array>;
}

export interface RpcCall {
  readonly request: HttpRequest;
  readonly protocol: RpcProtocol;
  readonly encoding: MessageEncoding;
  /** Held as long as the bytes are, also past the client's deadline. */
  readonly reservation: Reservation;
}

const PROTOCOLS: readonly RpcProtocol[] = [GRPC, GRPC_WEB, CONNECT];

const UNKNOWN_METHOD: RpcMethod = {
  receiver: 'none',
  transports: ['grpc', 'grpc-web', 'connect'],
  encodings: ['protobuf', 'json'],
  answer: ({ request }) => {
    throw new Refusal('unknown_method', `unknown method ${request.url}`);
  },
};

/** @param method absent for one that its service does not have */
export async function handleRpc(
  request: HttpRequest,
  response: HttpResponse,
  context: ReceiverContext,
  method: RpcMethod = UNKNOWN_METHOD,
): Promise<void> {
  const spoken = spokenProtocol(request, response, method, context);
  if (spoken === undefined) {
    endRequest(request, response);
    return;
  }
  const { protocol, encoding } = spoken;
  const door = { receiver: method.receiver, transport: protocol.transport };
  const reservation = context.budget.open();
  const deadline = new Deadline();
  try {
    deadline.start(protocol.timeoutMillis(request));
    const answer = answerCall(method, { request, protocol, encoding, reservation }, context);
    protocol.sendMessage(response, await Promise.race([answer, deadline.passed]), encoding);
    context.onSuccess(door);
  } catch (error) {
    const refusal = refusalOf(error);
    context.onRefusal(door, refusal, error);
    protocol.sendError(response, refusal, encoding);
  } finally {
    deadline.stop();
    endRequest(request, response);
  }
}

async function answerCall(method: RpcMethod, call: RpcCall, context: ReceiverContext): Promise<Uint8Array> {
  try {
    return await method.answer(call, context);
  } finally {
    call.reservation.release();
  }
}

/** Answers in plain HTTP what cannot be answered in the protocol. */
function spokenProtocol(
  request: HttpRequest,
  response: HttpResponse,
  { receiver, transports, encodings }: RpcMethod,
  context: ReceiverContext,
): { protocol: RpcProtocol; encoding: MessageEncoding } | undefined {
  const type = mediaType(request);
  const protocol = PROTOCOLS.find(
    (each) => transports.includes(each.transport) && encodings.includes(each.encodingOf(type)!),
  );
  let refusal: Refusal;
  if (request.method !== 'POST') {
    response.setHeader('Allow', 'POST');
    refusal = new Refusal('method_not_allowed', `calls are POST, not ${request.method}`);
  } else if (protocol === undefined) {
    refusal = new Refusal(
      'unsupported_content_type',
      `content type ${JSON.stringify(type)} is not supported here: use one of ${contentTypes(transports)}`,
    );
  } else if (protocol.needsHttp2 && request.httpVersionMajor < 2) {
    refusal = new Refusal('unsupported_content_type', 'gRPC needs HTTP/2');
  } else {
    return { protocol, encoding: protocol.encodingOf(type)! };
  }
  context.onRefusal({ receiver, transport: protocol?.transport ?? 'http' }, refusal, refusal);
  sendError(response, refusal.code, refusal.message, refusal.httpStatus);
  return undefined;
}

const CONTENT_TYPES: Readonly<Record<ReceiverTransport, string>> = {
  http: '',
  connect: 'application/proto, application/json',
  grpc: 'application/grpc',
  'grpc-web': 'application/grpc-web',
};

function contentTypes(transports: readonly ReceiverTransport[]): string {
  return transports.map((transport) => CONTENT_TYPES[transport]).join(', ');
}

/** The client's deadline, as a promise that fails when it passes. */
class Deadline {
  readonly passed: Promise<never>;
  #fail: (reason: Refusal) => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.passed = new Promise((_, reject) => {
      this.#fail = reject;
    });
  }

  start(millis: number | undefined): void {
    if (millis === undefined) return;
    this.#timer = setTimeout(
      () => this.#fail(new Refusal('deadline_exceeded', `the deadline of ${millis} ms passed`)),
      millis,
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// What the doors for profiles share: the service behind them, the limits, and the manners of a request.

import { constants } from 'node:http2';
import type { Authenticator } from '@hearthscope/collector/auth/authenticator';
import type { IngestRequest } from '@hearthscope/collector/ingest/ingest-request';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { identityOf } from '../http/request-identity.ts';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import type { BodyLimit } from './body.ts';
import type { InFlightBudget, Reservation } from './in-flight-budget.ts';
import type { IngestOutcome } from './ingest-outcome.ts';
import { Refusal, tooLarge } from './refusal.ts';

/** Whether requests are taken, and if not, why. */
export interface Readiness {
  readonly ready: boolean;
  /** '' when ready. */
  readonly reason: string;
}

/** How a message is written. */
export type MessageEncoding = 'protobuf' | 'json';

/** What stands behind the doors. A method resolves when what it accepted is durable, here or wherever it was sent on to.
 * Bodies are decompressed and own their ArrayBuffer; the callee may take it over.
 * @throws HearthscopeError whose code the door passes on, when the request as a whole is refused */
export interface ReceiverService {
  readiness(): Readiness;
  /** @param body an ExportProfilesServiceRequest */
  exportOtlp(tenant: string, body: Uint8Array, encoding: MessageEncoding): Promise<IngestOutcome>;
  /** @param body a push.v1.PushRequest */
  push(tenant: string, body: Uint8Array, encoding: MessageEncoding): Promise<IngestOutcome>;
  /** @throws HearthscopeError invalid_argument when the parameters of the URL are wrong */
  ingest(tenant: string, request: IngestRequest): Promise<IngestOutcome>;
}

/** The doors, by what comes through them; `none` is a method that does not exist. */
export type ReceiverKind = 'otlp' | 'push' | 'ingest' | 'health' | 'none';

export type ReceiverTransport = 'http' | 'connect' | 'grpc' | 'grpc-web';

/** One way in, for metrics. */
export interface Door {
  readonly receiver: ReceiverKind;
  readonly transport: ReceiverTransport;
}

/** Of a request that was read to its end. */
export interface BodySizes {
  /** As it came over the wire. */
  readonly wireBytes: number;
  /** After decompression. */
  readonly bodyBytes: number;
}

export interface ReceiverContext {
  readonly service: ReceiverService;
  readonly authenticator: Authenticator;
  readonly budget: InFlightBudget;
  /** Of one request of a tenant, after decompression. */
  readonly maxBodyBytesOf: (tenant: string) => number;
  /** Full names of the services that the health check knows. */
  readonly healthServices: readonly string[];
  /** Counts the profiles of a request that was understood, the refused ones as well. */
  readonly onReceived: (tenant: string, sizes: BodySizes, outcome: IngestOutcome) => void;
  /** Counts a request that was thrown away unseen. */
  readonly onDiscard: (tenant: string, reason: string, bytes: number) => void;
  /** Counts an answer that is no error. */
  readonly onSuccess: (door: Door) => void;
  /** Counts an answer that is one; `cause` is what was thrown, for the log. */
  readonly onRefusal: (door: Door, refusal: Refusal, cause: unknown) => void;
}

/** @throws Refusal not_ready */
export function requireReady({ service }: ReceiverContext): void {
  const { ready, reason } = service.readiness();
  if (!ready) throw new Refusal('not_ready', `not ready: ${reason}`);
}

/** Whose data the request writes.
 * @throws Refusal tenant */
export function tenantOfRequest(request: HttpRequest, { authenticator }: ReceiverContext): string {
  try {
    return authenticator.tenant(identityOf(request), 'write');
  } catch (error) {
    if (error instanceof HearthscopeError) throw new Refusal('tenant', error.message, error.code);
    throw error;
  }
}

/** The limit of a body, also of what is announced of it.
 * @throws Refusal body_too_large for a content-length beyond it */
export function bodyLimit(maxBytes: number, reservation: Reservation, { headers }: HttpRequest): BodyLimit {
  const announcedBytes = Number(headers['content-length'] ?? 0);
  if (announcedBytes > maxBytes) throw tooLarge(maxBytes);
  return { maxBytes, reservation };
}

/** The first value of a header. */
export function headerText({ headers }: HttpRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The content type without its parameters, in lower case; '' without one. */
export function mediaType({ headers }: HttpRequest): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

/** Lets go of what is left of a request that was answered early. Over HTTP/1.1 the rest is read and dropped until the
 * request's deadline, as closing the connection would take the answer away from the client; over HTTP/2 the client is
 * told to stop. */
export function endRequest(request: HttpRequest, response: HttpResponse): void {
  if (request.readableEnded || request.destroyed) return;
  if ('stream' in request) {
    const { stream } = request;
    response.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR));
  } else {
    request.resume();
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// What the two transports of the OTLP door share: the service behind it, the limits, and the manners of a request.

import { constants } from 'node:http2';
import { tenantOf } from '@hearthscope/collector/tenant';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import type { InFlightBudget } from './in-flight-budget.ts';
import { Refusal } from './refusal.ts';

/** Whether requests are taken, and if not, why. */
export interface Readiness {
  readonly ready: boolean;
  /** '' when ready. */
  readonly reason: string;
}

/** What became of the profiles of one request. */
export interface ExportOutcome {
  readonly acceptedProfiles: number;
  readonly rejectedProfiles: number;
  /** Why profiles were rejected; '' when none were. */
  readonly errorMessage: string;
}

export interface ReceiverService {
  readiness(): Readiness;
  /** Resolves when the request's profiles are durable.
   * @param body an ExportProfilesServiceRequest that owns its ArrayBuffer; the callee may take it over
   * @throws HearthscopeError, whose code the transport passes on */
  export(tenant: string, body: Uint8Array): Promise<ExportOutcome>;
}

export type ReceiverTransport = 'grpc' | 'http';

export interface ReceiverContext {
  readonly service: ReceiverService;
  readonly budget: InFlightBudget;
  readonly isMultitenancyEnabled: boolean;
  /** After decompression. */
  readonly maxBodyBytes: number;
  /** After decompression. */
  readonly maxGrpcMessageBytes: number;
  /** Full names of the services that the health check knows. */
  readonly healthServices: readonly string[];
  /** Counts an answered export. */
  readonly onSuccess: (transport: ReceiverTransport, bodyBytes: number) => void;
  /** Counts a refusal; `cause` is what was thrown, for the log. */
  readonly onRefusal: (transport: ReceiverTransport, refusal: Refusal, cause: unknown) => void;
}

/** @throws Refusal not_ready */
export function requireReady({ service }: ReceiverContext): void {
  const { ready, reason } = service.readiness();
  if (!ready) throw new Refusal('not_ready', `not ready: ${reason}`);
}

/** @throws Refusal tenant */
export function tenantOfRequest({ headers }: HttpRequest, context: ReceiverContext): string {
  try {
    return tenantOf(headers, context.isMultitenancyEnabled);
  } catch (error) {
    if (error instanceof HearthscopeError) throw new Refusal('tenant', error.message, error.code);
    throw error;
  }
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

// SPDX-License-Identifier: Apache-2.0
//
// The part that every door has in common: whose request it is, its body within that tenant's limits, and what became of
// it, counted.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { HttpRequest } from '../listen.ts';
import type { BodyLimit, ReadBody } from './body.ts';
import type { Reservation } from './in-flight-budget.ts';
import type { IngestOutcome } from './ingest-outcome.ts';
import { bodyLimit, type ReceiverContext, requireReady, tenantOfRequest } from './receiver-context.ts';
import { Refusal } from './refusal.ts';

export interface BodyReception {
  readonly request: HttpRequest;
  readonly reservation: Reservation;
  /** Where the door has a limit of its own beside the tenant's. */
  readonly maxBytes?: number;
  readonly read: (limit: BodyLimit) => Promise<ReadBody>;
  readonly store: (tenant: string, body: Uint8Array) => Promise<IngestOutcome>;
}

/** Resolves when what was accepted is durable.
 * @throws Refusal, or HearthscopeError from behind the door */
export async function receiveBody(
  { request, reservation, maxBytes = Number.POSITIVE_INFINITY, read, store }: BodyReception,
  context: ReceiverContext,
): Promise<IngestOutcome> {
  requireReady(context);
  const tenant = tenantOfRequest(request, context);
  const maxBodyBytes = Math.min(maxBytes, context.maxBodyBytesOf(tenant));
  let body: ReadBody;
  try {
    body = await read(bodyLimit(maxBodyBytes, reservation, request));
  } catch (error) {
    if (error instanceof Refusal && error.reason === 'body_too_large') {
      context.onDiscard(tenant, 'body_size_limit_exceeded', maxBodyBytes);
    }
    throw error;
  }
  // The buffer is given away.
  const sizes = { wireBytes: body.wireBytes, bodyBytes: body.bytes.length };
  try {
    const outcome = await store(tenant, body.bytes);
    context.onReceived(tenant, sizes, outcome);
    return outcome;
  } catch (error) {
    if (error instanceof HearthscopeError && error.code === 'invalid_argument') {
      context.onDiscard(tenant, 'malformed_profile', sizes.bodyBytes);
    }
    throw error;
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Collects a request body into memory, inflating it on the way. The limit is checked on every chunk, before it is kept:
// a gzip bomb costs the limit and one chunk.

import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { messageOf } from '@hearthscope/profile/errors';
import type { HttpRequest } from '../listen.ts';
import type { Reservation } from './in-flight-budget.ts';
import { Refusal } from './refusal.ts';

export type BodyEncoding = 'identity' | 'gzip';

export interface BodyLimit {
  /** Of the body as sent, and of the body after decompression. */
  readonly maxBytes: number;
  readonly reservation: Reservation;
}

/** The chunks of a request. Stopping early leaves the request intact, so that it can still be answered. */
export async function* requestChunks(request: HttpRequest): AsyncGenerator<Buffer> {
  try {
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw new Refusal('aborted', `the request ended early: ${messageOf(error)}`);
  }
}

/** @returns bytes that own their whole ArrayBuffer, so that they can be given to a worker
 * @throws Refusal body_too_large, in_flight_limit, malformed_body, aborted */
export async function readBody(
  chunks: AsyncIterable<Buffer>,
  encoding: BodyEncoding,
  limit: BodyLimit,
): Promise<Uint8Array> {
  if (encoding === 'identity') return collect(chunks, limit);
  let body: Uint8Array | undefined;
  try {
    await pipeline(boundedChunks(chunks, limit.maxBytes), createGunzip(), async (inflated) => {
      body = await collect(inflated as AsyncIterable<Buffer>, limit);
    });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal('malformed_body', `gzip: ${messageOf(error)}`);
  }
  return body!;
}

/** Gzip members that inflate to nothing would otherwise be read for ever. */
async function* boundedChunks(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    yield chunk;
  }
}

async function collect(
  chunks: AsyncIterable<Buffer>,
  { maxBytes, reservation }: BodyLimit,
): Promise<Uint8Array> {
  const kept: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    if (bytes + chunk.length > maxBytes) throw tooLarge(maxBytes);
    reservation.take(chunk.length);
    bytes += chunk.length;
    kept.push(chunk);
  }
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of kept) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

export function tooLarge(maxBytes: number): Refusal {
  return new Refusal('body_too_large', `request body is larger than ${maxBytes} bytes after decompression`);
}

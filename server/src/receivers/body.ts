// SPDX-License-Identifier: Apache-2.0
//
// Collects a request body into memory, inflating it on the way. The limit is checked on every chunk, before it is kept:
// a gzip bomb costs the limit and one chunk.

import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { messageOf } from '@hearthscope/profile/errors';
import type { HttpRequest } from '../listen.ts';
import type { Reservation } from './in-flight-budget.ts';
import { Refusal, tooLarge } from './refusal.ts';

export type BodyEncoding = 'identity' | 'gzip';

/** How the body of a request is packed.
 * @throws Refusal unsupported_encoding */
export function bodyEncoding({ headers }: HttpRequest): BodyEncoding {
  const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'gzip' && encoding !== 'identity') {
    throw new Refusal(
      'unsupported_encoding',
      `content encoding ${JSON.stringify(encoding)} is not supported: use gzip or identity`,
    );
  }
  return encoding;
}

export interface BodyLimit {
  /** Of the body as sent, and of the body after decompression. */
  readonly maxBytes: number;
  readonly reservation: Reservation;
}

export interface ReadBody {
  /** Owns its whole ArrayBuffer, so that it can be given to a worker. */
  readonly bytes: Uint8Array;
  /** How many bytes came over the wire. */
  readonly wireBytes: number;
}

/** The chunks of a request. Stopping early leaves the request intact, so that it can still be answered. */
export async function* requestChunks(request: HttpRequest): AsyncGenerator<Buffer> {
  try {
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw new Refusal('aborted', `the request ended early: ${messageOf(error)}`);
  }
}

/** @throws Refusal body_too_large, in_flight_limit, malformed_body, aborted */
export async function readBody(
  chunks: AsyncIterable<Buffer>,
  encoding: BodyEncoding,
  limit: BodyLimit,
): Promise<ReadBody> {
  if (encoding === 'identity') {
    const bytes = await collect(chunks, limit);
    return { bytes, wireBytes: bytes.length };
  }
  const wire = new BoundedChunks(chunks, limit.maxBytes);
  let bytes: Uint8Array | undefined;
  try {
    await pipeline(wire, createGunzip(), async (inflated) => {
      bytes = await collect(inflated as AsyncIterable<Buffer>, limit);
    });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal('malformed_body', `gzip: ${messageOf(error)}`);
  }
  return { bytes: bytes!, wireBytes: wire.bytes };
}

/** Gzip members that inflate to nothing would otherwise be read for ever. */
class BoundedChunks implements AsyncIterable<Buffer> {
  bytes = 0;
  readonly #chunks: AsyncIterable<Buffer>;
  readonly #maxBytes: number;

  constructor(chunks: AsyncIterable<Buffer>, maxBytes: number) {
    this.#chunks = chunks;
    this.#maxBytes = maxBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for await (const chunk of this.#chunks) {
      this.bytes += chunk.length;
      if (this.bytes > this.#maxBytes) throw tooLarge(this.#maxBytes);
      yield chunk;
    }
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

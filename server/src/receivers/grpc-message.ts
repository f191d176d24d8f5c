// SPDX-License-Identifier: Apache-2.0
//
// The framing of gRPC messages, and what its headers carry:
//
//   byte 0: 1 when the message is compressed, else 0 · bytes 1–4: length, big endian · the message
//
// Unary calls have exactly one message in each direction.

import { Refusal } from './refusal.ts';
import { MAX_TIMER_MILLIS } from './rpc-protocol.ts';

const PREFIX_BYTES = 5;
const COMPRESSED = 1;
const TRAILERS = 0x80;

/** A message whose length is known and whose bytes are still to come. */
export interface OpenMessage {
  readonly isCompressed: boolean;
  readonly payload: AsyncGenerator<Buffer>;
}

/** Reads the prefix of the only message of a request.
 * @param maxBytes of the message as sent
 * @throws Refusal malformed_body, body_too_large; the payload throws malformed_body when it is cut short or followed by
 * anything */
export async function openUnaryMessage(
  chunks: AsyncGenerator<Buffer>,
  maxBytes: number,
): Promise<OpenMessage> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < PREFIX_BYTES) {
    const { value, done } = await chunks.next();
    if (done === true) {
      throw new Refusal(
        'malformed_body',
        `gRPC message: ${head.length} bytes where a prefix of ${PREFIX_BYTES} is needed`,
      );
    }
    head = Buffer.concat([head, value]);
  }
  const flags = head[0]!;
  if (flags > COMPRESSED)
    throw new Refusal('malformed_body', `gRPC message: unknown flags ${flags} at byte 0`);
  const length = head.readUInt32BE(1);
  if (length > maxBytes) {
    throw new Refusal('body_too_large', `message of ${length} bytes is larger than the limit of ${maxBytes}`);
  }
  return {
    isCompressed: flags === COMPRESSED,
    payload: exactly(head.subarray(PREFIX_BYTES), chunks, length),
  };
}

async function* exactly(first: Buffer, rest: AsyncGenerator<Buffer>, length: number): AsyncGenerator<Buffer> {
  let missing = length;
  for (let chunk = first; ; ) {
    if (chunk.length > missing) {
      throw new Refusal(
        'malformed_body',
        'gRPC message: a unary call has one message, and more bytes follow it',
      );
    }
    missing -= chunk.length;
    if (chunk.length > 0) yield chunk;
    const next = await rest.next();
    if (next.done === true) break;
    chunk = next.value;
  }
  if (missing > 0) {
    throw new Refusal(
      'malformed_body',
      `gRPC message: ended ${missing} bytes before its length of ${length}`,
    );
  }
}

/** An uncompressed message with its prefix. */
export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(PREFIX_BYTES + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  return framed;
}

/** The last frame of a gRPC-Web answer. */
export function frameTrailers(trailers: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  const framed = frameMessage(Buffer.from(lines.join('')));
  framed[0] = TRAILERS;
  return framed;
}

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const TIMEOUT_UNIT_MILLIS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds of a `grpc-timeout` header, rounded up; undefined without the header.
 * @throws Refusal malformed_body */
export function grpcTimeoutMillis(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const match = TIMEOUT.exec(header);
  if (match === null)
    throw new Refusal('malformed_body', `grpc-timeout ${JSON.stringify(header)} is malformed`);
  const millis = Number(match[1]) * TIMEOUT_UNIT_MILLIS[match[2]!]!;
  return Math.min(Math.ceil(millis), MAX_TIMER_MILLIS);
}

/** Headers of an HTTP/2 client are often limited to 8 KiB in all. */
const MAX_GRPC_MESSAGE_LENGTH = 1024;

/** The `grpc-message` trailer: UTF-8, percent-encoded outside of printable ASCII, and cut to fit a header. */
export function encodeGrpcMessage(message: string): string {
  const cut =
    message.length > MAX_GRPC_MESSAGE_LENGTH ? `${message.slice(0, MAX_GRPC_MESSAGE_LENGTH)}…` : message;
  let encoded = '';
  for (const byte of Buffer.from(cut.toWellFormed())) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

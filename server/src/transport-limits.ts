// SPDX-License-Identifier: Apache-2.0
//
// The limits of the doors. A client can make this process spend no more than these on it, whatever it sends.

const MEBIBYTE = 1024 * 1024;
const SECOND_MILLIS = 1000;

/** Largest request body after decompression. The Pyroscope API that clients are written for takes as much. */
export const DEFAULT_MAX_BODY_BYTES = 256 * MEBIBYTE;

/** Largest gRPC message after decompression, where the body limit is not lower. */
export const MAX_GRPC_MESSAGE_BYTES = 100 * MEBIBYTE;

export interface TransportLimits {
  /** Open connections of one port; further ones are closed at once. */
  readonly maxConnections: number;
  /** Of all headers of a request, on HTTP/1.1 and on HTTP/2. */
  readonly maxHeaderBytes: number;
  readonly maxConcurrentStreams: number;
  /** From the first byte of a connection or a request to the end of its headers. */
  readonly headersTimeoutMillis: number;
  /** From the first byte of a request to the last byte of its body. */
  readonly requestTimeoutMillis: number;
  /** How long a connection may carry nothing. */
  readonly idleTimeoutMillis: number;
  /** Decompressed bytes of all request bodies held at one time. Two of the largest fit. */
  readonly maxInFlightBytes: number;
}

export const DEFAULT_TRANSPORT_LIMITS: TransportLimits = {
  maxConnections: 4096,
  maxHeaderBytes: 32 * 1024,
  maxConcurrentStreams: 128,
  headersTimeoutMillis: 30 * SECOND_MILLIS,
  requestTimeoutMillis: 30 * SECOND_MILLIS,
  idleTimeoutMillis: 120 * SECOND_MILLIS,
  maxInFlightBytes: 512 * MEBIBYTE,
};

/** Flow-control windows of HTTP/2: how much a client may send before it is read. */
export const HTTP2_STREAM_WINDOW_BYTES = 256 * 1024;
export const HTTP2_SESSION_WINDOW_BYTES = MEBIBYTE;

// SPDX-License-Identifier: Apache-2.0
//
// Requests that wait for the receiver, bounded by bytes. When the receiver is away for long the newest are worth most,
// so the oldest go.

import type { ExportRequest } from './transport.ts';

export class RequestQueue {
  readonly #maxBytes: number;
  readonly #onDrop: (request: ExportRequest, reason: 'queue_full' | 'too_large') => void;
  readonly #requests: ExportRequest[] = [];
  #bytes = 0;

  constructor(
    maxBytes: number,
    onDrop: (request: ExportRequest, reason: 'queue_full' | 'too_large') => void,
  ) {
    this.#maxBytes = maxBytes;
    this.#onDrop = onDrop;
  }

  get length(): number {
    return this.#requests.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds at the end, dropping from the front what then is too much. */
  push(request: ExportRequest): void {
    if (request.body.byteLength > this.#maxBytes) {
      this.#onDrop(request, 'too_large');
      return;
    }
    this.#requests.push(request);
    this.#bytes += request.body.byteLength;
    while (this.#bytes > this.#maxBytes) this.#onDrop(this.shift()!, 'queue_full');
  }

  /** Puts back a request that could not be delivered, unless the newer ones have taken its room. */
  unshift(request: ExportRequest): void {
    if (this.#bytes + request.body.byteLength > this.#maxBytes) {
      this.#onDrop(request, 'queue_full');
      return;
    }
    this.#requests.unshift(request);
    this.#bytes += request.body.byteLength;
  }

  shift(): ExportRequest | undefined {
    const request = this.#requests.shift();
    if (request !== undefined) this.#bytes -= request.body.byteLength;
    return request;
  }
}

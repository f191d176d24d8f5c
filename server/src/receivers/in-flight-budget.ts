// SPDX-License-Identifier: Apache-2.0
//
// Bounds the memory of all requests that are being received at one time. Bytes are taken as they arrive or inflate, so
// that a client which only announces a large body takes nothing from the others.

import { Refusal } from './refusal.ts';

export class InFlightBudget {
  readonly maxBytes: number;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  open(): Reservation {
    let heldBytes = 0;
    return {
      take: (bytes) => {
        if (this.#usedBytes + bytes > this.maxBytes) {
          throw new Refusal(
            'in_flight_limit',
            `requests in flight hold ${this.#usedBytes} of at most ${this.maxBytes} bytes: try again later`,
          );
        }
        this.#usedBytes += bytes;
        heldBytes += bytes;
      },
      release: () => {
        this.#usedBytes -= heldBytes;
        heldBytes = 0;
      },
    };
  }
}

/** What one request holds. */
export interface Reservation {
  /** @throws Refusal in_flight_limit */
  take(bytes: number): void;
  /** Gives everything back; may be called again. */
  release(): void;
}

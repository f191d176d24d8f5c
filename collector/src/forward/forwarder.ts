// SPDX-License-Identifier: Apache-2.0
//
// Sends profiles on and answers for what became of them: the call ends when the receiver behind has taken everything, or
// with the error that the sender is to be told. Nothing waits here after that, so a collector that dies loses nothing
// that was acknowledged. What waits while calls run is bounded in bytes; beyond that senders are asked to come back.

import { HearthscopeError } from '@hearthscope/profile/errors';
import type { NormalisedProfile } from '../normalised-profile.ts';
import type {
  ForwardEncoder,
  ForwardOutcome,
  ForwardRequest,
  ForwardTransport,
} from './forward-transport.ts';

export interface ForwarderOptions {
  readonly transport: ForwardTransport;
  readonly encode: ForwardEncoder;
  /** Encoded bytes on their way. A single request larger than that is taken when nothing else is there. */
  readonly maxQueuedBytes: number;
  /** Within which a call ends, whatever becomes of it. */
  readonly timeoutMillis: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly sleep: (millis: number, signal: AbortSignal) => Promise<void>;
  /** 0 to 1, for the jitter of waits. */
  readonly random: () => number;
  readonly observer: ForwardObserver;
}

/** Counts what happens. */
export interface ForwardObserver {
  /** A body was taken by the receiver. */
  readonly onSent: (bodyBytes: number) => void;
  readonly onRetry: (reason: string) => void;
  /** Profiles that did not arrive, whether their sender knows it or not. */
  readonly onLost: (reason: string, profiles: number) => void;
}

const FIRST_WAIT_MILLIS = 100;
const MAX_WAIT_MILLIS = 2000;
/** A wait is between this share of itself and the whole. */
const MIN_JITTER = 0.5;

export class Forwarder {
  readonly #options: ForwarderOptions;
  #queuedBytes = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Encoded bytes that are on their way. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Resolves when the receiver has taken all profiles.
   * @throws HearthscopeError unavailable when there is no room, or no receiver within the time; resource_exhausted when
   * it asks for less; the receiver's own code when it refuses */
  async forward(tenant: string, profiles: readonly NormalisedProfile[]): Promise<void> {
    const { encode, observer, maxQueuedBytes, timeoutMillis } = this.#options;
    const { bodies, lost } = encode(profiles);
    for (const [reason, count] of Object.entries(lost)) observer.onLost(reason, count);
    const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes > maxQueuedBytes) {
      observer.onLost('queue_full', profiles.length);
      throw new HearthscopeError(
        'unavailable',
        `the collector has ${this.#queuedBytes} bytes on their way and room for ${maxQueuedBytes}: come back later`,
      );
    }
    this.#queuedBytes += bytes;
    const deadline = AbortSignal.timeout(timeoutMillis);
    const endsAt = this.#options.now() + timeoutMillis;
    try {
      for (const body of bodies) await this.#deliver({ tenant, body }, endsAt, deadline, profiles.length);
    } finally {
      this.#queuedBytes -= bytes;
    }
  }

  async #deliver(
    request: ForwardRequest,
    endsAt: number,
    signal: AbortSignal,
    profiles: number,
  ): Promise<void> {
    const { transport, observer, now, sleep } = this.#options;
    for (let attempt = 0; ; attempt++) {
      const outcome = await transport.send(request, signal);
      if (outcome.kind !== 'retry') {
        this.#settle(outcome, request, profiles);
        return;
      }
      observer.onRetry(outcome.reason);
      const wait = this.#waitMillis(attempt, outcome.retryAfterMillis);
      if (now() + wait >= endsAt) {
        observer.onLost(outcome.reason, profiles);
        throw notDelivered(outcome);
      }
      await sleep(wait, signal);
    }
  }

  #settle(
    outcome: Exclude<ForwardOutcome, { kind: 'retry' }>,
    { body }: ForwardRequest,
    profiles: number,
  ): void {
    const { observer } = this.#options;
    if (outcome.kind === 'refused') {
      observer.onLost(outcome.reason, profiles);
      throw new HearthscopeError(outcome.code, `the receiver behind refused: ${outcome.message}`);
    }
    observer.onSent(body.length);
    if (outcome.rejectedProfiles > 0) {
      observer.onLost('rejected', outcome.rejectedProfiles);
      // Not to be sent again: the others have arrived.
      throw new HearthscopeError(
        'invalid_argument',
        `the receiver behind refused ${outcome.rejectedProfiles} profiles: ${outcome.message}`,
      );
    }
  }

  #waitMillis(attempt: number, wished: number | undefined): number {
    if (wished !== undefined) return wished;
    const wait = Math.min(MAX_WAIT_MILLIS, FIRST_WAIT_MILLIS * 2 ** attempt);
    return wait * (MIN_JITTER + (1 - MIN_JITTER) * this.#options.random());
  }
}

const LIMIT_REASONS: ReadonlySet<string> = new Set(['http_429', 'resource_exhausted']);

function notDelivered({
  reason,
  message,
}: {
  readonly reason: string;
  readonly message: string;
}): HearthscopeError {
  return new HearthscopeError(
    LIMIT_REASONS.has(reason) ? 'resource_exhausted' : 'unavailable',
    `the receiver behind did not take the profiles in time: ${message}`,
  );
}

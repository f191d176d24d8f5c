// SPDX-License-Identifier: Apache-2.0
//
// Sends metrics to a receiver of Prometheus remote write. What the receiver does not want will not become wanted, so only
// failures that may pass are tried again: no connection, no answer in time, 429 and 5xx.

import { setTimeout as sleep } from 'node:timers/promises';
import { TENANT_HEADER } from '@hearthscope/collector/tenant';
import { messageOf } from '@hearthscope/profile/errors';

export interface RemoteWriteOptions {
  readonly url: string;
  /** Of every request; they do not replace those of the protocol. */
  readonly headers: Readonly<Record<string, string>>;
  readonly requestTimeoutMillis: number;
  readonly attempts: number;
  /** Before the second attempt; twice as long before each further one. */
  readonly firstRetryMillis: number;
}

export type SendResult =
  | { readonly result: 'sent' }
  /** `rejected`: it never will be taken. The others may pass. */
  | { readonly result: 'rejected' | 'throttled' | 'server_error' | 'unreachable'; readonly message: string };

const TOO_MANY_REQUESTS = 429;
const MAX_RETRY_AFTER_MILLIS = 10_000;

/** What one attempt came to, and how long the receiver asks to be left alone. */
interface Attempt {
  readonly outcome: SendResult;
  readonly retryAfterMillis: number;
}

export class RemoteWriteClient {
  readonly #options: RemoteWriteOptions;

  constructor(options: RemoteWriteOptions) {
    this.#options = options;
  }

  /** Does not throw. @param body of remote-write-message.ts */
  async send(tenant: string, body: Uint8Array, signal: AbortSignal): Promise<SendResult> {
    const { attempts, firstRetryMillis } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const { outcome, retryAfterMillis } = await this.#sendOnce(tenant, body, signal);
      const isFinal = outcome.result === 'sent' || outcome.result === 'rejected';
      if (isFinal || attempt >= attempts || signal.aborted) return outcome;
      const pauseMillis = Math.max(firstRetryMillis * 2 ** (attempt - 1), retryAfterMillis);
      await sleep(pauseMillis, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #sendOnce(tenant: string, body: Uint8Array, signal: AbortSignal): Promise<Attempt> {
    const { url, requestTimeoutMillis } = this.#options;
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: this.#headersOf(tenant),
        body,
        // A redirect would take the tenant's data, and the headers, to where nobody sent them.
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMillis)]),
      });
      await response.body?.cancel();
      return { outcome: resultOf(response), retryAfterMillis: retryAfterMillis(response) };
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      return { outcome: { result: 'unreachable', message: messageOf(cause) }, retryAfterMillis: 0 };
    }
  }

  /** Those of the protocol replace those of the operator that have the same name. */
  #headersOf(tenant: string): Headers {
    const headers = new Headers(this.#options.headers);
    headers.set('Content-Type', 'application/x-protobuf');
    headers.set('Content-Encoding', 'snappy');
    // What receivers know the metrics of profiles by.
    headers.set('User-Agent', 'pyroscope-metrics-exporter');
    headers.set('X-Prometheus-Remote-Write-Version', '0.1.0');
    headers.set(TENANT_HEADER, tenant);
    return headers;
  }
}

function resultOf({ status, ok }: Response): SendResult {
  if (ok) return { result: 'sent' };
  const message = `the receiver answered ${status}`;
  if (status === TOO_MANY_REQUESTS) return { result: 'throttled', message };
  return { result: status >= 500 ? 'server_error' : 'rejected', message };
}

function retryAfterMillis({ headers }: Response): number {
  const seconds = Number(headers.get('retry-after') ?? 0);
  return seconds > 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MILLIS) : 0;
}

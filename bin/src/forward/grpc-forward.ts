// SPDX-License-Identifier: Apache-2.0
//
// Forwards as OTLP over gRPC. A channel has fixed metadata, so each tenant has one; they share connections.

import { GrpcTransport } from '@hearthscope/agent/export/grpc-transport';
import type {
  ForwardOutcome,
  ForwardRequest,
  ForwardTransport,
} from '@hearthscope/collector/forward/forward-transport';
import type { ErrorCode } from '@hearthscope/profile/errors';

export interface GrpcForwardOptions {
  readonly url: string;
  readonly headersOf: (tenant: string) => Readonly<Record<string, string>>;
  readonly timeoutMillis: number;
  /** Empty for the system's authorities. */
  readonly caFile: string;
}

/** Tenants beyond this close the channel of the one that was used least recently. */
const MAX_CHANNELS = 256;
const CODES: Readonly<Record<string, ErrorCode>> = {
  grpc_3: 'invalid_argument',
  grpc_7: 'permission_denied',
  grpc_8: 'resource_exhausted',
  grpc_12: 'unimplemented',
  grpc_16: 'unauthenticated',
};

export class GrpcForward implements ForwardTransport {
  readonly #options: GrpcForwardOptions;
  readonly #channels = new Map<string, Promise<GrpcTransport>>();

  constructor(options: GrpcForwardOptions) {
    this.#options = options;
  }

  async send({ tenant, body }: ForwardRequest, signal: AbortSignal): Promise<ForwardOutcome> {
    const channel = await this.#channel(tenant);
    const outcome = await channel.send({ body }, signal);
    return outcome.kind === 'refused' ? { ...outcome, code: CODES[outcome.reason] ?? 'internal' } : outcome;
  }

  close(): void {
    for (const channel of this.#channels.values()) void channel.then((opened) => opened.close());
  }

  #channel(tenant: string): Promise<GrpcTransport> {
    const { url, timeoutMillis, caFile } = this.#options;
    const channel =
      this.#channels.get(tenant) ??
      GrpcTransport.create({
        endpoint: url,
        headers: this.#options.headersOf(tenant),
        timeoutMillis,
        ...(caFile !== '' && { caFile }),
      });
    this.#channels.delete(tenant);
    this.#channels.set(tenant, channel);
    const [oldest] = this.#channels;
    if (this.#channels.size > MAX_CHANNELS) {
      this.#channels.delete(oldest![0]);
      void oldest![1].then((opened) => opened.close());
    }
    return channel;
  }
}

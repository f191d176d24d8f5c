// SPDX-License-Identifier: Apache-2.0
//
// OTLP over gRPC. The library is loaded when this protocol is asked for: it costs some 15 MB that users of HTTP keep.
// https://opentelemetry.io/docs/specs/otlp/#otlpgrpc says which codes are worth a retry.

import { readFileSync } from 'node:fs';
import type { Client, Metadata, ServiceError } from '@grpc/grpc-js';
import { decodeOtlpResponse } from '@hearthscope/profile/codecs/otlp-response';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { decodeRpcStatus } from './rpc-status.ts';
import {
  type ExportOutcome,
  type ExportRequest,
  type ExportTransport,
  printableMessage,
} from './transport.ts';

export const EXPORT_METHOD = '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export';

export interface GrpcTransportOptions {
  /** `http://host:port`, `https://host:port`, or `host:port` for plain text. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMillis: number;
  readonly caFile?: string;
}

/** Status codes by number, as the gRPC specification numbers them. */
const RETRYABLE_CODES: ReadonlyMap<number, string> = new Map([
  [1, 'cancelled'],
  [4, 'deadline_exceeded'],
  [10, 'aborted'],
  [11, 'out_of_range'],
  [14, 'unavailable'],
  [15, 'data_loss'],
]);
/** Retryable only when the receiver says when. */
const RESOURCE_EXHAUSTED = 8;
const GZIP = 2;
const MAX_RESPONSE_BYTES = 64 * 1024;
const MAX_RECONNECT_BACKOFF_MILLIS = 10_000;

export class GrpcTransport implements ExportTransport {
  /** The channel compresses by itself. */
  readonly wantsGzip = false;
  readonly #client: Client;
  readonly #metadata: Metadata;
  readonly #timeoutMillis: number;

  private constructor(client: Client, metadata: Metadata, timeoutMillis: number) {
    this.#client = client;
    this.#metadata = metadata;
    this.#timeoutMillis = timeoutMillis;
  }

  /** Connects with the first request. @throws HearthscopeError invalid_argument */
  static async create(options: GrpcTransportOptions): Promise<GrpcTransport> {
    const { target, secure } = grpcTarget(options.endpoint);
    const { Client, credentials, Metadata } = await import('@grpc/grpc-js');
    const ca = options.caFile === undefined ? null : readFileSync(options.caFile);
    const client = new Client(target, secure ? credentials.createSsl(ca) : credentials.createInsecure(), {
      'grpc.default_compression_algorithm': GZIP,
      'grpc.max_receive_message_length': MAX_RESPONSE_BYTES,
      'grpc.max_reconnect_backoff_ms': MAX_RECONNECT_BACKOFF_MILLIS,
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
    });
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(options.headers)) metadata.set(name, value);
    return new GrpcTransport(client, metadata, options.timeoutMillis);
  }

  send({ body }: ExportRequest, signal: AbortSignal): Promise<ExportOutcome> {
    if (signal.aborted) return Promise.resolve(retry('aborted', 'stopping', undefined));
    return new Promise((resolve) => {
      const abort = (): void => call.cancel();
      const call = this.#client.makeUnaryRequest(
        EXPORT_METHOD,
        (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        (bytes: Buffer) => bytes,
        body,
        this.#metadata,
        { deadline: Date.now() + this.#timeoutMillis },
        (error, bytes) => {
          signal.removeEventListener('abort', abort);
          resolve(error === null ? acceptedOutcome(bytes) : outcomeOf(error));
        },
      );
      signal.addEventListener('abort', abort);
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** @throws HearthscopeError invalid_argument */
function grpcTarget(endpoint: string): { target: string; secure: boolean } {
  const match = /^(?:(https?):\/\/)?(\[[0-9a-fA-F:]+\]|[^/:]+)(?::(\d{1,5}))?\/?$/.exec(endpoint);
  if (match === null) {
    throw new HearthscopeError(
      'invalid_argument',
      `the endpoint for gRPC must be http://host:port, https://host:port or host:port, not ${JSON.stringify(endpoint)}`,
    );
  }
  const [, scheme, host, port] = match;
  const secure = scheme === 'https';
  return { target: `dns:///${host}:${port ?? (secure ? 443 : 4317)}`, secure };
}

function acceptedOutcome(bytes: Buffer | undefined): ExportOutcome {
  try {
    const { rejectedProfiles, errorMessage } = decodeOtlpResponse(bytes ?? Buffer.alloc(0));
    return {
      kind: 'accepted',
      rejectedProfiles: Number(rejectedProfiles),
      message: printableMessage(errorMessage),
    };
  } catch (error) {
    return { kind: 'accepted', rejectedProfiles: 0, message: `unreadable answer: ${messageOf(error)}` };
  }
}

function outcomeOf(error: ServiceError): ExportOutcome {
  const retryAfterMillis = retryDelayOf(error.metadata);
  const message = printableMessage(error.details || error.message);
  const reason = RETRYABLE_CODES.get(error.code);
  if (reason !== undefined) return retry(reason, message, retryAfterMillis);
  if (error.code === RESOURCE_EXHAUSTED && retryAfterMillis !== undefined) {
    return retry('resource_exhausted', message, retryAfterMillis);
  }
  return { kind: 'refused', reason: `grpc_${error.code}`, message };
}

function retry(reason: string, message: string, retryAfterMillis: number | undefined): ExportOutcome {
  return { kind: 'retry', reason, message, retryAfterMillis };
}

function retryDelayOf(metadata: Metadata | undefined): number | undefined {
  const details = metadata?.get('grpc-status-details-bin')[0];
  if (!Buffer.isBuffer(details)) return undefined;
  try {
    return decodeRpcStatus(details).retryDelayMillis;
  } catch {
    return undefined;
  }
}

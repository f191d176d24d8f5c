// SPDX-License-Identifier: Apache-2.0
//
// OTLP over HTTP: POST of the gzipped protobuf to /v1development/profiles on one kept-alive connection.
// https://opentelemetry.io/docs/specs/otlp/#otlphttp says which answers are worth a retry.

import { readFileSync } from 'node:fs';
import { type Agent, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { decodeOtlpResponse } from '@hearthscope/profile/codecs/otlp-response';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import { decodeRpcStatus } from './rpc-status.ts';
import {
  type ExportOutcome,
  type ExportRequest,
  type ExportTransport,
  printableMessage,
} from './transport.ts';

export const PROFILES_PATH = '/v1development/profiles';

export interface HttpTransportOptions {
  /** Base URL, to which {@link PROFILES_PATH} is added unless it ends in it already. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMillis: number;
  /** PEM file of the authorities to trust, for https. */
  readonly caFile?: string;
}

const RETRYABLE_STATUS: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const MAX_RESPONSE_BYTES = 64 * 1024;

export class HttpTransport implements ExportTransport {
  readonly wantsGzip = true;
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMillis: number;
  readonly #agent: Agent;

  /** @throws HearthscopeError invalid_argument */
  constructor(options: HttpTransportOptions) {
    this.#url = profilesUrl(options.endpoint);
    this.#headers = options.headers;
    this.#timeoutMillis = options.timeoutMillis;
    const keepAlive = { keepAlive: true, maxSockets: 1 };
    if (this.#url.protocol === 'https:') {
      const ca = options.caFile === undefined ? {} : { ca: readFileSync(options.caFile) };
      this.#agent = new HttpsAgent({ ...keepAlive, ...ca });
    } else {
      this.#agent = new HttpAgent(keepAlive);
    }
  }

  async send({ body }: ExportRequest, signal: AbortSignal): Promise<ExportOutcome> {
    const timeout = AbortSignal.timeout(this.#timeoutMillis);
    try {
      const { response, bytes } = await this.#post(body, AbortSignal.any([signal, timeout]));
      return outcomeOf(response, bytes);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const reason = signal.aborted ? 'aborted' : timeout.aborted ? 'timeout' : (code ?? 'network');
      // A certificate that does not check out now may do so after a rotation, so it is retried as well.
      return { kind: 'retry', reason, message: messageOf(error), retryAfterMillis: undefined };
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(body: Uint8Array, signal: AbortSignal): Promise<{ response: IncomingMessage; bytes: Buffer }> {
    return new Promise((resolve, reject) => {
      const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
      const request = send(this.#url, {
        method: 'POST',
        agent: this.#agent,
        signal,
        headers: {
          ...this.#headers,
          'content-type': 'application/x-protobuf',
          'content-encoding': 'gzip',
          'content-length': body.byteLength,
        },
      });
      request.on('error', reject);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length <= MAX_RESPONSE_BYTES) chunks.push(chunk);
          // Not kept and not waited for: the status says enough.
          else response.destroy();
        });
        response.on('error', reject);
        response.on('close', () => resolve({ response, bytes: Buffer.concat(chunks) }));
      });
      request.end(body);
    });
  }
}

/** @throws HearthscopeError invalid_argument */
function profilesUrl(endpoint: string): URL {
  const url = URL.parse(endpoint);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new HearthscopeError(
      'invalid_argument',
      `the endpoint must be a URL such as http://localhost:4318, not ${JSON.stringify(endpoint)}`,
    );
  }
  if (!url.pathname.endsWith(PROFILES_PATH)) {
    url.pathname = `${url.pathname.replace(/\/+$/, '')}${PROFILES_PATH}`;
  }
  return url;
}

function outcomeOf(response: IncomingMessage, bytes: Buffer): ExportOutcome {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return acceptedOutcome(response, bytes);
  const details = errorDetails(response, bytes);
  const message = `${status} ${response.statusMessage ?? ''}: ${details.message}`;
  if (!RETRYABLE_STATUS.has(status)) return { kind: 'refused', reason: `http_${status}`, message };
  const retryAfterMillis = parseRetryAfter(response.headers['retry-after']) ?? details.retryDelayMillis;
  return { kind: 'retry', reason: `http_${status}`, message, retryAfterMillis };
}

function acceptedOutcome(response: IncomingMessage, bytes: Buffer): ExportOutcome {
  if (isProtobuf(response)) {
    try {
      const { rejectedProfiles, errorMessage } = decodeOtlpResponse(bytes);
      return {
        kind: 'accepted',
        rejectedProfiles: Number(rejectedProfiles),
        message: printableMessage(errorMessage),
      };
    } catch (error) {
      return { kind: 'accepted', rejectedProfiles: 0, message: `unreadable answer: ${messageOf(error)}` };
    }
  }
  return { kind: 'accepted', rejectedProfiles: 0, message: '' };
}

function errorDetails(
  response: IncomingMessage,
  bytes: Buffer,
): { message: string; retryDelayMillis: number | undefined } {
  if (isProtobuf(response)) {
    try {
      const { message, retryDelayMillis } = decodeRpcStatus(bytes);
      return { message: printableMessage(message), retryDelayMillis };
    } catch {
      return { message: 'unreadable status', retryDelayMillis: undefined };
    }
  }
  return { message: printableMessage(bytes.toString('utf8')), retryDelayMillis: undefined };
}

function isProtobuf(response: IncomingMessage): boolean {
  return /^application\/(x-)?protobuf\b/.test(response.headers['content-type'] ?? '');
}

/** Seconds or an HTTP date (RFC 9110 §10.2.3), as milliseconds from now; undefined when absent or malformed. */
export function parseRetryAfter(
  value: string | undefined,
  nowMillis: number = Date.now(),
): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMillis);
}

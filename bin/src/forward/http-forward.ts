// SPDX-License-Identifier: Apache-2.0
//
// Forwards over HTTP: OTLP's POST or Connect's call of push.v1, gzipped, on kept-alive connections.

import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { PROFILES_PATH, parseRetryAfter } from '@hearthscope/agent/export/http-transport';
import { printableMessage } from '@hearthscope/agent/export/transport';
import type {
  ForwardOutcome,
  ForwardRequest,
  ForwardTransport,
} from '@hearthscope/collector/forward/forward-transport';
import { decodeOtlpResponse } from '@hearthscope/profile/codecs/otlp-response';
import { type ErrorCode, messageOf } from '@hearthscope/profile/errors';

export interface HttpForwardOptions {
  /** Base URL of the receiver. */
  readonly url: string;
  readonly protocol: 'push' | 'otlp-http';
  readonly headersOf: (tenant: string) => Readonly<Record<string, string>>;
  /** PEM file of the authorities to trust; empty for the system's. */
  readonly caFile: string;
}

const PUSH_PATH = '/push.v1.PusherService/Push';
const MAX_SOCKETS = 64;
const MAX_ANSWER_BYTES = 64 * 1024;
const RETRYABLE_STATUS: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);
const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'unimplemented',
  413: 'resource_exhausted',
  415: 'unimplemented',
  422: 'invalid_argument',
};

interface Answer {
  readonly response: IncomingMessage;
  readonly bytes: Buffer;
}

const compress = promisify(gzip);

export class HttpForward implements ForwardTransport {
  readonly #options: HttpForwardOptions;
  readonly #url: URL;
  readonly #agent: HttpAgent;

  constructor(options: HttpForwardOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    const path = options.protocol === 'push' ? PUSH_PATH : PROFILES_PATH;
    this.#url.pathname = `${this.#url.pathname.replace(/\/+$/, '')}${path}`;
    const sockets = { keepAlive: true, maxSockets: MAX_SOCKETS };
    this.#agent =
      this.#url.protocol === 'https:'
        ? new HttpsAgent({ ...sockets, ...(options.caFile !== '' && { ca: readFileSync(options.caFile) }) })
        : new HttpAgent(sockets);
  }

  async send({ tenant, body }: ForwardRequest, signal: AbortSignal): Promise<ForwardOutcome> {
    try {
      return this.#outcome(await this.#post(tenant, await compress(body), signal));
    } catch (error) {
      const reason = signal.aborted ? 'timeout' : ((error as NodeJS.ErrnoException).code ?? 'network');
      return { kind: 'retry', reason, message: messageOf(error), retryAfterMillis: undefined };
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(tenant: string, body: Buffer, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
      const isPush = this.#options.protocol === 'push';
      const request = send(this.#url, {
        method: 'POST',
        agent: this.#agent,
        signal,
        headers: {
          ...this.#options.headersOf(tenant),
          'content-type': isPush ? 'application/proto' : 'application/x-protobuf',
          'content-encoding': 'gzip',
          'content-length': body.length,
          ...(isPush && { 'connect-protocol-version': '1' }),
        },
      });
      request.on('error', reject);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length <= MAX_ANSWER_BYTES) chunks.push(chunk);
          // Not kept and not waited for: the status says enough.
          else response.destroy();
        });
        response.on('error', reject);
        response.on('close', () => resolve({ response, bytes: Buffer.concat(chunks) }));
      });
      request.end(body);
    });
  }

  #outcome({ response, bytes }: Answer): ForwardOutcome {
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return this.#accepted(bytes);
    const message = printableMessage(`${status} ${messageOfBody(response, bytes)}`);
    if (!RETRYABLE_STATUS.has(status)) {
      return { kind: 'refused', reason: `http_${status}`, message, code: CODES[status] ?? 'internal' };
    }
    const retryAfterMillis = parseRetryAfter(response.headers['retry-after']);
    return { kind: 'retry', reason: `http_${status}`, message, retryAfterMillis };
  }

  /** Push has an empty answer; OTLP's may speak of a part that was refused. */
  #accepted(bytes: Buffer): ForwardOutcome {
    if (this.#options.protocol === 'push') return { kind: 'accepted', rejectedProfiles: 0, message: '' };
    try {
      const { rejectedProfiles, errorMessage } = decodeOtlpResponse(bytes);
      return {
        kind: 'accepted',
        rejectedProfiles: Number(rejectedProfiles),
        message: printableMessage(errorMessage),
      };
    } catch {
      // A back end that answers in another format has taken the profiles all the same.
      return { kind: 'accepted', rejectedProfiles: 0, message: '' };
    }
  }
}

function messageOfBody(response: IncomingMessage, bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!/json/.test(response.headers['content-type'] ?? '')) return text;
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text;
  }
}

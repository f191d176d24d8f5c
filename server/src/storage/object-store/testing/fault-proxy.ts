// SPDX-License-Identifier: Apache-2.0
//
// Stands between a client and a server of HTTP, and does to requests and answers what networks do.

import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What happens to one request.
 * - `refuse`: the server is not asked; 503 is answered.
 * - `reset`: the server is not asked; the connection breaks.
 * - `lose`: the server does what was asked; the connection breaks before the answer.
 * - `stall`: the server does what was asked; the answer never comes.
 * - `truncate`: half of the answer's body comes, then the connection breaks.
 * - `repeat`: the server is asked twice; the second answer comes.
 * - `delay`: the answer comes late, behind others. */
export type Fault = 'refuse' | 'reset' | 'lose' | 'stall' | 'truncate' | 'repeat' | 'delay';

export interface ProxiedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Content-Range of what is sent, empty when there is none. */
  readonly range: string;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const MAX_DELAY_MILLIS = 60;

export class FaultProxy {
  /** Chooses what happens; undefined for nothing. */
  fault: (request: ProxiedRequest) => Fault | undefined = () => undefined;
  readonly requests: ProxiedRequest[] = [];
  readonly #server: Server;
  /** The address of the server. */
  target: string;

  private constructor(target: string) {
    this.target = target;
    this.#server = createServer((incoming, response) => {
      this.#handle(incoming, response).catch(() => response.destroy());
    });
  }

  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const asked = {
      method: incoming.method ?? '',
      path: incoming.url ?? '',
      range: incoming.headers['content-range'] ?? '',
    };
    this.requests.push(asked);
    const fault = this.fault(asked);
    if (fault === 'refuse') {
      response.writeHead(503, { 'content-length': 0 }).end();
      return;
    }
    if (fault === 'reset') {
      incoming.socket.destroy();
      return;
    }
    if (fault === 'repeat') await this.#forward(incoming, body);
    const answer = await this.#forward(incoming, body);
    if (fault === 'stall') return;
    if (fault === 'delay') await sleep(Math.random() * MAX_DELAY_MILLIS);
    if (fault === 'lose' || (fault === 'truncate' && answer.body.length === 0)) {
      incoming.socket.destroy();
      return;
    }
    const { 'transfer-encoding': _, ...headers } = answer.headers;
    response.writeHead(answer.status, {
      ...headers,
      // A HEAD's answer has the length of what it does not send.
      'content-length': asked.method === 'HEAD' ? (headers['content-length'] ?? '0') : answer.body.length,
    });
    if (fault !== 'truncate') {
      response.end(answer.body);
      return;
    }
    response.write(answer.body.subarray(0, answer.body.length >> 1), () => incoming.socket.destroy());
  }

  #forward({ method, url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        `${this.target}${url}`,
        { method, headers: { ...headers, connection: 'close' } },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('error', reject);
          answer.on('end', () =>
            resolve({
              status: answer.statusCode ?? 500,
              headers: answer.headers,
              body: Buffer.concat(parts),
            }),
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// Resumable uploads of Google Cloud Storage in memory, as its documentation tells them: parts that come again, uploads that
// are asked how far they are, uploads that are over. The emulator that other tests use knows none of it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

interface Upload {
  readonly key: string;
  readonly metadata: Readonly<Record<string, string>>;
  bytes: Buffer;
  isOver: boolean;
}

interface StoredObject {
  readonly bytes: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
}

const RESUME_INCOMPLETE = 308;
const CLIENT_CLOSED_REQUEST = 499;

export class MemoryGcs {
  readonly objects = new Map<string, StoredObject>();
  readonly uploads = new Map<string, Upload>();
  /** Where clients reach it. */
  externalUrl = '';
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<MemoryGcs> {
    const gcs = new MemoryGcs();
    await new Promise<void>((resolve) => gcs.#server.listen(0, '127.0.0.1', resolve));
    gcs.externalUrl = gcs.url;
    return gcs;
  }

  get url(): string {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const url = new URL(request.url ?? '/', 'http://localhost');
    const id = url.searchParams.get('upload_id');
    if (id !== null) this.#continue(id, request, body, response);
    else if (url.searchParams.get('uploadType') === 'resumable') this.#begin(url, body, response);
    else if (url.pathname.endsWith('/o')) json(response, 200, { items: [] });
    else this.#read(decodeURIComponent(url.pathname.split('/o/')[1] ?? ''), url, response);
  }

  #begin(url: URL, body: Buffer, response: ServerResponse): void {
    const { metadata = {} } = JSON.parse(body.toString('utf8')) as { metadata?: Record<string, string> };
    const id = String(this.uploads.size + 1);
    this.uploads.set(id, {
      key: url.searchParams.get('name') ?? '',
      metadata,
      bytes: Buffer.alloc(0),
      isOver: false,
    });
    response.setHeader('location', `${this.externalUrl}/upload?upload_id=${id}`);
    json(response, 200, {});
  }

  #continue(id: string, request: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const upload = this.uploads.get(id);
    if (upload === undefined) {
      json(response, 404, {});
      return;
    }
    if (request.method === 'DELETE') {
      this.uploads.delete(id);
      json(response, CLIENT_CLOSED_REQUEST, {});
      return;
    }
    if (upload.isOver) {
      json(response, 200, {});
      return;
    }
    const range = /^bytes (?:\*|(\d+)-(\d+))\/(\d+)$/.exec(request.headers['content-range'] ?? '');
    const start = Number(range?.[1] ?? upload.bytes.length);
    if (range === null || start > upload.bytes.length) {
      json(response, 400, {});
      return;
    }
    upload.bytes = Buffer.concat([upload.bytes, body.subarray(upload.bytes.length - start)]);
    if (upload.bytes.length === Number(range[3])) {
      upload.isOver = true;
      this.objects.set(upload.key, upload);
      json(response, 200, {});
      return;
    }
    if (upload.bytes.length > 0) response.setHeader('range', `bytes=0-${upload.bytes.length - 1}`);
    json(response, RESUME_INCOMPLETE, {});
  }

  #read(key: string, url: URL, response: ServerResponse): void {
    const object = this.objects.get(key);
    if (object === undefined) {
      json(response, 404, { error: { code: 404, message: 'No such object' } });
    } else if (url.searchParams.get('alt') === 'media') {
      response.writeHead(200, { 'content-length': object.bytes.length }).end(object.bytes);
    } else {
      json(response, 200, { size: String(object.bytes.length), metadata: object.metadata });
    }
  }
}

function json(response: ServerResponse, status: number, value: object): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
}

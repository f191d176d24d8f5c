// SPDX-License-Identifier: Apache-2.0
//
// One bucket of S3 in memory, as far as stores use the protocol: for tests of what happens between a client and its storage,
// where no server of others is at hand. Its answers are those of the real thing; nothing is signed or checked.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

interface StoredObject {
  readonly bytes: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Upload {
  readonly key: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly parts: Map<number, Buffer>;
}

const METADATA_PREFIX = 'x-amz-meta-';

export class MemoryS3 {
  readonly objects = new Map<string, StoredObject>();
  readonly uploads = new Map<string, Upload>();
  /** What it says to everything, when it is set. */
  failure: { readonly status: number; readonly code: string; readonly message: string } | undefined;
  /** Changes what a page of a listing says. */
  listed: (page: readonly string[]) => readonly string[] = (page) => page;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<MemoryS3> {
    const s3 = new MemoryS3();
    await new Promise<void>((resolve) => s3.#server.listen(0, '127.0.0.1', resolve));
    return s3;
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
    const key = decodeURIComponent(url.pathname).split('/').slice(2).join('/');
    const { failure } = this;
    if (failure !== undefined) {
      refuse(response, failure.status, failure.code, failure.message);
      return;
    }
    const uploadId = url.searchParams.get('uploadId');
    if (key === '') this.#list(url, response);
    else if (request.method === 'POST' && url.searchParams.has('uploads')) {
      const id = `upload-${this.uploads.size + 1}`;
      this.uploads.set(id, { key, metadata: metadataOf(request), parts: new Map() });
      xml(
        response,
        `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      );
    } else if (uploadId !== null) this.#upload(uploadId, request, url, body, response);
    else this.#object(key, request, body, response);
  }

  #object(key: string, request: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const object = this.objects.get(key);
    switch (request.method) {
      case 'PUT': {
        if (request.headers['if-none-match'] === '*' && object !== undefined) {
          refuse(
            response,
            412,
            'PreconditionFailed',
            'At least one of the pre-conditions you specified did not hold',
          );
          return;
        }
        const digest = request.headers['content-md5'];
        if (digest !== undefined && digest !== createHash('md5').update(body).digest('base64')) {
          refuse(response, 400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
          return;
        }
        this.objects.set(key, { bytes: body, metadata: metadataOf(request) });
        response.writeHead(200, { etag: '"0"', 'content-length': 0 }).end();
        return;
      }
      case 'DELETE':
        this.objects.delete(key);
        response.writeHead(204).end();
        return;
      default: {
        if (object === undefined) {
          refuse(response, 404, 'NoSuchKey', 'The specified key does not exist.', request.method === 'HEAD');
          return;
        }
        const { bytes, metadata } = object;
        const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
        const start = Number(range?.[1] ?? 0);
        if (range !== null && start >= bytes.length) {
          refuse(response, 416, 'InvalidRange', 'The requested range is not satisfiable');
          return;
        }
        const part = range === null ? bytes : bytes.subarray(start, Number(range[2]) + 1);
        response.writeHead(range === null ? 200 : 206, {
          ...Object.fromEntries(
            Object.entries(metadata).map(([name, value]) => [METADATA_PREFIX + name, value]),
          ),
          ...(range && { 'content-range': `bytes ${start}-${start + part.length - 1}/${bytes.length}` }),
          'content-length': part.length,
        });
        response.end(request.method === 'HEAD' ? undefined : part);
      }
    }
  }

  #upload(id: string, request: IncomingMessage, url: URL, body: Buffer, response: ServerResponse): void {
    const upload = this.uploads.get(id);
    if (upload === undefined) {
      refuse(response, 404, 'NoSuchUpload', 'The specified upload does not exist.');
    } else if (request.method === 'PUT') {
      upload.parts.set(Number(url.searchParams.get('partNumber')), body);
      response.writeHead(200, { etag: `"${url.searchParams.get('partNumber')}"`, 'content-length': 0 }).end();
    } else if (request.method === 'DELETE') {
      this.uploads.delete(id);
      response.writeHead(204).end();
    } else {
      const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
      this.objects.set(upload.key, { bytes: Buffer.concat(parts), metadata: upload.metadata });
      this.uploads.delete(id);
      xml(response, '<CompleteMultipartUploadResult><ETag>"0"</ETag></CompleteMultipartUploadResult>');
    }
  }

  #list(url: URL, response: ServerResponse): void {
    const prefix = url.searchParams.get('prefix') ?? '';
    const byFolder = url.searchParams.get('delimiter') === '/';
    const maxKeys = Number(url.searchParams.get('max-keys') ?? 1000);
    const after = url.searchParams.get('continuation-token') ?? '';
    const names = new Set<string>();
    for (const key of this.objects.keys()) {
      if (!key.startsWith(prefix)) continue;
      const slash = byFolder ? key.indexOf('/', prefix.length) : -1;
      names.add(slash < 0 ? key : key.slice(0, slash + 1));
    }
    const left = [...names].filter((name) => name > after).sort();
    const page = left.slice(0, maxKeys);
    const isTruncated = page.length < left.length;
    const entries = this.listed(page).map((name) =>
      byFolder && name.endsWith('/')
        ? `<CommonPrefixes><Prefix>${name}</Prefix></CommonPrefixes>`
        : `<Contents><Key>${name}</Key><Size>${this.objects.get(name)!.bytes.length}</Size></Contents>`,
    );
    const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
    xml(
      response,
      `<ListBucketResult><KeyCount>${page.length}</KeyCount><IsTruncated>${isTruncated}</IsTruncated>${next}${entries.join('')}</ListBucketResult>`,
    );
  }
}

function metadataOf(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers)
      .filter(([name]) => name.startsWith(METADATA_PREFIX))
      .map(([name, value]) => [name.slice(METADATA_PREFIX.length), String(value)]),
  );
}

function xml(response: ServerResponse, text: string): void {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
  response.writeHead(200, { 'content-type': 'application/xml', 'content-length': body.length }).end(body);
}

function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  isHead = false,
): void {
  const body = Buffer.from(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length });
  response.end(isHead ? undefined : body);
}

// SPDX-License-Identifier: Apache-2.0
//
// The bytes of an upload: POST /debuginfo.v1alpha1.DebuginfoService/Upload/{gnu_build_id} with the ELF file as its body,
// gzip or not. It goes to disk as it arrives; at no time is there more of it in memory than a few chunks.

import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Authenticator } from '@hearthscope/collector/auth/authenticator';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import type { Logger } from 'pino';
import { RETRY_AFTER_SECONDS, sendError } from '../http/error-response.ts';
import { identityOf } from '../http/request-identity.ts';
import type { HttpRequest, HttpResponse } from '../listen.ts';
import { endRequest, type Readiness } from '../receivers/receiver-context.ts';
import { parseBuildId } from './build-id.ts';
import { DEFAULT_DEBUG_INFO_LIMITS } from './debug-info-limits.ts';
import type { UploadResult } from './debug-info-metrics.ts';
import type { DebugInfoStore } from './debug-info-store.ts';
import { UploadRefusal, uploadRefusalOf } from './upload-refusal.ts';

const UPLOAD_PATH = '/debuginfo.v1alpha1.DebuginfoService/Upload/';

/** What all uploads are counted as among the routes. */
export const UPLOAD_ROUTE = UPLOAD_PATH.slice(0, -1);

/** Whether a path is that of an upload, of whatever build id. */
export function isUploadPath(path: string): boolean {
  return path.startsWith(UPLOAD_PATH);
}

export interface UploadReceiverOptions {
  /** Undefined when uploads are not taken. */
  readonly store: DebugInfoStore | undefined;
  readonly readiness: () => Readiness;
  /** Says whose debug information it is. */
  readonly authenticator: Authenticator;
  readonly logger: Logger;
}

export class UploadReceiver {
  readonly #options: UploadReceiverOptions;

  constructor(options: UploadReceiverOptions) {
    this.#options = options;
  }

  handle(request: HttpRequest, response: HttpResponse, path: string): void {
    void this.#answer(request, response, path.slice(UPLOAD_PATH.length));
  }

  async #answer(request: HttpRequest, response: HttpResponse, buildIdText: string): Promise<void> {
    const { store } = this.#options;
    const count = (result: UploadResult) => store?.metrics.uploads.inc({ result });
    const timeoutMillis = (store?.limits ?? DEFAULT_DEBUG_INFO_LIMITS).uploadTimeoutMillis;
    const deadline = giveUpAfter(timeoutMillis, request, response);
    try {
      const isStored = await this.#receive(request, buildIdText, store);
      count(isStored ? 'stored' : 'already_there');
      response.statusCode = 200;
      response.setHeader('Content-Type', 'application/json');
      response.end('{}');
    } catch (error) {
      const { reason, code, message, httpStatus } = deadline.isOver
        ? tooSlow(timeoutMillis)
        : uploadRefusalOf(error);
      count(reason);
      if (reason === 'internal') this.#options.logger.error({ err: error }, 'an upload failed');
      else this.#options.logger.info({ reason }, `an upload was not taken: ${message}`);
      if (!response.headersSent && !response.destroyed) {
        if (reason === 'method_not_allowed') response.setHeader('Allow', 'POST');
        if (reason === 'unsupported_encoding') response.setHeader('Accept-Encoding', 'gzip, identity');
        if (httpStatus === 429) response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
        sendError(response, code, message, httpStatus);
      }
    } finally {
      endRequest(request, response);
    }
  }

  async #receive(
    request: HttpRequest,
    buildIdText: string,
    store: DebugInfoStore | undefined,
  ): Promise<boolean> {
    if (request.method !== 'POST') {
      throw new UploadRefusal('method_not_allowed', `uploads are sent with POST, not ${request.method}`);
    }
    const { ready, reason } = this.#options.readiness();
    if (!ready) throw new UploadRefusal('not_ready', `not ready: ${reason}`);
    if (store === undefined) throw new UploadRefusal('disabled', 'this server takes no debug information');
    const tenant = labelled('tenant', () => this.#options.authenticator.tenant(identityOf(request), 'write'));
    const buildId = labelled('invalid_build_id', () => parseBuildId(buildIdText));
    const isPacked = encodingOf(request) === 'gzip';
    const announcedBytes = Number(request.headers['content-length'] ?? 0);
    return store.receive(tenant, buildId, announcedBytes, async (write) => {
      const chunks = boundedChunks(request, store.limits.maxFileBytes);
      if (isPacked) await unpack(chunks, write);
      else for await (const chunk of chunks) await write(chunk);
    });
  }
}

/** The chunks as they come in; more of them than the limit are not taken, whatever they unpack to. */
async function* boundedChunks(request: HttpRequest, maxBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes) break;
      yield chunk;
    }
  } catch (error) {
    throw new UploadRefusal('aborted', `the upload ended early: ${messageOf(error)}`);
  }
  if (bytes > maxBytes) throw new UploadRefusal('too_large', `the file is larger than ${maxBytes} bytes`);
}

async function unpack(
  chunks: AsyncIterable<Buffer>,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  let writeError: unknown;
  try {
    await pipeline(chunks, createGunzip(), async (unpacked) => {
      for await (const chunk of unpacked as AsyncIterable<Buffer>) {
        try {
          await write(chunk);
        } catch (error) {
          writeError = error;
          throw error;
        }
      }
    });
  } catch (error) {
    if (error === writeError || error instanceof UploadRefusal) throw error;
    throw new UploadRefusal('malformed_body', `gzip: ${messageOf(error)}`);
  }
}

function encodingOf({ headers }: HttpRequest): 'gzip' | 'identity' {
  const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'gzip' || encoding === 'identity') return encoding;
  throw new UploadRefusal(
    'unsupported_encoding',
    `content encoding ${JSON.stringify(encoding)} is not supported: use gzip or identity`,
  );
}

function labelled<Value>(reason: 'tenant' | 'invalid_build_id', check: () => Value): Value {
  try {
    return check();
  } catch (error) {
    if (error instanceof HearthscopeError) throw new UploadRefusal(reason, error.message, error.code);
    throw error;
  }
}

/** Ends the request at its deadline, after the client was told. What is sent after an early answer is under the same
 * deadline. */
function giveUpAfter(
  millis: number,
  request: HttpRequest,
  response: HttpResponse,
): { readonly isOver: boolean } {
  const deadline = { isOver: false };
  const timer = setTimeout(() => {
    deadline.isOver = true;
    if (response.headersSent) {
      request.destroy();
      return;
    }
    const { code, message, httpStatus } = tooSlow(millis);
    response.setHeader('Connection', 'close');
    response.once('finish', () => request.destroy());
    sendError(response, code, message, httpStatus);
  }, millis);
  const clear = () => clearTimeout(timer);
  request.once('end', clear).once('close', clear);
  return deadline;
}

function tooSlow(millis: number): UploadRefusal {
  return new UploadRefusal('timeout', `the upload took longer than ${millis} ms`);
}

// SPDX-License-Identifier: Apache-2.0
//
// Objects in a bucket of a cloud. Each request is tried a few times, each try has its time, and what came is compared with
// what was promised. A write that is repeated cannot lose against itself: each call marks what it writes, and one that finds
// an object of its own mark has won.

import { randomUUID } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { BucketBody, BucketClient, BucketFailure, BucketPage } from './bucket-client.ts';
import { checkObjectKey, checkObjectPrefix } from './object-key.ts';
import {
  BUCKET_OPERATIONS,
  type BucketOperation,
  checkRange,
  checkSignal,
  type ObjectInfo,
  type ObjectStore,
  type ObjectStoreCounts,
  type RequestOptions,
} from './object-store.ts';
import { type RequestLimits, requestMillis } from './request-limits.ts';

/** Of objects that are there for moments. */
const CHECK_FOLDER = 'write-check';
/** Beyond it a message of a server is cut. */
const MAX_MESSAGE_LENGTH = 500;
/** Lets go of an upload that failed, which is worth one try. */
const CANCEL_MILLIS = 5_000;

export class BucketObjectStore implements ObjectStore {
  readonly location: string;
  readonly #client: BucketClient;
  /** Empty, or with `/` at the end. */
  readonly #prefix: string;
  readonly #limits: RequestLimits;
  readonly #requests = Object.fromEntries(BUCKET_OPERATIONS.map((name) => [name, 0])) as Record<
    BucketOperation,
    number
  >;
  readonly #failures = new Map<string, number>();
  #retries = 0;
  #readBytes = 0;
  #writtenBytes = 0;

  /** @param prefix of all keys; like a key, or empty */
  constructor(client: BucketClient, prefix: string, limits: RequestLimits) {
    checkObjectPrefix(prefix);
    this.#client = client;
    this.#prefix = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
    this.#limits = limits;
    this.location = `${client.location}/${this.#prefix}`.replace(/\/$/, '');
  }

  /** Asks for one entry, so that a wrong bucket or key shows at the start.
   * @throws HearthscopeError */
  async checkReads(options: RequestOptions = {}): Promise<void> {
    await this.#page('', { byFolder: true, maxEntries: 1, page: undefined }, options);
  }

  /** Writes an object twice, as some storages that speak a cloud's protocol store the second one over the first although they
   * are asked not to. With them, writers would undo each other's work.
   * @throws HearthscopeError failed_precondition for such a storage */
  async checkWrites(options: RequestOptions = {}): Promise<void> {
    const key = `${CHECK_FOLDER}/${randomUUID()}`;
    try {
      await this.putIfAbsent(key, Buffer.from('first'), options);
      if (!(await this.putIfAbsent(key, Buffer.from('second'), options))) return;
    } finally {
      await this.delete(key, options);
    }
    throw new HearthscopeError(
      'failed_precondition',
      `${this.location} cannot be used: it ignores the condition to write an object only where there is none (If-None-Match: *)`,
    );
  }

  async getRange(
    key: string,
    start: number,
    length: number,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    const place = this.#place(key);
    checkRange(start, length);
    if (length === 0) {
      if ((await this.head(key, options)) === undefined) throw notFound(key);
      return new Uint8Array(0);
    }
    return this.#try('read', key, length, options, async (signal) => {
      let body: BucketBody;
      try {
        body = await this.#client.read(place, { start, length }, signal);
      } catch (error) {
        // Nothing lies at or behind the end of an object.
        if (!isBeyondEnd(error)) throw error;
        const object = await this.#client.head(place, signal);
        if (object === undefined) throw notFound(key);
        if (start < object.sizeBytes) throw error;
        return new Uint8Array(0);
      }
      const expected = Math.max(0, Math.min(length, body.objectBytes - start));
      if (body.promisedBytes !== expected) {
        throw truncated(key, `${body.promisedBytes} bytes were promised, not ${expected}`);
      }
      return this.#collect(key, body);
    });
  }

  async get(key: string, maxBytes: number, options: RequestOptions = {}): Promise<Uint8Array> {
    const place = this.#place(key);
    return this.#try('read', key, 0, options, async (signal, allow) => {
      const body = await this.#client.read(place, undefined, signal);
      if (body.objectBytes > maxBytes) {
        // The stream is closed when the try ends.
        throw new HearthscopeError(
          'resource_exhausted',
          `${key} has ${body.objectBytes} bytes, at most ${maxBytes} are read`,
        );
      }
      allow(body.promisedBytes);
      return this.#collect(key, body);
    });
  }

  async head(key: string, options: RequestOptions = {}): Promise<ObjectInfo | undefined> {
    const place = this.#place(key);
    const object = await this.#try('head', key, 0, options, (signal) => this.#client.head(place, signal));
    return object === undefined ? undefined : { key, sizeBytes: object.sizeBytes };
  }

  async put(key: string, bytes: Uint8Array, options: RequestOptions = {}): Promise<void> {
    const place = this.#place(key);
    const mark = { writer: randomUUID(), ifAbsent: false };
    await this.#try('write', key, bytes.length, options, (signal) =>
      this.#client.write(place, bytes, mark, signal),
    );
    this.#writtenBytes += bytes.length;
  }

  async putIfAbsent(key: string, bytes: Uint8Array, options: RequestOptions = {}): Promise<boolean> {
    const place = this.#place(key);
    const mark = { writer: randomUUID(), ifAbsent: true };
    let tries = 0;
    const isWritten = await this.#try('write', key, bytes.length, options, (signal) => {
      tries++;
      return this.#client.write(place, bytes, mark, signal);
    });
    if (isWritten || (await this.#isOwn(key, bytes, mark.writer, tries, options))) {
      this.#writtenBytes += bytes.length;
      return true;
    }
    return false;
  }

  async putFile(key: string, path: string, options: RequestOptions = {}): Promise<void> {
    const { partBytes } = this.#limits;
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size <= partBytes) await this.put(key, await readPart(file, path, 0, size), options);
      else await this.#upload(key, file, path, size, options);
    } finally {
      await file.close();
    }
  }

  async *list(prefix: string, options: RequestOptions = {}): AsyncIterable<ObjectInfo> {
    checkObjectPrefix(prefix);
    for await (const { objects } of this.#pages(prefix, false, options)) {
      for (const { key, sizeBytes } of objects) yield { key: key.slice(this.#prefix.length), sizeBytes };
    }
  }

  async *folders(prefix: string, options: RequestOptions = {}): AsyncIterable<string> {
    checkObjectPrefix(prefix);
    const skipped = this.#prefix.length + prefix.length;
    for await (const { folders } of this.#pages(prefix, true, options)) {
      for (const folder of folders) yield folder.slice(skipped, -1);
    }
  }

  async delete(key: string, options: RequestOptions = {}): Promise<void> {
    const place = this.#place(key);
    await this.#try('delete', key, 0, options, (signal) => this.#client.delete(place, signal));
  }

  localPath(): undefined {
    return undefined;
  }

  counters(): ObjectStoreCounts {
    return {
      requests: { ...this.#requests },
      failures: Object.fromEntries(this.#failures),
      retries: this.#retries,
      readBytes: this.#readBytes,
      writtenBytes: this.#writtenBytes,
    };
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  #place(key: string): string {
    checkObjectKey(key);
    return this.#prefix + key;
  }

  /** Whether the object that was in the way is what this call wrote in a try whose answer was lost. */
  async #isOwn(
    key: string,
    bytes: Uint8Array,
    writer: string,
    tries: number,
    options: RequestOptions,
  ): Promise<boolean> {
    const place = this.#place(key);
    const found = await this.#try('head', key, 0, options, (signal) => this.#client.head(place, signal));
    if (found === undefined) {
      if (tries === 1) return false;
      throw new HearthscopeError(
        'unavailable',
        `object ${key}: a write was repeated, and whether it won cannot be told, as the object was removed since`,
      );
    }
    if (found.writer !== undefined) return found.writer === writer;
    // A storage that keeps no metadata: after a lost answer, equal bytes are taken for the own ones.
    if (tries === 1 || found.sizeBytes !== bytes.length) return false;
    return Buffer.from(await this.get(key, bytes.length, options)).equals(bytes);
  }

  async #upload(
    key: string,
    file: FileHandle,
    path: string,
    size: number,
    options: RequestOptions,
  ): Promise<void> {
    const place = this.#place(key);
    const { partBytes } = this.#limits;
    const mark = { writer: randomUUID() };
    const upload = await this.#try('upload', key, 0, options, (signal) =>
      this.#client.beginUpload(place, size, mark, signal),
    );
    try {
      for (let offset = 0; offset < size; offset += partBytes) {
        const part = await readPart(file, path, offset, Math.min(partBytes, size - offset));
        await this.#try('upload', key, part.length, options, (signal) =>
          upload.writePart(offset, part, signal),
        );
        this.#writtenBytes += part.length;
      }
      await this.#try('upload', key, 0, options, async (signal) => {
        try {
          await upload.finish(signal);
        } catch (error) {
          // There is no upload any more when a request whose answer was lost has finished it.
          if (this.#client.failure(error).code !== 'not_found') throw error;
          if ((await this.#client.head(place, signal))?.writer !== mark.writer) throw error;
        }
      });
    } catch (error) {
      await upload.cancel(AbortSignal.timeout(CANCEL_MILLIS)).catch(() => this.#countFailure('upload_kept'));
      throw error;
    }
  }

  async *#pages(prefix: string, byFolder: boolean, options: RequestOptions): AsyncIterable<BucketPage> {
    let page: string | undefined;
    let last = '';
    do {
      const { pageEntries: maxEntries } = this.#limits;
      const answer = await this.#page(prefix, { byFolder, maxEntries, page }, options, last);
      last = (byFolder ? answer.folders.at(-1) : answer.objects.at(-1)?.key) ?? last;
      yield answer;
      page = answer.next;
    } while (page !== undefined);
  }

  /** @param last the last name of the page before */
  #page(
    prefix: string,
    query: { readonly byFolder: boolean; readonly maxEntries: number; readonly page: string | undefined },
    options: RequestOptions,
    last = '',
  ): Promise<BucketPage> {
    const place = this.#prefix + prefix;
    return this.#try('list', prefix, 0, options, async (signal) => {
      const answer = await this.#client.list({ prefix: place, ...query }, signal);
      const names = query.byFolder ? answer.folders : answer.objects.map(({ key }) => key);
      let previous = last;
      for (const name of names) {
        if (!name.startsWith(place) || name <= previous) {
          throw new RepeatableError(
            'data_loss',
            `the listing of ${JSON.stringify(prefix)} has ${JSON.stringify(name)} after ${JSON.stringify(previous)}`,
          );
        }
        previous = name;
      }
      return answer;
    });
  }

  async #collect(key: string, { promisedBytes, stream }: BucketBody): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafe(promisedBytes);
    let done = 0;
    try {
      for await (const part of stream) {
        this.#readBytes += part.length;
        if (done + part.length > promisedBytes) {
          throw truncated(key, `more than the promised ${promisedBytes} bytes came`);
        }
        bytes.set(part, done);
        done += part.length;
      }
    } catch (error) {
      if (error instanceof HearthscopeError) throw error;
      throw truncated(
        key,
        `${done} of ${promisedBytes} bytes came, then: ${this.#client.failure(error).message}`,
      );
    }
    if (done < promisedBytes) throw truncated(key, `${done} of ${promisedBytes} bytes came`);
    return bytes;
  }

  /** @param bytes how many are moved at most, which gives a try more time
   * @param request may learn later how many, and `allow` them */
  async #try<Result>(
    operation: BucketOperation,
    key: string,
    bytes: number,
    options: RequestOptions,
    request: (signal: AbortSignal, allow: (bytes: number) => void) => Promise<Result>,
  ): Promise<Result> {
    const { attempts, backoffMillis, maxBackoffMillis } = this.#limits;
    const { signal } = options;
    for (let attempt = 1; ; attempt++) {
      checkSignal(options);
      this.#requests[operation]++;
      if (attempt > 1) this.#retries++;
      try {
        return await limited(request, bytes, this.#limits, signal);
      } catch (error) {
        checkSignal(options);
        const failure = this.#failureOf(error);
        this.#countFailure(failure.code);
        if (!failure.isRetryable || attempt >= attempts) {
          throw this.#errorOf(operation, key, failure, attempt);
        }
        const wait = Math.min(maxBackoffMillis, backoffMillis * 2 ** (attempt - 1)) * Math.random();
        await sleep(wait, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #failureOf(error: unknown): BucketFailure {
    if (error instanceof AttemptTimeout) {
      return { code: 'deadline_exceeded', isRetryable: true, message: error.message };
    }
    if (error instanceof HearthscopeError) {
      return { code: error.code, isRetryable: error instanceof RepeatableError, message: error.message };
    }
    return this.#client.failure(error);
  }

  #countFailure(reason: string): void {
    this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
  }

  /** What the SDK threw is no cause of it: it holds the request with its credentials. */
  #errorOf(
    operation: BucketOperation,
    key: string,
    { code, message }: BucketFailure,
    attempts: number,
  ): HearthscopeError {
    if (code === 'not_found') return notFound(key);
    let text = message.slice(0, MAX_MESSAGE_LENGTH);
    for (const secret of this.#client.secrets) text = text.replaceAll(secret, '***');
    const tries = attempts > 1 ? ` after ${attempts} tries` : '';
    return new HearthscopeError(code, `${this.location}: ${operation} of ${key}${tries}: ${text}`);
  }
}

/** What may go well the next time. */
class RepeatableError extends HearthscopeError {}

class AttemptTimeout extends Error {}

function truncated(key: string, what: string): HearthscopeError {
  return new RepeatableError('data_loss', `${key}: ${what}`);
}

function notFound(key: string): HearthscopeError {
  return new HearthscopeError('not_found', `there is no object ${key}`);
}

/** HTTP 416, as each SDK says it. */
function isBeyondEnd(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { $metadata, statusCode, code } = error as {
    readonly $metadata?: { readonly httpStatusCode?: number };
    readonly statusCode?: number;
    readonly code?: unknown;
  };
  return [$metadata?.httpStatusCode, statusCode, code].includes(416);
}

/** Not every SDK gives up when it is told to: whoever waits is free in any case.
 * @param bytes that it moves, as far as it is known */
async function limited<Result>(
  request: (signal: AbortSignal, allow: (bytes: number) => void) => Promise<Result>,
  bytes: number,
  limits: RequestLimits,
  signal: AbortSignal | undefined,
): Promise<Result> {
  const ending = new AbortController();
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => undefined);
  const end = (error: Error) => {
    ending.abort(error);
    ended.reject(error);
  };
  let timer: NodeJS.Timeout | undefined;
  const allow = (moved: number) => {
    const limitMillis = requestMillis(limits, moved);
    clearTimeout(timer);
    timer = setTimeout(() => end(new AttemptTimeout(`no answer within ${limitMillis} ms`)), limitMillis);
  };
  const cancel = () => end(new HearthscopeError('canceled', 'given up'));
  signal?.addEventListener('abort', cancel);
  allow(bytes);
  try {
    return await Promise.race([request(ending.signal, allow), ended.promise]);
  } catch (error) {
    // What is left of the answer is not read: its connection ends here.
    ending.abort(error);
    throw ending.signal.reason instanceof AttemptTimeout ? ending.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
  }
}

async function readPart(file: FileHandle, path: string, start: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, start + done);
    if (bytesRead === 0) throw new HearthscopeError('data_loss', `${path} became shorter while it was read`);
    done += bytesRead;
  }
  return bytes;
}

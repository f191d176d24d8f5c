// SPDX-License-Identifier: Apache-2.0
//
// Google Cloud Storage.

import { createHash } from 'node:crypto';
import { type Bucket, Storage, type StorageOptions } from '@google-cloud/storage';
import { type ErrorCode, HearthscopeError, messageOf } from '@hearthscope/profile/errors';
import {
  type BucketBody,
  type BucketClient,
  type BucketFailure,
  type BucketObject,
  type BucketPage,
  type BucketUpload,
  failureOfStatus,
  type PageQuery,
  WRITER_METADATA,
  type WriteMark,
} from './bucket-client.ts';
import { objectBytesOf } from './content-range.ts';
import type { GcsStoreConfig } from './object-store-config.ts';

const MAX_MESSAGE_LENGTH = 500;
const CONTENT_TYPE = 'application/octet-stream';
/** What Google answers to a part that is not the last one. */
const RESUME_INCOMPLETE = 308;
/** What it says of an upload that is over. */
const GONE: ReadonlySet<number> = new Set([404, 410]);
const UPLOAD_LOST = 409;

const CODES_BY_REASON: readonly { readonly pattern: RegExp; readonly code: ErrorCode }[] = [
  { pattern: /bucket does not exist/i, code: 'failed_precondition' },
  { pattern: /default credentials|invalid_grant|credential/i, code: 'unauthenticated' },
];

export class GcsBucketClient implements BucketClient {
  readonly location: string;
  readonly secrets: readonly string[];
  readonly #storage: Storage;
  readonly #bucket: Bucket;
  readonly #isAnonymous: boolean;

  /** @param maxRequestMillis after it the SDK gives a request up, which it does not do when told to */
  constructor({ bucketName, endpoint, serviceAccount }: GcsStoreConfig, maxRequestMillis: number) {
    if (bucketName === '') {
      throw new HearthscopeError('invalid_argument', 'storage.gcs.bucket_name is missing');
    }
    const credentials =
      serviceAccount !== undefined && serviceAccount !== '' ? serviceAccountKey(serviceAccount) : undefined;
    const options: StorageOptions = {
      retryOptions: { autoRetry: false, maxRetries: 0 },
      timeout: maxRequestMillis,
      ...(credentials !== undefined && { credentials, projectId: credentials.project_id }),
      ...(endpoint !== undefined && {
        apiEndpoint: endpoint,
        useAuthWithCustomEndpoint: credentials !== undefined,
        ...(credentials === undefined && { projectId: 'none' }),
      }),
    };
    this.#storage = new Storage(options);
    this.#bucket = this.#storage.bucket(bucketName);
    this.#isAnonymous = endpoint !== undefined && credentials === undefined;
    this.location = `gs://${bucketName}`;
    this.secrets = credentials === undefined ? [] : [credentials.private_key];
  }

  async read(
    key: string,
    range: { readonly start: number; readonly length: number } | undefined,
    signal: AbortSignal,
  ): Promise<BucketBody> {
    // The SDK's streams cannot be given up without an error that nobody can catch, so it has the credentials only.
    const { authClient, baseUrl } = this.#storage;
    const address = `${baseUrl}/b/${encodeURIComponent(this.#bucket.name)}/o/${encodeURIComponent(key)}?alt=media`;
    const headers = new Headers(this.#isAnonymous ? {} : await authClient.getRequestHeaders(address));
    headers.set('accept-encoding', 'identity');
    if (range !== undefined) headers.set('range', `bytes=${range.start}-${range.start + range.length - 1}`);
    const answer = await fetch(address, { headers, signal });
    if (!answer.ok || answer.body === null) {
      throw new RequestFailure(answer.status, (await answer.text()).slice(0, MAX_MESSAGE_LENGTH));
    }
    const promisedBytes = Number(answer.headers.get('content-length') ?? Number.NaN);
    if (!Number.isSafeInteger(promisedBytes)) {
      throw new RequestFailure(undefined, 'the answer does not say how long it is');
    }
    const contentRange = answer.headers.get('content-range') ?? undefined;
    return {
      promisedBytes,
      objectBytes: range === undefined ? promisedBytes : objectBytesOf(contentRange, range.start),
      stream: answer.body,
    };
  }

  async head(key: string): Promise<BucketObject | undefined> {
    try {
      const [{ size = 0, metadata }] = await this.#bucket.file(key).getMetadata();
      const writer = metadata?.[WRITER_METADATA];
      return { sizeBytes: Number(size), writer: typeof writer === 'string' ? writer : undefined };
    } catch (error) {
      if (this.failure(error).code === 'not_found') return undefined;
      throw error;
    }
  }

  async write(
    key: string,
    bytes: Uint8Array,
    { writer, ifAbsent }: WriteMark & { readonly ifAbsent: boolean },
  ): Promise<boolean> {
    try {
      await this.#bucket.file(key).save(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
        resumable: false,
        validation: false,
        metadata: {
          contentType: CONTENT_TYPE,
          // Google compares it with what came.
          md5Hash: createHash('md5').update(bytes).digest('base64'),
          metadata: { [WRITER_METADATA]: writer },
        },
        ...(ifAbsent && { preconditionOpts: { ifGenerationMatch: 0 } }),
      });
      return true;
    } catch (error) {
      if (ifAbsent && statusOf(error) === 412) return false;
      throw error;
    }
  }

  async beginUpload(key: string, sizeBytes: number, { writer }: WriteMark): Promise<BucketUpload> {
    // Whoever has this address may upload: it is asked without credentials, and shown to nobody.
    const [address] = await this.#bucket.file(key).createResumableUpload({
      metadata: { contentType: CONTENT_TYPE, metadata: { [WRITER_METADATA]: writer } },
    });
    return new ResumableUpload(address, sizeBytes, () => this.head(key), writer);
  }

  async list({ prefix, byFolder, maxEntries, page }: PageQuery): Promise<BucketPage> {
    const [files, next, answer] = await this.#bucket.getFiles({
      prefix,
      autoPaginate: false,
      maxResults: maxEntries,
      ...(byFolder && { delimiter: '/' }),
      ...(page !== undefined && { pageToken: page }),
    });
    const { prefixes = [] } = (answer ?? {}) as { readonly prefixes?: readonly string[] };
    return {
      objects: files.map(({ name, metadata }) => ({ key: name, sizeBytes: Number(metadata.size ?? 0) })),
      folders: prefixes,
      next: (next as { readonly pageToken?: string } | null)?.pageToken,
    };
  }

  async delete(key: string): Promise<void> {
    await this.#bucket.file(key).delete({ ignoreNotFound: true });
  }

  failure(error: unknown): BucketFailure {
    const message = messageOf(error);
    const status = statusOf(error);
    for (const { pattern, code } of CODES_BY_REASON) {
      if (pattern.test(message) && (status === undefined || status < 500)) {
        return { code, isRetryable: false, message };
      }
    }
    return failureOfStatus(status, message);
  }

  close(): void {
    // The SDK keeps no connections of its own.
  }
}

/** Parts come in order, and each goes on where the storage says that the one before has ended. */
class ResumableUpload implements BucketUpload {
  readonly #address: string;
  readonly #sizeBytes: number;
  readonly #head: () => Promise<BucketObject | undefined>;
  readonly #writer: string;
  /** Where the part begins that was sent last, whether it came or not. */
  #sentOffset = -1;

  constructor(
    address: string,
    sizeBytes: number,
    head: () => Promise<BucketObject | undefined>,
    writer: string,
  ) {
    this.#address = address;
    this.#sizeBytes = sizeBytes;
    this.#head = head;
    this.#writer = writer;
  }

  async writePart(offset: number, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const end = offset + bytes.length;
    // What came of a part that was sent before is not sent again.
    const start = this.#sentOffset === offset ? await this.#storedBytes(signal) : offset;
    if (start >= end) return;
    if (start < offset) throw new RequestFailure(UPLOAD_LOST, `the storage lost bytes from ${start} on`);
    this.#sentOffset = offset;
    const stored = await this.#ask(`${start}-${end - 1}`, bytes.subarray(start - offset), signal);
    if (stored !== end) throw new RequestFailure(undefined, `the storage has ${stored} bytes, not ${end}`);
  }

  #storedBytes(signal: AbortSignal): Promise<number> {
    return this.#ask('*', new Uint8Array(0), signal);
  }

  /** @param range of what is sent @returns how many bytes of the object the storage has */
  async #ask(range: string, bytes: Uint8Array, signal: AbortSignal): Promise<number> {
    const answer = await fetch(this.#address, {
      method: 'PUT',
      headers: { 'content-range': `bytes ${range}/${this.#sizeBytes}` },
      body: Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength),
      redirect: 'manual',
      signal,
    });
    await answer.arrayBuffer();
    if (answer.status === RESUME_INCOMPLETE) {
      const stored = /^bytes=0-(\d+)$/.exec(answer.headers.get('range') ?? '');
      return stored === null ? 0 : Number(stored[1]) + 1;
    }
    // An upload that is over has all bytes, or was given up: finish finds out.
    if (answer.ok || GONE.has(answer.status)) return this.#sizeBytes;
    throw new RequestFailure(answer.status, `an upload was answered by status ${answer.status}`);
  }

  /** The last part has finished it; this makes sure. */
  async finish(): Promise<void> {
    const object = await this.#head();
    if (object?.writer !== this.#writer || object.sizeBytes !== this.#sizeBytes) {
      throw new RequestFailure(
        UPLOAD_LOST,
        'the upload is gone, and the object is not the one that was sent',
      );
    }
  }

  async cancel(signal: AbortSignal): Promise<void> {
    const answer = await fetch(this.#address, { method: 'DELETE', signal });
    await answer.arrayBuffer();
  }
}

class RequestFailure extends Error {
  /** A status of HTTP, where the SDK's errors have theirs. */
  readonly code: number | undefined;

  constructor(code: number | undefined, message: string) {
    super(message);
    this.code = code;
  }
}

function statusOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'number' ? code : undefined;
}

interface ServiceAccountKey {
  readonly client_email: string;
  readonly private_key: string;
  readonly project_id: string;
}

function serviceAccountKey(text: string): ServiceAccountKey {
  const { client_email, private_key, project_id } = parsedObject(text);
  if (typeof client_email !== 'string' || typeof private_key !== 'string' || typeof project_id !== 'string') {
    throw new HearthscopeError(
      'invalid_argument',
      'storage.gcs.service_account is no JSON with client_email, private_key and project_id',
    );
  }
  return { client_email, private_key, project_id };
}

/** Empty for what is no object: what is missing is told without showing the text. */
function parsedObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

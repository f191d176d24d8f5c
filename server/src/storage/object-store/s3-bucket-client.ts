// SPDX-License-Identifier: Apache-2.0
//
// Amazon S3, and what speaks its protocol.

import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
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
import type { S3Encryption, S3StoreConfig } from './object-store-config.ts';
import { streamedBody } from './streamed-body.ts';

/** Where an endpoint that is not Amazon's says nothing about regions. */
const DEFAULT_REGION = 'us-east-1';
const CONNECT_MILLIS = 5_000;

/** Failures that the status alone would explain wrongly, or not at all. */
const CODES_BY_NAME: Readonly<Record<string, ErrorCode>> = {
  NoSuchBucket: 'failed_precondition',
  NoSuchUpload: 'not_found',
  InvalidAccessKeyId: 'unauthenticated',
  SignatureDoesNotMatch: 'unauthenticated',
  ExpiredToken: 'unauthenticated',
  InvalidToken: 'unauthenticated',
  CredentialsProviderError: 'unauthenticated',
  TokenProviderError: 'unauthenticated',
};
/** 4xx that go away by themselves. */
const PASSING_FAILURES: ReadonlySet<string> = new Set([
  'ConditionalRequestConflict',
  'OperationAborted',
  'RequestTimeout',
  'SlowDown',
  'BadDigest',
]);

export class S3BucketClient implements BucketClient {
  readonly location: string;
  readonly secrets: readonly string[];
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #encryption: ReturnType<typeof encryptionOf>;
  readonly #isAmazon: boolean;

  constructor(config: S3StoreConfig) {
    const { accessKeyId, secretAccessKey, sessionToken, bucketName } = config;
    if (bucketName === '')
      throw new HearthscopeError('invalid_argument', 'storage.s3.bucket_name is missing');
    if ((accessKeyId ?? '') !== '' && (secretAccessKey ?? '') === '') {
      throw new HearthscopeError(
        'invalid_argument',
        'storage.s3.access_key_id is given without storage.s3.secret_access_key',
      );
    }
    this.#bucket = bucketName;
    this.location = `s3://${bucketName}`;
    this.secrets = [secretAccessKey, sessionToken].flatMap((secret) => secret || []);
    this.#encryption = encryptionOf(config.sse);
    const endpoint = endpointOf(config);
    this.#isAmazon = endpoint === undefined;
    const options: S3ClientConfig = {
      maxAttempts: 1,
      ...(endpoint !== undefined && { endpoint }),
      ...(config.region !== undefined && config.region !== ''
        ? { region: config.region }
        : endpoint !== undefined && { region: DEFAULT_REGION }),
      forcePathStyle: config.forcePathStyle ?? false,
      // Others than Amazon know Content-MD5, and often not what the SDK would send.
      requestChecksumCalculation: this.#isAmazon ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: CONNECT_MILLIS,
        ...(config.insecureSkipVerify === true && { httpsAgent: { rejectUnauthorized: false } }),
      },
      ...(accessKeyId !== undefined &&
        accessKeyId !== '' && {
          credentials: {
            accessKeyId,
            secretAccessKey: secretAccessKey!,
            ...(sessionToken !== undefined && sessionToken !== '' && { sessionToken }),
          },
        }),
    };
    this.#client = new S3Client(options);
  }

  async read(
    key: string,
    range: { readonly start: number; readonly length: number } | undefined,
    signal: AbortSignal,
  ): Promise<BucketBody> {
    const answer = await this.#client.send(
      new GetObjectCommand({
        Bucket: this.#bucket,
        Key: key,
        ...(range && { Range: `bytes=${range.start}-${range.start + range.length - 1}` }),
      }),
      { abortSignal: signal },
    );
    const body = {
      stream: answer.Body as Readable,
      contentLength: answer.ContentLength,
      contentRange: answer.ContentRange,
    };
    return streamedBody(body, range?.start, signal);
  }

  async head(key: string, signal: AbortSignal): Promise<BucketObject | undefined> {
    try {
      const answer = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }), {
        abortSignal: signal,
      });
      return { sizeBytes: answer.ContentLength ?? 0, writer: answer.Metadata?.[WRITER_METADATA] };
    } catch (error) {
      if (this.failure(error).code === 'not_found') return undefined;
      throw error;
    }
  }

  async write(
    key: string,
    bytes: Uint8Array,
    { writer, ifAbsent }: WriteMark & { readonly ifAbsent: boolean },
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      await this.#client.send(
        new PutObjectCommand({
          Bucket: this.#bucket,
          Key: key,
          Body: bytes,
          ContentLength: bytes.length,
          ...this.#checksum(bytes),
          Metadata: { [WRITER_METADATA]: writer },
          ...(ifAbsent && { IfNoneMatch: '*' }),
          ...this.#encryption,
        }),
        { abortSignal: signal },
      );
      return true;
    } catch (error) {
      if (ifAbsent && statusOf(error) === 412) return false;
      throw error;
    }
  }

  async beginUpload(
    key: string,
    _sizeBytes: number,
    { writer }: WriteMark,
    signal: AbortSignal,
  ): Promise<BucketUpload> {
    const place = { Bucket: this.#bucket, Key: key };
    const { UploadId } = await this.#client.send(
      new CreateMultipartUploadCommand({
        ...place,
        Metadata: { [WRITER_METADATA]: writer },
        ...this.#encryption,
      }),
      { abortSignal: signal },
    );
    const parts = new Map<number, { ETag: string | undefined; PartNumber: number }>();
    return {
      writePart: async (offset, bytes, partSignal) => {
        const PartNumber = parts.get(offset)?.PartNumber ?? parts.size + 1;
        const { ETag } = await this.#client.send(
          new UploadPartCommand({
            ...place,
            UploadId,
            PartNumber,
            Body: bytes,
            ContentLength: bytes.length,
            ...this.#checksum(bytes),
          }),
          { abortSignal: partSignal },
        );
        parts.set(offset, { ETag, PartNumber });
      },
      finish: async (finishSignal) => {
        await this.#client.send(
          new CompleteMultipartUploadCommand({
            ...place,
            UploadId,
            MultipartUpload: { Parts: [...parts.values()] },
          }),
          { abortSignal: finishSignal },
        );
      },
      cancel: async (cancelSignal) => {
        await this.#client.send(new AbortMultipartUploadCommand({ ...place, UploadId }), {
          abortSignal: cancelSignal,
        });
      },
    };
  }

  async list({ prefix, byFolder, maxEntries, page }: PageQuery, signal: AbortSignal): Promise<BucketPage> {
    const answer = await this.#client.send(
      new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: prefix,
        MaxKeys: maxEntries,
        ...(byFolder && { Delimiter: '/' }),
        ...(page !== undefined && { ContinuationToken: page }),
      }),
      { abortSignal: signal },
    );
    const { Contents = [], CommonPrefixes = [], IsTruncated, NextContinuationToken, KeyCount } = answer;
    if (IsTruncated === undefined || (IsTruncated && NextContinuationToken === undefined)) {
      throw new IncompleteAnswer('the listing does not say whether it is complete');
    }
    if (KeyCount !== undefined && KeyCount !== Contents.length + CommonPrefixes.length) {
      throw new IncompleteAnswer(`the listing lacks some of its ${KeyCount} entries`);
    }
    return {
      objects: Contents.map(({ Key = '', Size = 0 }) => ({ key: Key, sizeBytes: Size })),
      folders: CommonPrefixes.map(({ Prefix = '' }) => Prefix),
      next: IsTruncated ? NextContinuationToken : undefined,
    };
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key }), {
      abortSignal: signal,
    });
  }

  failure(error: unknown): BucketFailure {
    const name = error instanceof Error ? error.name : '';
    const message = name === '' ? messageOf(error) : `${name}: ${messageOf(error)}`;
    const code = CODES_BY_NAME[name];
    if (code !== undefined) return { code, isRetryable: false, message };
    if (PASSING_FAILURES.has(name)) return { code: 'unavailable', isRetryable: true, message };
    return failureOfStatus(statusOf(error), message);
  }

  close(): void {
    this.#client.destroy();
  }

  #checksum(bytes: Uint8Array): { readonly ContentMD5?: string } {
    return this.#isAmazon ? {} : { ContentMD5: createHash('md5').update(bytes).digest('base64') };
  }
}

class IncompleteAnswer extends Error {
  override readonly name = 'IncompleteAnswer';
}

/** Undefined when no answer of the storage came. */
function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

function endpointOf({ endpoint = '', insecure }: S3StoreConfig): string | undefined {
  if (endpoint === '') return undefined;
  const address = /^https?:\/\//.test(endpoint)
    ? endpoint
    : `${insecure === true ? 'http' : 'https'}://${endpoint}`;
  if (!URL.canParse(address)) {
    throw new HearthscopeError(
      'invalid_argument',
      `storage.s3.endpoint ${JSON.stringify(endpoint)} is no address`,
    );
  }
  return address;
}

function encryptionOf(sse: S3Encryption | undefined) {
  if (sse === undefined) return {};
  if (sse.type === 'SSE-S3') return { ServerSideEncryption: 'AES256' as const };
  const { kmsKeyId, kmsEncryptionContext } = sse;
  return {
    ServerSideEncryption: 'aws:kms' as const,
    ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
    ...(kmsEncryptionContext !== undefined && {
      SSEKMSEncryptionContext: Buffer.from(kmsEncryptionContext, 'utf8').toString('base64'),
    }),
  };
}

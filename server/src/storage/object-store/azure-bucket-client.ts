// SPDX-License-Identifier: Apache-2.0
//
// Azure Blob Storage: block blobs in one container.

import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  ClientSecretCredential,
  DefaultAzureCredential,
  ManagedIdentityCredential,
  type TokenCredential,
} from '@azure/identity';
import {
  BlobServiceClient,
  type ContainerClient,
  RestError,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
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
import type { AzureStoreConfig } from './object-store-config.ts';
import { streamedBody } from './streamed-body.ts';

const DEFAULT_ENDPOINT_SUFFIX = 'blob.core.windows.net';
const PIPELINE: StoragePipelineOptions = { retryOptions: { maxTries: 1 } };
/** Names of blocks have one length within a blob. */
const BLOCK_NAME_DIGITS = 16;

const CODES_BY_NAME: Readonly<Record<string, ErrorCode>> = {
  ContainerNotFound: 'failed_precondition',
  ContainerBeingDeleted: 'failed_precondition',
  AuthenticationFailed: 'unauthenticated',
  InvalidAuthenticationInfo: 'unauthenticated',
  CredentialUnavailableError: 'unauthenticated',
  AuthenticationError: 'unauthenticated',
  AggregateAuthenticationError: 'unauthenticated',
};

export class AzureBucketClient implements BucketClient {
  readonly location: string;
  readonly secrets: readonly string[];
  readonly #container: ContainerClient;

  constructor(config: AzureStoreConfig) {
    const { accountKey, clientSecret, connectionString, containerName } = config;
    if (containerName === '') {
      throw new HearthscopeError('invalid_argument', 'storage.azure.container_name is missing');
    }
    const service = serviceOf(config);
    this.#container = service.getContainerClient(containerName);
    this.location = `azure://${service.accountName}/${containerName}`;
    const keys = ['AccountKey', 'SharedAccessSignature'].map((name) => partOf(connectionString ?? '', name));
    this.secrets = [accountKey, clientSecret, ...keys].flatMap((secret) => secret || []);
  }

  async read(
    key: string,
    range: { readonly start: number; readonly length: number } | undefined,
    signal: AbortSignal,
  ): Promise<BucketBody> {
    const answer = await this.#container
      .getBlobClient(key)
      .download(range?.start ?? 0, range?.length, { abortSignal: signal, maxRetryRequests: 0 });
    const body = {
      stream: answer.readableStreamBody as Readable,
      contentLength: answer.contentLength,
      contentRange: answer.contentRange,
    };
    return streamedBody(body, range?.start, signal);
  }

  async head(key: string, signal: AbortSignal): Promise<BucketObject | undefined> {
    try {
      const answer = await this.#container.getBlobClient(key).getProperties({ abortSignal: signal });
      return { sizeBytes: answer.contentLength ?? 0, writer: answer.metadata?.[WRITER_METADATA] };
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
      await this.#container.getBlockBlobClient(key).upload(bytes, bytes.length, {
        abortSignal: signal,
        metadata: { [WRITER_METADATA]: writer },
        blobHTTPHeaders: { blobContentMD5: md5(bytes) },
        ...(ifAbsent && { conditions: { ifNoneMatch: '*' } }),
      });
      return true;
    } catch (error) {
      if (ifAbsent && ['BlobAlreadyExists', 'ConditionNotMet'].includes(nameOf(error))) return false;
      throw error;
    }
  }

  async beginUpload(key: string, _sizeBytes: number, { writer }: WriteMark): Promise<BucketUpload> {
    const blob = this.#container.getBlockBlobClient(key);
    const blocks = new Map<number, string>();
    return {
      writePart: async (offset, bytes, signal) => {
        const name = Buffer.from(`${writer}-${String(offset).padStart(BLOCK_NAME_DIGITS, '0')}`).toString(
          'base64',
        );
        await blob.stageBlock(name, bytes, bytes.length, {
          abortSignal: signal,
          transactionalContentMD5: md5(bytes),
        });
        blocks.set(offset, name);
      },
      finish: async (signal) => {
        await blob.commitBlockList([...blocks.values()], {
          abortSignal: signal,
          metadata: { [WRITER_METADATA]: writer },
        });
      },
      // Blocks that nobody commits are removed by the storage after a week.
      cancel: async () => undefined,
    };
  }

  async list({ prefix, byFolder, maxEntries, page }: PageQuery, signal: AbortSignal): Promise<BucketPage> {
    const paging = {
      maxPageSize: maxEntries,
      ...(page !== undefined && { continuationToken: page }),
    };
    const options = { prefix, abortSignal: signal };
    const pages = byFolder
      ? this.#container.listBlobsByHierarchy('/', options).byPage(paging)
      : this.#container.listBlobsFlat(options).byPage(paging);
    const { value } = await pages.next();
    const segment = value?.segment;
    return {
      objects: (segment?.blobItems ?? []).map(
        ({
          name,
          properties,
        }: {
          readonly name: string;
          readonly properties: { readonly contentLength?: number };
        }) => ({ key: name, sizeBytes: properties.contentLength ?? 0 }),
      ),
      folders:
        segment !== undefined && 'blobPrefixes' in segment
          ? (segment.blobPrefixes ?? []).map(({ name }: { readonly name: string }) => name)
          : [],
      next: value?.continuationToken === '' ? undefined : value?.continuationToken,
    };
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    await this.#container.getBlobClient(key).deleteIfExists({ abortSignal: signal });
  }

  failure(error: unknown): BucketFailure {
    const name = nameOf(error);
    // What follows the first line is the request, as the SDK tells it.
    const message = `${name}: ${messageOf(error).split('\n', 1)[0]}`;
    const code = CODES_BY_NAME[name];
    if (code !== undefined) return { code, isRetryable: false, message };
    return failureOfStatus(error instanceof RestError ? error.statusCode : undefined, message);
  }

  close(): void {
    // The SDK keeps no connections of its own.
  }
}

function serviceOf(config: AzureStoreConfig): BlobServiceClient {
  const { accountKey, accountName = '', connectionString, endpointSuffix } = config;
  try {
    if (connectionString !== undefined && connectionString !== '') {
      return BlobServiceClient.fromConnectionString(connectionString, PIPELINE);
    }
    if (accountName === '') throw new Error('storage.azure.account_name is missing');
    const suffix =
      endpointSuffix === undefined || endpointSuffix === '' ? DEFAULT_ENDPOINT_SUFFIX : endpointSuffix;
    const credential =
      accountKey !== undefined && accountKey !== ''
        ? new StorageSharedKeyCredential(accountName, accountKey)
        : tokenCredential(config);
    return new BlobServiceClient(`https://${accountName}.${suffix}`, credential, PIPELINE);
  } catch (error) {
    // The SDK's own message may show a part of the connection string.
    const what = connectionString ? 'storage.azure.connection_string cannot be read' : messageOf(error);
    throw new HearthscopeError('invalid_argument', what);
  }
}

function tokenCredential({
  userAssignedId,
  tenantId,
  clientId,
  clientSecret,
}: AzureStoreConfig): TokenCredential {
  if (userAssignedId) return new ManagedIdentityCredential({ clientId: userAssignedId });
  if (tenantId && clientId && clientSecret)
    return new ClientSecretCredential(tenantId, clientId, clientSecret);
  return new DefaultAzureCredential();
}

/** `Name=value` of a connection string. */
function partOf(connectionString: string, name: string): string | undefined {
  const start = `${name}=`;
  return connectionString
    .split(';')
    .find((part) => part.startsWith(start))
    ?.slice(start.length);
}

function nameOf(error: unknown): string {
  if (error instanceof RestError) return error.code ?? error.name;
  return error instanceof Error ? error.name : 'Error';
}

function md5(bytes: Uint8Array): Uint8Array {
  return createHash('md5').update(bytes).digest();
}

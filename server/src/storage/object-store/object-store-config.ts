// SPDX-License-Identifier: Apache-2.0
//
// Where objects are kept, as plain data that crosses to workers. The names follow those of Pyroscope's `storage` block; the
// README of this folder has the table.

import type { RequestLimits } from './request-limits.ts';

export interface FileStoreConfig {
  readonly directory: string;
}

export interface S3StoreConfig {
  readonly bucketName: string;
  /** `host`, `host:port` or an address with its scheme; without one AWS is asked. */
  readonly endpoint?: string;
  readonly region?: string;
  /** Without keys the usual chain is asked: environment, shared files, web identity, container, instance. */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
  /** Whether an endpoint without a scheme is spoken to in plain HTTP. */
  readonly insecure?: boolean;
  /** Whether the bucket is in the path instead of the host's name. */
  readonly forcePathStyle?: boolean;
  readonly sse?: S3Encryption;
  /** Whether any certificate will do. */
  readonly insecureSkipVerify?: boolean;
}

export interface S3Encryption {
  readonly type: 'SSE-S3' | 'SSE-KMS';
  readonly kmsKeyId?: string;
  /** JSON. */
  readonly kmsEncryptionContext?: string;
}

export interface GcsStoreConfig {
  readonly bucketName: string;
  /** The JSON of a key file. Without it the usual chain is asked: environment, gcloud's file, metadata server. */
  readonly serviceAccount?: string;
  /** Another address of the API, which is asked without credentials unless there is a service account. */
  readonly endpoint?: string;
}

export interface AzureStoreConfig {
  readonly containerName: string;
  /** Has everything else in it. */
  readonly connectionString?: string;
  readonly accountName?: string;
  /** Without a key: the client's secret, else the usual chain (environment, workload identity, managed identity, CLI). */
  readonly accountKey?: string;
  /** Default `blob.core.windows.net`. */
  readonly endpointSuffix?: string;
  /** The client id of a managed identity. */
  readonly userAssignedId?: string;
  readonly tenantId?: string;
  readonly clientId?: string;
  readonly clientSecret?: string;
}

export type ObjectStoreConfig = {
  /** Everything is kept below it. */
  readonly prefix?: string;
  /** For remote stores: {@link DEFAULT_REQUEST_LIMITS} where nothing is said. */
  readonly limits?: Partial<RequestLimits>;
} & (
  | { readonly backend: 'filesystem'; readonly filesystem: FileStoreConfig }
  | { readonly backend: 's3'; readonly s3: S3StoreConfig }
  | { readonly backend: 'gcs'; readonly gcs: GcsStoreConfig }
  | { readonly backend: 'azure'; readonly azure: AzureStoreConfig }
);

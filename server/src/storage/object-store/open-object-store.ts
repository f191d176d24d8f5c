// SPDX-License-Identifier: Apache-2.0
//
// From a configuration to a store. The SDKs of the clouds are large, so only the one that is used is loaded.

import { join } from 'node:path';
import { HearthscopeError } from '@hearthscope/profile/errors';
import type { BucketClient } from './bucket-client.ts';
import { BucketObjectStore } from './bucket-object-store.ts';
import { FileObjectStore } from './file-object-store.ts';
import { checkObjectPrefix } from './object-key.ts';
import type { ObjectStore, RequestOptions } from './object-store.ts';
import type { ObjectStoreConfig } from './object-store-config.ts';
import { DEFAULT_REQUEST_LIMITS, requestMillis } from './request-limits.ts';

const KIB = 1024;
/** Parts have to be multiples of it for Google, and at least 5 MiB for S3. */
const PART_UNIT_BYTES = 256 * KIB;
const MIN_PART_BYTES = 5 * KIB * KIB;

export interface OpenOptions extends RequestOptions {
  /** Whether it will only be read, so that it need not be tried whether writing works. */
  readonly isReadOnly?: boolean;
}

/** Asks the storage first, so that what is wrong with the configuration shows here.
 * @throws HearthscopeError as ObjectStore says; invalid_argument for a configuration that cannot be */
export async function openObjectStore(
  config: ObjectStoreConfig,
  options: OpenOptions = {},
): Promise<ObjectStore> {
  const prefix = config.prefix ?? '';
  if (config.backend === 'filesystem') {
    checkObjectPrefix(prefix);
    const directory = join(config.filesystem.directory, prefix);
    return options.isReadOnly ? FileObjectStore.openForReading(directory) : FileObjectStore.open(directory);
  }
  const limits = { ...DEFAULT_REQUEST_LIMITS, ...config.limits };
  if (limits.partBytes < MIN_PART_BYTES || limits.partBytes % PART_UNIT_BYTES !== 0) {
    throw new HearthscopeError(
      'invalid_argument',
      `parts of ${limits.partBytes} bytes cannot be uploaded: at least ${MIN_PART_BYTES}, and a multiple of ${PART_UNIT_BYTES}`,
    );
  }
  const store = new BucketObjectStore(
    await bucketClient(config, requestMillis(limits, limits.partBytes)),
    prefix,
    limits,
  );
  try {
    await store.checkReads(options);
    if (!options.isReadOnly) await store.checkWrites(options);
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

async function bucketClient(
  config: Exclude<ObjectStoreConfig, { backend: 'filesystem' }>,
  maxRequestMillis: number,
): Promise<BucketClient> {
  switch (config.backend) {
    case 's3': {
      const { S3BucketClient } = await import('./s3-bucket-client.ts');
      return new S3BucketClient(config.s3);
    }
    case 'gcs': {
      const { GcsBucketClient } = await import('./gcs-bucket-client.ts');
      return new GcsBucketClient(config.gcs, maxRequestMillis);
    }
    case 'azure': {
      const { AzureBucketClient } = await import('./azure-bucket-client.ts');
      return new AzureBucketClient(config.azure);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
//
// The typed configuration of where blocks are kept.

import type { ObjectStoreConfig } from '@hearthscope/server/storage/object-store/object-store-config';
import { UsageError } from '../exit-codes.ts';
import type { SettingReader } from './setting-reader.ts';

/** Undefined for the data directory.
 * @throws UsageError when the bucket is not named */
export function objectStoreConfiguration(read: SettingReader): ObjectStoreConfig | undefined {
  const backend = read.value<ObjectStoreConfig['backend']>('object_store.backend');
  const text = (key: string) => read.value<string>(`object_store.${key}`);
  const needed = (key: string): string => {
    const value = text(key);
    if (value === '') throw new UsageError(`object_store.backend ${backend} needs object_store.${key}`);
    return value;
  };
  const given = <Name extends string>(name: Name, key: string): { readonly [Key in Name]?: string } => {
    const value = text(key);
    return value === '' ? {} : ({ [name]: value } as { readonly [Key in Name]?: string });
  };
  const common = given('prefix', 'prefix');
  switch (backend) {
    case 'filesystem':
      return undefined;
    case 's3':
      return {
        ...common,
        backend,
        s3: {
          bucketName: needed('s3_bucket'),
          ...given('endpoint', 's3_endpoint'),
          ...given('region', 's3_region'),
          ...given('accessKeyId', 's3_access_key_id'),
          ...given('secretAccessKey', 's3_secret_access_key'),
          ...given('sessionToken', 's3_session_token'),
          insecure: read.value('object_store.s3_insecure'),
          forcePathStyle: read.value('object_store.s3_force_path_style'),
        },
      };
    case 'gcs':
      return {
        ...common,
        backend,
        gcs: {
          bucketName: needed('gcs_bucket'),
          ...given('serviceAccount', 'gcs_service_account'),
          ...given('endpoint', 'gcs_endpoint'),
        },
      };
    case 'azure':
      return {
        ...common,
        backend,
        azure: {
          containerName: needed('azure_container'),
          ...given('connectionString', 'azure_connection_string'),
          ...given('accountName', 'azure_account_name'),
          ...given('accountKey', 'azure_account_key'),
          ...given('endpointSuffix', 'azure_endpoint_suffix'),
          ...given('userAssignedId', 'azure_user_assigned_id'),
          ...given('tenantId', 'azure_tenant_id'),
          ...given('clientId', 'azure_client_id'),
          ...given('clientSecret', 'azure_client_secret'),
        },
      };
  }
}

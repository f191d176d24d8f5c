// SPDX-License-Identifier: Apache-2.0
//
// Where the server keeps its blocks. The keys are those of Pyroscope's `storage` block, flattened.

import { type Command, type SectionSchema, type SettingSchema, size } from './setting-schema.ts';

const SERVER: readonly Command[] = ['up', 'server'];

const text = (description: string): SettingSchema => ({ type: 'string', default: '', description });
const secret = (description: string): SettingSchema => ({ ...text(description), 'x-secret': true });
const toggle = (description: string): SettingSchema => ({ type: 'boolean', default: false, description });

export const objectStoreSchema: SectionSchema = {
  type: 'object',
  description:
    'Where blocks are kept: in the data directory, or in a bucket. Without keys the usual chain of the cloud is asked ' +
    '(environment, shared files, identity of the machine). What is not yet a block stays in the data directory.',
  additionalProperties: false,
  properties: {
    backend: {
      type: 'string',
      enum: ['filesystem', 's3', 'gcs', 'azure'],
      default: 'filesystem',
      description: 'The kind of store.',
      'x-flag': 'object-store',
      'x-commands': SERVER,
    },
    prefix: text('What the names of all objects begin with.'),
    cache_max_bytes: {
      ...size,
      default: '10GiB',
      description: 'Disk that files of blocks from a bucket may take below the data directory.',
    },
    s3_bucket: text('S3: the bucket.'),
    s3_endpoint: text('S3: host, host:port or address of a compatible store; empty asks AWS.'),
    s3_region: text('S3: the region.'),
    s3_access_key_id: secret('S3: the key.'),
    s3_secret_access_key: secret('S3: the secret of the key.'),
    s3_session_token: secret('S3: the token of temporary keys.'),
    s3_insecure: toggle('S3: plain HTTP where the endpoint names no scheme.'),
    s3_force_path_style: toggle("S3: the bucket in the path instead of the host's name."),
    gcs_bucket: text('Google Cloud Storage: the bucket.'),
    gcs_service_account: secret('Google Cloud Storage: the JSON of a key file.'),
    gcs_endpoint: text('Google Cloud Storage: another address of the API.'),
    azure_container: text('Azure Blob: the container.'),
    azure_account_name: text('Azure Blob: the account.'),
    azure_account_key: secret('Azure Blob: the key of the account.'),
    azure_connection_string: secret('Azure Blob: everything in one.'),
    azure_endpoint_suffix: text(
      'Azure Blob: what follows the account in the host; empty for blob.core.windows.net.',
    ),
    azure_user_assigned_id: text('Azure Blob: the client id of a managed identity.'),
    azure_tenant_id: text('Azure Blob: the tenant of a client with a secret.'),
    azure_client_id: text('Azure Blob: the client.'),
    azure_client_secret: secret('Azure Blob: its secret.'),
  },
};

// SPDX-License-Identifier: Apache-2.0
//
// The rules of object stores against servers of others, which speak the clouds' protocols.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { BlobServiceClient } from '@azure/storage-blob';
import type { ObjectStoreConfig } from './object-store-config.ts';
import { openObjectStore } from './open-object-store.ts';
import { FaultProxy } from './testing/fault-proxy.ts';
import { faultRules } from './testing/fault-rules.ts';
import { objectStoreRules, PAGE_ENTRIES, PART_BYTES } from './testing/object-store-rules.ts';
import {
  type ProtocolServer,
  startAzurite,
  startFakeGcs,
  startMoto,
  startS3rver,
  toolMissing,
} from './testing/protocol-servers.ts';

const BUCKET = 'profiles';
const LIMITS = { pageEntries: PAGE_ENTRIES, partBytes: PART_BYTES };

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'hearthscope-test-'));
}

function stopper(server: ProtocolServer, folder?: string): () => Promise<void> {
  return async () => {
    await server.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  };
}

const S3_KEYS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

const NO_PYTHON = toolMissing('python3', '-c', 'import venv, ensurepip');
const NO_NPM = toolMissing('npm', '--version');
const NO_GO = toolMissing('go', 'version');

/** A server with an empty bucket, and how stores are opened in it. */
interface Storage {
  readonly server: ProtocolServer;
  /** @param url the server's own, or that of a proxy */
  readonly config: (url: string) => ObjectStoreConfig;
  readonly stop: () => Promise<void>;
}

async function moto(): Promise<Storage> {
  const server = await startMoto();
  const { url } = server;
  const client = new S3Client({
    endpoint: url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: S3_KEYS,
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
  return {
    server,
    config: (endpoint) => ({
      backend: 's3',
      s3: { bucketName: BUCKET, endpoint, forcePathStyle: true, ...S3_KEYS, sse: { type: 'SSE-S3' } },
    }),
    stop: stopper(server),
  };
}

test('a server that ignores If-None-Match is refused (s3rver)', {
  skip: toolMissing('npm', '--version'),
}, async () => {
  const folder = temporaryFolder();
  const server = await startS3rver(folder, BUCKET);
  const endpoint = server.url.replace('http://', '');
  const s3 = { bucketName: BUCKET, endpoint, insecure: true, forcePathStyle: true, ...S3_KEYS };
  try {
    const refused = { code: 'failed_precondition', message: /ignores the condition/ };
    await assert.rejects(openObjectStore({ backend: 's3', s3 }), refused);
    const store = await openObjectStore({ backend: 's3', s3 }, { isReadOnly: true });
    await store.close();
  } finally {
    await stopper(server, folder)();
  }
});

/** Azurite's own account, which is the same everywhere. */
const AZURITE_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

async function azurite(): Promise<Storage> {
  const folder = temporaryFolder();
  const server = await startAzurite(folder);
  const connectionString = (url: string) =>
    `DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=${AZURITE_KEY};BlobEndpoint=${url}/devstoreaccount1;`;
  await BlobServiceClient.fromConnectionString(connectionString(server.url))
    .getContainerClient(BUCKET)
    .create();
  return {
    server,
    config: (url) => ({
      backend: 'azure',
      azure: { containerName: BUCKET, connectionString: connectionString(url) },
    }),
    stop: stopper(server, folder),
  };
}

async function fakeGcs(externalUrl?: string): Promise<Storage> {
  const server = await startFakeGcs(externalUrl);
  const answer = await fetch(`${server.url}/storage/v1/b?project=p`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: BUCKET }),
  });
  assert.equal(answer.status, 200, await answer.text());
  return {
    server,
    config: (endpoint) => ({ backend: 'gcs', gcs: { bucketName: BUCKET, endpoint } }),
    stop: stopper(server),
  };
}

const GCS_UPLOADS =
  'fake-gcs-server appends a part that comes again, and ends an upload that is asked how far it is';

for (const [name, skip, start] of [
  ['S3 (moto)', NO_PYTHON, moto],
  ['Azure (azurite)', NO_NPM, azurite],
  ['Google (fake-gcs-server)', NO_GO, fakeGcs],
] as const) {
  objectStoreRules(name, skip, async () => {
    const { server, config, stop } = await start();
    return {
      open: (prefix) => openObjectStore({ ...config(server.url), prefix, limits: LIMITS }),
      stop,
    };
  });

  faultRules(name, skip, async () => {
    // Its address comes first: a server may tell it to clients.
    const proxy = await FaultProxy.start('');
    const { server, config, stop } = await start(proxy.url);
    proxy.target = server.url;
    return {
      proxy,
      ...(start === fakeGcs && { uploadsLack: GCS_UPLOADS }),
      open: (limits) => openObjectStore({ ...config(proxy.url), prefix: 'p', limits }),
      stop: async () => {
        await proxy.stop();
        await stop();
      },
    };
  });
}

// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { testDirectory } from '../testing/test-directory.ts';
import { FileObjectStore } from './file-object-store.ts';
import { openObjectStore } from './open-object-store.ts';
import { objectStoreRules } from './testing/object-store-rules.ts';

objectStoreRules('file system', false, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'hearthscope-test-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  // A store empties its folder of temporary files when it is opened, so one of a prefix is opened once.
  const stores = new Map<string, ReturnType<typeof openObjectStore>>();
  return {
    open: (prefix) => {
      const known = stores.get(prefix);
      if (known !== undefined) return known;
      const store = openObjectStore({ backend: 'filesystem', filesystem: { directory }, prefix });
      stores.set(prefix, store);
      return store;
    },
  };
});

test('a folder that cannot be made is told', async (context) => {
  const path = join(testDirectory(context), 'file');
  writeFileSync(path, '');
  await assert.rejects(FileObjectStore.open(path), { code: 'failed_precondition' });
});

test('a configuration that cannot work is refused', async () => {
  const s3 = { bucketName: 'b', endpoint: 'localhost:1', accessKeyId: 'a', secretAccessKey: 'hidden-key' };
  const refused = async (config: Parameters<typeof openObjectStore>[0], what: RegExp) =>
    assert.rejects(openObjectStore(config), (error: Error & { readonly code: string }) => {
      assert.equal(error.code, 'invalid_argument');
      assert.match(error.message, what);
      assert.doesNotMatch(error.message, /hidden/);
      return true;
    });
  await refused({ backend: 's3', s3: { ...s3, bucketName: '' } }, /bucket_name is missing/);
  await refused({ backend: 's3', s3: { ...s3, secretAccessKey: '' } }, /without .*secret_access_key/);
  await refused({ backend: 's3', s3: { ...s3, endpoint: 'http://[' } }, /is no address/);
  await refused({ backend: 's3', s3, prefix: '../x' }, /no object key/);
  await refused({ backend: 's3', s3, limits: { partBytes: 1 << 20 } }, /parts of 1048576 bytes/);
  await refused(
    { backend: 'gcs', gcs: { bucketName: 'b', serviceAccount: '{"private_key":"hidden"' } },
    /no JSON/,
  );
  await refused({ backend: 'azure', azure: { containerName: 'c' } }, /account_name is missing/);
  await refused(
    { backend: 'azure', azure: { containerName: 'c', connectionString: 'AccountKey=hidden' } },
    /connection_string cannot be read/,
  );
});

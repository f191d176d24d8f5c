// SPDX-License-Identifier: Apache-2.0
//
// What networks do to a store in a bucket: answers that do not come, come late, in part, or twice.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { testDirectory } from '../testing/test-directory.ts';
import type { ObjectStore } from './object-store.ts';
import { openObjectStore } from './open-object-store.ts';
import { type Fault, FaultProxy, type ProxiedRequest } from './testing/fault-proxy.ts';
import { FAULT_LIMITS, faultRules, RETRIED, survivesUpload, UNNOTICED } from './testing/fault-rules.ts';
import { MemoryGcs } from './testing/memory-gcs.ts';
import { MemoryS3 } from './testing/memory-s3.ts';
import { objectStoreRules, PART_BYTES } from './testing/object-store-rules.ts';

const SECRET = 'this-is-the-secret-key';
function openMemory(url: string, prefix: string, limits = FAULT_LIMITS): Promise<ObjectStore> {
  const s3 = {
    bucketName: 'bucket',
    endpoint: url,
    forcePathStyle: true,
    accessKeyId: 'user',
    secretAccessKey: SECRET,
  };
  return openObjectStore({ backend: 's3', s3, prefix, limits });
}

async function faulty(context: TestContext, limits = FAULT_LIMITS) {
  const s3 = await MemoryS3.start();
  const proxy = await FaultProxy.start(s3.url);
  context.after(async () => {
    await proxy.stop();
    await s3.stop();
  });
  const open = () => openMemory(proxy.url, 'p', limits);
  return { s3, proxy, open, store: await open() };
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

objectStoreRules('S3 (in memory, through a proxy that reorders answers)', false, async () => {
  const s3 = await MemoryS3.start();
  const proxy = await FaultProxy.start(s3.url);
  proxy.fault = () => 'delay';
  return {
    open: (prefix) => openMemory(proxy.url, prefix),
    stop: async () => {
      await proxy.stop();
      await s3.stop();
    },
  };
});

faultRules('S3 (in memory)', false, async () => {
  const s3 = await MemoryS3.start();
  const proxy = await FaultProxy.start(s3.url);
  return {
    proxy,
    open: (limits) => openMemory(proxy.url, 'p', limits),
    stop: async () => {
      await proxy.stop();
      await s3.stop();
    },
  };
});

for (const fault of [...RETRIED, ...UNNOTICED]) {
  test(`an upload to Google goes on where it was broken off: ${fault}`, async (context) => {
    const gcs = await MemoryGcs.start();
    const proxy = await FaultProxy.start(gcs.url);
    gcs.externalUrl = proxy.url;
    context.after(async () => {
      await proxy.stop();
      await gcs.stop();
    });
    const store = await openObjectStore(
      { backend: 'gcs', gcs: { bucketName: 'bucket', endpoint: proxy.url }, limits: FAULT_LIMITS },
      { isReadOnly: true },
    );
    await survivesUpload(store, proxy, fault, join(testDirectory(context), 'file'));
  });
}

test('a fault that stays is told by what it is, after a few tries', async (context) => {
  const { proxy, store } = await faulty(context, { ...FAULT_LIMITS, attemptMillis: 200 });
  await store.put('k', randomBytes(1000));
  for (const [fault, code] of [
    ['refuse', 'unavailable'],
    ['reset', 'unavailable'],
    ['stall', 'deadline_exceeded'],
    ['truncate', 'data_loss'],
  ] as const) {
    const requests = proxy.requests.length;
    proxy.fault = () => fault;
    await assert.rejects(store.get('k', 1000), { code, message: /after 4 tries/ });
    assert.equal(proxy.requests.length - requests, 4, fault);
  }
  const { failures } = store.counters!();
  assert.deepEqual(failures, { unavailable: 8, deadline_exceeded: 4, data_loss: 4 });
});

test('what cannot get better is not tried again', async (context) => {
  const { s3, proxy, store } = await faulty(context);
  for (const [status, serverCode, code] of [
    [403, 'AccessDenied', 'permission_denied'],
    [403, 'InvalidAccessKeyId', 'unauthenticated'],
    [403, 'SignatureDoesNotMatch', 'unauthenticated'],
    [400, 'ExpiredToken', 'unauthenticated'],
    [404, 'NoSuchBucket', 'failed_precondition'],
    [400, 'InvalidRequest', 'failed_precondition'],
    [501, 'NotImplemented', 'unimplemented'],
  ] as const) {
    s3.failure = { status, code: serverCode, message: `no; you sent ${SECRET}` };
    const requests = proxy.requests.length;
    await assert.rejects(store.get('k', 1000), (error) => {
      assert.ok(error instanceof HearthscopeError);
      assert.equal(error.code, code, serverCode);
      assert.match(error.message, /s3:\/\/bucket\/p: read of k: .*no; you sent \*\*\*/);
      assert.equal(error.cause, undefined);
      return true;
    });
    assert.equal(proxy.requests.length - requests, 1, serverCode);
  }
  s3.failure = { status: 403, code: 'AccessDenied', message: 'no' };
  await assert.rejects(openMemory(proxy.url, 'p'), { code: 'permission_denied' });
});

test('who gives up is free at once, whatever the storage does', async (context) => {
  const { proxy, store } = await faulty(context, { ...FAULT_LIMITS, attemptMillis: 60_000 });
  const asked = Promise.withResolvers<void>();
  proxy.fault = () => {
    asked.resolve();
    return 'stall';
  };
  const controller = new AbortController();
  const waiting = store.get('k', 1000, { signal: controller.signal });
  await asked.promise;
  const reason = new HearthscopeError('canceled', 'the client has left');
  controller.abort(reason);
  await assert.rejects(waiting, reason);
  assert.equal(proxy.requests.filter(({ path }) => path.includes('/p/k')).length, 1);
});

test('of several writers exactly one wins whatever happens to their answers', async (context) => {
  const { proxy, open, store } = await faulty(context, { ...FAULT_LIMITS, attempts: 8, attemptMillis: 300 });
  const stores = [store, await open(), await open()];
  const faults: readonly (Fault | undefined)[] = [
    'refuse',
    'reset',
    'lose',
    'repeat',
    'delay',
    'truncate',
    'stall',
  ];
  let seed = 1;
  const random = (limit: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % limit;
  };
  proxy.fault = () => (random(10) < 4 ? faults[random(faults.length)] : undefined);
  for (let round = 0; round < 40; round++) {
    // Equal bytes: who has won cannot be told by them.
    const content = (writer: number) => Buffer.from(round % 2 === 0 ? 'the same' : `writer ${writer}`);
    const answers = await Promise.allSettled(
      stores.map((each, writer) => each.putIfAbsent(`m/${round}`, content(writer))),
    );
    const wins = answers.flatMap((answer, writer) =>
      answer.status === 'fulfilled' && answer.value ? [writer] : [],
    );
    const isTold = answers.every(({ status }) => status === 'fulfilled');
    assert.ok(isTold ? wins.length === 1 : wins.length <= 1, `round ${round}: ${JSON.stringify(answers)}`);
    if (wins.length === 0) continue;
    const kept = Buffer.from(await store.get(`m/${round}`, 100)).toString();
    assert.equal(kept, content(wins[0]!).toString());
  }
});

test('a writer whose answers are all lost, and whose object is removed since, does not guess', async (context) => {
  const { s3, proxy, store } = await faulty(context);
  let tries = 0;
  proxy.fault = ({ method }: ProxiedRequest) => {
    if (method === 'HEAD') s3.objects.clear();
    return method === 'PUT' && ++tries === 1 ? 'lose' : undefined;
  };
  await assert.rejects(store.putIfAbsent('k', Buffer.from('x')), {
    code: 'unavailable',
    message: /cannot be told/,
  });
});

test('an upload that fails leaves nothing behind', async (context) => {
  const { s3, proxy, store } = await faulty(context);
  const file = join(testDirectory(context), 'file');
  writeFileSync(file, randomBytes(PART_BYTES + 1));
  proxy.fault = ({ path }) => (path.includes('partNumber=2') ? 'refuse' : undefined);
  await assert.rejects(store.putFile('k', file), { code: 'unavailable' });
  assert.equal(s3.uploads.size, 0);
  assert.equal(await store.head('k'), undefined);
});

test('a listing that lacks entries, repeats them or has them out of order is not believed', async (context) => {
  const { s3, store } = await faulty(context);
  const keys = ['l/1', 'l/2', 'l/3', 'l/4', 'l/5'];
  for (const key of keys) await store.put(key, Buffer.from(key));
  const listed = async () => (await all(store.list('l/'))).map(({ key }) => key);
  let first: readonly string[] = [];
  const repeated = (page: readonly string[]) => {
    if (first.length === 0) first = page;
    return first.slice(0, page.length);
  };
  for (const [change, code] of [
    [(page: readonly string[]) => page.toReversed(), 'data_loss'],
    [(page: readonly string[]) => page.slice(1), 'unavailable'],
    [repeated, 'data_loss'],
  ] as const) {
    s3.listed = change;
    await assert.rejects(listed(), { code, message: /after 4 tries/ });
    // A fault that does not last.
    let faults = 1;
    first = [];
    s3.listed = (page) => (faults-- > 0 ? change(page) : page);
    assert.deepEqual(await listed(), keys);
  }
});

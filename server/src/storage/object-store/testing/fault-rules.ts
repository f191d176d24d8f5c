// SPDX-License-Identifier: Apache-2.0
//
// What a store in a bucket does when something happens to one request: nothing that its user would notice.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { testDirectory } from '../../testing/test-directory.ts';
import type { ObjectStore } from '../object-store.ts';
import type { RequestLimits } from '../request-limits.ts';
import type { Fault, FaultProxy } from './fault-proxy.ts';
import { PAGE_ENTRIES, PART_BYTES } from './object-store-rules.ts';

export interface StoreBehindProxy {
  readonly proxy: FaultProxy;
  readonly open: (limits: Partial<RequestLimits>) => Promise<ObjectStore>;
  readonly stop: () => Promise<void>;
  /** Why uploads in parts cannot meet faults here. */
  readonly uploadsLack?: string;
}

export const FAULT_LIMITS: Partial<RequestLimits> = {
  attempts: 4,
  attemptMillis: 500,
  minBytesPerSecond: 64 * 1024 * 1024,
  backoffMillis: 5,
  maxBackoffMillis: 20,
  pageEntries: PAGE_ENTRIES,
  partBytes: PART_BYTES,
};

export const RETRIED: readonly Fault[] = ['refuse', 'reset', 'lose', 'stall', 'truncate'];
export const UNNOTICED: readonly Fault[] = ['repeat', 'delay'];
/** The first one waits for the storage to be installed. */
const RULE_MILLIS = 900_000;

/** @param skip why none of it can be tried here, or false
 * @param prepare makes the storage ready; called once, when the first rule is tried */
export function faultRules(
  name: string,
  skip: string | false,
  prepare: () => Promise<StoreBehindProxy>,
): void {
  describe(`every request survives one fault: ${name}`, { skip }, () => {
    let prepared: Promise<StoreBehindProxy> | undefined;
    after(async () => (await prepared)?.stop());
    for (const fault of [...RETRIED, ...UNNOTICED]) {
      it(fault, { timeout: RULE_MILLIS }, async (context) => {
        prepared ??= prepare();
        const { proxy, open, uploadsLack } = await prepared;
        proxy.fault = () => undefined;
        const store = await open(FAULT_LIMITS);
        const file = join(testDirectory(context), 'file');
        await survives(store, proxy, fault);
        if (uploadsLack === undefined) await survivesUpload(store, proxy, fault, file);
        else context.diagnostic(`NOT TRIED: an upload in parts: ${uploadsLack}`);
        const { retries } = store.counters!();
        if (RETRIED.includes(fault)) assert.ok(retries > 0);
      });
    }
  });
}

async function survives(store: ObjectStore, proxy: FaultProxy, fault: Fault): Promise<void> {
  const bytes = randomBytes(50_000);
  const folder = randomBytes(8).toString('hex');
  const once = () => {
    let faults = 1;
    proxy.fault = () => (faults-- > 0 ? fault : undefined);
  };
  const [one, two] = [`${folder}/1`, `${folder}/2`] as const;
  once();
  await store.put(one, bytes);
  once();
  assert.ok(bytes.equals(await store.get(one, bytes.length)));
  once();
  assert.ok(bytes.subarray(7, 4007).equals(await store.getRange(one, 7, 4000)));
  once();
  assert.deepEqual(await store.head(one), { key: one, sizeBytes: bytes.length });
  once();
  assert.equal(await store.putIfAbsent(two, bytes), true);
  once();
  assert.equal(await store.putIfAbsent(two, randomBytes(10)), false);
  once();
  assert.deepEqual(await keysOf(store, `${folder}/`), [one, two]);
  once();
  const folders: string[] = [];
  for await (const name of store.folders('')) folders.push(name);
  assert.ok(folders.includes(folder));
  once();
  await store.delete(two);
  assert.equal(await store.head(two), undefined);
}

/** Each request of an upload meets the fault. */
export async function survivesUpload(
  store: ObjectStore,
  proxy: FaultProxy,
  fault: Fault,
  file: string,
): Promise<void> {
  const seen = new Set<string>();
  proxy.fault = ({ method, path, range }) => {
    const request = `${method} ${path} ${range}`;
    if (seen.has(request)) return undefined;
    seen.add(request);
    return fault;
  };
  const large = randomBytes(2 * PART_BYTES + 1);
  writeFileSync(file, large);
  await store.putFile('large', file);
  assert.ok(seen.size >= 4, [...seen].join(' '));
  proxy.fault = () => undefined;
  assert.ok(large.equals(await store.get('large', large.length)));
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

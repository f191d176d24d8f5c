// SPDX-License-Identifier: Apache-2.0
//
// The rules that every object store keeps, as tests against any of them.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { HearthscopeError } from '@hearthscope/profile/errors';
import { testDirectory } from '../../testing/test-directory.ts';
import type { ObjectStore } from '../object-store.ts';

export interface StoreUnderTest {
  /** Opens a store below a prefix; those of one prefix see the same objects. Pages are short: {@link PAGE_ENTRIES}, and
   * files beyond {@link PART_BYTES} are uploaded in parts. */
  readonly open: (prefix: string) => Promise<ObjectStore>;
  /** Called after the last rule. */
  readonly stop?: () => Promise<void>;
  /** Why a rule cannot be kept by this storage, by the rule's name. */
  readonly lacks?: Readonly<Record<string, string>>;
}

export const PAGE_ENTRIES = 3;
export const PART_BYTES = 5 * 1024 * 1024;

/** The first one waits for the storage to be installed. */
const RULE_MILLIS = 900_000;
const WRITERS = 12;

/** @param skip why none of it can be tried here, or false
 * @param prepare makes the storage ready; called once, when the first rule is tried */
export function objectStoreRules(
  name: string,
  skip: string | false,
  prepare: () => Promise<StoreUnderTest>,
): void {
  describe(`object store: ${name}`, { skip }, () => {
    let prepared: Promise<StoreUnderTest> | undefined;
    after(async () => (await prepared)?.stop?.());
    for (const [rule, check] of Object.entries(RULES)) {
      it(rule, { timeout: RULE_MILLIS }, async (context) => {
        prepared ??= prepare();
        const { open, lacks } = await prepared;
        const missing = lacks?.[rule];
        if (missing !== undefined) {
          context.skip(`SKIPPED: ${missing}`);
          return;
        }
        const prefix = `rules/${randomBytes(8).toString('hex')}`;
        await check(await open(prefix), { context, open, prefix });
      });
    }
  });
}

interface RuleContext {
  readonly context: TestContext;
  readonly open: StoreUnderTest['open'];
  readonly prefix: string;
}
type Rule = (store: ObjectStore, rule: RuleContext) => Promise<void>;

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

async function textOf(store: ObjectStore, key: string): Promise<string> {
  return Buffer.from(await store.get(key, 1000)).toString('utf8');
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function fails(promise: Promise<unknown>, code: HearthscopeError['code']): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof HearthscopeError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

const RULES: Readonly<Record<string, Rule>> = {
  'what was put is read, as a whole and in parts': async (store) => {
    const bytes = randomBytes(100_000);
    await store.put('a/b', bytes);
    assert.ok(bytes.equals(await store.get('a/b', 100_000)));
    assert.deepEqual(await store.head('a/b'), { key: 'a/b', sizeBytes: 100_000 });
    for (const [start, length] of [
      [0, 1],
      [0, 100_000],
      [99_999, 1],
      [123, 4567],
    ] as const) {
      const part = await store.getRange('a/b', start, length);
      assert.ok(bytes.subarray(start, start + length).equals(part), `${start}, ${length}`);
    }
  },

  'a range ends where the object ends': async (store) => {
    await store.put('k', bytesOf('0123456789'));
    assert.equal(Buffer.from(await store.getRange('k', 8, 5)).toString(), '89');
    assert.equal((await store.getRange('k', 10, 5)).length, 0);
    assert.equal((await store.getRange('k', 11, 1)).length, 0);
    assert.equal((await store.getRange('k', 3, 0)).length, 0);
    await store.put('empty', new Uint8Array(0));
    assert.equal((await store.get('empty', 0)).length, 0);
    assert.equal((await store.getRange('empty', 0, 1)).length, 0);
    await fails(store.getRange('k', -1, 1), 'invalid_argument');
    await fails(store.getRange('k', 0, 1.5), 'invalid_argument');
  },

  'an object beyond the limit is refused': async (store) => {
    await store.put('k', bytesOf('0123456789'));
    assert.equal((await store.get('k', 10)).length, 10);
    await fails(store.get('k', 9), 'resource_exhausted');
    assert.equal((await store.get('k', 10)).length, 10);
  },

  'an object that is not there is told apart from every failure': async (store) => {
    await fails(store.get('no', 10), 'not_found');
    await fails(store.getRange('no', 0, 10), 'not_found');
    await fails(store.getRange('no', 0, 0), 'not_found');
    assert.equal(await store.head('no'), undefined);
    await store.delete('no');
    await store.put('yes/a', bytesOf('x'));
    assert.equal(await store.head('yes'), undefined);
    await store.delete('yes/a');
    await store.delete('yes/a');
    await fails(store.get('yes/a', 10), 'not_found');
  },

  'put takes the place of what was there': async (store) => {
    await store.put('k', bytesOf('long and old'));
    await store.put('k', bytesOf('new'));
    assert.equal(await textOf(store, 'k'), 'new');
  },

  'putIfAbsent never does': async (store) => {
    assert.equal(await store.putIfAbsent('k', bytesOf('first')), true);
    assert.equal(await store.putIfAbsent('k', bytesOf('second')), false);
    assert.equal(await store.putIfAbsent('k', bytesOf('first')), false);
    assert.equal(await textOf(store, 'k'), 'first');
    await store.delete('k');
    assert.equal(await store.putIfAbsent('k', bytesOf('third')), true);
  },

  'of several writers exactly one wins': async (store, { open, prefix }) => {
    const other = await open(prefix);
    for (let round = 0; round < 3; round++) {
      const wins = await Promise.all(
        Array.from({ length: WRITERS }, (_, i) =>
          (i % 2 === 0 ? store : other).putIfAbsent(`k${round}`, bytesOf(`writer ${i}`)),
        ),
      );
      assert.equal(wins.filter((won) => won).length, 1, `round ${round}`);
      assert.equal(await textOf(store, `k${round}`), `writer ${wins.indexOf(true)}`);
    }
  },

  'lists in the order of keys, over several pages': async (store) => {
    const keys = ['a-b/x', 'a/x', 'a/y/1', 'a/y/2', 'a/z', 'aa', 'b/1', 'b/10', 'b/2'];
    for (const key of keys.toReversed()) await store.put(key, bytesOf(key));
    const listed = await all(store.list(''));
    assert.deepEqual(
      listed.map(({ key }) => key),
      keys,
    );
    assert.deepEqual(
      listed.map(({ sizeBytes }) => sizeBytes),
      keys.map((key) => key.length),
    );
    const under = async (prefix: string) => (await all(store.list(prefix))).map(({ key }) => key);
    assert.deepEqual(await under('a/'), ['a/x', 'a/y/1', 'a/y/2', 'a/z']);
    assert.deepEqual(await under('b/1'), ['b/1', 'b/10']);
    assert.deepEqual(await under('nothing/'), []);
  },

  'names the folders below a prefix': async (store) => {
    for (const key of ['t/a/1', 't/a/2', 't/a-b/1', 't/b/c/d', 't/c/1', 't/d/1', 't/file', 'u/x/1']) {
      await store.put(key, bytesOf('x'));
    }
    assert.deepEqual(await all(store.folders('t/')), ['a-b', 'a', 'b', 'c', 'd']);
    assert.deepEqual(await all(store.folders('t/b/')), ['c']);
    assert.deepEqual(await all(store.folders('')), ['t', 'u']);
    assert.deepEqual(await all(store.folders('none/')), []);
  },

  'sees nothing outside of its prefix': async (store, { open, prefix }) => {
    const other = await open(`${prefix}-other`);
    const inner = await open(`${prefix}/inner`);
    await store.put('k', bytesOf('mine'));
    await other.put('k', bytesOf('other'));
    await inner.put('k', bytesOf('inner'));
    assert.deepEqual(
      (await all(store.list(''))).map(({ key }) => key),
      ['inner/k', 'k'],
    );
    assert.equal(await textOf(store, 'k'), 'mine');
    await store.delete('k');
    assert.equal(await textOf(other, 'k'), 'other');
    assert.equal(await textOf(store, 'inner/k'), 'inner');
  },

  'stores files, the large ones in parts': async (store, { context }) => {
    const directory = testDirectory(context);
    for (const [name, size] of [
      ['empty', 0],
      ['small', 1000],
      ['one-part', PART_BYTES],
      ['several-parts', 2 * PART_BYTES + 12_345],
    ] as const) {
      const bytes = randomBytes(size);
      const path = join(directory, name);
      writeFileSync(path, bytes);
      await store.putFile(`f/${name}`, path);
      assert.ok(bytes.equals(await store.get(`f/${name}`, size)), name);
      assert.ok(bytes.equals(readFileSync(path)), name);
    }
    const again = join(directory, 'again');
    writeFileSync(again, 'again');
    await store.putFile('f/several-parts', again);
    assert.equal(await textOf(store, 'f/several-parts'), 'again');
  },

  'takes every key that is one, and no other': async (store) => {
    const odd = "v1/te!-_.*'()nant/01ARZ3NDEKTSV4RRFFQ69G5FAV/x.bin";
    await store.put(odd, bytesOf('odd'));
    assert.equal(await textOf(store, odd), 'odd');
    assert.deepEqual(
      (await all(store.list('v1/'))).map(({ key }) => key),
      [odd],
    );
    for (const key of ['', '/a', 'a/', 'a//b', '..', 'a/../b', './a', 'a b', 'a?b', 'a%2fb', 'ä', 'a\\b']) {
      await fails(store.get(key, 10), 'invalid_argument');
      await fails(store.put(key, bytesOf('x')), 'invalid_argument');
      await fails(store.delete(key), 'invalid_argument');
    }
    await fails(all(store.list('../')), 'invalid_argument');
  },

  'a request that was given up fails with the reason': async (store) => {
    await store.put('k', bytesOf('x'));
    const reason = new HearthscopeError('deadline_exceeded', 'the query took too long');
    const signal = AbortSignal.abort(reason);
    await assert.rejects(store.get('k', 10, { signal }), reason);
    await assert.rejects(store.getRange('k', 0, 1, { signal }), reason);
    await assert.rejects(store.putIfAbsent('new', bytesOf('x'), { signal }), reason);
    await assert.rejects(all(store.list('', { signal })), reason);
    await fails(store.head('k', { signal: AbortSignal.abort() }), 'canceled');
    assert.equal(await store.head('new'), undefined);
  },

  'its address holds no secrets': async (store) => {
    assert.doesNotMatch(store.location, /secret|AccountKey|Eby8vdM0|sig=/i);
    assert.match(store.location, /^(file|s3|gs|azure):/);
  },
};
